"""Forecasts from past dates by what was known then, set beside what happened and beside rivals."""
