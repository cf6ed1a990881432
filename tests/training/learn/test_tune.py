"""Tuning: what it may know, that it is bounded, and that it can be repeated."""

import dataclasses
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.tables.checked import Tables
from params import Params
from training.learn.dataset import Dataset, settings_of
from training.learn.tune import Split, Tuned, loss_of, monthly_loss, split, tune, tuned_settings
from training.learn.tuned_fit import fit_model


@pytest.fixture(scope="module")
def tuning(changed: Any) -> Params:
    params: Params = changed(tune={"enabled": True, "trials": 3, "months": 3}, model={"trees": 5})
    return params


@pytest.fixture(scope="module")
def inner(company: Tables, dataset: Dataset, tuning: Params) -> Split:
    found = split(company, dataset, params=tuning)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def found(inner: Split, tuning: Params) -> Tuned:
    return tune(inner, params=tuning)


def test_the_split_is_one_of_time(inner: Split, dataset: Dataset) -> None:
    assert inner.earlier.as_of == date(2025, 9, 1)
    assert inner.earlier.frame["as_of"].max() == pd.Timestamp("2025-09-01")
    newest = inner.earlier.cohort(inner.earlier.as_of)
    assert np.isnan(inner.earlier.paths[newest][:, 1:]).all(), "nothing after the split is learned from"
    np.testing.assert_array_equal(inner.actual_paths, dataset.paths[dataset.cohort(date(2025, 9, 1)), :4])
    assert not np.isnan(inner.actual_paths).any()


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({"tune": {"enabled": False}}, "off"),
        ({"model": {"learner": "logistic"}}, "no trees"),
        ({"model": {"min_months": 26}}, "28 months less 3 are too few"),
    ],
)
def test_without_a_split_nothing_is_tuned(
    sections: Any, why: str, company: Tables, dataset: Dataset, tuning: Params, changed: Any
) -> None:
    base = {"tune": {"enabled": True, "trials": 3, "months": 3}}
    assert split(company, dataset, params=changed(**(base | sections))) is None, why


def test_the_first_trial_is_the_settings_as_they_are_and_the_best_is_chosen(
    found: Tuned, inner: Split, tuning: Params
) -> None:
    assert found.trials["trial"].tolist() == [0, 1, 2]
    first = found.trials.iloc[0]
    assert (first["leaves"], first["l2"]) == (tuning.model.leaves, tuning.model.l2)
    assert first["loss"] == loss_of(inner, settings_of(tuning))
    best = found.trials.loc[found.trials["loss"].idxmin()]
    assert {name: best[name] for name in found.chosen} == pytest.approx(dict(found.chosen))
    assert found.gain >= 0
    assert not found.cut_short


def test_the_same_seed_chooses_the_same_whatever_the_threads(found: Tuned, inner: Split, tuning: Params) -> None:
    again = tune(inner, params=tuning.model_copy(update={"threads": 2}))
    pd.testing.assert_frame_equal(found.trials, again.trials, rtol=0, atol=0)


def test_time_ends_it_and_it_says_so(inner: Split, tuning: Params) -> None:
    short = tuning.model_copy(update={"tune": tuning.tune.model_copy(update={"minutes": 1e-6, "trials": 50})})
    ended = tune(inner, params=short)
    assert 1 <= len(ended.trials) < 50
    assert ended.cut_short
    assert "cut short by tune.minutes" in ended.sentence()


def test_the_chosen_settings_fit_the_model(inner: Split, dataset: Dataset, tuning: Params) -> None:
    model, found = fit_model(dataset, inner, tuning)
    assert found is not None
    assert model.settings == tuned_settings(settings_of(tuning), found)
    assert model.settings.leaves == found.chosen["leaves"]
    assert model.settings.tuning is not None
    assert model.settings.tuning.feature_fraction == found.chosen["feature_fraction"]
    untuned, nothing = fit_model(dataset, None, tuning)
    assert (untuned.settings, nothing) == (settings_of(tuning), None)


def test_what_was_chosen_is_said() -> None:
    trials = pd.DataFrame({"trial": [0, 1], "loss": [0.5, 0.4]})
    found = Tuned({"leaves": 3}, trials, cut_short=False, split_at=date(2025, 1, 1))
    assert found.sentence() == (
        "Tuned by 2 trials, fitted as of 2025-01-01 and scored on what came since: log-likelihood 20.0% better than "
        "with the settings as they were."
    )
    assert "cut short" in dataclasses.replace(found, cut_short=True).sentence()


def test_the_monthly_loss_by_hand() -> None:
    """One account stays, then leaves; the other grows, and its second month is not known."""
    hazards = np.array([[[0.1, 0.2, 0.3], [0.2, 0.1, 0.1]], [[0.1, 0.2, 0.3], [0.2, 0.1, 0.1]]])
    came = np.array([[100.0, 100.0, 0.0], [100.0, 120.0, np.nan]])
    assert monthly_loss(hazards, came, 0.001) == pytest.approx(-np.log([0.4, 0.2, 0.3]).mean())


def test_months_after_an_account_left_do_not_count() -> None:
    hazards = np.full((1, 3, 3), 0.1)
    assert monthly_loss(hazards, np.array([[100.0, 0.0, 0.0, 0.0]]), 0.001) == pytest.approx(-np.log(0.1))
