"""Intervals against statsmodels, a bootstrap, and how often they hold."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from features.kpis.intervals import NONE, mean_of, median_day, ratio_of, share_of


def test_a_share_is_wilson_s() -> None:
    told = share_of(7, 40)
    assert told.figure == 7 / 40
    assert (told.low, told.high) == pytest.approx(proportion_confint(7, 40, method="wilson"))


def test_a_ratio_of_sums_is_as_uncertain_as_draws_of_accounts_say() -> None:
    rng = np.random.default_rng(2)
    under = pd.Series(rng.lognormal(3, 1, 400))
    over = under * rng.choice([0, 1, 1.2], 400)
    told = ratio_of(over, under)
    draws = [over.iloc[rows].sum() / under.iloc[rows].sum() for rows in rng.integers(0, 400, (2000, 400))]
    assert told.figure == pytest.approx(over.sum() / under.sum())
    assert told.low is not None
    assert told.high is not None
    assert (told.high - told.low) / 2 / 1.959964 == pytest.approx(np.std(draws), rel=0.1)


def test_the_interval_of_a_median_holds_it_in_95_of_100() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(500):
        told = median_day(rng.exponential(60, 80))
        assert told.low is not None
        assert told.high is not None
        inside += told.low <= 60 * np.log(2) <= told.high
    assert 0.93 <= inside / 500 <= 0.99


def test_who_never_reached_it_leaves_the_upper_end_open() -> None:
    told = median_day(np.array([10.0] * 52 + [np.inf] * 48))
    assert (told.figure, told.low, told.high) == (10.0, 10.0, None)
    assert median_day(np.array([5.0] * 4 + [np.inf] * 6)).figure is None


def test_nothing_says_nothing() -> None:
    none = pd.Series([], dtype=float)
    assert {mean_of(none), share_of(0, 0), ratio_of(none, none), median_day(np.array([]))} == {NONE}
