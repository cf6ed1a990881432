"""When rows and cells count: as day numbers by one rule, which the views and the digests read alike."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.asof.clocks import NEVER, Clocks
from features.asof.view import EPOCH
from features.inputs.frames import tables_from_frames
from features.tables.checked import Tables
from params import Budget

DAY = date(2024, 3, 10)
NUMBER = (DAY - EPOCH).days
BUDGET = Budget(1, 0.5)
ACCOUNTS = [{"account_id": "a"}]
LINE = {"contract_id": "1", "account_id": "a", "starts_on": DAY, "mrr": 10}


def moment(days: int) -> pd.Timestamp:
    return pd.Timestamp(DAY + timedelta(days=days)) + pd.Timedelta(hours=9)


def on(days: int) -> date:
    return DAY + timedelta(days=days)


def stored(folder: Path, table: str, row: dict[str, Any], lag: int) -> Tables:
    rows = {"accounts": ACCOUNTS, "contracts": [LINE]} | {table: [row]}
    frames = {name: pd.DataFrame(content) for name, content in rows.items()}
    return tables_from_frames(
        frames, folder / "tables.duckdb", data_until=date(2025, 1, 1), lag_days={table: lag} if lag else {}
    )


def evaluated(tables: Tables, table: str, sql: str) -> Any:
    with tables.connect(budget=BUDGET) as connection:
        ((value,),) = connection.execute(f"SELECT {sql} FROM raw.{table}").fetchall()
    return value


EVENT = {"account_id": "a", "used_on": DAY, "quantity": 1.0}
TICKET = {"account_id": "a", "opened_at": moment(0), "resolved_at": moment(5)}


@pytest.mark.parametrize(
    ("table", "row", "lag", "counts_after"),
    [
        pytest.param("usage", EVENT, 0, 0, id="an event on its day"),
        pytest.param("usage", EVENT, 3, 3, id="after its table's lag"),
        pytest.param("usage", EVENT | {"recorded_at": moment(7)}, 3, 7, id="its record replaces the lag"),
        pytest.param("usage", EVENT | {"recorded_at": moment(-4)}, 0, 0, id="recorded ahead: not before it happens"),
        pytest.param("contracts", LINE, 0, 0, id="a line without signature on its start"),
        pytest.param("contracts", LINE | {"signed_on": on(-30)}, 0, -30, id="a line once signed, before it starts"),
        pytest.param(
            "contracts", LINE | {"signed_on": on(-30), "recorded_at": moment(-20)}, 0, -20, id="a line once recorded"
        ),
        pytest.param(
            "contracts", LINE | {"signed_on": on(2), "recorded_at": moment(-9)}, 0, 2, id="never before it was signed"
        ),
        pytest.param("accounts", {"account_id": "a"}, 0, -NEVER - NUMBER, id="attributes without a day, always"),
        pytest.param("accounts", {"account_id": "a", "valid_from": moment(1)}, 2, 3, id="a version of attributes"),
        pytest.param("fx_rates", {"month": DAY, "currency": "EUR", "rate": 1.1}, 0, -1, id="a rate in its month"),
        pytest.param(
            "fx_rates", {"month": DAY, "currency": "EUR", "rate": 1.1, "recorded_at": moment(-60)}, 0, -1,
            id="a rate recorded long ahead: not before its month",
        ),
        pytest.param(
            "fx_rates", {"month": DAY, "currency": "EUR", "rate": 1.1, "recorded_at": moment(4)}, 0, 4,
            id="a rate recorded late",
        ),
    ],
)  # fmt: skip
def test_a_row_counts_from_the_day_after(
    table: str, row: dict[str, Any], lag: int, counts_after: int, tmp_path: Path
) -> None:
    tables = stored(tmp_path, table, row, lag)
    assert evaluated(tables, table, Clocks(tables).of_row(table).counts_after) - NUMBER == counts_after


@pytest.mark.parametrize(
    ("table", "row", "cell", "lag", "counts_after"),
    [
        pytest.param("tickets", TICKET, "resolved_at", 0, 5, id="on its own day"),
        pytest.param("tickets", TICKET, "resolved_at", 2, 7, id="after its own lag"),
        pytest.param("tickets", TICKET | {"recorded_at": moment(9)}, "resolved_at", 0, 9, id="not before its row"),
        pytest.param("tickets", TICKET | {"recorded_at": moment(1)}, "resolved_at", 2, 7, id="the row's record is no"),
        pytest.param("tickets", TICKET | {"resolved_at": None}, "resolved_at", 0, None, id="empty"),
        pytest.param("contracts", LINE | {"ended_on": on(40)}, "ended_on", 0, 40, id="an end once it has passed"),
        pytest.param(
            "contracts", LINE | {"ended_on": on(40), "notice_on": on(10)}, "ended_on", 1, 11, id="told of by the notice"
        ),
        pytest.param(
            "contracts",
            LINE | {"ended_on": on(40), "notice_on": on(60)},
            "ended_on",
            0,
            40,
            id="a notice after the end",
        ),
        pytest.param("contracts", LINE | {"notice_on": on(10)}, "notice_on", 2, 12, id="a notice"),
    ],
)
def test_a_cell_filled_in_later_counts_from_the_day_after(
    table: str, row: dict[str, Any], cell: str, lag: int, counts_after: int | None, tmp_path: Path
) -> None:
    tables = stored(tmp_path, table, row, lag)
    day = evaluated(tables, table, Clocks(tables).of_cell(table, cell).counts_after)
    assert day == (None if counts_after is None else NUMBER + counts_after)


def test_a_table_without_an_event_day_has_no_events(tmp_path: Path) -> None:
    tables = stored(tmp_path, "usage", EVENT, 0)
    with pytest.raises(ValueError, match="fx_rates has no event day"):
        Clocks(tables).of_event("fx_rates", "month")
