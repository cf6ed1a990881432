"""Forecasts beside what came: actuals as `holdfast nrr` has them, honest counts, rivals, restatements, erasures."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from features.inputs.frames import tables_from_frames
from params import Params
from params import Record as Place
from serving.forecast.declared.ledger_tables import LEDGER_TABLES
from serving.forecast.refusals import BadRequest
from serving.ledger.record import Record, open_record
from serving.ledger.record_tables import ACTUAL, OUTCOME, RIVAL, SUBJECT
from serving.ledger.recording import record_forecast
from serving.ledger.withdrawals import withdraw
from serving.ledger.yardsticks.actuals import record_actuals
from serving.retention.realised_nrr import realised_nrr
from serving.track_record.record_export import export_record
from serving.track_record.run_list import recorded
from serving.track_record.track_record import counts, track_record

MONTHS = (date(2025, 2, 1), date(2025, 4, 1), date(2025, 6, 1))
GRACE_ENDS = date(2026, 2, 15)


@pytest.fixture(scope="module")
def forecasts(world: Any) -> list[Any]:
    return [world.forecast(as_of) for as_of in MONTHS]


@pytest.fixture(scope="module")
def recorded_once(world: Any, forecasts: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a record of three official forecasts lies, made when their data ended."""
    folder = tmp_path_factory.mktemp("recorded")
    with open_record(params_of(world, folder)) as record:
        for made in forecasts:
            tables = replace(world.tables, data_until=made.as_of)
            champion = replace(world.champion, trained_as_of=made.as_of)
            record_forecast(record, tables, champion, made, params=world.params, code_version="of tests")
    return folder


@pytest.fixture
def record(recorded_once: Path, world: Any, tmp_path: Path) -> Iterator[Record]:
    """A copy of it."""
    shutil.copytree(recorded_once, tmp_path / "data")
    with open_record(params_of(world, tmp_path / "data")) as record:
        yield record


def params_of(world: Any, folder: Path) -> Params:
    params: Params = world.params.model_copy(update={"data_dir": folder, "record": Place(url=None, folder=None)})
    return params


def rows(record: Record, table: Any) -> pd.DataFrame:
    with record.reading() as connection:
        answer = connection.execute(sa.select(table))
        return pd.DataFrame(answer.all(), columns=list(answer.keys()))


def test_an_actual_is_what_holdfast_nrr_gives(record: Record, world: Any) -> None:
    """By cut, on the day on which window, grace and lag are over, to the millionth and the cent."""
    assert record_actuals(record, world.tables, world.params) == 9
    actuals, outcomes = rows(record, ACTUAL), rows(record, OUTCOME)
    assert set(outcomes["edition"]) == {1}
    for outcome in outcomes.itertuples():
        start = MONTHS[outcome.run_number - 1]
        end = (pd.Timestamp(start) + pd.DateOffset(months=outcome.horizon_months)).date()
        known = date.fromisoformat(outcome.known_on)
        assert known == end + pd.Timedelta(days=30 + world.tables.lag_days.get("contracts", 0))
        came = realised_nrr(world.tables, start=start, end=end, params=world.params, by="region", known_by=known)
        here = actuals[
            (actuals["run_number"] == outcome.run_number) & (actuals["horizon_months"] == outcome.horizon_months)
        ]
        for row in came.rows:
            mine = here[(here["cut"] == row["cut"]) & (here["value"] == row["value"])].set_index("metric")
            for metric in ("nrr", "grr", "logo_retention"):
                assert mine.loc[metric, "actual"] == pytest.approx(row[metric] * 1e6, abs=0.5)
            assert mine.loc["ending_arr", "actual"] == round(row["ending_arr"] * 100)
            assert (mine["starting_arr_cents"] == round(row["starting_arr"] * 100)).all()
            assert (mine["accounts"] == row["accounts"]).all()
            lost = sum(mine.loc[name, "actual"] for name in ("churned_arr", "contracted_arr"))
            assert mine.loc["expanded_arr", "actual"] - lost == round((row["ending_arr"] - row["starting_arr"]) * 100)


@pytest.mark.parametrize(("until", "windows"), [(date(2025, 3, 30), 0), (date(2025, 3, 31), 1), (date(2025, 12, 1), 8)])
def test_a_window_counts_once_it_and_the_grace_are_over(record: Record, world: Any, until: date, windows: int) -> None:
    tables = replace(world.tables, data_until=until)
    assert record_actuals(record, tables, world.params) == windows
    assert record_actuals(record, tables, world.params) == 0, "and once only"
    track = track_record(record, world.params)
    assert (track.scored, track.waiting, track.official) == (windows, 9 - windows, 3)
    assert track.next_known_on > until.isoformat()
    if not windows:
        assert track.answer == [
            "3 official forecasts on record, none of which can be scored yet. The first can be known on 2025-03-31."
        ]


def test_an_empty_record_says_what_makes_the_first_forecast(world: Any, tmp_path: Path) -> None:
    with open_record(params_of(world, tmp_path)) as record:
        track = track_record(record, world.params)
        assert track.answer[0].startswith("No official forecast is on record yet: `holdfast publish`")
        assert recorded(record) == []
        counts = export_record(record, track, tmp_path / "out")
    assert counts == {"forecast_ledger": 0, "actual": 0, "forecast_score": 0}


def test_scores_are_those_of_the_forecasts_that_were_made(record: Record, world: Any, forecasts: list[Any]) -> None:
    record_actuals(record, world.tables, world.params)
    track = track_record(record, world.params)
    (row,) = [
        row
        for row in track.rows
        if (row["metric"], row["cut"], row["value"], row["horizon_months"]) == ("nrr", "region", "South", 6)
    ]
    actuals = rows(record, ACTUAL).query("metric == 'nrr' and value == 'South' and horizon_months == 6")
    actual = actuals.sort_values("run_number")["actual"].to_numpy() / 1e6
    said = pd.concat(
        made.nrr_forecast.query("metric == 'nrr' and value == 'South' and horizon_months == 6") for made in forecasts
    )
    miss = said["mean"].to_numpy() - actual
    assert row["forecasts"] == 3
    assert row["not_overlapping"] == 1, "windows of six months that begin within four overlap"
    assert counts(row) == "3 forecasts, 1 that does not overlap"
    assert row["error"] == pytest.approx(np.abs(miss).mean() * 100, abs=1e-3)
    assert row["bias"] == pytest.approx(miss.mean() * 100, abs=1e-3)
    inside = (said["p10"].to_numpy() <= actual) & (actual <= said["p90"].to_numpy())
    assert row["inside_80"] == pytest.approx(inside.mean())
    assert row["inside_80_low"] < row["inside_80"] + 1e-9 < row["inside_80_high"] + 1e-6
    assert len(row["pit"]) == 3
    by_month = {one["horizon_months"]: one for one in track.rows if (one["metric"], one["cut"]) == ("nrr", "total")}
    assert [by_month[months]["not_overlapping"] for months in (1, 3, 6)] == [3, 2, 1]


def test_rivals_are_frozen_the_same_night_and_skill_is_told_in_words(record: Record, world: Any) -> None:
    frozen = rows(record, RIVAL)
    assert set(frozen["rival"]) == {"everything_renews", "trailing_nrr", "time_series", "base"}
    assert (frozen.query("rival == 'everything_renews'")["mean"] == 1_000_000).all()
    assert frozen.query("rival == 'time_series'")["p50"].notna().all()
    assert set(frozen.query("rival == 'trailing_nrr'")["cut"]) == {"total", "region"}
    record_actuals(record, world.tables, world.params)
    track = track_record(record, world.params)
    total = [row for row in track.rows if (row["metric"], row["cut"], row["horizon_months"]) == ("nrr", "total", 6)]
    skill = total[0]["skill"]
    assert set(skill) == {"everything_renews", "trailing_nrr", "time_series"}
    one = skill["everything_renews"]
    assert "everything renews so far; too few forecasts that do not overlap to be sure" in one["words"]
    actual = rows(record, ACTUAL).query("metric == 'nrr' and cut == 'total' and horizon_months == 6")["actual"] / 1e6
    assert one["skill"] == pytest.approx(1 - total[0]["crps"] / (100 * np.abs(1 - actual).mean()), abs=1e-4)
    assert any(sentence.startswith("Better than ") and "sure" in sentence for sentence in track.answer)


def test_accounts_are_scored_and_the_largest_misses_are_named(record: Record, world: Any, forecasts: list[Any]) -> None:
    record_actuals(record, world.tables, world.params)
    track = track_record(record, world.params)
    (churn,) = [row for row in track.accounts if (row["outcome"], row["horizon_months"]) == ("churn", 6)]
    said = pd.concat(made.account_forecast.query("horizon_months == 6") for made in forecasts)
    assert churn["rows"] == len(said)
    assert churn["mean_predicted"] == pytest.approx(said["churn_probability"].mean(), abs=1e-6)
    assert 0 < churn["events"] < churn["rows"]
    assert "the base rate" in churn["skill"]["base"]["words"]
    misses = [row for row in track.misses if row["horizon_months"] == 6]
    assert len(misses) == 5
    assert {row["as_of"] for row in misses} == {"2025-06-01"}
    sizes = [abs(row["difference"]) for row in misses]
    assert sizes == sorted(sizes, reverse=True)
    first = misses[0]
    expected = said.query("account_id == @first['account_id']")["expected_arr"].iloc[-1]
    assert first["expected_arr"] == pytest.approx(expected, abs=0.01)
    for row in misses:
        assert row["from_leaving"] + row["from_size"] == pytest.approx(row["difference"], abs=0.006)
        assert (row["happened"] in ("left", "paused")) == (row["actual_arr"] == 0)
        assert (row["happened"] == "grew") == (row["actual_arr"] > row["starting_arr"])
        lost = row["starting_arr"] * (row["churn_probability"] - (row["happened"] == "left"))
        assert row["from_leaving"] == pytest.approx(lost, abs=0.006)


def restated(world: Any, folder: Path) -> Any:
    """The same company later, when it became known that an account had left in May."""
    company = world.company()
    contracts = company["contracts"].assign(ended_on=pd.NaT)
    here = (contracts["account_id"] == "a11") & (contracts["starts_on"] == pd.Timestamp(2024, 12, 1))
    contracts.loc[here, "ended_on"] = pd.Timestamp(2025, 5, 10)
    contracts = contracts[(contracts["account_id"] != "a11") | (contracts["starts_on"] <= pd.Timestamp(2024, 12, 1))]
    frames = {"accounts": company["accounts"], "contracts": contracts}
    return tables_from_frames(frames, folder / "later.duckdb", data_until=GRACE_ENDS)


def test_a_restatement_is_a_new_row_and_the_first_stays(record: Record, world: Any, tmp_path: Path) -> None:
    record_actuals(record, world.tables, world.params)
    first = rows(record, ACTUAL)
    added = record_actuals(record, restated(world, tmp_path), world.params)
    outcomes = rows(record, OUTCOME)
    again = outcomes[outcomes["edition"] == 2]
    assert 0 < added == len(again) < 9
    assert set(again["known_on"]) == {GRACE_ENDS.isoformat()}
    pd.testing.assert_frame_equal(rows(record, ACTUAL).query("edition == 1").reset_index(drop=True), first)
    scores = {
        latest: [
            row["bias"] for row in track_record(record, world.params, latest=latest).rows if row["unit"] == "points"
        ]
        for latest in (False, True)
    }
    assert scores[False] != scores[True]
    assert track_record(record, world.params, latest=True).to_json()["basis"] == "latest actuals"


def test_an_erased_account_is_no_restatement(record: Record, world: Any, tmp_path: Path) -> None:
    """What is on record has it, and what the data say without it is another company."""
    record_actuals(record, world.tables, world.params)
    with record.writing() as connection:
        connection.execute(sa.delete(SUBJECT).where(SUBJECT.c.name == "a11"))
    assert record_actuals(record, restated(world, tmp_path), world.params) == 0
    assert "a11" not in {row["account_id"] for row in track_record(record, world.params).misses}


def test_a_withdrawn_forecast_counts_in_no_score_and_stays_on_the_list(
    record: Record, world: Any, forecasts: list[Any]
) -> None:
    withdraw(record, forecasts[0].run_id, "half the contracts were missing")
    assert record_actuals(record, world.tables, world.params) == 6
    track = track_record(record, world.params)
    assert (track.official, track.withdrawn, track.scored) == (2, 1, 6)
    listed = recorded(record)
    assert [(row["as_of"], row["kind"], row["actuals"]) for row in listed] == [
        ("2025-06-01", "official", 3), ("2025-04-01", "official", 3), ("2025-02-01", "withdrawn", 0),
    ]  # fmt: skip
    assert listed[-1]["reason"] == "half the contracts were missing"


def test_the_export_has_every_forecast_with_what_came(
    record: Record, world: Any, forecasts: list[Any], tmp_path: Path
) -> None:
    record_actuals(record, world.tables, world.params)
    track = track_record(record, world.params)
    sizes = export_record(record, track, tmp_path / "out")
    assert (
        sorted(file.suffix for file in (tmp_path / "out").iterdir())
        == [".csv"] * 3 + [".json"] + [".parquet"] * 3 + [".xlsx"] * 3
    )
    tables = {name: pd.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in LEDGER_TABLES}
    assert {name: len(frame) for name, frame in tables.items()} == sizes
    ledger = tables["forecast_ledger"]
    assert list(ledger.columns) == list(LEDGER_TABLES["forecast_ledger"].names)
    assert (ledger["source"] == "model").sum() == sum(len(made.nrr_forecast) for made in forecasts)
    known = ledger.query("source == 'model' and metric == 'nrr' and cut == 'total'").set_index("horizon_months")
    assert known.loc[[1, 3, 6], "first_actual"].notna().all()
    assert known.loc[[2, 4, 5], "first_actual"].isna().all()
    assert track.head in (tmp_path / "out" / "record.json").read_text()
    with pytest.raises(BadRequest, match="give a folder that is empty or not there yet"):
        export_record(record, track, tmp_path / "out")


def test_two_records_of_the_same_run_say_the_same_of_it(record: Record, world: Any, forecasts: list[Any]) -> None:
    """Made again it is on record already, and its rivals with it."""
    before = rows(record, RIVAL)
    tables = replace(world.tables, data_until=MONTHS[2])
    champion = replace(world.champion, trained_as_of=MONTHS[2])
    record_forecast(record, tables, champion, forecasts[2], params=world.params, code_version="of tests")
    pd.testing.assert_frame_equal(rows(record, RIVAL), before)
