"""Numbers as ranges: at given edges, at round quantiles, and what is left as it is."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.revenue.cut_labels import in_order
from features.revenue.number_ranges import in_ranges


@pytest.mark.parametrize(
    ("values", "edges", "expected"),
    [
        ([3, 50, 249, 250, 5000], [50, 250, 1000],
         ["under 50", "50 to 249", "50 to 249", "250 to 999", "1,000 or more"]),
        (["3", " 50", "1000", None], [50, 1000], ["under 50", "50 to 999", "1,000 or more", None]),
        ([0.1, 0.25, 0.5], [0.25, 0.5], ["under 0.25", "0.25 to under 0.5", "0.5 or more"]),
        ([1, 2, 3], [2, 3], ["under 2", "2", "3 or more"]),
        ([7, 8, 9, 10, 11, 12], [], [7, 8, 9, 10, 11, 12]),  # no edges at all: every number for itself
        ([1, 2, 3, 1], None, [1, 2, 3, 1]),  # no more values than ranges
        (["01234", "1235", "9", "8", "7"], None, ["01234", "1235", "9", "8", "7"]),  # postal codes are no numbers
        (["a", "b", None], None, ["a", "b", None]),
        ([None, None], None, [None, None]),
        ([True, False], [1], [True, False]),
    ],
)  # fmt: skip
def test_the_range_of_each_value(values: list[Any], edges: list[float] | None, expected: list[Any]) -> None:
    labels = in_ranges(pd.Series(values, dtype=object).infer_objects(), bins=4, edges=edges)
    assert [None if pd.isna(label) else label for label in labels] == expected


def test_quantiles_are_rounded_and_hold_about_as_many_each() -> None:
    sizes = pd.Series((10 ** np.random.default_rng(1).uniform(0, 5, 157)).astype(int))
    counts = in_ranges(sizes, bins=4).value_counts()
    assert len(counts) == 4
    assert counts.between(30, 50).all()
    assert set(counts.index) == {"under 20", "20 to 349", "350 to 6,499", "6,500 or more"}


def test_many_alike_are_told_from_the_rest() -> None:
    counts = in_ranges(pd.Series([0] * 80 + list(range(20))), bins=4).value_counts()
    assert counts.to_dict() == {"under 1": 81, "1 or more": 19}


@pytest.mark.parametrize(
    "ordered",
    [
        ["under 1,900", "1,900 to under 3,600", "3,600 to 5,999", "6,000 or more", "(none)"],
        ["under -0.5", "-0.5 to under 0.25", "0.25 or more"],
        ["under 2", "2", "3 to 9", "10 or more"],
        ["2", "9", "10", "(none)"],
        ["10 or more seats", "2", "a"],  # texts
    ],
)
def test_ranges_are_in_the_order_of_their_numbers(ordered: list[str]) -> None:
    assert in_order(sorted(ordered, reverse=True)) == ordered
