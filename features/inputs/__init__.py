"""The way in: finds, reads, types and checks the tables of a source, and stores what passed."""
