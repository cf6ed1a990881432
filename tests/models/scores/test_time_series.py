"""NRR from its own past: growth by month, and simulated months that add up."""

import numpy as np
import pytest

from models.scores.time_series import monthly_growth, simulate_nrr


def test_growth_is_that_of_all_arr_by_month() -> None:
    month = np.array([2, 1, 1, 2, 3])
    start, end = np.array([50.0, 100.0, 100.0, 50.0, 0.0]), np.array([60.0, 80.0, 100.0, 50.0, 10.0])
    assert monthly_growth(start, end, month) == pytest.approx(np.log([180 / 200, 110 / 100]))


def test_a_level_with_noise_is_found_and_its_spread_grows() -> None:
    growth = 0.01 + 0.004 * np.random.default_rng(1).standard_normal(60)
    nrr = simulate_nrr(growth, months=12, draws=4000, seed=3)
    assert nrr is not None
    assert nrr.shape == (12, 4000)
    assert np.log(nrr[11]).mean() == pytest.approx(0.12, abs=0.03)
    assert np.log(nrr[0]).std() == pytest.approx(0.004, rel=0.25)
    assert np.log(nrr[11]).std() > 2.5 * np.log(nrr[0]).std()


def test_a_trend_is_followed_for_a_while() -> None:
    """Growth that fell every month: the forecast lies below the mean of the past."""
    growth = np.linspace(0.03, -0.03, 36) + 0.001 * np.random.default_rng(2).standard_normal(36)
    nrr = simulate_nrr(growth, months=6, draws=500, seed=3)
    assert nrr is not None
    assert np.log(nrr[5]).mean() < 6 * growth.mean() - 0.1


def test_the_seed_decides() -> None:
    growth = 0.01 * np.random.default_rng(1).standard_normal(24)
    first, again, other = (simulate_nrr(growth, months=3, draws=50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_never_changed_will_not() -> None:
    nrr = simulate_nrr(np.full(12, 0.01), months=2, draws=3, seed=1)
    assert nrr == pytest.approx(np.exp([[0.01] * 3, [0.02] * 3]))


def test_too_short_a_past_gives_no_forecast() -> None:
    assert simulate_nrr(np.full(7, 0.01), months=2, draws=3, seed=1) is None
