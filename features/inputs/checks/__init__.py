"""What may not be in the input: the rules, row by row, and what becomes of the rows that break them."""
