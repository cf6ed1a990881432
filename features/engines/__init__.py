"""Where the snapshots' SQL runs: DuckDB inside the process, or PostgreSQL or Spark where the raw tables live."""
