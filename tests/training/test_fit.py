"""Training: what it refuses, what it learns from, and that it can be repeated."""

import dataclasses
import json
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from features.families.usage import FEATURES
from features.tables.checked import Tables
from features.tables.problems import BadInput
from models.outcomes.outcome import OutcomeModel
from params import Params
from training import fit
from training.backtest.verdict import verdict
from training.learn.dataset import Dataset, assemble, require_enough, settings_of, small_data
from training.tracking.store import store_uri


def small_dataset(accounts: int, months: int, churned: int) -> Dataset:
    """Accounts at successive months, of which some left by the last."""
    days = pd.date_range("2024-01-01", periods=months, freq="MS")
    rows = [(f"a{number}", day) for day in days for number in range(accounts)]
    frame = pd.DataFrame(rows, columns=["account_id", "as_of"])
    paths = np.full((len(rows), 3), 100.0)
    paths[:, 2] = [0.0 if int(account[1:]) < churned else np.nan for account, _ in rows]
    paused = np.zeros(paths.shape, dtype=bool)
    return Dataset(days[-1].date(), frame, paths, np.full_like(paths, np.nan), paused, (), ())


SHORTAGES = {
    "accounts": "as of 2024-03-01 there are 5 accounts, and at least 60 are needed",
    "months": "as of 2024-03-01 there are 3 monthly snapshots, and at least 12 are needed",
    "churned": "as of 2024-03-01 there are 2 accounts known to have churned, and at least 15 are needed",
}
HINTS = {name: f"lower model.min_{name} and trust the result less" for name in SHORTAGES}


@pytest.mark.parametrize(
    ("settings", "short"),
    [
        ({"min_accounts": 60, "min_months": 12, "min_churned": 15}, ["accounts", "months", "churned"]),
        ({"min_accounts": 60, "min_months": 3, "min_churned": 15}, ["accounts", "churned"]),
        ({"min_accounts": 5, "min_months": 12, "min_churned": 2}, ["months"]),
        ({"min_accounts": 5, "min_months": 3, "min_churned": 15}, ["churned"]),
    ],
)
def test_every_shortage_is_named_with_what_to_do(settings: dict[str, int], short: list[str], changed: Any) -> None:
    with pytest.raises(BadInput, match=SHORTAGES[short[0]]) as refused:
        require_enough(small_dataset(5, 3, 2), changed(model=settings).model)
    named = [name for name in SHORTAGES if SHORTAGES[name] in str(refused.value) and HINTS[name] in str(refused.value)]
    assert named == short
    assert str(refused.value).count("at least") == len(short)


def test_just_enough_is_enough(changed: Any) -> None:
    settings = changed(model={"min_accounts": 5, "min_months": 3, "min_churned": 2}).model
    assert require_enough(small_dataset(5, 3, 2), settings) is None


@pytest.mark.parametrize(
    ("months", "churned", "said"),
    [
        (3, 2, ""),
        (4, 2, "3 monthly snapshots (4 are comfortable). The forecast leans on few events"),
        (3, 3, "2 accounts known to have churned (3 are comfortable). The forecast"),
        (9, 9, "3 monthly snapshots (9 are comfortable) and 2 accounts known to have churned (9 are comfortable)."),
    ],
)
def test_small_data_are_said(months: int, churned: int, said: str, changed: Any) -> None:
    settings = changed(model={"comfortable_months": months, "comfortable_churned": churned}).model
    caution = small_data(small_dataset(5, 3, 2), settings)
    assert caution.startswith(f"SMALL DATA: {said}" if said else "")
    assert bool(caution) == bool(said)


def test_one_churned_account_is_one(changed: Any) -> None:
    caution = small_data(small_dataset(5, 3, 1), changed().model)
    assert "and 1 account known to have churned (60 are comfortable)" in caution


def test_train_refuses_before_anything_is_recorded(company: Tables, changed: Any) -> None:
    params = changed(model={"min_accounts": 5000, "name": "refused"})
    stored = r"1 problem\. The checked tables and the snapshots were stored, but nothing of the step after\.\n.*"
    with pytest.raises(BadInput, match=f"{stored}at least 5000 are needed"):
        fit.train(company, params=params)
    assert MlflowClient(store_uri(params)).search_registered_models("name = 'refused'") == []


def test_the_dataset_ends_at_its_date(company: Tables, dataset: Dataset, small_params: Params) -> None:
    """Earlier snapshots only, and of what came after them only what had come by then."""
    origin = date(2025, 6, 1)
    snapshots = type("Made", (), {"frame": dataset.frame, "features": ()})
    earlier = assemble(company, snapshots, as_of=origin, params=small_params)
    assert earlier.frame["as_of"].max() == pd.Timestamp(origin)
    months_known = 12 * (origin.year - earlier.frame["as_of"].dt.year) + origin.month - earlier.frame["as_of"].dt.month
    ahead = np.arange(earlier.paths.shape[1])
    settled = np.maximum(months_known.to_numpy() - 1, 0)[:, None]  # the grace after the last month is not over
    np.testing.assert_array_equal(np.isnan(earlier.paths), ahead > settled)
    np.testing.assert_array_equal(np.isnan(earlier.streams)[:, 1:], np.isnan(earlier.paths)[:, 1:])
    assert earlier.paths.shape[1] == 14  # now, twelve months, and the month in which the last grace ends


def test_a_model_does_not_look_at_what_is_too_new_and_a_constraint_on_it_is_no_error(
    company: Tables, dataset: Dataset, changed: Any
) -> None:
    """An input of which the past knows nothing: a table connected last month, a cell that its source overwrites."""
    params = changed(model={"learner": "lightgbm", "monotone": {"churn": {"usage_28d": -1}}})
    newest = dataset.frame["as_of"].max()
    frame = dataset.frame.assign(usage_28d=dataset.frame["usage_28d"].where(dataset.frame["as_of"] == newest))
    snapshots = type("Made", (), {"frame": frame, "features": [f for f in FEATURES if f.name in dataset.frame]})
    made = assemble(company, snapshots, as_of=newest.date(), params=params)
    assert [each.name for each in made.too_new] == ["usage_28d"]
    assert {"usage_7d", "usage_28d"} & {item.name for item in made.inputs} == {"usage_7d"}
    require_enough(made, params.model)


def test_the_models_settings_are_those_of_their_sections(changed: Any) -> None:
    params = changed(model={"trees": 33, "l2": 4.0}, revenue={"grace_days": 45}, seed=9, threads=2)
    settings = settings_of(params)
    assert (settings.trees, settings.l2, settings.grace_days) == (33, 4.0, 45)
    assert (settings.seed, settings.threads) == (9, 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feature_fraction", 0.9),
        ("bagging_fraction", 0.4),
        ("category_smoothing", 3.0),
        ("category_l2", 4.0),
        ("max_bins", 31),
        ("patience", 7),
        ("min_trees", 5),
        ("calibration_prior_sd", 0.5),
    ],
)
def test_the_finer_settings_are_those_of_the_model_section(name: str, value: float, changed: Any) -> None:
    assert getattr(settings_of(changed(model={name: value})).tuning, name) == value


def test_the_result_says_what_was_done(trained: fit.TrainingResult, dataset: Dataset) -> None:
    assert (trained.as_of, trained.tested_from) == (date(2026, 1, 1), date(2025, 9, 1))
    assert trained.snapshots == len(dataset.frame)
    assert trained.accounts == dataset.frame["account_id"].nunique()
    assert [(s.outcome, s.horizon_months) for s in trained.scores] == [
        ("churn", 1), ("churn", 3), ("expansion", 1), ("expansion", 3),
    ]  # fmt: skip
    first, second, caution, verdict, *_ = trained.lines()
    assert caution == trained.said.small_data
    assert caution.startswith("SMALL DATA: ")
    assert first == f"Trained as of 2026-01-01 on {trained.snapshots:,} snapshots of {trained.accounts:,} accounts."
    assert second == (
        f"Registered as holdfast version {trained.record.version}, alias champion: the first model of this name."
    )
    assert verdict.startswith(("NO SKILL FOUND", "TOO FEW EVENTS", "Churn probabilities beat the base rate"))


def test_machines_get_the_same(trained: fit.TrainingResult) -> None:
    content = json.loads(json.dumps(trained.to_json(), allow_nan=False))
    assert content["tested_from"] == "2025-09-01"
    assert content["skill_found"] == trained.said.verdict[0].startswith("Churn probabilities beat")
    assert [row["skill"] for row in content["scores"]] == [score.skill for score in trained.scores]


@pytest.mark.parametrize(
    ("said", "skill_found"), [("NO SKILL FOUND", False), ("Churn probabilities beat the base rate", True)]
)
def test_skill_is_that_of_churn(trained: fit.TrainingResult, said: str, skill_found: bool, scored: Any) -> None:
    right = [0.9] * 15 + [0.1] * 15
    churn = right if skill_found else right[::-1]
    event = [1.0] * 15 + [0.0] * 15
    scores = (
        scored(probability=churn, base=[0.5] * 30, event=event),
        scored("expansion", probability=right, base=[0.5] * 30, event=event),
    )
    found = dataclasses.replace(trained.said, verdict=tuple(verdict(scores, date(2025, 9, 1))))
    result = dataclasses.replace(trained, scores=scores, said=found)
    assert result.lines()[3].startswith(said)
    assert result.to_json()["skill_found"] is skill_found


def test_too_little_to_test_on_is_said_and_still_trained(company: Tables, dataset: Dataset, changed: Any) -> None:
    """As many month starts as are needed to train: none is left to test the recipe."""
    available = dataset.frame["as_of"].nunique()
    model = {"min_months": available, "name": "untested", "learner": "logistic"}
    result = fit.train(company, params=changed(model=model))
    assert result.tested_from is None
    assert result.scores == ()
    assert result.lines()[3].startswith("NOT TESTED 1, 3 months ahead, for the history is too short")
    assert result.to_json()["tested_from"] is None
    assert result.record.version == "1"


def test_the_same_seed_gives_the_same_bundle_whatever_the_threads(
    company: Tables, trained: fit.TrainingResult, changed: Any
) -> None:
    again = fit.train(company, params=changed(model={"name": "again"}, threads=2))
    client = MlflowClient(trained.record.uri)
    first, second = (
        client.get_model_version(record.model_name, record.version).tags["bundle_digest"]
        for record in (trained.record, again.record)
    )
    assert first == second
    assert again.scores == trained.scores


def test_another_recipe_gives_another_bundle(dataset: Dataset, model: OutcomeModel, changed: Any) -> None:
    other = OutcomeModel(dataset.inputs, settings_of(changed(model={"leaves": 3}))).fit(dataset.frame, dataset.paths)
    assert other.to_files()["churn.txt"] != model.to_files()["churn.txt"]


@pytest.mark.parametrize(
    ("learner", "name", "said"),
    [
        ("lightgbm", "discont", "model.monotone names discont, .*Did you mean discount?"),
        ("lightgbm", "segment", "model.monotone names segment, which is no numeric feature"),
        ("lightgbm", "term_days", "model.monotone names term_days, which tells the level of the kind of month"),
        ("ensemble", "discount", "model.monotone binds trees alone"),
    ],
)
def test_a_constraint_that_cannot_hold_is_refused(
    learner: str, name: str, said: str, dataset: Dataset, changed: Any
) -> None:
    with pytest.raises(BadInput, match=said):
        require_enough(dataset, changed(model={"learner": learner, "monotone": {"churn": {name: 1}}}).model)


@pytest.mark.parametrize("way", [1, -1, 0])
def test_a_constraint_makes_the_effect_run_one_way(way: int, dataset: Dataset, changed: Any) -> None:
    """Expansion peaks before a term ends: unconstrained (0), it both falls and rises with the days to go."""
    name = "days_to_term_end_ahead"
    monotone = {"expansion": {name: way}} if way else {}
    free = {"extra_trees": False, "feature_fraction": 1.0, "min_hessian_per_leaf": 0.05, "l2": 0.0, "leaves": 31}
    params = changed(model={"monotone": monotone, "learner": "lightgbm", "trees": 40, **free})
    model = OutcomeModel(dataset.inputs, settings_of(params)).fit(dataset.frame, dataset.paths)
    rows = np.repeat(model.rows_next_month(dataset.frame.tail(20)), 60, axis=0)
    place = [item.name for item in model.all_inputs].index(name)
    rows[:, place] = np.tile(np.linspace(0, 365, 60), 20)
    hazard = model.outcomes_["expansion"].hazard
    assert hazard is not None
    steps = np.diff(hazard.margin(rows).reshape(20, 60), axis=1)
    ways = {int(sign) for sign in np.unique(np.sign(steps[np.abs(steps) > 1e-9]))}
    assert ways == {-1, 1} if way == 0 else ways <= {way}
