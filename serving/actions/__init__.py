"""What to do next, within the hours there are, and what would follow if things were otherwise."""
