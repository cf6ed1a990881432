"""The study of what actions change: trials on snapshots as of each date, nuisances, estimates, and their report."""
