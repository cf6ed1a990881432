"""What was lost since an official forecast, by hand, against the quantile that is on record."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from features.inputs.frames import tables_from_frames
from params import load
from serving.alerts.escalating import escalations_of, pass_up
from serving.alerts.lost_beyond_luck import lost_beyond_luck
from serving.ledger.record import Record, open_record

AS_OF = date(2026, 1, 1)
RUNS = (  # number, kind, as of, 5 % quantile of GRR in millionths
    (1, "official", "2025-09-01", 100_000),  # more than three months ago
    (2, "rerun", "2025-10-01", 200_000),
    (3, "official", "2025-10-01", 990_000),  # withdrawn
    (4, "official", "2025-10-01", 900_000),
    (5, "official", "2025-11-01", 300_000),
    (6, "official", "2026-01-01", 400_000),  # the one of today
)
FIGURES = ("run_number", "cut", "value", "horizon_months", "metric", "is_subject", "unit", "mean", "p05")


@pytest.fixture(scope="module")
def tables(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Ten customers of 1,200 a year: one left in November, one has given notice for March, one for December 2026."""
    ids = [f"a{n}" for n in range(10)]
    contracts = pd.DataFrame({
        "contract_id": ids, "account_id": ids, "starts_on": "2024-01-01", "product": "p", "mrr": 100.0,
        "ends_on": ["2025-11-15", "2026-01-01", "2026-12-01", *["2027-01-01"] * 7],
        "ended_on": ["2025-11-15", *[None] * 9], "notice_on": [None, "2025-12-01", "2025-12-01", *[None] * 7],
    }, dtype=object)  # fmt: skip
    frames = {"accounts": pd.DataFrame({"account_id": ids}), "contracts": contracts}
    return tables_from_frames(frames, tmp_path_factory.mktemp("lost") / "tables.duckdb", data_until=AS_OF)


@pytest.fixture
def params(tmp_path: Path) -> Any:
    return load(overrides=[f"data_dir={tmp_path}", "threads=1"])


def on_record(folder: Path, runs: Any = RUNS) -> Record:
    """A record of these runs' GRR over three months, and of other figures that must not be taken for it."""
    engine = sa.create_engine(f"sqlite:///{folder}/record.sqlite", poolclass=sa.NullPool)
    rows = [
        (number, cut, value, months, metric, 0, "millionths", low, low)
        for number, _, _, low in runs
        for cut, value, months, metric in (
            ("total", "total", 3, "grr"), ("total", "total", 3, "nrr"), ("total", "total", 2, "grr"),
            ("csm", "Ada", 3, "grr"),
        )
    ]  # fmt: skip
    other = [(*row[:7], 0, 0) if row[1:5] != ("total", "total", 3, "grr") else row for row in rows]
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE record_run (number, kind, as_of)")
        connection.exec_driver_sql(f"CREATE TABLE record_figure ({', '.join(FIGURES)})")
        connection.exec_driver_sql("CREATE TABLE record_withdrawal (run_number)")
        connection.exec_driver_sql("INSERT INTO record_run VALUES (?, ?, ?)", [run[:3] for run in runs])
        connection.exec_driver_sql(f"INSERT INTO record_figure VALUES ({', '.join('?' * len(FIGURES))})", other)
        connection.exec_driver_sql("INSERT INTO record_withdrawal VALUES (3)")
    return Record(engine, None)  # type: ignore[arg-type]


def test_losses_and_notices_within_three_months_are_held_against_the_draws(
    tables: Any, params: Any, tmp_path: Path
) -> None:
    (measure,) = lost_beyond_luck(on_record(tmp_path), tables, AS_OF, params)
    assert (measure.what, measure.cut) == ("lost_arr_share", "total")
    assert measure.value == pytest.approx(2 / 10), "one has left, the term under notice of another ends on 2026-01-01"
    assert measure.limit == pytest.approx(0.1), "the oldest official forecast of three months that stands"


@pytest.mark.parametrize("runs", [RUNS[:1], RUNS[-1:], RUNS[1:3]], ids=["too old", "of today", "not official"])
def test_without_an_official_forecast_of_these_months_nothing_is_said(
    tables: Any, params: Any, tmp_path: Path, runs: Any
) -> None:
    assert lost_beyond_luck(on_record(tmp_path, runs), tables, AS_OF, params) == []


def test_it_may_be_switched_off(tables: Any, params: Any, tmp_path: Path) -> None:
    off = load(overrides=[f"data_dir={tmp_path}", "threads=1", "alerts.escalate.lost_beyond_luck=false"])
    assert lost_beyond_luck(on_record(tmp_path), tables, AS_OF, off) == []


def test_leadership_is_told_in_words(tables: Any, params: Any, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    measures = lost_beyond_luck(on_record(tmp_path / "figures"), tables, AS_OF, params)
    with open_record(params) as record:
        pass_up(record, measures, (), AS_OF, params)
        (row,) = escalations_of(record, AS_OF, params)
    assert row["says"] == (
        "ARR lost or under notice since a forecast, as a share of ARR, of all accounts was 20.0%, "
        "and the limit is 10.0%"
    )
