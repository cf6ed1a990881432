"""Days on which an unusual share of all customers leaves: a migration, a clean-up of the source, a truncated export."""

from collections.abc import Iterator
from datetime import date

import duckdb
import numpy as np
import pandas as pd

from features.tables.checked import Tables
from features.tables.problems import EXAMPLES, Finding
from features.traps.spells import frame_of

FEWEST, SHARE = 10, 0.10
FEWEST_THERE = 50  # of so small a base, a tenth that leaves for good is a handful
TIMES_USUAL = 3.0  # times the share that leaves on the third busiest day: a yearly renewal day comes every year
BACK_WITHIN_DAYS = 60
NEW_WITHIN_DAYS = 7


def mass_days(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[Finding]:
    """At most two days on which so large a share of the base left as on no other."""
    spells = frame_of(connection, "SELECT account_id, from_day, until, back_on FROM spells ORDER BY 1, 2")
    for name in ("from_day", "until", "back_on"):
        spells[name] = pd.to_datetime(spells[name], errors="coerce").to_numpy(dtype="datetime64[D]")
    ended = spells[spells["until"].to_numpy() < np.datetime64(tables.data_until)]
    days, counts = np.unique(ended["until"].to_numpy(dtype="datetime64[D]"), return_counts=True)
    if not days.size:
        return
    base = np.searchsorted(np.sort(spells["from_day"].to_numpy()), days) - np.searchsorted(
        np.sort(spells["until"].to_numpy()), days
    )
    shares = counts / np.maximum(base, 1)
    usual = float(np.sort(shares[counts >= FEWEST / 2])[::-1][2]) if (counts >= FEWEST / 2).sum() > 2 else 0.0
    for place in np.flatnonzero((counts >= FEWEST) & (shares >= max(SHARE, TIMES_USUAL * usual))):
        day = pd.Timestamp(days[place]).date()
        leaving = ended[ended["until"].to_numpy() == days[place]]
        migration = _migration(leaving, day, int(base[place]))
        if migration:
            yield migration
        elif base[place] >= FEWEST_THERE:
            yield _exit(spells, leaving, day, int(base[place]))


def _migration(leaving: pd.DataFrame, day: date, base: int) -> Finding | None:
    """The finding where at least half of those that left start again soon after."""
    away = (leaving["back_on"] - leaving["until"]).dt.days
    back = away[away <= BACK_WITHIN_DAYS]
    count = len(leaving)
    if len(back) < count / 2:
        return None
    days = int(back.max())
    what = f"stop on {day}, and {len(back):,} of them start again within {days} days: it looks like a migration"
    todo = (
        "Those customers never left: end the old lines on the day the new ones start, or set "
        f"revenue.gap_days: {days}, which counts such gaps as pauses."
    )
    return Finding("contracts", what, todo, "ended_on", count, base, _examples(leaving), "mass_migration", "account")


def _examples(leaving: pd.DataFrame) -> tuple[str, ...]:
    return tuple(leaving["account_id"].astype(str).head(EXAMPLES))


def _exit(spells: pd.DataFrame, leaving: pd.DataFrame, day: date, base: int) -> Finding:
    """The finding of those that left for good, or came again as other accounts."""
    what = f"leave on one day, {day}: an unusual share"
    todo = (
        "Look what happened. If the source was cleaned up or exported only up to that day, correct the ends or set "
        "source.data_until; if it is true, know that training learns from it."
    )
    first = spells.groupby("account_id")["from_day"].min()
    near = (first - pd.Timestamp(day)).dt.days.abs() <= NEW_WITHIN_DAYS
    if near.sum() >= len(leaving) / 2:
        what += f", and {int(near.sum()):,} accounts are new within {NEW_WITHIN_DAYS} days of it"
        todo = "If a new system gave the same customers new ids, map the old ids to the new ones in both tables."
    return Finding("contracts", what, todo, "ended_on", len(leaving), base, _examples(leaving), "mass_exit", "account")
