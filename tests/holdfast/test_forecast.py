"""Forecast, explain and publish."""

import fcntl
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from typer.testing import Result

from holdfast.forecast import _moved_back


def test_a_forecast_before_any_training_says_what_to_do(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("forecast", data_dir=tmp_path / "data")
    assert result.exit_code == 1
    assert "There is no champion" in result.stderr
    assert "run `holdfast train`" in result.stderr


def test_a_forecast_again_gives_the_same_bytes(
    run: Callable[..., Result], own_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    folder = own_demo / "forecasts" / "2025-12-01"
    contents = []
    for threads in ("1", "2"):
        result = run("forecast", "--as-of", "2025-12-01", "--set", f"threads={threads}", data_dir=own_demo)
        assert result.exit_code == 0, result.stderr
        contents.append({file.name: file.read_bytes() for file in sorted(folder.iterdir())})
    assert contents[0] == contents[1]
    assert b"2026-01-01T00:00:00Z" in contents[0]["nrr_forecast.csv"]
    assert "Forecast as of 2025-12-01 by model version 1" in result.stdout
    assert "Most ARR at risk" in result.stdout
    assert "Note: The model learned from data up to 2026-01-01" in result.stdout


def test_a_date_beyond_the_data_exits_2(run: Callable[..., Result], demo_data: tuple[Path, Result]) -> None:
    result = run("forecast", "--as-of", "2026-02-01", data_dir=demo_data[0])
    assert (result.exit_code, "The data end before 2026-01-01" in result.stderr) == (2, True)


@pytest.mark.parametrize("verb", ["forecast", "explain"])
def test_rules_that_the_champion_did_not_learn_exit_2(
    run: Callable[..., Result], demo_data: tuple[Path, Result], verb: str
) -> None:
    account = ["A-1"] if verb == "explain" else []
    result = run(verb, *account, "--set", "revenue.reactivation=include", data_dir=demo_data[0])
    assert result.exit_code == 2
    assert result.stderr == (
        "The champion was trained with revenue.reactivation exclude, and now it is include: run `holdfast train`, "
        "or set revenue.reactivation=exclude.\n"
    )


def test_explain_gives_what_was_published(run: Callable[..., Result], demo_data: tuple[Path, Result]) -> None:
    data_dir, result = demo_data
    worst = json.loads(result.stdout)["forecast"]["at_risk"][0]
    explained = run("explain", worst["account_id"], "--json", data_dir=data_dir)
    assert explained.exit_code == 0, explained.stderr
    content = json.loads(explained.stdout)
    assert content["horizons"][-1]["churn_probability"] == pytest.approx(worst["churn_probability"])
    raising = [row for row in content["drivers"] if row["outcome"] == "churn" and row["effect"] > 0 and row["leads"]]
    leading = min(raising, key=lambda row: row["display_rank"])["text"] if raising else "Nothing unusual"
    assert worst["reason"].startswith(leading)
    readable = run("explain", worst["account_id"], data_dir=data_dir)
    assert "Reasons for the chance of at least one expansion within the horizon" in readable.stdout


def test_explain_answers_while_another_run_writes(run: Callable[..., Result], demo_data: tuple[Path, Result]) -> None:
    """What is published needs no lock, and the notes of the forecast come with it."""
    data_dir, result = demo_data
    forecast = json.loads(result.stdout)["forecast"]
    with (data_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        explained = run("explain", forecast["at_risk"][0]["account_id"], "--json", data_dir=data_dir)
    assert explained.exit_code == 0, explained.stderr
    content = json.loads(explained.stdout)
    assert content["model_version"] == forecast["model_version"]
    assert forecast["notes"]
    assert content["notes"][: len(forecast["notes"])] == forecast["notes"]


def test_explain_of_what_is_not_published_waits_for_the_run_that_writes(
    run: Callable[..., Result], demo_data: tuple[Path, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir, result = demo_data
    monkeypatch.setattr("holdfast.forecast.EXPLAIN_WAITS_SECONDS", 0.3)
    account = json.loads(result.stdout)["forecast"]["at_risk"][0]["account_id"]
    with (data_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        explained = run("explain", account, "--as-of", "2025-11-01", data_dir=data_dir)
    assert explained.exit_code == 1
    assert "waiting for it, at most 0 seconds" in explained.stderr
    assert "Another run is writing to" in explained.stderr


def test_an_unknown_account_gets_near_misses(run: Callable[..., Result], demo_data: tuple[Path, Result]) -> None:
    data_dir, result = demo_data
    known = json.loads(result.stdout)["forecast"]["at_risk"][0]["account_id"]
    missed = run("explain", known + "x", data_dir=data_dir)
    assert missed.exit_code == 2
    assert "Did you mean" in missed.stderr
    assert known in missed.stderr


def test_publish_writes_what_the_service_answers_from(run: Callable[..., Result], own_demo: Path) -> None:
    result = run("publish", "--json", data_dir=own_demo)
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert Path(content["file"]).parent == own_demo / "serving"
    assert (own_demo / "serving" / "current").read_text().strip() == Path(content["file"]).name
    assert content["accounts"] > 0
    with closing(sqlite3.connect(own_demo / "record.sqlite")) as connection:
        query = "SELECT run_id, kind, accounts FROM record_run WHERE run_id = ?"
        recorded = connection.execute(query, [content["run_id"]]).fetchall()
    assert recorded == [(content["run_id"], "official", content["accounts"])]
    _sheets_can_be_written(run, own_demo)


def _sheets_can_be_written(run: Callable[..., Result], data_dir: Path) -> None:
    """Of what is published, by name, and as a page of its own."""
    with closing(sqlite3.connect(next((data_dir / "serving").glob("*.sqlite")))) as connection:
        (name,) = connection.execute("SELECT name FROM account ORDER BY account_id LIMIT 1").fetchone()
    file = data_dir / "sheet.html"
    told = json.loads(run("sheet", name.upper(), "--out", str(file), "--json", data_dir=data_dir).stdout)
    assert (told["name"], told["file"]) == (name, str(file))
    page = file.read_text(encoding="utf-8")
    assert f"<h1>{name}</h1>" in page
    assert "/static/" not in page, "the style is in it"
    missed = run("sheet", name + "x", data_dir=data_dir)
    assert (missed.exit_code, name in missed.stderr) == (2, True)
    refused = run("sheet", name, "--out", "sheet.pdf", data_dir=data_dir)
    assert (refused.exit_code, "ends with .html" in refused.stderr) == (2, True)


def test_a_publication_that_moves_back_says_so() -> None:
    day, before = date(2025, 10, 1), date(2026, 1, 1)
    (note,) = _moved_back(before, day)
    assert note.startswith("The service answered as of 2026-01-01, and now answers as of 2025-10-01, which is earlier.")
    assert [_moved_back(None, day), _moved_back(day, day), _moved_back(day, before)] == [[], [], []]


def test_a_bridge_between_two_publications_adds_up_and_says_why(run: Callable[..., Result], own_demo: Path) -> None:
    for as_of in ("2025-12-01", "2026-01-01"):
        assert run("publish", "--as-of", as_of, data_dir=own_demo).exit_code == 0
    dates = ("--from", "2025-12-01", "--to", "2026-01-01")
    told = json.loads(run("bridge", *dates, "--by", "segment", "--json", data_dir=own_demo).stdout)
    assert (told["metric"], told["target"], told["not_split"]) == ("ending_arr", "2026-12-01", "")
    assert told["residual"] == 0
    assert told["start"] + sum(step["amount"] for step in told["steps"]) == pytest.approx(told["end"], abs=0.001)
    assert sum(row["end"] for row in told["by"]["rows"]) == pytest.approx(told["end"], abs=0.001)
    shown = run("bridge", *dates, data_dir=own_demo).stdout
    assert shown.startswith(f"Expected ARR on 2026-12-01 {'rose' if told['end'] > told['start'] else 'fell'} by ")
    assert "Accounts that moved most" in shown
    backwards = run("bridge", "--from", "2026-01-01", "--to", "2025-12-01", data_dir=own_demo)
    assert backwards.exit_code == 2
    assert "put the earlier forecast first" in backwards.stderr
    nowhere = run("bridge", "--from", "2025-11-20", "--to", "2026-01-01", data_dir=own_demo)
    assert nowhere.exit_code == 2
    assert "No forecast of 2025-11-20 is on record. The nearest is that of 2025-12-01" in nowhere.stderr
