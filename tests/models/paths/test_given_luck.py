"""Months whose shared luck is known: what is left open, and how expected ARR moves with the level."""

from dataclasses import replace

import numpy as np
import pytest

from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import LuckState, SharedLuck
from models.paths.given_luck import given_expected_luck, level_slopes
from models.paths.simulate import PathSettings, account_paths, expected_arr

ACCOUNTS, MONTHS = 40, 6


def luck(mean: float) -> SharedLuck:
    covariance = tuple(tuple(0.04 * (row == column) for column in range(6)) for row in range(6))
    level = (mean, 0.0, 0.0, 0.0, 0.0, 0.0)
    return SharedLuck((LuckState(level, covariance, (0.3, 0.2, 0.2), (0.9, 0.9, 0.9), 0.4),))


def prediction(mean: float = 0.5) -> Prediction:
    generator = np.random.default_rng(3)
    hazards = generator.uniform(0.001, 0.04, (ACCOUNTS, MONTHS, 3))
    hazards[0, 2] = (1.0, 0.0, 0.0)
    return Prediction(
        arr=generator.uniform(100, 2000, ACCOUNTS),
        size=generator.standard_normal(ACCOUNTS),
        hazards=hazards,
        pool_index=np.tile(np.array([0, 1]), (ACCOUNTS, MONTHS, 1)),
        pools=(np.array([0.5, 0.8]), np.array([1.1, 1.5])),
        pool_names=("contraction", "expansion"),
        account=streams([f"account {number}" for number in range(ACCOUNTS)]),
        first_month=12 * 2026,
        luck=luck(mean),
        gap_months=1,
        estimation=Estimation(np.array([0.1, 0.0, -0.1]), np.full(3, 0.05), np.full(2, 0.1)),
        cross_sell_share=np.full(ACCOUNTS, np.nan),
    )


@pytest.mark.parametrize("outcome", range(3))
def test_slopes_are_the_change_for_a_small_move_of_the_odds(outcome: int) -> None:
    given, step = given_expected_luck(prediction()), 1e-5
    ends = []
    for sign in (-1, 1):
        hazards = given.hazards.copy()
        moved = hazards[..., outcome]
        odds = moved / np.where(moved < 1, 1 - moved, 1) * np.exp(sign * step)
        hazards[..., outcome] = np.where(moved < 1, odds / (1 + odds), 1.0)
        ends.append(expected_arr(replace(given, hazards=hazards)))
    np.testing.assert_allclose(
        level_slopes(given)[:, :, outcome], (ends[1] - ends[0]) / (2 * step), rtol=1e-4, atol=1e-3
    )


def test_the_expected_level_is_in_the_hazards_and_nothing_is_shared_any_more() -> None:
    low, high = given_expected_luck(prediction(-1.0)), given_expected_luck(prediction(1.0))
    inside = slice(1, None)  # the first account is certain to leave
    assert (low.hazards[inside, :, 0] < prediction().hazards[inside, :, 0]).all()
    assert (high.hazards[inside, :, 0] > prediction().hazards[inside, :, 0]).all()
    assert high.hazards[0, 2].tolist() == [1.0, 0.0, 0.0]
    shift, tilt = high.draw_shifts(50, seed=0, first_month=12 * 2026)
    assert not shift.any()
    assert not tilt.any()


def test_the_expected_arr_is_near_that_over_all_luck() -> None:
    """The expected shift is the one that makes as many events expected as all shifts do."""
    whole = prediction()
    over_all = account_paths(whole, PathSettings(4000, 1, 0.001), horizon_months=MONTHS).expected_arr.sum(axis=0)
    np.testing.assert_allclose(expected_arr(given_expected_luck(whole)).sum(axis=0), over_all, rtol=0.01)
