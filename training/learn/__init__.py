"""What a model learns from and by which recipe: the dataset, tuning, the fit, and what the fitted model looks at."""
