"""What people write, append-only in the record: who wrote what of which account, when, and what they had seen."""
