"""Books of people: what they did against what they were expected to do, and what a plan would have paid for it."""
