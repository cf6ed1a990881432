"""Callers against the model: the words by simulation, and what a category stands for."""

import numpy as np
import pytest

from benchmarks.callers import Person, words
from models.scores.callers import category_probability, log_score_difference, shrunk, skill, toned_down


def test_who_knows_more_is_called_better_and_nobody_the_opposite() -> None:
    """All of it with many more histories: `python -m benchmarks.callers`."""
    better, worse, mean = words(Person(2.0), calls=40, histories=300)
    assert mean > 0.15
    assert better >= 0.7
    assert worse <= 0.03
    better, worse, mean = words(Person(0.0, 1.0, 0.5), calls=40, histories=300)
    assert mean < 0
    assert better <= 0.03


def test_the_difference_is_of_log_scores_and_no_one_is_taken_to_be_surer_than_19_to_1() -> None:
    called, model, kept = np.array([0.8, 0.8, 1.0]), np.array([0.5, 0.5, 0.5]), np.array([1.0, 0.0, 0.0])
    expected = [np.log(0.8 / 0.5), np.log(0.2 / 0.5), np.log(0.05 / 0.5)]
    assert log_score_difference(called, model, kept) == pytest.approx(expected)


def test_a_category_stands_for_its_prior_until_the_caller_s_own_history_says_otherwise() -> None:
    assert category_probability("commit", 0, 0) == 0.925
    assert category_probability("commit", 0, 8) == pytest.approx(0.925 / 2)
    assert category_probability("lost", 8, 8) == pytest.approx((0.8 + 8) / 16)


def test_below_ten_calls_nothing_is_told_and_calls_on_one_account_are_one_unit_of_chance() -> None:
    difference = np.tile([0.5, 0.3], 10)
    assert skill(difference[:9], range(9)).verdict == "too few"
    assert skill(difference, ["a"] * 20).verdict == "too few"
    apart, together = skill(difference, range(20)), skill(difference, ["a", "b"] * 10)
    assert (apart.mean, together.mean) == (0.4, 0.4)
    assert apart.verdict == "better"
    assert together.low < apart.low
    assert skill(-difference, range(20)).verdict == "worse"


def test_callers_are_moved_towards_the_group_as_far_as_they_are_uncertain() -> None:
    alike = shrunk(np.array([0.1, 0.12]), np.array([0.2, 0.2]))
    assert alike == pytest.approx([0.11, 0.11])
    apart = shrunk(np.array([-1.0, 0.0, 1.0]), np.array([0.1, 0.1, 0.5]))
    assert -1 < apart[0] < -0.9
    assert apart[2] < 0.8


def test_who_is_bolder_than_what_they_know_is_not_called_better_unless_beyond_doubt() -> None:
    model, called = np.full(40, 0.5), np.full(40, 0.9)
    kept = (np.arange(40) < 30).astype(float)  # three in four, of calls that said nine in ten
    difference = log_score_difference(called, model, kept)
    toned = log_score_difference(toned_down(called, model), model, kept)
    assert toned.sum() > difference.sum() > 0
    plain = np.full(40, 0.2) + np.where(np.arange(40) % 2, 0.1, -0.1)  # a sum of 8: better, and not beyond doubt
    assert skill(plain, range(40)).verdict == "better"
    assert skill(plain, range(40), plain + 0.01).verdict == "cannot tell"
    assert skill(plain, range(40), plain - 0.01).verdict == "better"
    assert skill(plain + 0.1, range(40), plain + 0.2).verdict == "better"


def test_a_call_toned_down_lies_between_the_model_and_itself() -> None:
    assert toned_down(np.array([0.5, 0.9, 1.0]), np.array([0.5, 0.5, 0.5])) == pytest.approx(
        [0.5, 1 / (1 + 9**-0.6), 1 / (1 + (1e6 - 1) ** -0.6)]
    )
