"""Phases of the journey on time: who was to have left a phase by a day of the window, who had, and who is late now.

Phases are told at month starts back from the date, from what was known then, so that "by its expected day" is judged at
the first of them on or after that day. An account that left first has not got there in time.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd

from features.tables.sql import code_of

STATE = ("segment", "phase", "phase_days_late", "tenure_days")
ExpectedDays = Mapping[str, Mapping[str, int]]  # of a segment, or of `default`: by phase, the day by which it is to end


def phase_facts(states: pd.DataFrame, as_of: date, expected: ExpectedDays, order: Sequence[str]) -> pd.DataFrame:
    """A row an account and phase that it was to leave in the window, or is in now.

    Parameters
    ----------
    states
        A row a month start and customer: `account_id`, `as_of`, `arr` and `STATE`, from the window's start to `as_of`.
    as_of
        The window's end.
    expected
        The expected days, by segment and phase.
    order
        The phases as they follow each other.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `phase`; `due` and `in_time` (0/1: to be left within the window, and left by then); `here`, `late`
        (0/1, at `as_of`, of phases with an expected day), `days_late` and `late_arr` of who is late.
    """
    rows = states[states["arr"] > 0].copy()
    rows["as_of"] = pd.to_datetime(rows["as_of"])
    rows["place"] = rows["phase"].astype("object").map({name: place for place, name in enumerate(order)})
    now = _now(rows[rows["as_of"] == pd.Timestamp(as_of)])
    parts = [now, *(_due(rows, phase, place, as_of, expected) for place, phase in enumerate(order))]
    keys = ["account_id", "phase"]
    return pd.concat(parts, ignore_index=True).groupby(keys, as_index=False, sort=True).max().fillna(0)


def _expected(rows: pd.DataFrame, phase: str, expected: ExpectedDays) -> "pd.Series[float]":
    """The expected day of a phase, for the journey of each row's account."""
    by_segment = {code_of(segment): days.get(phase) for segment, days in expected.items()}
    default = by_segment.pop("default", None)
    segments = rows["segment"].astype("object").map(lambda text: code_of(str(text)))
    days = [by_segment.get(segment, default) for segment in segments]
    return pd.Series(days, index=rows.index, dtype="float64")


def _due(rows: pd.DataFrame, phase: str, place: int, as_of: date, expected: ExpectedDays) -> pd.DataFrame:
    """Who was to leave a phase within the window, and whether it had by then."""
    start = rows["as_of"].min()
    first = rows.sort_values("as_of").groupby("account_id").first()
    days = _expected(first, phase, expected)
    due_on = first["as_of"] + pd.to_timedelta(days - first["tenure_days"], unit="D")
    due = due_on[(due_on > start) & (due_on <= pd.Timestamp(as_of))]
    after = rows.merge(due.rename("due_on"), left_on="account_id", right_index=True)
    after = after[after["as_of"] >= after["due_on"]].sort_values("as_of").groupby("account_id").first()
    passed = (after["place"] > place).reindex(due.index).eq(True)
    return pd.DataFrame(
        {"account_id": due.index, "phase": phase, "due": 1, "in_time": passed.astype("int64").to_numpy()}
    )


def _now(rows: pd.DataFrame) -> pd.DataFrame:
    """Who is in a phase with an expected day, and who is late in it."""
    here = rows[rows["phase_days_late"].notna() & rows["phase"].notna()]
    late = here["phase_days_late"] > 0
    return pd.DataFrame({
        "account_id": here["account_id"], "phase": here["phase"].astype("object"), "here": 1,
        "late": late.astype("int64"), "days_late": here["phase_days_late"].where(late, 0),
        "late_arr": here["arr"].where(late, 0),
    })  # fmt: skip
