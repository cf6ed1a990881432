"""The chain: each entry holds a digest of some rows of the record and of the entry before it."""
