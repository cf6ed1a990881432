"""Which parts of the product each account used in the weeks before a day, as known then."""

from datetime import date

import pandas as pd

from features.asof.clocks import Clocks
from features.asof.view import day_number
from features.tables.checked import Tables
from params import Budget


def parts_in_use(tables: Tables, day: date, days: int, budget: Budget) -> pd.DataFrame:
    """The parts of the product (`usage.feature`) that each account used.

    Parameters
    ----------
    tables
        The checked tables; no row comes of those that do not tell, or whose usage stays in a warehouse.
    day
        What was known before it.
    days
        How far back.
    budget
        What the engine may use.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `part`; each pair once.
    """
    if not tables.has("usage", "feature") or "usage" not in tables.kept:
        return pd.DataFrame({"account_id": [], "part": []}, dtype=str)
    rolled, asked = tables.at(day), day_number(day)
    clock = Clocks(rolled).of_event("usage", "used_on")
    with rolled.connect(budget=budget) as connection:
        return connection.execute(f"""
            SELECT DISTINCT account_id, CAST(feature AS VARCHAR) AS part FROM raw.usage
            WHERE feature IS NOT NULL AND {clock.counts_after} < {asked} AND {clock.happened} >= {asked - days}
            ORDER BY account_id, part""").df()


def first_use(tables: Tables, budget: Budget) -> date | None:
    """The first day of which use is on file; None where there is none, or it stays in a warehouse."""
    if not tables.has("usage") or "usage" not in tables.kept:
        return None
    with tables.connect(budget=budget) as connection:
        ((first,),) = connection.execute("SELECT MIN(CAST(used_on AS DATE)) FROM raw.usage").fetchall()
    day: date | None = first
    return day
