"""Why an account's probability is what it is, in words, and what its values are held against."""
