"""The targets of a quarter as they were known at a date, and the variable pay of a quarter.

Of targets the newest one counts, and the first is kept beside it.
"""

from datetime import date, timedelta

import pandas as pd

from features.asof.clocks import Clocks
from features.asof.view import day_number
from features.tables.checked import Tables
from params import Budget

TOTAL = "total"
KEY = ["kpi", "cut", "value", "quarter"]


def quarter_of(day: date) -> str:
    """The quarter a day lies in, such as 2025-Q3."""
    return f"{day.year}-Q{(day.month + 2) // 3}"


def quarter_before(as_of: date) -> str:
    """The quarter of the last day before a date."""
    return quarter_of(as_of - timedelta(days=1))


def targets_known(tables: Tables, as_of: date, budget: Budget) -> pd.DataFrame:
    """The targets known before a date: `kpi`, `cut`, `value`, `quarter`, `target`, and the `first_target` set.

    Names are in lower case; the whole company is cut `total`, value `total`.
    """
    names = [*KEY, "target", "first_target"]
    if not tables.has("targets"):
        return pd.DataFrame(columns=names)
    counts_after = Clocks(tables).of_row("targets").counts_after
    select = f"""
        SELECT LOWER(TRIM(kpi)) AS kpi, COALESCE(NULLIF(TRIM(cut), ''), '{TOTAL}') AS cut,
               COALESCE(NULLIF(TRIM(value), ''), '{TOTAL}') AS value, quarter, target, set_on
        FROM raw.targets WHERE {counts_after} < {day_number(as_of)} ORDER BY set_on NULLS FIRST, target"""
    with tables.connect(budget=budget) as connection:
        rows = connection.execute(select).df()
    groups = rows.groupby(KEY, sort=True)["target"]
    return pd.DataFrame({"target": groups.last(), "first_target": groups.first()}).reset_index()[names]


def pay_on_file(tables: Tables, budget: Budget) -> pd.DataFrame:
    """The variable pay that was paid: `person`, `quarter`, `paid`; no rows without such a table."""
    if not tables.has("pay", "paid"):
        return pd.DataFrame({"person": [], "quarter": [], "paid": []})
    with tables.connect(budget=budget) as connection:
        return connection.execute("SELECT person, quarter, SUM(paid) AS paid FROM raw.pay GROUP BY ALL").df()
