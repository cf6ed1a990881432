"""Features that follow from how the settings say a team works: the phase of a customer, and the cadence kept."""
