"""The verb of the record."""
