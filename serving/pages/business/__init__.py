"""The pages about the business and its customers, the watch over the model, and the homes by role."""
