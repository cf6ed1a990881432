"""A history of survivors only: customers that had left before the source was kept are not in it."""

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.snapshots.dates import first_date
from features.tables.checked import Tables
from features.tables.problems import Finding
from features.traps.spells import frame_of
from params import Params

FEWEST_EXPECTED = 10.0  # customers that should have left before a day, at the pace of the time after it
MOST_SHARE = 0.02  # of them, if so few or fewer did, the others are missing
SHORTEST_DAYS, QUARTER_DAYS, STEP_DAYS = 270, 90, 30
NOBODY_LEFT_YEARS = 100.0  # of customers, without a single one that left: at 6 % a year six would have
LONGEST_TERM_DAYS = 1_096
Days = NDArray[np.int64]


def survivors(connection: duckdb.DuckDBPyConnection, tables: Tables, params: Params) -> Iterator[Finding]:
    """Whether, from the first snapshot up to some day, hardly anyone left of all who could have, and later many did.

    Nobody can leave within the first scheduled term, so each account counts from its end on.
    """
    first = first_date(tables, params.snapshots)
    could_leave, left = _lives(connection, tables, first)
    last = _number(tables.data_until)
    years = float(np.clip(np.minimum(left, last) - could_leave, 0, None).sum()) / 365.25
    ends = left[(left < last) & (left >= _number(first))]
    if not ends.size:
        if years >= NOBODY_LEFT_YEARS:
            yield _finding(None, len(left), years)
        return
    day, expected = _emptiest(could_leave, left, ends, (_number(first), last))
    if day is not None:
        yield _finding(day, len(left), expected)


def _lives(connection: duckdb.DuckDBPyConnection, tables: Tables, first: date) -> tuple[Days, Days]:
    """Of each account the day from which it could leave, and on which it left for good; of others beyond the data."""
    term = f"arg_min(least(COALESCE(ends_on - starts_on, 0), {LONGEST_TERM_DAYS}), starts_on)"
    lives = frame_of(
        connection,
        f"""SELECT greatest(l.starts_on + CAST(l.term AS INTEGER), DATE '{first}') - DATE '1970-01-01' AS could_leave,
                   s.left_on - DATE '1970-01-01' AS left_on
            FROM (SELECT account_id, min(starts_on) AS starts_on, {term} AS term FROM lines WHERE paid GROUP BY 1) l
            JOIN (SELECT account_id, max(until) AS left_on FROM spells GROUP BY 1) s USING (account_id)
            ORDER BY account_id""",
    )
    return lives["could_leave"].to_numpy(dtype="int64"), lives["left_on"].to_numpy(dtype="int64")


def _emptiest(could_leave: Days, left: Days, ends: Days, span: tuple[int, int]) -> tuple[date | None, float]:
    """The day before which most of those expected to leave are missing, and how many that is; None if it is none."""
    first, last = span
    worst: tuple[date | None, float] = (None, 0.0)
    for day in range(first + SHORTEST_DAYS, last - SHORTEST_DAYS + 1, STEP_DAYS):
        exposed = _exposed(could_leave, left, first, day)
        expected = exposed * _usual_pace(could_leave, left, ends, (day, last))
        gone = int((ends < day).sum())
        if expected >= FEWEST_EXPECTED and gone <= MOST_SHARE * expected and expected - gone > worst[1]:
            worst = (date(1970, 1, 1) + timedelta(days=day), expected - gone)
    return worst


def _exposed(could_leave: Days, left: Days, first: int, last: int) -> float:
    """Days of all accounts between two days on which they were customers and could leave."""
    return float(np.clip(np.minimum(left, last) - np.maximum(could_leave, first), 0, None).sum())


def _usual_pace(could_leave: Days, left: Days, ends: Days, span: tuple[int, int]) -> float:
    """Ends for each day that an account could leave on, without the worst quarter: one bad day is no pace."""
    quarters = [
        (int(((ends >= day) & (ends < day + QUARTER_DAYS)).sum()), _exposed(could_leave, left, day, day + QUARTER_DAYS))
        for day in range(span[0], span[1] - QUARTER_DAYS + 1, QUARTER_DAYS)
    ]
    quarters = sorted((item for item in quarters if item[1]), key=lambda item: item[0] / item[1])[:-1]
    exposed = sum(item[1] for item in quarters)
    return sum(item[0] for item in quarters) / exposed if exposed else 0.0


def _finding(day: date | None, accounts: int, amount: float) -> Finding:
    if day is None:
        what = f"no customer has ever left, in {amount:,.0f} years that {accounts:,} customers have been there"
        todo = (
            "Customers that left seem to be missing from the source: bring their lines too. Without them no model can "
            "learn who leaves."
        )
    else:
        what = (
            f"hardly anyone left before {day:%B %Y}, where about {amount:,.0f} customers would have at the pace since: "
            "a history of survivors only"
        )
        todo = (
            f"Bring the lines of those who left before, or learn from later dates alone: snapshots.first: {day}. "
            "Else churn is learned too low."
        )
    return Finding("contracts", what, todo, "ended_on", rule="survivors_only")


def _number(day: date) -> int:
    return (pd.Timestamp(day) - pd.Timestamp(0)).days
