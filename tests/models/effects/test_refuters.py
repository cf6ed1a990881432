"""Refuters find nothing where nothing is wrong, and find what is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from models.effects.orthogonal import Scores
from models.effects.refuters import Trials, before_the_action, halves_apart, overlap, permuted, redrawn


def trials(seed: int = 1, rows: int = 6000) -> Trials:
    rng = np.random.default_rng(seed)
    risk = rng.standard_normal(rows)
    propensity = expit(-1 + 0.5 * risk)[:, None]
    done = (rng.random((rows, 1)) < propensity).astype(float)
    hazard = expit(-2 + 0.5 * risk)
    event = (rng.random(rows) < expit(-2 + 0.5 * risk - 0.5 * done[:, 0])).astype(float)
    return Trials(done, propensity, Scores(event - hazard, hazard * (1 - hazard)), np.arange(rows) // 4)


@pytest.mark.parametrize("placebo", [permuted, redrawn])
def test_actions_never_given_have_no_effect_though_the_real_one_has(placebo: object) -> None:
    result = placebo(trials(), np.random.default_rng(2))  # type: ignore[operator]
    assert result.passed.all()


def test_a_hazard_that_forgets_what_drives_the_action_is_found_by_neither_and_by_no_half() -> None:
    """What placebos cannot see is what the allowance is for."""
    one = trials()
    assert halves_apart(one).max() < 3
    assert overlap(one)[0] == pytest.approx(1.0, abs=0.1)


def test_a_standard_error_that_is_too_small_is_found() -> None:
    """Scores that are copies of each other within an account, told apart as if they were not."""
    one = trials(rows=4000)
    copied = np.repeat(one.scores.score[::40], 40)
    wrong = replace(one, scores=Scores(copied, one.scores.information), propensity=np.full_like(one.propensity, 0.9))
    assert not permuted(wrong, np.random.default_rng(2)).passed.all()


def test_halves_that_differ_are_found() -> None:
    one = trials()
    side = np.where(one.account % 2 == 0, 1.0, -1.0)
    shifted = Scores(one.scores.score + side * one.residual[:, 0] * 0.3, one.scores.information)
    assert halves_apart(replace(one, scores=shifted))[0] > 3


def test_an_action_that_follows_an_outcome_is_found_before_it() -> None:
    one = trials()
    rng = np.random.default_rng(5)
    earlier = (rng.random(len(one.done)) < 0.2 + 0.2 * one.done[:, 0]).astype(float)
    shift, se = before_the_action(one, earlier - earlier.mean())
    assert shift[0] > 5 * se[0]
    quiet, error = before_the_action(one, rng.random(len(one.done)) - 0.5)
    assert abs(quiet[0]) < 3 * error[0]
    assert before_the_action(one, np.full(len(one.done), np.nan))[0][0] == 0


def test_an_action_that_is_all_but_decided_has_no_overlap() -> None:
    one = trials()
    sure = replace(one, propensity=np.clip(one.done, 0.01, 0.99))
    assert overlap(sure)[0] < 0.05
