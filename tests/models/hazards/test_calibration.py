import numpy as np
import pytest
from scipy.special import expit

from models.hazards.calibration import (
    Calibrator,
    Outcomes,
    fit_by_month,
    fit_calibrator,
    match_level,
    reliability,
    wilson,
)

PRIOR_SD = 0.25


def draw(slope, intercept, rows, seed=0):
    rng = np.random.default_rng(seed)
    margin = rng.normal(-1, 1.5, rows)
    event = (rng.random(rows) < expit(slope * margin + intercept)).astype(float)
    return margin, event


def test_many_rows_recover_slope_and_intercept():
    margin, event = draw(0.7, 0.4, 200_000)
    line = fit_calibrator(margin, event, np.ones_like(event), prior_sd=PRIOR_SD)
    assert line.slope == pytest.approx(0.7, abs=0.02)
    assert line.intercept == pytest.approx(0.4, abs=0.03)


def test_no_rows_leave_the_margin_as_it_is():
    empty = np.empty(0)
    assert fit_calibrator(empty, empty, empty, prior_sd=PRIOR_SD) == Calibrator(1.0, 0.0)


def test_few_events_bend_it_little():
    margin, event = np.full(20, -3.0), np.r_[np.ones(4), np.zeros(16)]
    line = fit_calibrator(margin, event, np.ones(20), prior_sd=PRIOR_SD)
    assert 0 < line.intercept < 0.3, "20 rows would ask for more than 1.6"


def test_a_weight_of_two_is_a_row_twice():
    margin, event = draw(1.2, -0.2, 500)
    twice = fit_calibrator(np.r_[margin, margin], np.r_[event, event], np.ones(1000), prior_sd=PRIOR_SD)
    weighted = fit_calibrator(margin, event, np.full(500, 2.0), prior_sd=PRIOR_SD)
    assert weighted.slope == pytest.approx(twice.slope)
    assert weighted.intercept == pytest.approx(twice.intercept)


def test_another_fit_keeps_the_slope_and_expects_as_many_events_as_were_seen():
    margin, event = draw(1.0, -1.0, 2000)
    weight = np.where(np.arange(2000) % 2, 0.5, 2.0)
    ahead = np.arange(2000) % 12 + 1
    level = np.where(ahead == 1, 0.7, -0.2)
    line = match_level(Calibrator(1.3, 5.0, 0.4), 1.8 * margin, Outcomes(ahead, level, event, weight))
    assert (line.slope, line.near) == (1.3, 0.4)
    chance = expit(level + line.log_odds(1.8 * margin, ahead))
    assert (weight * chance).sum() == pytest.approx((weight * event).sum())


@pytest.mark.parametrize(("slope", "kept"), [(0.7, 0.7), (1.4, 0.85)])
def test_near_months_may_be_trusted_more_and_far_ones_never_more_than_a_year_bears(slope, kept):
    rng = np.random.default_rng(0)
    margin, ahead = rng.normal(-1, 1.5, 400_000), rng.integers(1, 15, 400_000)
    level = np.where(rng.random(400_000) < 0.1, 2.0, -0.5)  # no slope is laid on it
    event = (rng.random(400_000) < expit(level + (slope + 0.5 / ahead) * margin + 0.2)).astype(float)
    line = fit_by_month(margin, Outcomes(ahead, level, event, np.ones_like(event)), prior_sd=PRIOR_SD)
    assert line.slope == pytest.approx(kept, abs=0.02)
    np.testing.assert_allclose(line.slopes(np.array([1, 2])), line.slope + line.near / np.array([1, 2]))
    assert line.near > 0.45


def test_wilson_interval_against_a_published_value():
    # Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263, score method without continuity correction
    low, high = wilson(81, 263, z=1.959964)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_reliability_bins_hold_equally_many_rows():
    margin, event = draw(1.0, 0.0, 1000)
    cells = reliability(expit(margin), event)
    assert [cell.rows for cell in cells] == [100] * 10
    assert all(cell.low <= cell.observed <= cell.high for cell in cells)
    assert np.average([c.observed for c in cells]) == pytest.approx(event.mean())
