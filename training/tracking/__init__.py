"""The one edge to MLflow: runs, evidence, model versions and the champion."""
