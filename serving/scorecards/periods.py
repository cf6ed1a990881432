"""Quarters whose result is settled: what was expected of each person's book at the start, and what it came to.

The expectation is the official forecast's, as it is on record. Where none is old enough that of a backtest stands in,
made with what was known then: replayed, not on record, and nothing should be paid by it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from features.revenue import add_months
from features.revenue.cut_labels import NO_LABEL, owners_in_force
from features.revenue.retention import account_retention
from features.tables.checked import Tables
from models.books.scorecards import effective_n, sd_of_quantiles
from models.paths.books import SLOPES
from params import Params
from serving.ledger.archive import read_archive
from serving.ledger.record import Record
from serving.ledger.yardsticks.windows import windows

MONTHS = 3
ON_RECORD, REPLAYED = "on record", "replayed"
_LEVEL = dict(zip(SLOPES, (1.0, 1.0, -1.0), strict=True))  # a worse market: more churn and contraction, less expansion


@dataclass(frozen=True)
class Expected:
    """What was expected of the books of one role at a date: a row a person, as `models.paths.books` gives it."""

    start: date
    basis: str
    books: pd.DataFrame


def expected_quarters(record: Record, tables: Tables, role: str, params: Params) -> list[Expected]:
    """Quarters that do not overlap, oldest first; those on record come before those that are replayed."""
    on_record = [*_on_record(record, tables, role, params)]
    replayed = [*_replayed(params.data_dir / "backtests" / "latest" / "books.parquet", tables, role, params)]
    chosen: list[Expected] = []
    for quarter in [*on_record, *replayed]:
        if all(_apart(quarter.start, other.start) for other in chosen):
            chosen.append(quarter)
    return sorted(chosen, key=lambda quarter: quarter.start)


def book_periods(quarters: Iterable[Expected], tables: Tables, role: str, params: Params) -> pd.DataFrame:
    """A row a quarter and person, as `models.books.scorecards.scorecards` takes it, with its `basis`.

    Accounts without an owner, and those that changed hands shortly before, make rows of their own: they belong to the
    level that books are held against, and to nobody's card.
    """
    parts = [_period(quarter, tables, role, params) for quarter in quarters]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _period(quarter: Expected, tables: Tables, role: str, params: Params) -> pd.DataFrame:
    start, end = quarter.start, add_months(quarter.start, MONTHS)
    accounts = account_retention(
        tables, start=start, end=end, known_by=tables.data_until, rules=params.revenue, budget=params.budget
    )
    owners = owners_in_force(tables, start, params.budget)[role].reindex(accounts["account_id"]).fillna(NO_LABEL)
    by_person = accounts.assign(person=owners.to_numpy()).groupby("person")
    actual = pd.DataFrame.from_dict({str(person): _came(part) for person, part in by_person}, orient="index")
    books = quarter.books.set_index("person")
    slope = sum((books[name] * sign for name, sign in _LEVEL.items()), start=pd.Series(0.0, index=books.index))
    expected = pd.DataFrame(
        {
            "share": books["expected_arr"] / books["starting_arr"],
            "sd": sd_of_quantiles(books["p10"].to_numpy(float), books["p90"].to_numpy(float)) / books["starting_arr"],
            "slope": slope / books["starting_arr"],
        }
    )
    rows = actual.join(expected, how="inner").reset_index(names="person")
    rows["expected_arr"] = rows.pop("share") * rows["starting_arr"]
    rows["sd"] *= rows["starting_arr"]
    rows["slope"] *= rows["starting_arr"]
    return pd.DataFrame(rows.assign(period=start.isoformat(), basis=quarter.basis))


def _came(accounts: pd.DataFrame) -> dict[str, float]:
    """What the accounts of one person came to."""
    start, end = accounts["starting_arr"].to_numpy(float), accounts["ending_arr"].to_numpy(float)
    largest = int(np.argmax(start))
    return {
        "accounts": float(len(accounts)),
        "starting_arr": float(start.sum()),
        "actual_arr": float(end.sum()),
        "effective_n": effective_n(start),
        "largest_starting": float(start[largest]),
        "largest_actual": float(end[largest]),
    }


def _on_record(record: Record, tables: Tables, role: str, params: Params) -> Iterator[Expected]:
    """Official forecasts of quarter starts, those of the newest data last on record winning."""
    newest: dict[date, str] = {}
    for window in windows(record, tables, params):
        settled = window.first_known_on <= tables.data_until
        if settled and window.horizon_months == MONTHS and window.run.archive and window.start.month % MONTHS == 1:
            newest[window.start] = window.run.archive
    for start, archive in sorted(newest.items()):
        books = read_archive(record, archive).books
        if books is not None:
            yield Expected(start, ON_RECORD, _of(books, role))


def _replayed(file: Path, tables: Tables, role: str, params: Params) -> Iterator[Expected]:
    """Those of the last backtest, newest first."""
    if not file.exists():
        return
    books = pd.read_parquet(file)
    if books.empty:
        return
    for origin, part in sorted(books.groupby("origin"), reverse=True):
        start = pd.Timestamp(str(origin)).date()
        settled = add_months(start, MONTHS) + timedelta(days=params.revenue.settling_days) <= tables.data_until
        rows = _of(part, role)
        if settled and len(rows):
            yield Expected(start, REPLAYED, rows)


def _of(books: pd.DataFrame, role: str) -> pd.DataFrame:
    return books[(books["role"] == role) & (books["horizon_months"] == MONTHS)]


def _apart(one: date, other: date) -> bool:
    return add_months(min(one, other), MONTHS) <= max(one, other)
