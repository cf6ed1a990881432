"""The rows of the table `calls`: people's own forecasts of accounts, as the company brings them."""

from datetime import date

import pandas as pd

from features.asof.clocks import Clocks
from features.tables import contract
from features.tables.checked import Tables
from features.tables.sql import named
from params import Budget

COLUMNS = tuple(column.name for column in contract.TABLES["calls"] if column.name != "recorded_at")


def calls_known(tables: Tables, *, budget: Budget, before: date | None = None) -> pd.DataFrame:
    """All calls that were known before a day, where the data end if None, the oldest first.

    The table's columns, absent ones empty; calls of one day in the order in which they became known.
    """
    if not tables.columns.get("calls"):
        return pd.DataFrame(columns=list(COLUMNS))
    cells, day = ", ".join(map(named, COLUMNS)), before or tables.data_until
    query = f"""
        SELECT {cells} FROM raw.calls
        WHERE {Clocks(tables).of_row("calls").counts_after} < (DATE '{day.isoformat()}' - DATE '1970-01-01')
        ORDER BY called_on, recorded_at NULLS FIRST, {cells}"""
    with tables.connect(budget=budget) as connection:
        return connection.execute(query).df()
