"""`holdfast ledger`: what is on record, whether it is as it was, how good it was."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import Result

from params import load
from serving.ledger.record import open_record
from serving.ledger.recording import OldRun, take_over


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder with two runs on record, of which the first counts as official."""
    figures = pd.DataFrame({"cut": "total", "value": "total", "horizon_months": [3, 6], "metric": "nrr", "mean": 0.9})
    scores = pd.DataFrame({"account_id": ["a", "b"], "churn_probability": 0.1, "arr": 100.0})
    runs = [
        OldRun(name, "2026-01-01", f"2026-01-01T0{hour}:00:00", "1", 6, figures, scores.assign(arr=hour), "an old file")
        for hour, name in enumerate(("first", "second"), start=3)
    ]
    with open_record(load(overrides=[f"data_dir={tmp_path / 'data'}"])) as record:
        take_over(record, runs)
    return tmp_path / "data"


def test_the_runs_are_listed(run: Callable[..., Result], data_dir: Path) -> None:
    listed = json.loads(run("ledger", "list", "--json", data_dir=data_dir).stdout)
    assert [(row["run_id"], row["kind"]) for row in listed["runs"]] == [("second", "revision"), ("first", "official")]
    assert listed["runs"][0]["hash"] == listed["head"]
    result = run("ledger", data_dir=data_dir)
    assert result.stdout.startswith(f"2 runs on record, 1 official. Head: {listed['head']}\n")


def test_an_unchanged_record_is_proved_up_to_a_head(run: Callable[..., Result], data_dir: Path) -> None:
    verified = json.loads(run("ledger", "verify", "--json", data_dir=data_dir).stdout)
    assert (verified["ok"], verified["first_broken"], verified["entries"]) == (True, None, 3)
    result = run("ledger", "verify", "--head", verified["head"][:10], data_dir=data_dir)
    assert result.exit_code == 0
    assert result.stdout.startswith("Nothing was changed: 3 entries with ")
    assert f"Head: {verified['head']}" in result.stdout


def test_a_change_is_named_and_exits_1(run: Callable[..., Result], data_dir: Path) -> None:
    with closing(sqlite3.connect(data_dir / "record.sqlite")) as connection:
        connection.execute("DROP TRIGGER record_figure_no_update")
        connection.execute("UPDATE record_figure SET mean = 950000 WHERE run_number = 2 AND horizon_months = 6")
        connection.commit()
    result = run("ledger", "verify", "--json", data_dir=data_dir)
    assert result.exit_code == 1
    broken = json.loads(result.stdout)
    assert (broken["ok"], broken["entries"]) == (False, 2)
    assert broken["first_broken"].startswith(
        "a row of record_figure (run_number 2, cut total, value total, horizon_months 6, metric nrr): it was changed"
    )
    assert "restore it from a backup" in result.stderr
    lines = run("ledger", "verify", data_dir=data_dir).stdout
    assert lines.startswith("Broken: a row of record_figure (run_number 2")


def test_a_head_that_is_not_in_the_chain_is_told(run: Callable[..., Result], data_dir: Path) -> None:
    result = run("ledger", "verify", "--head", "0123456789", data_dir=data_dir)
    assert result.exit_code == 1
    assert "the head 0123456789, which stands in --head, is not in it" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prove"], "ledger prove: there is no such thing to do; give list, verify, score, export, withdraw."),
        (["verify", "--head", "XYZ"], "--head XYZ: a head is 8 to 64 of the characters 0-9 and a-f."),
        (["withdraw", "third", "--reason", "no"], "The run 'third' is not on record: `holdfast ledger list` shows"),
        (["withdraw", "first"], "A forecast is withdrawn with a reason"),
        (["export", "--out", "."], "--out .: give a folder that is empty or not there yet"),
    ],
)
def test_bad_requests_exit_2_with_one_message(
    run: Callable[..., Result], data_dir: Path, arguments: list[str], message: str
) -> None:
    Path("a file").write_text("")
    result = run("ledger", *arguments, data_dir=data_dir)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_run_is_withdrawn_with_its_reason(run: Callable[..., Result], data_dir: Path) -> None:
    result = run("ledger", "withdraw", "first", "--reason", "half a table", data_dir=data_dir)
    assert result.exit_code == 0, result.stderr
    assert "Withdrawn: run first (half a table)." in result.stdout
    shown = run("ledger", "list", data_dir=data_dir).stdout
    assert "2 runs on record, 0 official." in shown
    assert "Withdrawn: run first as of 2026-01-01: half a table" in shown
    assert json.loads(run("ledger", "verify", "--json", data_dir=data_dir).stdout)["ok"]


def test_scores_say_when_the_first_can_be_known(run: Callable[..., Result], data_dir: Path) -> None:
    result = run("ledger", "score", data_dir=data_dir)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "1 official forecast on record, none of which can be scored yet. The first can be known on 2026-07-31.\n"
    )
    content = json.loads(run("ledger", "score", "--json", data_dir=data_dir).stdout)
    assert (content["rows"], content["official"], content["waiting"]) == ([], 1, 1)
    assert content["backtest"] is None, "no model is in charge here"


def test_an_empty_record_is_no_error(run: Callable[..., Result], tmp_path: Path) -> None:
    words = {"list": "Nothing is on record yet", "verify": "Nothing is on record yet.", "score": "No official forecast"}
    for action, message in words.items():
        result = run("ledger", action, data_dir=tmp_path / "empty")
        assert (result.exit_code, message in result.stdout) == (0, True), result.output
