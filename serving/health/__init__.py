"""The health score by account, as a rule of the business: now, before, what people set beside it, and how it did."""
