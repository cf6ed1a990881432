"""The bridge between two forecasts on record: read from their archives, made, put into words."""
