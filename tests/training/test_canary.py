"""The canary: a model trained again whose scores lie far from the champion's does not take its place unseen."""

from typing import Any

import pytest

from features.tables.checked import Tables
from models.outcomes.outcome import OutcomeModel
from params import Params
from training import fit
from training.canary import Canary, canary
from training.learn.dataset import Dataset, settings_of
from training.promote import Decision
from training.tracking.runs import record_run

pytestmark = pytest.mark.usefixtures("costly")


@pytest.fixture(scope="module")
def params(changed: Any) -> Params:
    return Params.model_validate(changed(model={"name": "canary"}))


@pytest.fixture(scope="module")
def in_charge(model: OutcomeModel, company: Tables, dataset: Dataset, params: Params) -> str:
    """A champion, and its version."""
    return record_run(model, [], tables=company, as_of=dataset.as_of, params=params).version


def test_the_same_model_sings(in_charge: str, model: OutcomeModel, dataset: Dataset, params: Params) -> None:
    bird = canary(model, dataset, params=params)
    assert bird is not None
    assert (bird.version, bird.mean_change, bird.rank_correlation) == (in_charge, 0.0, pytest.approx(1.0))
    assert bird.accounts == int(dataset.cohort(dataset.as_of).sum())
    assert not bird.differs
    assert str(bird).startswith("Today's")


@pytest.mark.usefixtures("in_charge")
def test_another_model_is_told_apart_and_by_how_much(dataset: Dataset, params: Params) -> None:
    settings = settings_of(params.model_copy(update={"model": params.model.model_copy(update={"learner": "logistic"})}))
    other = OutcomeModel(dataset.inputs, settings).fit(dataset.frame, dataset.paths, dataset.streams)
    strict = params.model_copy(update={"promotion": params.promotion.model_copy(update={"most_canary_change": 0.0})})
    bird = canary(other, dataset, params=strict)
    assert bird is not None
    assert bird.differs
    assert 0 < bird.mean_change < 0.5
    assert bird.mean_change >= abs(bird.new_mean - bird.champion_mean)
    assert str(bird).startswith("CANARY. Today's")
    assert "promotion.most_canary_change" in str(bird)


@pytest.mark.usefixtures("in_charge")
def test_there_is_none_where_the_champion_reads_what_is_not_there_or_is_not_there_itself(
    model: OutcomeModel, dataset: Dataset, params: Params, changed: Any
) -> None:
    from dataclasses import replace

    blind = replace(dataset, frame=dataset.frame.drop(columns=model.inputs[0].name))
    assert canary(model, blind, params=params) is None
    assert canary(model, dataset, params=changed(model={"name": "no one"})) is None


BIRD = Canary("7", 100, 12, 0.1, 0.4, 0.3, 0.2, 0.1)


@pytest.mark.parametrize(
    ("bird", "decision", "promoted"),
    [
        (BIRD, Decision(True, "again", is_retraining=True), False),
        (None, Decision(True, "again", is_retraining=True), True),
        (Canary("7", 100, 12, 0.1, 0.1, 0.01, 0.9, 0.1), Decision(True, "again", is_retraining=True), True),
        (BIRD, Decision(True, "won against version 7"), True),  # on past dates, where actuals decide
        (BIRD, Decision(False, "lost to version 7"), False),
    ],
)
def test_what_nothing_else_was_held_against_is_held_back(
    bird: Canary | None, decision: Decision, promoted: bool
) -> None:
    held = fit._held_back(decision, bird)
    assert held.promoted is promoted
    assert held.canary is bird
    if held.promoted != decision.promoted:
        assert "its scores are too far from those of version 7" in held.reason
        assert "holdfast models --in-charge VERSION" in held.reason
