"""Snapshots: the parts of all features compiled to SQL, made by an engine, and kept a file a date."""
