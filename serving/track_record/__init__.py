"""How good the forecasts on record were: each beside what came of it, and beside its rivals."""
