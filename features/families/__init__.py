"""What a feature is, and the features themselves, a family a module: no clock, no raw tables."""
