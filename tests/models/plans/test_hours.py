"""The knapsack against every plan there could be."""

from itertools import product

import numpy as np
import pytest

from models.plans.hours import select_plays


def worth(value, hours, seats, plan):
    """Value and hours of a plan: of each account its play, -1 = none."""
    gain = sum(value[i, k] for i, k in enumerate(plan) if k >= 0)
    used = 0.0
    for k, (each, room) in enumerate(zip(hours, seats, strict=True)):
        count = sum(chosen == k for chosen in plan)
        used += each * (-(-count // room) if room else count)
    return gain, used


@pytest.mark.parametrize("seed", range(12))
def test_no_plan_within_the_hours_is_worth_more(seed):
    rng = np.random.default_rng(seed)
    value = rng.normal(1.0, 2.0, (5, 3)).round(3)
    value[rng.random(value.shape) < 0.2] = np.nan
    hours, seats = np.array([rng.integers(1, 5), rng.integers(1, 4), 2.0]), np.array([0, 0, int(rng.integers(0, 4))])
    capacity = float(rng.integers(0, 9))
    chosen = select_plays(value, hours, seats, capacity)
    allowed = [[-1, *(k for k in range(3) if value[i, k] > 0)] for i in range(5)]
    plans = [worth(value, hours, seats, plan) for plan in product(*allowed)]
    best = max(gain for gain, used in plans if used <= capacity)
    gain, used = worth(value, hours, seats, chosen.play.tolist())
    assert gain == pytest.approx(best, abs=1e-5)
    assert used <= capacity
    assert chosen.hours_used == pytest.approx(used)


def test_the_shadow_price_is_what_one_more_hour_saves():
    value, hours = np.array([[30.0], [20.0], [10.0]]), np.array([2.0])
    assert select_plays(value, hours, np.array([0]), 4).shadow_price == pytest.approx(5.0)  # the third: 10 for 2 h
    assert select_plays(value, hours, np.array([0]), 3).shadow_price == pytest.approx(10.0)  # half of the second
    assert select_plays(value, hours, np.array([0]), 7).shadow_price == 0.0


def test_plays_that_cost_nothing_need_no_hours():
    chosen = select_plays(np.array([[3.0, 1.0], [0.0, 2.0]]), np.array([1.0, 0.0]), np.array([0, 0]), 0.0)
    assert chosen.play.tolist() == [1, 1]
    assert chosen.hours_used == 0.0


def test_hours_that_are_left_over_open_no_session():
    value = np.array([[1.0, 0.0], [1.0, 3.0], [0.0, 3.0]])
    chosen = select_plays(value, np.array([2.0, 5.0]), np.array([0, 8]), 100.0)
    assert chosen.play.tolist() == [0, 1, 1]
    assert chosen.hours_used == 7.0


def test_nothing_that_does_harm_is_done():
    chosen = select_plays(np.array([[-1.0, np.nan], [0.0, -2.0]]), np.ones(2), np.zeros(2, dtype=int), 10.0)
    assert chosen.play.tolist() == [-1, -1]
    assert chosen.shadow_price == 0.0
