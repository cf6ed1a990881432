"""The pages about the business, the watch over the model, and the homes by role."""
