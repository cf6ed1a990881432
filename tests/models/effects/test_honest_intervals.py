"""Intervals with an allowance, pooling, and the rows it takes."""

import numpy as np
import pytest

from models.effects.honest_intervals import half_width, pooled, rows_to_see, smallest_seen, within_sample
from models.effects.orthogonal import Estimate
from models.effects.standardized import Standard


@pytest.mark.parametrize(
    ("se", "allowance", "expected"),
    [(1.0, 0.0, 1.96), (0.05, 0.0, 0.098), (0.01, 0.1, 0.1 + 0.01645), (0.001, 0.1, 0.101645), (0.0, 0.1, 0.1)],
)
def test_half_widths(se: float, allowance: float, expected: float) -> None:
    assert half_width(se, allowance) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 3.0, 7.99, 8.01])
def test_the_interval_holds_the_truth_in_95_of_100_with_the_largest_bias_allowed(ratio: float) -> None:
    off = np.random.default_rng(1).standard_normal(200_000) + ratio
    assert np.mean(np.abs(off) <= half_width(1.0, ratio)) == pytest.approx(0.95, abs=0.003)


def test_rows_needed_are_those_at_which_twice_the_allowance_is_seen() -> None:
    rows = rows_to_see(1000, 0.2, 0.1)
    assert rows is not None
    se = 0.2 * np.sqrt(1000 / rows)
    assert smallest_seen(se, 0.1) == pytest.approx(0.2, rel=0.01)
    assert rows_to_see(1000, 0.2, 0.0) is None


def test_a_sample_tells_a_shift_from_none_beyond_two_standard_errors() -> None:
    assert within_sample(-0.19, 0.1)
    assert not within_sample(-0.2, 0.1)


def test_pooling_draws_what_is_little_known_to_the_mean_and_leaves_the_rest() -> None:
    before = Estimate(np.array([-0.2, -0.2, 0.6]), np.diag([0.0001, 0.0001, 0.25]))
    after = pooled(before, 0.1)
    np.testing.assert_allclose(after.shift[:2], -0.2, atol=0.01)
    assert -0.2 < after.shift[2] < -0.1
    assert after.se[2] < 0.2
    np.testing.assert_allclose(pooled(before, 100.0).shift, before.shift, atol=1e-3)


def test_points_are_those_of_the_year() -> None:
    standard = Standard(np.full((1, 12), np.log(0.02 / 0.98)), decay=0.9)
    assert standard.probability(0.0) == pytest.approx(100 * (1 - 0.98**12))
    assert standard.points(-0.2) < 0 < standard.points(0.2)
    assert standard.points(0.0) == 0
    assert standard.slope(0.0) == pytest.approx(standard.points(0.01) / 0.01, rel=0.02)
