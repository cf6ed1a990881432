"""The dates of snapshots: month starts, from when on there is enough history behind them to where the data end."""

from datetime import date, timedelta

import pandas as pd

from features.tables import contract
from features.tables.checked import Tables
from features.tables.problems import TABLES_STORED, BadInput, Finding
from params import Budget
from params import Snapshots as SnapshotSettings

HISTORY_DAYS = 90
HAPPENINGS = ("usage", "csm_actions", "engagement", "tickets", "surveys", "calls")


def first_date(tables: Tables, settings: SnapshotSettings) -> date:
    """From when on there is enough history behind a snapshot.

    That is `settings.first` or, where it is null, 90 days after the data begin: after the first contract start and,
    where anything that happens is recorded, its first event. Earlier contracts are those of accounts that lasted, so
    that churn before the events would look too rare.
    """
    return settings.first or _first_day(tables) + timedelta(days=HISTORY_DAYS)


def month_starts(tables: Tables, settings: SnapshotSettings) -> list[date]:
    """The default dates: month starts up to and including `tables.data_until`.

    They begin with the first month start from `first_date` on.

    Raises
    ------
    BadInput
        There is no month start between the two.
    """
    first = first_date(tables, settings)
    starts = pd.date_range(first, tables.data_until, freq="MS")
    if starts.empty:
        what = f"no month starts between {first}, where snapshots begin, and {tables.data_until}, where the data end"
        todo = f"Bring more than {HISTORY_DAYS} days of history, or set snapshots.first or source.data_until"
        raise BadInput([Finding("snapshots", what, todo)], stored=TABLES_STORED)
    return [start.date() for start in starts]


def _first_day(tables: Tables) -> date:
    """The later of the first contract start and the first thing that event_days, whatever it was."""
    event_days = {name: str(contract.TABLES[name].event_day) for name in HAPPENINGS if tables.has(name)}
    first_days = tables.warehouse.first_days if tables.warehouse else {}
    first_events = [
        f"SELECT DATE '{first_days[name]}' AS day"
        if name in first_days
        else f"SELECT MIN(CAST({day} AS DATE)) AS day FROM raw.{name}"
        for name, day in event_days.items()
    ]
    starts = "SELECT MIN(starts_on) AS day FROM raw.contracts"
    first_event = f"SELECT MIN(day) AS day FROM ({' UNION ALL '.join(first_events or [starts])})"
    with tables.connect(budget=Budget(1, 1.0)) as connection:
        row = connection.execute(f"SELECT MAX(day) FROM ({starts} UNION ALL {first_event})").fetchone()
    return row[0] if row and row[0] else tables.data_until
