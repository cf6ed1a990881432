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
