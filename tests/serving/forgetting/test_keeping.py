"""Retention: what is older than the settings say goes, and the newest of each always stays."""

import os
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from params import load
from serving.forgetting.keeping import apply_retention

TODAY = date(2026, 7, 15)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder of empty files, and exports as they are linked."""
    for name in ("2024-06", "2024-07", "2026-07"):
        aged(tmp_path / "serving" / "audit" / f"{name}.jsonl", 0)
    for name, days in (("2026-01-01.old", 40), ("2026-01-01.younger", 10), ("2026-02-01.only", 900)):
        aged(tmp_path / "snapshots" / "definition" / f"{name}.parquet", days)
    aged(tmp_path / "serving" / "not-taken-over" / "2025-01-01.r.d.sqlite", 31)
    for day in ("2022-01-01", "2023-01-01"):
        aged(tmp_path / "forecasts" / ".kept" / f"{day}.run.x" / "forecast.json", 0)
        (tmp_path / "forecasts" / day).symlink_to(Path(".kept") / f"{day}.run.x")
    (tmp_path / "forecasts" / "latest").symlink_to("2023-01-01")
    return tmp_path


def aged(file: Path, days: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    then = time.time() - days * 86_400 - 60
    os.utime(file, (then, then))


@pytest.fixture
def apply(data_dir: Path) -> Callable[..., tuple[list[str], list[str]]]:
    def run(*overrides: str) -> tuple[list[str], list[str]]:
        """What is told, and which files are gone."""
        before = set(data_dir.rglob("*"))
        told = apply_retention(load(overrides=[f"data_dir={data_dir}", *overrides]), TODAY)
        gone = before - set(data_dir.rglob("*"))
        return told, sorted(str(file.relative_to(data_dir)) for file in gone if not file.is_dir())

    return run


def test_what_is_too_old_goes_and_is_told(apply: Callable[..., tuple[list[str], list[str]]]) -> None:
    told, gone = apply("retention.audit_days=730")
    assert gone == [
        "forecasts/.kept/2022-01-01.run.x",
        "forecasts/.kept/2022-01-01.run.x/forecast.json",
        "forecasts/2022-01-01",
        "serving/audit/2024-06.jsonl",
        "serving/not-taken-over/2025-01-01.r.d.sqlite",
        "snapshots/definition/2026-01-01.old.parquet",
    ]
    assert "Removed 1 month of the audit log: older than 730 days, as `retention` says." in told
    assert len(told) == 4
    assert apply() == ([], [])


def test_null_keeps_for_ever(apply: Callable[..., tuple[list[str], list[str]]]) -> None:
    names = ("audit", "forecasts", "superseded_snapshots", "unread_publications")
    assert apply(*(f"retention.{name}_days=null" for name in names)) == ([], [])
