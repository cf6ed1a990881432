"""Past months forecast as they would have gone, so that there is a record from the first day on."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from holdfast import demo
from holdfast.nightly import replay, replay_lines
from holdfast.progress import Progress
from holdfast.run import Run
from params import Params, load

MONTHS = 3


@pytest.fixture(scope="module")
def replayed(
    demo_data: tuple[Path, Result], tiny: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Any, list[dict[str, Any]]]:
    """A run in the data folder of a demo whose last three months were replayed, its tables, and the nights."""
    folder = tmp_path_factory.mktemp("replayed") / "data"
    shutil.copytree(demo_data[0], folder, symlinks=True)
    settings = [f"data_dir={folder}", *tiny[1::2], "promotion.most_canary_change=1"]
    run = Run(load(overrides=settings), True, Progress())
    loaded = run.load()
    return run, loaded, replay(run, loaded, MONTHS)


def recorded(params: Params) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(params.data_dir / "record.sqlite")) as connection:
        return connection.execute("SELECT as_of, kind, data_until, trained_as_of FROM record_run ORDER BY 1").fetchall()


def test_each_month_is_official_by_a_model_and_data_that_were_there(
    replayed: tuple[Run, Any, list[dict[str, Any]]],
) -> None:
    run, _, nights = replayed
    days = ["2025-10-01", "2025-11-01", "2025-12-01"]
    assert recorded(run.params) == [(day, "official", day, days[0]) for day in days]
    assert [[step["status"] for step in night["steps"]] for night in nights] == [
        ["done", "done", "done", "done"],
        *[["done", "done", "skipped", "done"]] * 2,
    ]
    assert replay_lines(nights) == ["3 forecasts put on record from 2025-10-01 on"]


def test_nothing_of_it_is_served_or_exported(replayed: tuple[Run, Any, list[dict[str, Any]]]) -> None:
    data_dir = replayed[0].params.data_dir
    assert not (data_dir / "serving" / "last-night.json").exists()
    assert not (data_dir / "serving" / "current").exists()
    assert sorted(path.name for path in (data_dir / "forecasts").glob("20*")) == ["2026-01-01"]


def test_what_is_on_record_is_not_replayed_again(replayed: tuple[Run, Any, list[dict[str, Any]]]) -> None:
    run, loaded, _ = replayed
    assert replay(run, loaded, MONTHS) == []
    assert replay_lines([]) == ["0 forecasts put on record"]
    assert len(recorded(run.params)) == MONTHS


def test_a_month_with_too_little_history_stops_nothing(
    replayed: tuple[Run, Any, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, loaded, _ = replayed
    monkeypatch.setattr("holdfast.nightly._month_starts", lambda *_: [date(2024, 2, 1)])
    nights = replay(run, loaded, 1)
    assert [step["status"] for step in nights[0]["steps"]] == ["done", "done", "failed", "skipped"]
    lines = replay_lines(nights)
    assert lines[0] == "0 forecasts put on record from 2024-02-01 on"
    assert lines[1].startswith("2024-02-01 could not be replayed: ")


def test_the_demo_ends_with_what_the_record_says(
    replayed: tuple[Run, Any, list[dict[str, Any]]], run: Callable[..., Result]
) -> None:
    night, loaded, _ = replayed
    steps = demo._Steps(night)
    demo._look_back(night, steps, loaded)
    assert steps.taken[0]["result"][0].startswith("NRR over 1 month was off by ")
    scores = json.loads(run("ledger", "score", "--json", data_dir=night.params.data_dir).stdout)
    assert scores["answer"] == steps.taken[0]["result"]
    assert scores["scored"] >= 1
