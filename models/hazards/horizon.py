"""The months ahead of a snapshot: where each lies on the renewal calendar known at the snapshot.

A month ahead `m` is the span between `as_of + (m - 1)` and `as_of + m` calendar months. An account that does not
renew in silence is lost only when the grace after its term has run out, so both ends matter: the term's and the
grace's. An account that is still there after a term has renewed it, presumably for the same term again.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.model_inputs import Input

DAYS_A_MONTH = 30.4375
SIGNAL = "renewal"


def _input(name: str, unit: str, meaning: str, sentence: str) -> Input:
    return Input(
        name=name,
        kind="number",
        family="contract_history",
        signal=SIGNAL,
        unit=unit,
        meaning=meaning,
        sentence=sentence,
    )


CALENDAR_INPUTS: tuple[Input, ...] = (
    _input("months_ahead", "months", "How far the month lies ahead", "{value} months ahead"),
    _input(
        "days_to_term_end_ahead",
        "days",
        "Days from the month's start to the next known or presumed term end; missing if evergreen",
        "the next term ends in {value} days",
    ),
    _input("term_ends_in_month", "0/1", "A term ends in the month", "a term ends in the window"),
    _input("grace_ends_in_month", "0/1", "The grace after a term runs out in it", "a grace period runs out"),
    _input("terms_passed_ahead", "terms", "Terms that will have ended by then", "{value} terms end before"),
    _input(
        "due_share_ahead",
        "share",
        "Share of ARR whose term, or the grace after it, ends in the month",
        "{value} of ARR comes up for renewal",
    ),
    _input(
        "notice_takes_effect",
        "0/1",
        "Notice was given and the term it refers to ends in the month",
        "notice has been given",
    ),
    _input("presigned_ahead", "0/1", "The first renewal ahead is already signed", "the renewal is signed"),
)


def calendar(frame: pd.DataFrame, *, months: int, grace_days: int) -> NDArray[np.float64]:
    """Calendar inputs of each account and month ahead.

    Parameters
    ----------
    frame
        Snapshot rows with `as_of`, `term_ends_on`, `term_days`, `due_share`, `notice_given`, `presigned`.
    months
        How many months ahead.
    grace_days
        How long a term that ran out in silence stays active.

    Returns
    -------
    ndarray of shape (rows, months, len(CALENDAR_INPUTS))
    """
    start, end = _month_edges(frame["as_of"], months)
    term_end, terms_passed = _next_end(frame, start, after_days=0)
    grace_end, _ = _next_end(frame, start, after_days=grace_days)
    ends, grace_ends = term_end <= end, grace_end <= end
    first = terms_passed == 0
    columns: Mapping[str, NDArray[np.float64] | NDArray[np.bool_]] = {
        "months_ahead": np.broadcast_to(np.arange(1.0, months + 1), start.shape),
        "days_to_term_end_ahead": term_end - start,
        "term_ends_in_month": ends,
        "grace_ends_in_month": grace_ends,
        "terms_passed_ahead": terms_passed,
        "due_share_ahead": (ends | grace_ends) * column_of(frame, "due_share"),
        "notice_takes_effect": ends & first & (column_of(frame, "notice_given") > 0),
        "presigned_ahead": first & (column_of(frame, "presigned") > 0),
    }
    return np.stack([np.asarray(columns[item.name], dtype=float) for item in CALENDAR_INPUTS], axis=-1)


def grace_is_open(frame: pd.DataFrame, *, months: int, grace_days: int) -> NDArray[np.bool_]:
    """Whether each month ahead begins while the grace of a term runs that ended in a month ahead before it.

    Shape (rows, months). Who lets a term run out in silence is still there in such a month, beside those who renewed.
    """
    start, _ = _month_edges(frame["as_of"], months)
    terms_passed, graces_passed = (_next_end(frame, start, after_days=days)[1] for days in (0, grace_days))
    since_snapshot = terms_passed > terms_passed[:, :1]
    return np.asarray((terms_passed > graces_passed) & since_snapshot)


def column_of(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column as floats, shape (rows, 1)."""
    return frame[name].to_numpy(dtype=float)[:, None]


def _days_from_as_of(frame: pd.DataFrame) -> NDArray[np.float64]:
    days = (frame["term_ends_on"] - frame["as_of"]).dt.days
    return np.asarray(days, dtype=np.float64)


def _month_edges(as_of: "pd.Series[pd.Timestamp]", months: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Days from the snapshot to the start and the end of each month ahead, each of shape (rows, months)."""
    table = np.array([_edges(day, months) for day in as_of], dtype=float).reshape(len(as_of), months + 1)
    return table[:, :-1], table[:, 1:]


@lru_cache(maxsize=256)
def _edges(day: pd.Timestamp, months: int) -> tuple[int, ...]:
    """Days from a snapshot to its month starts ahead."""
    return tuple((day + pd.DateOffset(months=m) - day).days for m in range(months + 1))


def _next_end(
    frame: pd.DataFrame, start: NDArray[np.float64], *, after_days: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The first term end (plus some days) after each month's start, in days from the snapshot, and how many lie before.

    The known term end is the first; each further one follows after the same term again.
    """
    first = _days_from_as_of(frame)[:, None] + after_days
    length = np.maximum(np.nan_to_num(column_of(frame, "term_days"), nan=365.25), 1.0)
    terms_passed = np.where(start >= first, np.floor((start - first) / length) + 1, 0.0)
    return first + terms_passed * length, terms_passed
