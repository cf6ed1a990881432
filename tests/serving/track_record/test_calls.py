"""People's calls beside the model's frozen figures: the same account, the same window, and what came of both."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from models.scores.callers import log_score_difference
from params import Params
from params import Record as Place
from serving.journal.calls import Call, note_of
from serving.journal.entries import write
from serving.ledger.record import Record, open_record
from serving.ledger.recording import record_forecast
from serving.ledger.yardsticks.actuals import record_actuals
from serving.ledger.yardsticks.frozen_rivals import frozen_rivals
from serving.track_record.call_pairs import PairedCall, paired_calls
from serving.track_record.call_record import call_record, callers, calls_json, rungs

FEBRUARY = date(2025, 2, 1)


@pytest.fixture(scope="module")
def recorded(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a record lies with one official forecast of six months, and what came of it."""
    folder = tmp_path_factory.mktemp("called")
    with open_record(params_of(world, folder)) as record:
        tables = replace(world.tables, data_until=FEBRUARY)
        champion = replace(world.champion, trained_as_of=FEBRUARY)
        made = world.forecast(FEBRUARY)
        record_forecast(record, tables, champion, made, params=world.params, code_version="of tests")
        record_actuals(record, world.tables, world.params)
    return folder


@pytest.fixture
def record(recorded: Path, world: Any, tmp_path: Path) -> Iterator[Record]:
    shutil.copytree(recorded, tmp_path / "data")
    with open_record(params_of(world, tmp_path / "data")) as record:
        yield record


@pytest.fixture
def with_calls(world: Any, tmp_path: Path) -> Callable[[list[dict[str, Any]]], Any]:
    """The company's tables with calls among them."""

    def tables(calls: list[dict[str, Any]]) -> Any:
        frames = {**world.company(), "calls": pd.DataFrame(calls)}
        return tables_from_frames(frames, tmp_path / "called.duckdb", data_until=date(2026, 1, 1))

    return tables


def params_of(world: Any, folder: Path) -> Params:
    params: Params = world.params.model_copy(update={"data_dir": folder, "record": Place(url=None, folder=None)})
    return params


def call(account: str, **more: Any) -> dict[str, Any]:
    return {"account_id": account, "called_on": date(2025, 2, 10), "called_by": "Ada A.", **more}


def test_a_call_stands_beside_the_shortest_window_that_holds_what_it_means(
    record: Record, world: Any, with_calls: Any
) -> None:
    """a00 started in January 2023 and left at its second renewal, before the forecast; a01 renews in February."""
    rows = [
        call("a01", call_id="c1", for_date=date(2025, 2, 20), category="commit", outcome="renew"),
        call("a02", call_id="c2", for_date=date(2025, 4, 1), probability=0.9, outcome="churn"),
        call("a02", call_id="c3", for_date=date(2025, 12, 1), category="lost", outcome="churn"),
        call("a03", call_id="c4", for_date=date(2025, 2, 20), category="lost", called_on=date(2025, 1, 31)),
    ]
    first, second, far, early = sorted(
        paired_calls(record, with_calls(rows), budget=world.params.budget), key=lambda one: one.call_id or ""
    )
    frozen = world.forecast(FEBRUARY).account_forecast.set_index(["account_id", "horizon_months"])
    assert (first.horizon_months, second.horizon_months, first.model_as_of) == (1, 3, FEBRUARY)
    for one in (first, second):
        row = frozen.loc[(one.account_id, one.horizon_months)]
        assert one.model_probability == pytest.approx(1 - row["churn_probability"], abs=1e-6)
        assert one.model_expected_arr == pytest.approx(row["expected_arr"], abs=0.01)
    assert (first.probability, second.probability) == (0.925, pytest.approx(0.1))
    assert (first.kept, first.known_on) == (True, "2025-03-31")
    pair = [pd.Series([one]).to_numpy(float) for one in (0.925, first.model_probability, 1)]
    assert first.difference == pytest.approx(log_score_difference(*pair)[0])
    assert (far.model_probability, far.kept, far.probability) == (None, None, 0.1), "beyond the longest window"
    assert early.model_as_of is None, "no forecast had been made"


def test_a_category_goes_by_what_was_known_of_the_caller_s_own_calls_then(
    record: Record, world: Any, with_calls: Any
) -> None:
    renewing = [f"a{number:02d}" for number in (1, 13, 37)]
    before = [call(account, for_date=date(2025, 2, 20), category="lost") for account in renewing]
    later = [call("a02", called_on=day, category="lost") for day in (date(2025, 3, 30), date(2025, 3, 31))]
    others = call("a02", called_on=date(2025, 4, 1), category="lost", called_by="Ben B.")
    calls = paired_calls(record, with_calls([*before, *later, others]), budget=world.params.budget)
    assert [one.kept for one in calls[:3]] == [True, True, True]
    assert [one.probability for one in calls] == [0.1, 0.1, 0.1, 0.1, pytest.approx(3.8 / 11), 0.1]


def test_how_likely_growth_is_does_not_say_how_likely_an_account_is_kept(
    record: Record, world: Any, with_calls: Any
) -> None:
    rows = [
        call("a01", called_by=f"{outcome} P.", for_date=date(2025, 2, 20), probability=0.3, outcome=outcome)
        for outcome in ("renew", "churn", "expand", "contract")
    ]
    calls = paired_calls(record, with_calls(rows), budget=world.params.budget)
    stated = {one.outcome: one.stated for one in calls}
    assert stated == {"renew": 0.3, "churn": pytest.approx(0.7), "expand": None, "contract": None}
    assert {one.outcome: one.probability for one in calls}["expand"] == 0.925, "what its category stands for"


def test_calls_of_the_journal_and_of_the_table_are_one_list_and_replaced_ones_are_not_scored(
    record: Record, world: Any, with_calls: Any
) -> None:
    expected = Call("renew", 900.5, date(2025, 2, 20), "likely", None, "They said so.")
    at = datetime(2025, 2, 11, tzinfo=UTC)
    write(record, [note_of(expected, author="Ada A.", account_id="a01", seen_model=True)], at=at)
    write(record, [note_of(expected, author="Ada A.", account_id="a01", seen_model=False, replaces=1)], at=at)
    calls = paired_calls(record, with_calls([call("a01", category="commit")]), budget=world.params.budget)
    brought, old, new = calls
    assert (brought.category, brought.seen_model) == ("commit", None)
    assert (old.call_id, old.superseded_by, old.difference) == ("journal-1", "journal-2", None)
    assert (new.amount, new.reason, new.seen_model, new.kept) == (900.5, "They said so.", False, True)
    assert new.difference is not None
    table = call_record(calls)
    assert table["seen_model"].isna().tolist() == [True, False, False]
    assert table["kept"].tolist()[1:] == ["yes", "yes"]
    assert calls_json(calls, {"a01": "Company 1"})[0]["name"] == "Company 1"


def human(world: Any, tables: Any) -> pd.DataFrame:
    """What people's calls say as a rival of the forecast of February, by cut, value and months ahead."""
    rivals = frozen_rivals(tables, world.forecast(FEBRUARY), world.params)
    rivals = rivals[rivals["rival"] == "human_calls"]
    return rivals.set_index(["cut", "value", "horizon_months"])["mean"]


def test_people_s_calls_are_frozen_with_the_forecast_and_what_nobody_called_is_counted_as_it_is(
    world: Any, with_calls: Any
) -> None:
    january = date(2025, 1, 10)
    rows = [
        call("a01", called_on=january, for_date=date(2025, 2, 20), amount=10_000.0),
        call("a02", called_on=january, for_date=date(2025, 4, 1), outcome="churn"),
        call("a02", called_on=date(2025, 1, 9), for_date=date(2025, 4, 1), outcome="expand"),
        call("a03", called_on=january, for_date=date(2025, 1, 20), outcome="churn"),
        call("a13", called_on=date(2024, 9, 1), outcome="churn"),
    ]
    accounts = world.forecast(FEBRUARY).account_forecast.query("horizon_months == 1").set_index("account_id")["arr"]
    total = accounts.sum()
    first = (total - accounts["a01"] + 10_000) / total
    then = first - 0.9 * accounts["a02"] / total
    nrr = human(world, with_calls(rows))
    assert nrr.loc["total", "total"].to_dict() == pytest.approx({1: first, 3: then, 6: then}, rel=1e-9)
    called = set(nrr.reset_index().query("cut == 'region' and horizon_months == 1")["value"])
    assert len(called) == 1, "of a value of which nobody called an account, people say nothing"


def test_no_call_of_the_night_or_later_reaches_the_frozen_rival(world: Any, with_calls: Any) -> None:
    """Poisoned: whatever is said, or recorded, from the forecast's day on."""
    stands = call("a01", called_on=date(2025, 1, 31), for_date=date(2025, 2, 20), outcome="renew")
    late = call("a01", called_on=FEBRUARY, for_date=date(2025, 2, 20), outcome="churn")
    backdated = call("a02", called_on=date(2025, 1, 5), for_date=date(2025, 2, 20), outcome="churn")
    recorded = [datetime(2025, 1, 31, 23), datetime(2025, 2, 1), datetime(2025, 2, 1)]
    rows = [row | {"recorded_at": at} for row, at in zip((stands, late, backdated), recorded, strict=True)]
    assert human(world, with_calls(rows)).equals(human(world, with_calls(rows[:1])))
    assert human(world, with_calls(rows[1:])).empty


def with_calls_rows(churn: float) -> pd.DataFrame:
    """What a model with calls says of one account at all horizons that are kept."""
    months = (1, 3, 6)
    figures = {"churn_probability_with_calls": churn, "expected_arr_with_calls": 500.0}
    return pd.DataFrame({"account_id": "a01", "horizon_months": months, "model_version": "7", **figures})


def test_the_model_with_calls_stands_beside_on_record_for_the_called_accounts_alone(
    world: Any, tmp_path: Path, with_calls: Any
) -> None:
    forecast = replace(world.forecast(FEBRUARY), with_calls=with_calls_rows(0.25))
    tables, champion = replace(world.tables, data_until=FEBRUARY), replace(world.champion, trained_as_of=FEBRUARY)
    rows = [call(account, for_date=date(2025, 2, 20), category="likely") for account in ("a01", "a02")]
    with open_record(params_of(world, tmp_path / "data")) as record:
        record_forecast(record, tables, champion, forecast, params=world.params, code_version="of tests")
        called, other = paired_calls(record, with_calls(rows), budget=world.params.budget)
    assert (called.with_calls_probability, other.with_calls_probability) == (0.75, None)
    assert called.model_probability != 0.75, "and the forecast itself is as it was"
    rivals = frozen_rivals(tables, forecast, world.params).query("rival == 'model_with_calls' and cut == 'total'")
    now = forecast.account_forecast.set_index(["account_id", "horizon_months"])
    others = now.drop(index="a01")["expected_arr"].groupby("horizon_months").sum()
    arr = now["arr"].groupby("horizon_months").sum()
    expected = {months: (others[months] + 500) / arr[months] for months in (1, 3, 6)}
    assert rivals.set_index("horizon_months")["mean"].to_dict() == pytest.approx(expected)


def test_three_rungs_are_scored_on_the_same_calls_and_final_ones_apart() -> None:
    calls = [
        of("Ada A.", "a1", 0.1, with_calls_probability=0.8),
        of("Ada A.", "a2", 0.1, kept=False, probability=0.4, model_probability=0.6),
        of("Eve E.", "a1", 0.1, probability=0.95, is_final=True),
    ]
    by_rung = {(row["rung"], row["on"]): row for row in rungs(calls)}
    assert len(by_rung) == 6
    people = {rung: row for (rung, on), row in by_rung.items() if on == "people's calls"}
    assert people["people's calls"]["log_loss"] == pytest.approx(-np.log([0.9, 0.6]).mean())
    assert people["model without calls"]["log_loss"] == pytest.approx(-np.log([0.7, 0.4]).mean())
    assert people["model with calls"]["log_loss"] == pytest.approx(-np.log([0.8, 0.4]).mean()), "falls back"
    assert people["model with calls"]["brier"] == pytest.approx((0.2**2 + 0.6**2) / 2)
    assert (people["model with calls"]["calls"], people["model with calls"]["spoke"]) == (2, 1)
    assert by_rung["final calls", "final calls"]["calls"] == 1
    assert rungs([]) == []


def of(caller: str, account: str, difference: float, **more: Any) -> PairedCall:
    blank: dict[str, Any] = dict.fromkeys(
        ("call_id", "outcome", "category", "for_date", "amount", "reason", "seen_model", "superseded_by", "stated")
    )
    numbers = {"probability": 0.9, "model_probability": 0.7, "kept": True, "actual_arr": 100.0}
    figures = {"kind": "commit", "model_expected_arr": 90.0, **numbers, **more}
    blank |= {"account_id": account, "called_on": FEBRUARY, "called_by": caller, "difference": difference}
    return PairedCall(**{**blank, **figures})


def test_the_biases_of_a_caller_and_of_the_model_are_of_the_same_calls() -> None:
    calls = [of("Ada A.", "a1", 0.1, amount=120.0), of("Ada A.", "a2", 0.1, model_expected_arr=500.0)]
    (ada,) = callers(calls)
    assert (ada["bias_arr"], ada["model_bias_arr"]) == (20.0, -10.0)


def test_callers_are_told_with_bias_categories_and_overrides() -> None:
    calls = [of("Ada A.", f"a{n}", 0.3 + 0.01 * n, amount=120.0) for n in range(20)]
    calls += [of("Ben B.", f"a{n}", -0.3, kept=False, probability=0.5) for n in range(9)]
    ada, ben = callers(calls)
    assert (ada["called_by"], ada["resolved"], ada["verdict"]) == ("Ada A.", 20, "better")
    assert (ada["bias_arr"], ada["model_bias_arr"]) == (20.0, -10.0)
    assert ada["skill"] == pytest.approx(0.395)
    assert ada["low"] < ada["skill"] < ada["high"]
    (category,) = ada["categories"]
    assert (category["calls"], category["kept"], category["probability"]) == (20, 20, pytest.approx(27.4 / 28))
    assert 0.8 < category["low"] < category["high"] == 1.0
    assert ada["overrides"]["more hopeful"] == {"calls": 20, "points": pytest.approx(0.2), "skill": ada["skill"]}
    assert (ben["verdict"], ben["skill"], ben["overrides"]["less hopeful"]["calls"]) == ("too few", None, 9)
