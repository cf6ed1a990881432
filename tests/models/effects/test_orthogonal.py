"""The one-step partially linear logit on trials whose true shift is known."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.effects.left_out import LinearShifts, robustness_value
from models.effects.orthogonal import Estimate, Scores, demeaned, one_step, scores_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Trials with a risk that raises churn and makes actions likelier; two kinds, of which the second does nothing."""

    risk: Array
    done: Array
    propensity: Array
    hazard: Array
    event: Array
    account: NDArray[np.int64]


def world(seed: int, *, shift: float, accounts: int = 4000, trials: int = 3) -> World:
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(accounts), trials)
    risk = np.repeat(rng.standard_normal(accounts), trials)
    propensity = expit(np.stack([-1.5 + 0.8 * risk, -0.5 + 0.8 * risk], axis=1))
    done = (rng.random(propensity.shape) < propensity).astype(float)
    base = logit(np.full(len(risk), 0.08)) + 0.9 * risk
    chance = expit(base + shift * done[:, 0])
    mixed = propensity[:, 0] * expit(base + shift) + (1 - propensity[:, 0]) * expit(base)
    return World(risk, done, propensity, mixed, (rng.random(len(risk)) < chance).astype(float), account)


def scores(event: Array, hazard: Array) -> Scores:
    here = np.arange(len(event))
    return scores_of(event, hazard, (here, np.ones_like(here), np.zeros_like(here)), trials=len(event), decay=0.9)


def estimate(one: World) -> Estimate:
    return one_step(one.done - one.propensity, scores(one.event, one.hazard), one.account)


@pytest.mark.parametrize("shift", [-0.4, 0.0, 0.3])
def test_the_true_shift_is_found_and_the_useless_kind_is_none(shift: float) -> None:
    shifts = [estimate(world(seed, shift=shift)) for seed in range(20)]
    mean, error = np.mean([each.shift for each in shifts], axis=0), np.mean([each.se for each in shifts], axis=0)
    assert np.abs(mean - [shift, 0.0]).max() < 4 * error.max() / np.sqrt(20)


def test_treated_less_untreated_would_call_the_useless_kind_harmful() -> None:
    one = world(1, shift=0.0, accounts=20_000)
    naive = one.event[one.done[:, 1] > 0].mean() - one.event[one.done[:, 1] == 0].mean()
    found = estimate(one)
    assert naive > 0.03
    assert abs(found.shift[1]) < 3 * found.se[1]


@pytest.mark.parametrize("broken", ["hazard", "propensity"])
def test_one_wrong_nuisance_alone_does_little_harm(broken: str) -> None:
    one = world(2, shift=-0.3, accounts=30_000)
    hazard, propensity = one.hazard, one.propensity
    if broken == "hazard":
        hazard = np.full_like(hazard, one.event.mean())
    else:
        propensity = np.broadcast_to(one.done.mean(axis=0), propensity.shape)
    found = one_step(one.done - propensity, scores(one.event, hazard), one.account)
    flat = np.full_like(hazard, one.event.mean())
    both = one_step(one.done - one.done.mean(axis=0), scores(one.event, flat), one.account)
    assert abs(found.shift[1]) < 0.15
    assert both.shift[1] > 0.4


def test_intervals_cover_as_often_as_they_say_where_trials_of_an_account_go_together() -> None:
    inside = 0
    for seed in range(150):
        rng = np.random.default_rng([9, seed])
        account = np.repeat(np.arange(300), 8)
        luck = np.repeat(rng.normal(0, 0.25, 300), 8)
        often = np.repeat(rng.random(300), 8)
        done = (rng.random(2400) < often).astype(float)
        event = (rng.random(2400) < np.clip(0.3 + luck, 0, 1)).astype(float)
        found = one_step((done - 0.5)[:, None], scores(event, np.full(2400, 0.3)), account)
        inside += abs(found.shift[0]) < 1.96 * found.se[0]
    assert 0.89 <= inside / 150 <= 0.99


def test_scores_weigh_later_months_less_and_take_out_the_month_s_luck() -> None:
    event, hazard = np.array([1.0, 0.0, 0.0, 1.0]), np.full(4, 0.5)
    trial, ahead, month = np.array([0, 0, 1, 1]), np.array([1, 2, 1, 2]), np.array([0, 1, 0, 1])
    result = scores_of(event, hazard, (trial, ahead, month), trials=3, decay=0.5)
    np.testing.assert_allclose(result.score, [0.5 - 0.25, -0.5 + 0.25, 0.0])
    np.testing.assert_allclose(result.information, [0.25 + 0.0625, 0.25 + 0.0625, 0.0])
    unlucky = scores_of(np.ones(4), hazard, (trial, ahead, month), trials=2, decay=0.5)
    np.testing.assert_allclose(unlucky.score, 0.0, atol=1e-12)


def test_a_known_null_is_taken_off_with_its_covariance() -> None:
    before = Estimate(np.array([-0.3, 0.1]), np.array([[0.04, 0.01], [0.01, 0.09]]))
    after = before.less(1)
    np.testing.assert_allclose(after.shift, [-0.4, 0.1])
    np.testing.assert_allclose(np.diag(after.covariance), [0.04 + 0.09 - 0.02, 0.09])


def test_months_are_demeaned_by_weight() -> None:
    values = demeaned(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1]), np.array([1.0, 3.0, 2.0]))
    np.testing.assert_allclose(values[:, 0], [1 - 2.5, 3 - 2.5, 0.0])


def test_leaving_out_what_confounds_moves_the_shift_and_leaving_out_noise_does_not() -> None:
    one = world(3, shift=-0.3, accounts=20_000)
    noise = np.random.default_rng(3).standard_normal(len(one.risk))
    flat = scores(one.event, np.full_like(one.event, one.event.mean()))
    shifts = LinearShifts(np.stack([one.risk, noise], axis=1), one.done - one.done.mean(axis=0), flat)
    moves = shifts.moves({"risk": [0], "noise": [1]})
    assert moves["risk"].min() > 0.25
    assert np.abs(moves["noise"]).max() < 0.02
    assert abs(shifts.shift()[1]) < 0.1


def test_the_robustness_value_is_that_of_cinelli_and_hazlett() -> None:
    """Their example: t = 4.18 at 783 degrees of freedom gives 13.9 %."""
    assert robustness_value(4.18, 1.0, 783) == pytest.approx(0.139, abs=5e-4)
    assert robustness_value(0.0, 1.0, 783) == 0
