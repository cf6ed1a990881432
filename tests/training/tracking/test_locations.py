"""Locations of the embedded store: written down relative to the data folder, found wherever that lies now."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from models.outcomes.outcome import FORMAT
from params import Params, load
from training.tracking import locations, runs
from training.tracking.champion import incumbent
from training.tracking.locations import make_relative, relative, resolve
from training.tracking.store import store_uri

COLUMNS = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "model_versions": "source",
}


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("file:///old/data/mlflow-artifacts", "mlflow-artifacts"),
        ("file:///old/data/mlflow-artifacts/r1/artifacts/model", "mlflow-artifacts/r1/artifacts/model"),
        ("/old/data/mlflow-artifacts/r1/artifacts", "mlflow-artifacts/r1/artifacts"),
        ("file:///in/mlflow-artifacts/data/mlflow-artifacts/r1/artifacts", "mlflow-artifacts/r1/artifacts"),
        ("/where/the/command/ran/mlruns/0", "mlruns/0"),
        ("mlflow-artifacts/r1/artifacts", "mlflow-artifacts/r1/artifacts"),
        ("/old/mlflow-artifacts/r1/artifacts/mlruns/x", "mlflow-artifacts/r1/artifacts/mlruns/x"),
        # not ours
        ("file:///nfs/team/mlruns/3/abc/artifacts", "file:///nfs/team/mlruns/3/abc/artifacts"),
        ("s3://bucket/mlflow-artifacts/r1", "s3://bucket/mlflow-artifacts/r1"),
        ("mlflow-artifacts:/r1/artifacts", "mlflow-artifacts:/r1/artifacts"),
        ("models:/m-123", "models:/m-123"),
        ("file:///elsewhere/artifacts/r1", "file:///elsewhere/artifacts/r1"),
        ("", ""),
    ],
)
def test_what_lies_in_the_data_folder_is_named_from_there(location: str, expected: str) -> None:
    assert relative(location) == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("mlflow-artifacts/r1/artifacts", "{data}/mlflow-artifacts/r1/artifacts"),
        ("file:///old/data/mlflow-artifacts/r1/artifacts", "{data}/mlflow-artifacts/r1/artifacts"),
        ("file:///elsewhere/artifacts/r1", "file:///elsewhere/artifacts/r1"),
        ("s3://bucket/r1", "s3://bucket/r1"),
    ],
)
def test_it_is_found_where_the_folder_lies_now(location: str, expected: str, tmp_path: Path) -> None:
    assert resolve(location, tmp_path) == expected.format(data=tmp_path.resolve())


@pytest.fixture
def params(costly: None, tmp_path: Path) -> Params:
    """A data folder with a champion."""
    folder = tmp_path / "data folder é"
    params = load(overrides=[f"data_dir='{folder}'"])
    model: Any = SimpleNamespace(to_files=lambda: {"model.json": f'{{"format": {FORMAT}}}'})
    tables: Any = SimpleNamespace(digest="d", data_until=date(2026, 1, 1))
    runs.record_run(model, [], tables=tables, as_of=date(2026, 1, 1), params=params)
    return params


def stored(params: Params) -> list[str]:
    with closing(sqlite3.connect(params.data_dir / "mlflow.db")) as connection:
        return [row[0] for table, column in COLUMNS.items() for row in connection.execute(_all(table, column))]


def _all(table: str, column: str) -> str:
    return f"SELECT {column} FROM {table}"


def make_absolute(params: Params, base: str) -> None:
    """Locations as they were written down before."""
    with closing(sqlite3.connect(params.data_dir / "mlflow.db")) as connection:
        for table, column in (*COLUMNS.items(), ("model_versions", "storage_location")):
            connection.execute(f"UPDATE {table} SET {column} = '{base}/' || {column}")
        connection.commit()


def test_no_location_is_absolute(params: Params) -> None:
    assert len(stored(params)) == 4  # MLflow's own experiment and ours, a run, a version
    assert not [location for location in stored(params) if ":" in location or location.startswith("/")]


def test_a_folder_from_before_that_was_moved_is_read_and_made_relative_when_it_is_opened(params: Params) -> None:
    now = stored(params)
    make_absolute(params, "file:///gone/data")
    assert stored(params) != now
    assert incumbent(params) is not None
    assert stored(params) == now


def test_other_experiments_of_the_same_store_are_left_alone(params: Params) -> None:
    client = MlflowClient(store_uri(params))
    client.create_experiment("another", artifact_location="s3://bucket/mlflow-artifacts")
    make_relative(params.data_dir / "mlflow.db")
    assert "s3://bucket/mlflow-artifacts" in stored(params)


def test_a_read_only_copy_from_before_is_read_as_it_is(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    make_absolute(params, "file:///gone/data")
    before = stored(params)

    def read_only(file: Path, **more: Any) -> sqlite3.Connection:
        return sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, **more)

    closed = SimpleNamespace(connect=read_only, OperationalError=sqlite3.OperationalError)
    monkeypatch.setattr(locations, "sqlite3", closed)
    assert incumbent(params) is not None
    assert stored(params) == before


def test_any_other_trouble_with_the_database_is_an_error(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    make_absolute(params, "file:///gone/data")
    monkeypatch.setattr(locations, "_PATIENCE_SECONDS", 0.1)
    with closing(sqlite3.connect(params.data_dir / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            make_relative(params.data_dir / "mlflow.db")
