"""The record's tables, step by step: a revision a module, run in order when a record is opened."""
