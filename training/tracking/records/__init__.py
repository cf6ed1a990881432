"""What is recorded, for whoever only reads it: without MLflow where its own tables can be read."""
