"""What was known about each account at each date: tables in, snapshots and revenue out."""
