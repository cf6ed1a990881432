"""What was lost since a quarter's official forecast, by hand, against the quantile that is on record."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from features.inputs.frames import tables_from_frames
from params import load
from serving.alerts.escalating import acknowledge, escalations_of, pass_up
from serving.alerts.lost_beyond_luck import lost_beyond_luck, most_lost
from serving.journal.entries import write
from serving.ledger.record import Record, open_record

AS_OF = date(2026, 1, 1)
RUNS = (  # number, kind, as of, 5 % quantile of GRR in millionths
    (1, "official", "2025-07-01", 100_000),  # the quarter before
    (2, "rerun", "2025-10-01", 200_000),
    (3, "official", "2025-10-01", 990_000),  # withdrawn
    (4, "official", "2025-10-01", 900_000),
    (5, "official", "2025-11-01", 300_000),  # within the quarter
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
    return tables_from_frames(frames, tmp_path_factory.mktemp("lost") / "tables.duckdb", data_until=date(2026, 4, 1))


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


def measured(record: Record, tables: Any, as_of: date, params: Any) -> Any:
    losses = lost_beyond_luck(record, tables, as_of, params)
    assert losses is not None
    return losses.measure


def test_losses_and_notices_within_three_months_are_held_against_the_draws(
    tables: Any, params: Any, tmp_path: Path
) -> None:
    measure = measured(on_record(tmp_path), tables, AS_OF, params)
    assert (measure.what, measure.cut) == ("lost_arr_share", "total")
    assert measure.value == pytest.approx(2 / 10), "one has left, the term under notice of another ends on 2026-01-01"
    assert measure.limit == pytest.approx(0.1), "the official forecast of the quarter's start that stands"


@pytest.mark.parametrize(
    "runs",
    [RUNS[:1], RUNS[-1:], RUNS[1:3], RUNS[4:5]],
    ids=["too old", "of today", "not official", "of another month"],
)
def test_without_an_official_forecast_of_the_quarters_start_nothing_is_said(
    tables: Any, params: Any, tmp_path: Path, runs: Any
) -> None:
    assert lost_beyond_luck(on_record(tmp_path, runs), tables, AS_OF, params) is None


@pytest.mark.parametrize(
    ("as_of", "limit", "is_whole"),
    [
        (date(2025, 10, 1), 0.9, True),
        (date(2025, 10, 2), 0.1, False),
        (date(2025, 11, 1), 0.1, False),
        (date(2025, 12, 31), 0.1, False),
        (AS_OF, 0.1, True),
        (date(2026, 1, 2), 0.6, False),
    ],
)
def test_the_limit_stays_throughout_a_quarter_which_is_whole_on_the_first_day_after(
    tables: Any, params: Any, tmp_path: Path, as_of: date, limit: float, is_whole: bool
) -> None:
    measure = measured(on_record(tmp_path), tables, as_of, params)
    assert (measure.limit, measure.is_whole) == (pytest.approx(limit), is_whole)


def test_what_was_raised_stands_with_who_took_it_up_until_a_whole_quarter_stays_below(
    tables: Any, params: Any, tmp_path: Path
) -> None:
    """Forecasts of every month, as a company makes them; nothing is lost after 1 January."""
    starts = [date(2025, month, 1) for month in range(7, 13)] + [date(2026, month, 1) for month in range(1, 5)]
    runs = [(number, "official", start.isoformat(), 800_000) for number, start in enumerate(starts, start=10)]
    (tmp_path / "figures").mkdir()
    figures = on_record(tmp_path / "figures", runs)
    stands = {}
    with open_record(params) as record:
        for as_of in starts[3:]:
            pass_up(record, [measured(figures, tables, as_of, params)], (), as_of, params)
            stands[as_of] = [row["number"] for row in escalations_of(record, as_of, params)]
            if as_of == AS_OF:
                write(record, [acknowledge(*stands[as_of], "Cleo", "On it")], at=datetime(2026, 1, 31, tzinfo=UTC))
        (march,) = escalations_of(record, date(2026, 3, 1), params)
    (number,) = stands[AS_OF]
    assert list(stands.values()) == [[], [], [], [number], [number], [number], []]
    assert (march["number"], march["status"], march["by"]) == (number, "acknowledged", "Cleo")


def test_the_accounts_with_it_are_those_that_lost_most(tables: Any, params: Any, tmp_path: Path) -> None:
    losses = lost_beyond_luck(on_record(tmp_path), tables, AS_OF, params)
    assert most_lost(losses, {"a0": "Alpha"}) == [
        {"account_id": "a0", "name": "Alpha", "arr_lost": 1200.0},
        {"account_id": "a1", "name": "a1", "arr_lost": 1200.0},
    ], "one has left, one is about to; those that lost nothing are not among them"
    assert most_lost(None, {}) == []


def test_it_may_be_switched_off(tables: Any, params: Any, tmp_path: Path) -> None:
    off = load(overrides=[f"data_dir={tmp_path}", "threads=1", "alerts.escalate.lost_beyond_luck=false"])
    assert lost_beyond_luck(on_record(tmp_path), tables, AS_OF, off) is None


def test_leadership_is_told_in_words(tables: Any, params: Any, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    measure = measured(on_record(tmp_path / "figures"), tables, AS_OF, params)
    with open_record(params) as record:
        pass_up(record, [measure], (), AS_OF, params)
        (row,) = escalations_of(record, AS_OF, params)
    assert row["says"] == (
        "ARR lost or under notice since a forecast, as a share of ARR, of all accounts was 20.0%, "
        "and the limit is 10.0%"
    )
