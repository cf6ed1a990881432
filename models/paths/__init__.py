"""From monthly hazards to simulated ARR paths, and from the paths to NRR, GRR and renewals with intervals."""
