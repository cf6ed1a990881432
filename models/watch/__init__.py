"""Whether a model still fits: charts of its monthly hazards, limits for all of them together, inputs that moved."""
