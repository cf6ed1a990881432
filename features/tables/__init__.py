"""What a company brings: the tables declared column by column, stored once checked, and what can be wrong with them."""
