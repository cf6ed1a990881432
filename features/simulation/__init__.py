"""A simulated subscription company: a built-in source with known truth.

`simulate` gives the tables as data frames, `write_company` as Parquet files. The truth behind them is in
`features.simulation.truth`, which no step of the product imports.
"""

from features.simulation.emission.company_tables import simulate, write_company

__all__ = ["simulate", "write_company"]
