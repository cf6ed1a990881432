"""Returns are learned from labels that hold them, once an account and month, and from no others."""

import numpy as np
import pandas as pd
import pytest

from models.outcomes.returns import Returns, fit_returns


def test_each_month_of_an_absence_counts_once_however_many_snapshots_speak_of_it() -> None:
    """a leaves in March and is back in May with half; b stays away for the two months known; c never leaves."""
    frame = pd.DataFrame({
        "account_id": ["a", "a", "b", "c"],
        "as_of": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-01-01", "2024-01-01"]),
    })  # fmt: skip
    paths = np.array([
        [100.0, 100.0, 100.0, 0.0, 0.0, 50.0],
        [100.0, 100.0, 0.0, 0.0, 50.0, 50.0],
        [80.0, 80.0, 80.0, 0.0, 0.0, 0.0],
        [60.0, 60.0, 60.0, 60.0, np.nan, np.nan],
    ])  # fmt: skip
    returns = fit_returns(frame, paths)
    assert returns is not None
    overall, prior = 1 / 4, 20.0
    expected = [prior * overall / (prior + 2), (1 + prior * overall) / (prior + 2), *[overall] * 4]
    np.testing.assert_allclose(returns.chance, expected)
    np.testing.assert_allclose(returns.multipliers, 0.5)
    np.testing.assert_allclose(
        returns.chances(np.array([1, 2, 3, 4, 6, 7, 12, 30])), np.take(expected, [0, 1, 2, 3, 3, 4, 4, 5])
    )
    again = Returns.from_dict(returns.to_dict())
    np.testing.assert_array_equal(again.chance, returns.chance)
    np.testing.assert_array_equal(again.multipliers, returns.multipliers)


@pytest.mark.parametrize("paths", [[[100.0, 0.0, 0.0, 0.0]], [[100.0, 90.0, 80.0, 70.0]], [[100.0, 0.0, np.nan, 50.0]]])
def test_where_nobody_is_known_to_have_come_back_leaving_is_for_good(paths: list[list[float]]) -> None:
    frame = pd.DataFrame({"account_id": ["a"], "as_of": pd.to_datetime(["2024-01-01"])})
    assert fit_returns(frame, np.array(paths)) is None
