"""Inputs that hardly any account had in the past and most have now."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.hazards.model_inputs import Input
from training.learn.too_new import TooNew, too_new

pytestmark = pytest.mark.unit

NEWEST = date(2025, 3, 1)
DAYS = pd.date_range("2024-01-01", NEWEST, freq="MS")
ACCOUNTS = 100


def an_input(name: str) -> Input:
    return Input(name=name, kind="number", family="usage", signal="use", unit="days", meaning="", sentence="{value}")


def snapshots(known: list[int]) -> pd.DataFrame:
    """100 accounts a month, of which the first so many have a value of `late`; all have one of `usual`."""
    parts = []
    for day, count in zip(DAYS, known, strict=True):
        values = np.where(np.arange(ACCOUNTS) < count, 1.0, np.nan)
        parts.append(pd.DataFrame({"as_of": day, "late": values, "usual": 1.0}))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(
    ("known", "left_out"),
    [
        ([2] * 11 + [3, 18, 48, 76], ["late"]),  # a cell that its source overwrites: the past is all but empty
        ([0] * 13 + [0, 80], ["late"]),  # a table that was connected last month
        ([0] * 7 + [50] * 8, []),  # one that was connected seven months ago
        ([70] * 15, []),
        ([70] * 14 + [1], []),  # a feed that ended is the watch's concern
        ([1] * 14 + [6], []),  # of so few that it does not matter
        ([0] * 15, []),
    ],
)
def test_what_the_past_did_not_know_is_left_out(known: list[int], left_out: list[str]) -> None:
    found = too_new(snapshots(known), [an_input("late"), an_input("usual")], least_past_share=0.25)
    assert [each.name for each in found] == left_out


def test_the_shares_are_told() -> None:
    found = too_new(snapshots([2] * 14 + [76]), [an_input("late")], least_past_share=0.25)
    assert found == (TooNew("late", NEWEST, 0.76, pytest.approx(0.02)),)
    assert str(found[0]).startswith("late is known of 76% of the accounts as of 2025-03-01, and was of 2% ")


def test_none_is_left_out_where_the_setting_is_0_or_there_is_one_snapshot() -> None:
    frame = snapshots([0] * 14 + [90])
    assert too_new(frame, [an_input("late")], least_past_share=0.0) == ()
    assert too_new(frame[frame["as_of"] == DAYS[-1]], [an_input("late")], least_past_share=0.25) == ()
