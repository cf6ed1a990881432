"""Scores of probabilities: against scikit-learn where it has them, else by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from models.scores.evaluation import calibration_floor, cross_sell_table, crps, log_losses, windows_of
from training.backtest.verdict import verdict


def draw(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and events that come with them."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(1, 4, rows)
    return probability, (rng.random(rows) < probability).astype(float)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_log_loss_brier_and_auc_are_those_of_scikit_learn(seed: int, scored: Any) -> None:
    probability, event = draw(500, seed)
    base = np.full(500, 0.2)
    score = scored(probability=probability, base=base, event=event)
    assert score.log_loss == pytest.approx(log_loss(event, probability))
    assert score.base_log_loss == pytest.approx(log_loss(event, base))
    assert score.skill == pytest.approx(1 - log_loss(event, probability) / log_loss(event, base))
    assert score.brier == pytest.approx(brier_score_loss(event, probability))
    assert score.auc == pytest.approx(roc_auc_score(event, probability))
    assert (score.rows, score.events) == (500, event.sum())
    assert (score.mean_predicted, score.mean_observed) == pytest.approx((probability.mean(), event.mean()))


def test_a_certain_mistake_costs_much_but_not_everything() -> None:
    assert log_losses(np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0, 1.0])) == pytest.approx(
        [-np.log(1e-6), -np.log(1e-6), 1e-6, 1e-6], rel=1e-4
    )


HALF_A_BIT = 0.5**0.5
"""The probability whose loss is half that of a coin; gains over a coin, in coin losses, are then 1/2 and 0."""


@pytest.mark.parametrize(
    ("accounts", "probability", "skill", "skill_low"),
    [
        # gains 1/2, 1/2, 0, 0; less their mean and summed by account: 1/2, -1/4, -1/4;
        # error sqrt(3/8 x 3/2) / 4 = 3/16
        (["a", "a", "b", "c"], [HALF_A_BIT, HALF_A_BIT, 0.5, 0.5], 0.25, 0.25 - 1.96 * 3 / 16),
        # the same gains of four accounts: error sqrt(4/16 x 4/3) / 4
        (["a", "b", "c", "d"], [HALF_A_BIT, HALF_A_BIT, 0.5, 0.5], 0.25, 0.25 - 1.96 * (1 / 3) ** 0.5 / 4),
        # of two accounts: sums 1/2, -1/2, error sqrt(1/2 x 2) / 4
        (["a", "a", "b", "b"], [HALF_A_BIT, HALF_A_BIT, 0.5, 0.5], 0.25, 0.25 - 1.96 / 4),
        # every row gains the same: no error
        (["a", "b", "c", "d"], [HALF_A_BIT] * 4, 0.5, 0.5),
        # a loss of two coins gains -1
        (["a", "b", "c", "d"], [0.25] * 4, -1.0, -1.0),
    ],
)
def test_the_error_of_skill_counts_accounts_not_rows(
    accounts: list[str], probability: list[float], skill: float, skill_low: float, scored: Any
) -> None:
    score = scored(accounts=accounts, probability=probability, base=[0.5] * 4, event=[1.0] * 4)
    assert (score.skill, score.skill_low) == pytest.approx((skill, skill_low))


def test_the_same_rows_twice_prove_nothing_more(scored: Any) -> None:
    probability, event = draw(200, 4)
    once = scored(probability=probability, base=[0.2] * 200, event=event)
    names = [f"account {number}" for number in range(200)] * 2
    twice = scored(accounts=names, probability=[*probability] * 2, base=[0.2] * 400, event=[*event] * 2)
    assert twice.skill_low == pytest.approx(once.skill_low)


def test_the_error_of_the_auc_is_that_of_hanley_and_mcneil(scored: Any) -> None:
    """Their own example (1982): an area of 0.893 over 51 and 58 cases has a standard error of 0.032."""
    came, others = [0.5] * 40 + [0.4] * 11, [0.3] * 51 + [0.45] + [0.6] * 6
    score = scored(probability=came + others, base=[0.5] * 109, event=[1.0] * 51 + [0.0] * 58)
    assert score.auc == pytest.approx(0.893, abs=5e-4)
    assert (score.auc - score.auc_low) / 1.96 == pytest.approx(0.0325, abs=5e-5)


def test_the_error_of_the_auc_counts_accounts_not_rows(scored: Any) -> None:
    probability, event = draw(200, 4)
    names = [f"account {number}" for number in range(200)]
    once = scored(accounts=names, probability=probability, base=[0.2] * 200, event=event)
    twice = scored(accounts=names * 2, probability=[*probability] * 2, base=[0.2] * 400, event=[*event] * 2)
    assert twice.auc_low == pytest.approx(once.auc_low)
    assert (twice.accounts, twice.events) == (once.accounts, 2 * once.events)


@pytest.mark.parametrize(
    ("came", "high", "low", "has_skill"),
    [
        (10, 0.8, 0.2, True),
        (9, 0.8, 0.2, False),  # too few accounts to which it came
        (30, 0.2, 0.8, False),  # the wrong way round
        (30, 0.999, 0.99, False),  # tells them apart, but its log-loss is worse than the base rate's
    ],
)
def test_skill_needs_accounts_ranking_and_a_better_log_loss(
    came: int, high: float, low: float, has_skill: bool, scored: Any
) -> None:
    score = scored(probability=[high] * came + [low] * 40, base=[0.5] * (came + 40), event=[1.0] * came + [0.0] * 40)
    assert score.has_skill is has_skill


def test_a_better_level_alone_is_no_skill(scored: Any) -> None:
    """The base rate was 10 % and 50 % came: whoever says 50 % of all accounts knows nothing of any of them."""
    score = scored(probability=[0.5] * 80, base=[0.1] * 80, event=[1.0, 0.0] * 40)
    assert score.skill_low > 0
    assert not score.has_skill


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_noise_has_no_skill_and_the_verdict_says_so(seed: int, scored: Any, months: Any) -> None:
    rng = np.random.default_rng(seed)
    probability, event = rng.beta(2, 8, 600), (rng.random(600) < 0.2).astype(float)
    score = scored(probability=probability, base=[0.2] * 600, event=event)
    assert score.skill_low < 0
    assert not score.has_skill
    (line,) = verdict([score], months(1)[0])
    assert line.startswith("NO SKILL FOUND for churn, tested out of time from 2020-01-01: 3 months ahead, the log-loss")
    assert f"worse than the base rate's (95 % interval from {score.skill_low:+.1%})" in line
    assert line.endswith("Do not act on single accounts' churn probabilities or reasons.")


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_the_true_probabilities_have_skill(seed: int, scored: Any) -> None:
    probability, event = draw(600, seed)
    score = scored(probability=probability, base=np.full(600, probability.mean()), event=event)
    assert score.has_skill
    assert score.calibration_slope == pytest.approx(1, abs=0.25)


# 100 accounts at 20 % and 100 at 80 %, whose log-odds are -1.386 and 1.386; shares that came in each
@pytest.mark.parametrize(
    ("came_low", "came_high", "slope", "intercept", "calibration_error"),
    [
        (20, 80, 1.0, 0.0, 0.0),
        (50, 50, 0.0, 0.0, 0.3),
        (80, 20, -1.0, 0.0, 0.6),
        (10, 50, np.log(9) / (2 * np.log(4)), -np.log(9) / 2, 0.2),
    ],
)
def test_calibration_by_hand(
    came_low: int, came_high: int, slope: float, intercept: float, calibration_error: float, scored: Any
) -> None:
    # Interleaved, so that every bin of twenty rows holds its level's share.
    events = [event for came in (came_low, came_high) for event in np.tile(np.arange(10) < came / 10, 10)]
    score = scored(probability=[0.2] * 100 + [0.8] * 100, base=[0.5] * 200, event=events)
    assert (score.calibration_slope, score.calibration_intercept) == pytest.approx((slope, intercept), abs=1e-3)
    assert score.calibration_error == pytest.approx(calibration_error)
    assert [cell.rows for cell in score.bins] == [20] * 10


@pytest.mark.parametrize("event", [0.0, 1.0])
def test_where_only_one_thing_came_ranking_and_calibration_are_undefined(event: float, scored: Any) -> None:
    score = scored(probability=[0.1, 0.3, 0.2], base=[0.2] * 3, event=[event] * 3)
    assert np.isnan([score.auc, score.auc_low, score.calibration_slope, score.calibration_intercept]).all()
    assert np.isfinite([score.log_loss, score.skill, score.skill_low, score.brier]).all()


@pytest.mark.parametrize(
    ("segments", "beats"),
    [
        ([0.5] * 80, True),
        ([0.9] * 40 + [0.1] * 40, False),  # as good as the model
        ([0.95] * 40 + [0.05] * 40, False),  # better
    ],
)
def test_better_than_the_base_rate_is_not_better_than_rates_by_segment(
    segments: list[float], beats: bool, scored: Any
) -> None:
    chance, event = [0.9] * 40 + [0.1] * 40, [1.0] * 40 + [0.0] * 40
    score = scored(probability=chance, base=[0.5] * 80, segments=segments, event=event)
    assert score.has_skill
    assert score.beats_segments is beats
    assert score.segment_log_loss == pytest.approx(log_loss(event, segments))
    assert score.segment_skill == pytest.approx(1 - log_loss(event, chance) / log_loss(event, segments))


@pytest.mark.parametrize(
    ("draws", "actual", "expected"),
    [
        ([1.0], 1.3, 0.3),  # one draw: the absolute error
        ([1.0, 1.0], 0.8, 0.2),
        ([0.0, 1.0], 0.5, 0.5 - 0.25),  # mean distance 0.5, less half of the mean distance 0.5 of two draws
        ([0.0, 1.0], 2.0, 1.5 - 0.25),
        ([1.0, 0.0], 2.0, 1.5 - 0.25),
    ],
)
def test_crps_by_hand(draws: list[float], actual: float, expected: float) -> None:
    assert crps(np.array(draws), actual) == pytest.approx(expected)


def test_crps_of_a_normal_forecast_is_the_known_one() -> None:
    """Gneiting and Raftery (2007): sd * (1 / sqrt(pi)) * (sqrt(2) - 1) at the mean."""
    draws = np.random.default_rng(1).standard_normal(200_000)
    assert crps(draws, 0.0) == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi), rel=0.01)


def test_the_calibration_floor_is_what_right_probabilities_show() -> None:
    """Events drawn from the very probabilities lie around the floor; from others, far above it."""
    probability = np.random.default_rng(3).beta(2, 8, 800)
    mean, high = calibration_floor(probability)
    assert calibration_floor(probability) == (mean, high)
    errors = []
    for seed in range(40):
        came = (np.random.default_rng(seed).random(800) < probability).astype(float)
        bins = np.array_split(np.argsort(probability, kind="stable"), 10)
        errors.append(np.mean([abs(came[part].mean() - probability[part].mean()) for part in bins]))
    assert np.mean(errors) == pytest.approx(mean, rel=0.1)
    assert np.mean(np.array(errors) > high) <= 0.15
    assert mean < high < 0.1


def test_a_certain_forecast_has_no_floor() -> None:
    assert calibration_floor(np.array([0.0, 1.0] * 20)) == (0.0, 0.0)


def test_rows_that_share_their_luck_raise_the_floor() -> None:
    probability = np.full(400, 0.2)
    alone, _ = calibration_floor(probability)
    shared, _ = calibration_floor(probability, np.arange(400) // 4)
    assert shared > 1.5 * alone


@pytest.mark.parametrize(
    ("months", "horizon", "expected"),
    [([0, 2, 4], 3, [0, 0, 1]), ([0, 3, 6], 3, [0, 1, 2]), ([4, 0, 2], 12, [0, 0, 0]), ([0, 0, 6], 6, [0, 0, 1])],
)
def test_overlapping_windows_have_one_number(months: list[int], horizon: int, expected: list[int]) -> None:
    origins = pd.Series([pd.Timestamp("2024-01-01") + pd.DateOffset(months=month) for month in months])
    assert windows_of(origins, horizon).tolist() == expected


def test_cross_sells_expected_and_come() -> None:
    accounts = pd.DataFrame({
        "horizon_months": [3, 3, 3, 6, 6, 12],
        "cross_sell_probability": [0.5, 0.25, 0.9, 0.1, 0.2, np.nan],
        "cross_sold": [1.0, 0.0, np.nan, 0.0, 0.0, 1.0],
    })  # fmt: skip
    found = cross_sell_table(accounts)
    assert found.columns.tolist() == ["horizon_months", "rows", "expected", "came", "ratio"]
    np.testing.assert_allclose(found, [[3, 2, 0.75, 1, 0.75], [6, 2, 0.3, 0, np.nan]])
    assert cross_sell_table(accounts.assign(cross_sold=np.nan)).empty
