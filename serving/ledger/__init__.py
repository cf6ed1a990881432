"""The append-only record of every forecast published, in a store of its own that is never replaced."""
