"""What accounts whose figures moved have in common: slices of them, scanned with one threshold for all scans."""
