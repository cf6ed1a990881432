import numpy as np
import pandas as pd
import pytest

from models import baselines


def test_everything_renews():
    assert baselines.everything_renews(12) == 1.0


def test_trailing_nrr_is_scaled_to_the_horizon():
    start, end = np.array([100.0, 100.0]), np.array([121.0, 0.0])
    assert baselines.trailing_nrr(start, end, 12) == pytest.approx(0.605)
    assert baselines.trailing_nrr(start, end, 6) == pytest.approx(0.605**0.5)


def test_segments_are_weighted_by_todays_arr_and_small_ones_take_the_overall_rate():
    start = np.full(21, 100.0)
    end = np.r_[np.full(10, 120.0), np.full(10, 50.0), 0.0]
    segment = pd.Series(["large"] * 10 + ["small"] * 10 + ["rare"])
    overall = end.sum() / start.sum()
    found = baselines.segment_nrr(
        start, end, segment, np.array([300.0, 100.0, 100.0]), pd.Series(["large", "rare", "new"]), 12
    )
    assert found == pytest.approx((300 * 1.2 + 200 * overall) / 500)


def cells(*rows: tuple[str, bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["segment", "due"])


def test_rates_by_segment_and_term_are_shrunk_to_the_overall_rate():
    """Of 30 large accounts that were due 15 left, of 70 others none: 15 % overall, and 10 accounts of that a cell."""
    past = cells(*[("large", True)] * 30, *[("large", False)] * 50, *[("small", True)] * 20)
    event = np.r_[np.ones(15), np.zeros(85)]
    now = cells(("large", True), ("large", False), ("small", True), ("small", False), ("new", True))
    found = baselines.segment_term_rates(event, past, now, horizon_months=6, window_months=6)
    assert found == pytest.approx([(15 + 1.5) / 40, 1.5 / 60, 1.5 / 30, 0.15, 0.15])


def test_a_shorter_window_is_compounded_with_one_term_end_ahead_at_most():
    past = cells(*[("", True)] * 10, *[("", False)] * 90)
    event = np.r_[np.ones(5), np.zeros(5), np.ones(5), np.zeros(85)]
    due, quiet = (5 + 1) / 20, (5 + 1) / 100
    found = baselines.segment_term_rates(event, past, cells(("", True), ("", False)), horizon_months=3, window_months=1)
    assert found == pytest.approx([1 - (1 - due) * (1 - quiet) ** 2, 1 - (1 - quiet) ** 3])


def test_where_nothing_came_the_rates_are_nothing():
    found = baselines.segment_term_rates(
        np.zeros(4), cells(*[("", True)] * 4), cells(("", True)), horizon_months=3, window_months=3
    )
    assert found.tolist() == [0.0]
