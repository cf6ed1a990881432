"""Lines that their source took back: what was known before stays, and nobody knows of it earlier."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.asof.knowledge import known_before
from features.asof.view import EPOCH, AsOf, day_number
from features.inputs.frames import tables_from_frames
from features.revenue.known_lines import load
from features.tables.checked import Tables
from params import Budget

Line = dict[str, Any]
DATES = tuple(date(2024, month, 1) for month in range(1, 13))
BUDGET = Budget(1, 0.5)


def on(month: int, day: int = 10) -> date:
    return date(2024, month, day)


def line(number: int, **cells: Any) -> Line:
    row: Line = dict.fromkeys(("ends_on", "ended_on", "notice_on", "deleted_at"))
    row |= {"contract_id": str(number), "account_id": "a", "product": f"P{number}", "starts_on": on(2), "mrr": 10}
    return row | cells


def lines() -> Iterator[Line]:
    """Every order of the days on which a line stops, notice is given and the source takes the row back."""
    days = (None, on(1), on(4), on(6), on(9))
    for number, (ends, ended, notice, deleted) in enumerate(product((None, on(7)), *[days] * 3)):
        moment = deleted and datetime.combine(deleted, datetime.min.time()) + timedelta(hours=15)
        yield line(number, ends_on=ends, ended_on=ended, notice_on=notice, deleted_at=moment)


@pytest.fixture
def stored(costly: None, tmp_path: Path) -> Callable[..., Tables]:
    def store(rows: list[Line], lag: int = 0) -> Tables:
        frames = {"accounts": pd.DataFrame([{"account_id": "a"}]), "contracts": pd.DataFrame(rows, dtype=object)}
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.duckdb"
        return tables_from_frames(frames, file, data_until=date(2025, 1, 1), lag_days={"contracts": lag} if lag else {})

    return store


def known(tables: Tables, select: Callable[[AsOf], str]) -> set[tuple[date, str, date | None, date | None]]:
    """Of each date the lines that were known then, each with its end and its notice."""
    asof = AsOf(tables, DATES)
    with tables.connect(budget=BUDGET) as connection:
        load(connection, asof.frames())
        rows = connection.execute(f"""
            SELECT c.t, l.contract_id, l.ended, l.notice FROM ({select(asof)}) l
            JOIN cal c ON c.k >= l.k AND (l.next_k IS NULL OR c.k < l.next_k)""").fetchall()
    as_date = lambda number: None if number is None else EPOCH + timedelta(days=number)  # noqa: E731
    return {(as_date(t), contract, as_date(ended), as_date(notice)) for t, contract, ended, notice in rows}


def expected(rows: list[Line], lag: int = 0) -> set[tuple[date, str, date | None, date | None]]:
    """The same written by its meaning."""
    states = set()
    for t, row in product(DATES, rows):
        told = lambda day, t=t: day is not None and day + timedelta(days=lag) < t  # noqa: E731
        if not told(row["starts_on"]):
            continue
        ended = row["ended_on"] if told(row["ended_on"]) or (row["ended_on"] and told(row["notice_on"])) else None
        deleted = row["deleted_at"] and row["deleted_at"].date()
        if told(deleted):
            if deleted <= row["starts_on"]:
                continue
            end = ended or row["ends_on"]
            ended = deleted if end is None or deleted < end else ended
        states.add((t, row["contract_id"], ended, row["notice_on"] if told(row["notice_on"]) else None))
    return states


@pytest.mark.parametrize("lag", [0, 25])
def test_a_line_ends_when_it_was_taken_back_unless_it_had_ended(stored: Callable[..., Tables], lag: int) -> None:
    rows = list(lines())
    assert known(stored(rows, lag), AsOf.contracts) == expected(rows, lag)


def test_one_date_alone_sees_the_same(stored: Callable[..., Tables]) -> None:
    tables = stored(list(lines()))
    together = known(tables, AsOf.contracts)
    for day in DATES[2::3]:
        asof = AsOf(tables, (day,))
        with tables.connect(budget=BUDGET) as connection:
            load(connection, asof.frames())
            rows = connection.execute(f"SELECT contract_id, ended FROM ({asof.contracts()})").fetchall()
        assert set(rows) == {(c, ended and day_number(ended)) for t, c, ended, _ in together if t == day}


@pytest.mark.parametrize("day", DATES[3:8:2])
def test_nobody_knows_before_that_a_line_will_be_taken_back(stored: Callable[..., Tables], day: date) -> None:
    """Poison: whatever is deleted from a day on, at any other time or not at all, changes nothing seen until then."""
    rows = list(lines())
    later = [row for row in rows if row["deleted_at"] and row["deleted_at"].date() >= day]
    spoilt = [row | {"deleted_at": None} if row in later else row for row in rows]
    sound_tables, spoilt_tables = stored(rows), stored(spoilt)
    sound, poisoned = (known(tables, AsOf.contracts) for tables in (sound_tables, spoilt_tables))
    assert {state for state in sound if state[0] <= day} == {state for state in poisoned if state[0] <= day}
    assert sound != poisoned
    assert known_before(sound_tables, [day]) == known_before(spoilt_tables, [day])


def test_in_hindsight_a_line_ends_when_it_was_taken_back(stored: Callable[..., Tables]) -> None:
    rows = [line(1), line(2, deleted_at=datetime(2024, 6, 10, 15)), line(3, deleted_at=datetime(2024, 1, 5))]
    tables = stored(rows)
    seen = known(tables, lambda asof: asof.contracts_in_hindsight(date(2025, 1, 1), 0))
    assert {(t.month, ended) for t, contract, ended, _ in seen if contract == "2"} == {
        *((month, None) for month in range(3, 7)),
        *((month, on(6)) for month in range(7, 13)),
    }
    assert not [state for state in seen if state[1] == "3"]
    unknown = known(tables, lambda asof: asof.contracts_in_hindsight(date(2024, 6, 10), 0))
    assert {ended for _, contract, ended, _ in unknown if contract == "2"} == {None}


def test_a_source_without_deletions_emits_nothing_of_them(stored: Callable[..., Tables]) -> None:
    row = line(1)
    del row["deleted_at"]
    asof = AsOf(stored([row]), DATES)
    assert "deleted" not in asof.contracts() + asof.contracts_in_hindsight(DATES[-1], 0)
