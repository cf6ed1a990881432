"""Results of verbs as tables and sentences in the terminal."""
