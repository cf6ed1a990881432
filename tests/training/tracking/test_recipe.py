"""The recipe: what is of it, and how it is taken from what a run recorded."""

from typing import Any

import pytest

from params import Params
from training.tracking.recipe import differences, recipe_digest, recipe_of, with_recipe

INVITES = {"table": "usage", "filter": {"feature": "Invite Sent"}, "window": 28}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"model": {"leaves": 31}}, False),
        ({"model": {"learner": "logistic"}}, False),
        ({"snapshots": {"drop": ("arr",)}}, False),
        ({"tune": {"enabled": True}}, False),
        ({"tune": {"trials": 5}}, True),  # how much would be tried, where nothing is
        ({"features": {"invites": INVITES}}, False),
        ({"seed": 8}, True),
        ({"threads": 2}, True),
        ({"forecast": {"draws": 500}}, True),
        ({"model": {"name": "other", "min_churned": 3, "min_change": 0.01}}, True),
    ],
)
def test_what_is_of_the_recipe(change: Any, same: bool, changed: Any, small_params: Params) -> None:
    assert (recipe_digest(changed(**change)) == recipe_digest(small_params)) is same


def test_the_recipe_of_a_run_is_laid_over_the_settings(changed: Any, small_params: Params) -> None:
    theirs = changed(model={"leaves": 31, "name": "theirs", "min_accounts": 5}, forecast={"draws": 300}, seed=99)
    laid = with_recipe(small_params, theirs.model_dump(mode="json"))
    assert recipe_of(laid) == recipe_of(theirs)
    assert (laid.model.name, laid.model.min_accounts) == (small_params.model.name, small_params.model.min_accounts)
    assert (laid.forecast.draws, laid.seed, laid.data_dir) == (
        small_params.forecast.draws, small_params.seed, small_params.data_dir,
    )  # fmt: skip


def test_settings_that_are_no_more_and_such_as_were_not_yet_are_passed_over(small_params: Params) -> None:
    """A champion of an older version of this program."""
    old = {"model": {"leaves": 31, "no_such_setting": 1}, "elsewhere": {}}
    assert differences(with_recipe(small_params, old), small_params) == ["model.leaves 4 -> 31"]


def test_features_of_the_settings_are_of_the_recipe_but_not_their_words(changed: Any, small_params: Params) -> None:
    theirs = changed(features={"invites": INVITES})
    assert with_recipe(small_params, theirs.model_dump(mode="json")).features == theirs.features
    assert not with_recipe(theirs, small_params.model_dump(mode="json")).features
    assert not with_recipe(theirs, {"model": {}}).features  # of a champion from before there were any
    told = changed(features={"invites": INVITES | {"sentence": "{value} colleagues invited", "expected": -1}})
    assert recipe_digest(told) == recipe_digest(theirs)
    wider = changed(features={"invites": INVITES | {"window": 90}})
    assert differences(theirs, wider)[0].startswith("features.invites ")


def test_a_champion_from_before_tuning_was_not_tuned(changed: Any) -> None:
    params = changed(tune={"enabled": True})
    assert not with_recipe(params, {"model": {}}).tune.enabled
