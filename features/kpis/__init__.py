"""Facts about the business, without models: each with its definition, its number of accounts and its date."""
