"""What a term's end came to: whether ARR changed in it, and in which months after it that matters."""

import numpy as np
import pandas as pd
import pytest

from models.hazards.horizon import calendar
from models.hazards.term_ends import TermEnds, has_changed

MONTHS = 5


def ends_of(term_ends_on: str, term_days: float = 365.0, grace_days: int = 30) -> TermEnds:
    """The term ends of one account as of 2025-01-01."""
    row = {
        "as_of": pd.Timestamp("2025-01-01"),
        "term_ends_on": pd.Timestamp(term_ends_on),
        "term_days": term_days,
        "due_share": 1.0,
        "notice_given": 0.0,
        "presigned": 0.0,
    }
    frame = pd.DataFrame([row])
    return TermEnds.of(frame, calendar(frame, months=MONTHS, grace_days=grace_days), grace_days=grace_days)


@pytest.mark.parametrize(
    ("term_ends_on", "term_days", "grace_days", "open_months"),
    [
        ("2025-02-15", 365.0, 30, [0, 0, 1, 0, 0]),
        ("2025-02-01", 365.0, 30, [0, 1, 1, 0, 0]),  # until 3 March
        ("2025-02-15", 365.0, 76, [0, 0, 1, 1, 1]),
        ("2025-02-15", 365.0, 0, [0, 0, 0, 0, 0]),
        ("2025-01-15", 30.4375, 30, [0, 1, 1, 1, 1]),  # a monthly plan: always in the grace of the last month's end
        ("2024-12-20", 365.0, 30, [0, 0, 0, 0, 0]),  # overdue at the snapshot: what came of that end is known
    ],
)
def test_the_months_that_begin_within_a_grace(
    term_ends_on: str, term_days: float, grace_days: int, open_months: list[int]
) -> None:
    assert ends_of(term_ends_on, term_days, grace_days).open[0].tolist() == [bool(one) for one in open_months]


@pytest.mark.parametrize(
    ("term_ends_on", "term_days", "grace_days", "changed", "decided"),
    [
        ("2025-02-15", 365.0, 30, [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]),
        ("2025-02-15", 365.0, 30, [1, 0, 1, 0, 0], [0, 0, 0, 0, 0]),  # not at the end, and after the grace
        ("2025-02-15", 365.0, 76, [0, 1, 0, 0, 0], [0, 0, 1, 1, 1]),
        ("2025-02-15", 365.0, 76, [0, 0, 1, 0, 0], [0, 0, 0, 1, 1]),  # late, within the grace
        ("2025-01-15", 30.4375, 30, [1, 0, 1, 1, 0], [0, 1, 0, 1, 1]),  # each month's end is a decision of its own
    ],
)
def test_whose_arr_had_changed_when_the_term_ended(
    term_ends_on: str, term_days: float, grace_days: int, changed: list[int], decided: list[int]
) -> None:
    found = ends_of(term_ends_on, term_days, grace_days).decided(np.array([changed], dtype=bool))
    assert found[0].tolist() == [bool(one) for one in decided]


def test_a_change_is_one_of_accounts_that_stay_and_beyond_the_smallest() -> None:
    paths = np.array([[100.0, 100.04, 120.0, 90.0, 0.0, 0.0], [100.0, np.nan, 80.0, 80.0, 81.0, np.nan]])
    assert has_changed(paths, 0.001).tolist() == [
        [False, True, True, False, False],
        [False, False, False, True, False],
    ]
