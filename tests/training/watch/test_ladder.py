"""The ladder: left alone, trained again, left alone for a while, or back a version; each with its reason."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from features.tables.checked import Tables
from models.outcomes.outcome import OutcomeModel
from models.watch.verdict import Chart
from params import Params
from training import climbing
from training.climbing import climb, rung_of
from training.learn.dataset import Dataset
from training.tracking.champion import Champion, load_champion
from training.tracking.runs import record_run
from training.tracking.versions import versions_of
from training.watch.hazard_months import monthly_log_loss, watched_months
from training.watch.ladder import Before, Rung, rung, version_before
from training.watch.watching import Watch

LEARNED, FEBRUARY, APRIL = date(2026, 1, 1), date(2026, 2, 15), date(2026, 4, 1)
NEARER, FARTHER = Before("2", 0.10, 0.12), Before("2", 0.12, 0.10)


@pytest.mark.parametrize(
    ("is_wrong", "day", "before", "is_due", "action"),
    [
        (False, FEBRUARY, NEARER, True, "leave"),
        (True, FEBRUARY, NEARER, True, "go back"),
        (True, date(2026, 1, 20), NEARER, False, "go back"),
        (True, FEBRUARY, FARTHER, True, "train"),  # the one before would be worse
        (True, FEBRUARY, None, True, "train"),
        (True, FEBRUARY, None, False, "wait"),
        (True, date(2026, 2, 28), NEARER, True, "go back"),
        (True, date(2026, 3, 1), NEARER, True, "train"),  # two months old
        (True, APRIL, NEARER, True, "train"),
    ],
)
def test_each_rung_has_its_case(is_wrong: bool, day: date, before: Before | None, is_due: bool, action: str) -> None:
    step = rung(is_wrong=is_wrong, todo="", learned=LEARNED, day=day, before=before, is_due=is_due, why="a reason")
    assert step.action == action
    assert step.version == ("2" if action == "go back" else "")
    assert step.reason


def test_settings_are_searched_where_training_did_not_help_and_never_before_the_month_is_over() -> None:
    told = {"is_wrong": True, "todo": "", "learned": LEARNED, "day": APRIL, "before": None, "why": "a reason"}
    assert rung(**told, is_due=True, should_tune=True).action == "tune"
    assert rung(**told, is_due=False, should_tune=True).action == "wait"
    assert rung(**told | {"is_wrong": False}, is_due=True, should_tune=True).action == "leave"
    assert rung(**told | {"day": FEBRUARY, "before": NEARER}, is_due=True, should_tune=True).action == "go back"


def test_going_back_says_what_alarmed_and_how_much_nearer_the_version_before_was() -> None:
    step = rung(is_wrong=True, todo="", learned=LEARNED, day=FEBRUARY, before=NEARER, is_due=True, why="")
    assert "within 2 months of 2026-01-01" in step.reason
    assert "version 2 before it was nearer to the months since: log-loss 0.1000 against 0.1200" in step.reason


def found(verdict: str, as_of: date, **more: Any) -> Watch:
    charts = {"model": (Chart("slope", "model", 9.0, 3.0, 0),), "market": (Chart("level", "market", 9.0, 3.0, 0),)}
    return Watch(as_of, "2", LEARNED, (), (), charts.get(verdict, ()), (date(2025, 12, 1),), **more)


@pytest.fixture
def params(costly: None, changed: Any, request: pytest.FixtureRequest) -> Params:
    return Params.model_validate(changed(model={"name": request.node.name}))


@pytest.fixture
def two(model: OutcomeModel, company: Tables, params: Params) -> Params:
    """Two versions, both as of `LEARNED`; the second is in charge."""
    for _ in range(2):
        record_run(model, [], tables=company, as_of=LEARNED, params=params)
    return params


def test_a_model_that_alarms_soon_goes_back_by_itself_and_the_reason_stays_on_record(two: Params) -> None:
    step = climb(two, found("model", FEBRUARY, before=Before("1", 0.10, 0.12)))
    assert step.action == "go back"
    assert load_champion(two).version == "1"
    told = {version.version: version.promotion for version in versions_of(two)}
    assert "put in charge by the watch, since version 2 was wrong: it alarms within 2 months" in told["1"]
    again = rung_of(two, found("model", date(2026, 1, 20)))
    assert again.action == "wait", "the newest training is less than a month old: what is in charge stays"
    assert "left alone until 2026-02-01" in again.reason


def test_a_moved_market_and_an_older_model_change_nothing_or_train(two: Params, monkeypatch: Any) -> None:
    monkeypatch.setattr(climbing, "put_in_charge", lambda *_, **__: pytest.fail("nothing goes back"))
    assert climb(two, found("market", FEBRUARY)).action == "leave"
    old = climb(two, found("model", APRIL, before=Before("1", 0.10, 0.12)))
    assert (old.action, "the watch asks for it" in old.reason) == ("train", True)


def test_the_version_before_is_held_against_the_same_months(
    two: Params, company: Tables, dataset: Dataset, model: OutcomeModel
) -> None:
    champion = Champion(model, "2", "run", date(2025, 6, 1), "digest")
    months = watched_months(company, dataset, champion, two).dates
    before = version_before(company, dataset, champion, months, two)
    assert before is not None
    assert before.version == "1"
    assert before.log_loss == pytest.approx(before.log_loss_now), "it is the same model"
    assert 0 < before.log_loss == monthly_log_loss(dataset, model, months, two.model.min_change)
    assert version_before(company, dataset, champion, (), two) is None
    other = replace(dataset, frame=dataset.frame.drop(columns=[model.inputs[0].name]))
    assert version_before(company, other, champion, months, two) is None, "it looks at what is not there any more"


def test_the_rung_is_plain_data() -> None:
    assert Rung("wait", "why").to_json() == {"action": "wait", "reason": "why", "version": ""}
