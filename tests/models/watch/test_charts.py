"""The charts of the watch: the market drops out, limits hold together, and each alarm says what it is of."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from benchmarks.watch_study import LUCK, NAMES, called_market, found_in_time, history, limits_of_study, quiet_alarms
from models.watch.charts import Month, given_events, monthly_scores, scan
from models.watch.limits import Limits, joint_limits
from models.watch.market import Luck, crowd, residuals, simulated_events, step_scan
from models.watch.moved_inputs import moved_inputs, moved_share, psi_of_months
from models.watch.verdict import LEVEL, cause_of, charts


@pytest.fixture(scope="module")
def limits() -> Limits:
    return limits_of_study(histories=600)


def test_what_moves_all_accounts_alike_drops_out_exactly() -> None:
    (month, *_) = history(np.random.default_rng(2))
    shifted = Month(month.log_odds + 0.8, month.event, month.covariates)
    first, second = monthly_scores([month]), monthly_scores([shifted])
    assert second.score == pytest.approx(first.score, abs=1e-6)
    assert second.variance == pytest.approx(first.variance, rel=1e-6)
    assert given_events(month, int(month.event.sum())).sum() == pytest.approx(month.event.sum())


def test_scores_have_the_variance_that_they_are_said_to_have() -> None:
    rng = np.random.default_rng(3)
    (month, *_) = history(rng)
    drawn = [
        Month(month.log_odds, (rng.random(1000) < expit(month.log_odds + 0.3)).astype(float), month.covariates)
        for _ in range(800)
    ]
    scores = monthly_scores(drawn)
    z = scores.score / np.sqrt(scores.variance)
    assert z.mean(axis=0) == pytest.approx(np.zeros(len(NAMES)), abs=0.15)
    assert z.std(axis=0) == pytest.approx(np.ones(len(NAMES)), abs=0.12)


def test_residuals_of_a_right_model_are_white_and_a_step_leaves_its_mark() -> None:
    rng = np.random.default_rng(4)
    crowds = [crowd(month.log_odds) for month in history(rng)]
    events = simulated_events(crowds, LUCK, 2000, rng)
    found = residuals(crowds, events, LUCK)
    assert found.residual.mean(axis=0) == pytest.approx(np.zeros(36), abs=0.12)
    assert found.residual.std(axis=0) == pytest.approx(np.ones(36), abs=0.12)
    assert np.abs(np.corrcoef(found.residual[:, 10], found.residual[:, 11])[0, 1]) < 0.08
    flat = np.array([[here.expected(np.array(0.0))[0] for here in crowds]])
    stepped = flat.copy()
    stepped[0, 12:] *= 1.6
    statistic, ago = step_scan(residuals(crowds, stepped, LUCK))
    assert 11 <= 17 - ago[0, 16] <= 13
    assert statistic[0, 16] > 3
    assert abs(step_scan(residuals(crowds, flat, LUCK))[0][0, -1]) < 0.5


def test_alarms_of_quiet_lost_and_shocked_histories(limits: Limits) -> None:
    """All of it with many more histories: `python -m benchmarks.watch_study`."""
    assert quiet_alarms(40, limits) <= 0.15
    assert found_in_time(15, limits, lost=1.0) >= 0.7
    assert called_market(15, limits, shock=0.8) >= 0.7
    assert called_market(15, limits, shock=-0.8) >= 0.7, "a market that halves is seen too"


def test_each_side_of_the_level_has_its_own_limit(limits: Limits) -> None:
    """Few events go much farther up than down by chance: one limit for both would hide a market that halved."""
    assert limits.level_down < 0.85 * limits.level_up
    assert (limits.of_level(1.0), limits.of_level(-1.0)) == (limits.level_up, limits.level_down)
    assert (
        joint_limits(history(np.random.default_rng(1))[:1], Luck(0.0, 0.0, 0.0), seed=1, histories=20).level_down >= 1
    )


def test_the_cause_is_the_model_where_one_of_its_charts_alarms(limits: Limits) -> None:
    rng = np.random.default_rng(5)
    quiet = charts(history(rng)[:24], NAMES, LUCK, limits)
    assert (quiet[0].name, quiet[0].cause, len(quiet)) == (LEVEL, "market", 1 + len(NAMES))
    lost = charts(history(rng, lost=1.0)[:24], NAMES, LUCK, limits)
    assert cause_of(lost) == "model"
    named = max(lost[1:], key=lambda chart: abs(chart.statistic))
    assert (named.name in ("input 1", "slope"), named.alarm, named.statistic < 0) == (True, True, True)
    assert 9 <= named.since <= 16
    moved = charts(history(rng, shock=1.0)[:18], NAMES, LUCK, limits)
    assert (cause_of(moved), moved[0].statistic > 0) == ("market", True)
    assert cause_of(charts(history(rng)[:6], NAMES, LUCK, Limits(99.0, 99.0, 99.0))) is None


def test_a_month_without_events_says_nothing() -> None:
    month = Month(np.full(10, -4.0), np.zeros(10), np.arange(10.0)[:, None])
    statistic, width = scan(monthly_scores([month, month]))
    assert (statistic.tolist(), width.tolist()) == ([[0.0], [0.0]], [[1], [1]])


def test_an_input_moves_when_its_last_month_is_farther_off_than_any_other() -> None:
    rng = np.random.default_rng(6)
    month = np.repeat(np.arange(24), 300)
    last = month == 23
    same, shifted = rng.standard_normal(len(month)), rng.standard_normal(len(month)) + 1.0 * last
    gone = np.where(last & (rng.random(len(month)) < 0.5), np.nan, rng.standard_normal(len(month)))
    words = np.where(last, rng.choice(["a", "c"], len(month)), rng.choice(["a", "b"], len(month)))
    frame = pd.DataFrame({"same": same, "shifted": shifted, "gone": gone, "words": words})
    weights = pd.Series({"same": 0.5, "shifted": 0.3, "gone": 0.1, "words": 0.1})
    rows = moved_inputs(frame, month, weights)
    assert [(row.name, row.moved) for row in rows] == [
        *(("same", False), ("shifted", True), ("gone", True), ("words", True)),
    ]
    assert moved_share(rows) == pytest.approx(0.5)
    assert psi_of_months(frame["same"], month).max() < 0.1
