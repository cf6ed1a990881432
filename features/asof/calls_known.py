"""The rows of the table `calls`: people's own forecasts of accounts, as the company brings them."""

import pandas as pd

from features.asof.clocks import Clocks
from features.tables import contract
from features.tables.checked import Tables
from features.tables.sql import named
from params import Budget

COLUMNS = tuple(column.name for column in contract.TABLES["calls"] if column.name != "recorded_at")


def calls_known(tables: Tables, *, budget: Budget) -> pd.DataFrame:
    """All calls that were known before the data end, the oldest first: the table's columns, absent ones empty."""
    if not tables.columns.get("calls"):
        return pd.DataFrame(columns=list(COLUMNS))
    cells = [named(name) if tables.has("calls", name) else f"NULL AS {named(name)}" for name in COLUMNS]
    ends = f"(DATE '{tables.data_until.isoformat()}' - DATE '1970-01-01')"
    query = f"""
        SELECT {", ".join(cells)} FROM raw.calls WHERE {Clocks(tables).of_row("calls").counts_after} < {ends}
        ORDER BY ALL"""
    with tables.connect(budget=budget) as connection:
        return connection.execute(query).df()
