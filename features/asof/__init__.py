"""The one place where time is cut: what was known before a date, and digests of it."""
