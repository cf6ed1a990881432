"""Pure scoring: how good probabilities and forecasts were, against the baselines anyone could have used."""
