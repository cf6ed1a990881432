"""Of single customers: which were lost and why, what they said, what they do not own yet, what they read."""
