"""Attributes of accounts that have no history: does what they say today tell who left before today?"""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.leaks.finding import Leak
from features.leaks.rank import Separation, rates_of_others, separation, share_low
from features.revenue import arr_by_account
from features.revenue.known_lines import load
from features.tables import contract
from features.tables.checked import Tables
from features.tables.contract import Type
from features.tables.problems import EXAMPLES
from features.tables.sql import named
from params import Leaks as Settings
from params import Params

NEVER_TRIED = ("name", "customer_since")
EMPTY = "(empty)"
DECLARED = {column.name: column.type for column in contract.ACCOUNTS}


@dataclass(frozen=True)
class Value:
    """One value of an attribute: how many of its accounts have left, and how much faster than the others.

    `left_low` is the lower end of the share's 95 % interval; `times_faster` is reckoned at it.
    """

    value: str
    rows: int
    left: int
    left_low: float
    times_faster: float

    def marks_leavers(self, settings: Settings) -> bool:
        """Whether so many of its accounts left that it must have been set when they did."""
        enough = self.left >= settings.min_churned and self.left_low > settings.left_share
        return enough and self.times_faster >= settings.times_faster

    def __str__(self) -> str:
        """The value and what became of its accounts."""
        return f"{self.value}: {self.left:,} of {self.rows:,} left"


def load_fates(connection: duckdb.DuckDBPyConnection, tables: Tables, params: Params) -> tuple[int, int]:
    """Make temp table `fates(account_id, gone)`: who ever had revenue, and whether it is gone where the data end.

    Returns how many are gone and how many are there.
    """
    still = arr_by_account(
        tables,
        [tables.data_until],
        known_by=tables.data_until,
        rules=params.revenue,
        budget=params.budget,
    )
    load(connection, {"still": still[["account_id"]].drop_duplicates()})
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE fates AS
        SELECT account_id, account_id NOT IN (SELECT account_id FROM still) AS gone
        FROM (SELECT DISTINCT account_id FROM raw.contracts WHERE mrr > 0 AND starts_on < DATE '{tables.data_until}')
        ORDER BY account_id""")
    row = connection.execute("SELECT count(*) FILTER (gone), count(*) FILTER (NOT gone) FROM fates").fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def telling_attributes(connection: duckdb.DuckDBPyConnection, tables: Tables, settings: Settings) -> Iterator[Leak]:
    """The attributes whose value today separates those that left from those that stayed, better than chance can."""
    columns = _without_history(connection, tables)
    if not columns:
        return
    frame = _today(connection, tables, columns)
    gone = frame["gone"].to_numpy(dtype=bool)
    for column in columns:
        leak = _tried(frame, column, gone, settings)
        if leak is not None:
            yield leak


def _without_history(connection: duckdb.DuckDBPyConnection, tables: Tables) -> list[str]:
    """Attributes that never change in the data: of no account two values are there."""
    columns = [name for name in tables.attribute_columns if name not in NEVER_TRIED]
    changes = ", ".join(f"max(n_{i})" for i in range(len(columns)))
    counts = ", ".join(f"count(DISTINCT {named(name)}) AS n_{i}" for i, name in enumerate(columns))
    if not columns:
        return []
    row = connection.execute(
        f"SELECT {changes} FROM (SELECT {counts} FROM raw.accounts GROUP BY account_id)"
    ).fetchone()
    return [name for name, most in zip(columns, row or (), strict=True) if most and most < 2]


def _today(connection: duckdb.DuckDBPyConnection, tables: Tables, columns: list[str]) -> pd.DataFrame:
    """One row an account that ever had revenue: its attributes in force now, and whether it is gone."""
    order = [f"{name} DESC NULLS LAST" for name in ("valid_from", "recorded_at") if tables.has("accounts", name)]
    selected = ", ".join(f"a.{named(name)}" for name in columns)
    return connection.execute(f"""
        SELECT f.gone, f.account_id AS account, {selected}
        FROM fates f JOIN raw.accounts a ON a.account_id = f.account_id
        QUALIFY row_number() OVER (PARTITION BY f.account_id ORDER BY {", ".join([*order, "1"])}) = 1
        ORDER BY f.account_id""").df()


def _tried(frame: pd.DataFrame, column: str, gone: NDArray[np.bool_], settings: Settings) -> Leak | None:
    """The attribute as a leak, if its values or its being empty rank too well, or one of its values marks leavers."""
    accounts, is_empty = frame["account"], frame[column].isna()
    numbers = _numbers(frame[column], column)
    labels = _text(frame[column])
    ranked = rates_of_others(labels, gone, accounts) if numbers is None else numbers
    separations = {
        "its values": separation(ranked, gone, accounts),
        "being empty or not": separation(np.asarray(is_empty, dtype=np.float64), gone, accounts),
    }
    named_values = labels.fillna(EMPTY) if numbers is None else is_empty.map({True: EMPTY, False: "not empty"})
    values = _values(named_values, gone)
    marking = [value for value in values if value.marks_leavers(settings)]
    knowing = [how for how, item in separations.items() if item is not None and _knows(item, settings)]
    if not knowing and not marking:
        return None
    how = knowing[0] if knowing else "its values"
    examples = marking or (values if how != "its values" or numbers is None else [])
    return _leak(column, examples[:EXAMPLES], (how, separations[how]), (int(gone.sum()), len(gone)))


def _knows(item: Separation, settings: Settings) -> bool:
    return item.left >= settings.min_churned and item.low > settings.max_auc


def _numbers(values: "pd.Series[str]", column: str) -> NDArray[np.float64] | None:
    """A column that can be ranked as numbers; None for a category. Undeclared columns are read if all their text is."""
    kind = DECLARED.get(column, Type.TEXT)
    if kind in (Type.NUMBER, Type.INTEGER, Type.MONEY):
        return values.to_numpy(dtype="float64", na_value=np.nan)
    if kind in (Type.DATE, Type.TS):
        return _days(pd.to_datetime(values))
    read = pd.to_numeric(values, errors="coerce")
    if read.notna().sum() == values.notna().sum():
        return read.to_numpy(dtype="float64", na_value=np.nan)
    days = pd.to_datetime(values, errors="coerce", format="ISO8601")
    return _days(days) if days.notna().sum() == values.notna().sum() else None


def _days(moments: "pd.Series[pd.Timestamp]") -> NDArray[np.float64]:
    days = (moments - pd.Timestamp(0)) / pd.Timedelta(days=1)
    return np.asarray(days, dtype=np.float64)


def _text(values: "pd.Series[str]") -> "pd.Series[str]":
    return values.astype("object").where(values.notna(), None).map(str, na_action="ignore")


def _values(labels: "pd.Series[str]", gone: NDArray[np.bool_]) -> list[Value]:
    """Each value with what became of its accounts, the most lost first.

    With losses at a constant rate, rates compare as the logarithms of the shares that stayed.
    """
    counts = pd.Series(gone).groupby(labels.to_numpy(dtype=object)).agg(["sum", "size"])
    values = []
    for value, (left, rows) in zip(counts.index, counts.to_numpy(), strict=True):
        low = share_low(left, rows)
        others = (gone.sum() - left + 0.5) / (len(gone) - rows + 1)
        values.append(Value(str(value), int(rows), int(left), low, float(np.log1p(-low) / np.log1p(-others))))
    return sorted(values, key=lambda item: (-item.left / item.rows, -item.rows, item.value))


def _leak(column: str, values: list[Value], best: tuple[str, Separation | None], counts: tuple[int, int]) -> Leak:
    how, measure = best
    gone, of = counts
    figures = {} if measure is None else {"auc": measure.auc, "auc_low": measure.low, "auc_high": measure.high}
    measured = "" if measure is None else f"; {how} alone: {measure.interval}"
    return Leak(
        kind="attribute without history",
        grade="leak",
        table="accounts",
        column=column,
        what=f"its value today tells which {gone:,} of {of:,} accounts have left{measured}",
        backtest="The value of today stands in every snapshot of the past, from before it was set: a model learns that "
        "it foretells churn, and it follows churn.",
        todo=f"Bring the history of {column} (a row of accounts each time it changed, with valid_from), or leave it "
        "out of the mapping.",
        examples=tuple(str(value) for value in values),
        feature=column,
        figures=figures | {"left": gone, "accounts": of},
    )
