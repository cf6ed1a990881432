"""The kinds of months that hazards begin from, against a loop that takes a row at a time."""

import numpy as np
import pytest

from models.hazards import month_level
from models.hazards.model_inputs import Input
from models.hazards.month_level import kinds_of_months


def by_hand(values: list[float], decided: float | None) -> list[float]:
    """One row: by length of the term, by its logarithm, by how near the month lies to each knot."""
    term_ends, grace_ends, ahead, term_days = values
    grace = int(grace_ends > 0)
    kind = 3 * (term_ends > 0) + (2 if decided else grace)
    lengths = len(month_level._TERM_NAMES)
    length = lengths - 1 if np.isnan(term_days) else int(np.searchsorted(month_level._TERM_CLASSES, term_days))
    days = (
        month_level._YEAR
        if np.isnan(term_days)
        else min(max(term_days, month_level._TERM_LIMITS[0]), month_level._TERM_LIMITS[1])
    )
    near = [np.interp(ahead, month_level._KNOTS, knot) for knot in np.eye(len(month_level._KNOTS))]
    row: list[float] = []
    row += [
        month_level._SCALES[0] * (place == kind * lengths + length) for place in range(month_level._KINDS * lengths)
    ]
    row += [
        month_level._SCALES[1] * (place == kind) * np.log(days / month_level._YEAR)
        for place in range(month_level._KINDS)
    ]
    for place in range(month_level._KINDS):
        row += [month_level._SCALES[2] * (place == kind) * one for one in near]
    return row


@pytest.mark.unit
@pytest.mark.parametrize("with_decisions", [False, True])
def test_kinds_of_months_are_those_of_a_loop(with_decisions: bool) -> None:
    rng = np.random.default_rng(3)
    names = [*month_level._CALENDAR, month_level._LENGTH]
    rows = np.column_stack(
        [
            rng.integers(0, 2, 60),
            rng.integers(0, 2, 60),
            rng.integers(1, 25, 60),
            rng.choice([28.0, 90.0, 365.0, 1095.0, np.nan], 60),
        ]
    ).astype(float)
    decided = rng.integers(0, 2, 60).astype(float) if with_decisions else np.empty(0)
    inputs = [Input(name=name, kind="number", family="", signal="", unit="", meaning="", sentence="") for name in names]
    expected = [by_hand(row, decided[n] if with_decisions else None) for n, row in enumerate(rows.tolist())]
    assert kinds_of_months(inputs, rows, decided) == pytest.approx(np.array(expected), abs=0)
