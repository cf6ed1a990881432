"""Score, roll up, publish, answer."""
