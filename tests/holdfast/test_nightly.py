"""The verb for cron: what it does on a night, again on the same night, on a past one, and where a step fails."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

PAST = "2025-11-01"


@pytest.fixture(scope="module")
def nights(
    run: Callable[..., Result], demo_data: tuple[Path, Result], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A data folder after two nights as of where the data end and a past one, and what each said."""
    folder = tmp_path_factory.mktemp("nights") / "data"
    shutil.copytree(demo_data[0], folder, symlinks=True)
    results = {}
    for name, arguments in {"first": (), "again": (), "past": ("--as-of", PAST)}.items():
        result = run("run", "--json", *arguments, data_dir=folder)
        assert result.exit_code == 0, (name, result.stdout)
        results[name] = json.loads(result.stdout)
    return folder, results


def steps(content: dict[str, Any]) -> dict[str, Any]:
    return {step["step"]: step for step in content["steps"]}


def statuses(content: dict[str, Any]) -> dict[str, str]:
    return {name: step["status"] for name, step in steps(content).items()}


def recorded(folder: Path) -> list[tuple[str, str, str]]:
    with closing(sqlite3.connect(folder / "record.sqlite")) as connection:
        return connection.execute("SELECT as_of, kind, trained_as_of FROM record_run ORDER BY number").fetchall()


def test_a_night_does_what_is_due_and_says_why_it_does_not_train(nights: tuple[Path, dict[str, Any]]) -> None:
    first = nights[1]["first"]
    done, skipped = ("check", "snapshots", "watch", "publish"), ("train", "effects", "deliver")
    assert statuses(first) == dict.fromkeys(done, "done") | dict.fromkeys(skipped, "skipped")
    assert "the next is due from 2026-04-01" in steps(first)["train"]["result"]["reason"]
    assert "at least 300 of 100 accounts are needed" in steps(first)["effects"]["result"]["reason"]
    assert first["as_of"] == "2026-01-01"


def test_the_same_night_again_publishes_the_same_and_is_recorded_once(nights: tuple[Path, dict[str, Any]]) -> None:
    folder, results = nights
    first, again = (steps(results[name])["publish"]["result"] for name in ("first", "again"))
    assert again["run_id"] == first["run_id"]
    assert [day for day, *_ in recorded(folder)].count("2026-01-01") == 1


def test_the_steps_of_each_night_are_on_record(nights: tuple[Path, dict[str, Any]]) -> None:
    with closing(sqlite3.connect(nights[0] / "record.sqlite")) as connection:
        rows = connection.execute(
            "SELECT as_of, step, status, result FROM record_step ORDER BY entry_number, place"
        ).fetchall()
    first = steps(nights[1]["first"])
    assert [(step, status) for _, step, status, _ in rows[: len(first)]] == [
        (name, row["status"]) for name, row in first.items()
    ]
    assert {"2026-01-01", PAST} <= {day for day, *_ in rows}  # other tests here fail nights of their own
    (watched,) = (json.loads(result) for _, step, _, result in rows[: len(first)] if step == "watch")
    assert watched["verdict"] == first["watch"]["result"]["verdict"]
    assert json.loads((nights[0] / "serving" / "last-watch.json").read_text())["as_of"] == "2026-01-01"


def test_a_past_night_trains_on_what_was_known_and_is_official_but_not_served(
    nights: tuple[Path, dict[str, Any]],
) -> None:
    folder, results = nights
    assert statuses(results["past"])["train"] == "done"
    assert steps(results["past"])["publish"]["result"]["not_served"].endswith("as of 2026-01-01")
    assert (folder / "serving" / "current").read_text().startswith("2026-01-01")
    (past,) = (row for row in recorded(folder) if row[0] == PAST)
    assert past[1] in ("official", "rerun")
    assert not list(folder.glob(".night-*"))


def test_a_failed_step_ends_the_night_and_what_was_published_stays(
    run: Callable[..., Result], nights: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, before = nights[0], (nights[0] / "serving" / "current").read_text()
    (tmp_path / "accounts.csv").write_text("account_id\na\n", encoding="utf-8")
    broken = ("--set", "source.kind=files", "--set", f"source.path={tmp_path}")
    result = run("run", "--json", *broken, data_dir=folder)
    assert result.exit_code == 2
    content = json.loads(result.stdout)
    assert statuses(content) == {
        "check": "failed",
        **dict.fromkeys(("snapshots", "watch", "train", "effects", "publish", "deliver"), "skipped"),
    }
    assert "contracts" in steps(content)["check"]["result"]["message"]
    assert (folder / "serving" / "current").read_text() == before
    noted = json.loads((folder / "serving" / "last-night.json").read_text())
    assert (noted["status"], noted["step"]) == ("failed", "check")
    told = run("run", *broken, data_dir=folder)
    assert "failed at check" in told.stdout
    assert "What was published before stays" in told.stdout


def test_a_night_to_come_exits_2(run: Callable[..., Result], nights: tuple[Path, dict[str, Any]]) -> None:
    result = run("run", "--as-of", "2027-01-01", data_dir=nights[0])
    assert result.exit_code == 2
    assert "has not come yet" in result.stdout
