"""Who may ask for what, how often, and the record of it."""
