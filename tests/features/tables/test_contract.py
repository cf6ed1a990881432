"""What the contract's declarations do: empty cells that stand for something, and days that were no plan."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.tables import contract
from params import Budget

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("table", "column", "cell", "value"),
    [
        ("csm_actions", "status", "status", "COALESCE(status, CAST('done' AS VARCHAR))"),
        ("csm_actions", "status", "", "CAST('done' AS VARCHAR)"),
        ("usage", "quantity", "q", "COALESCE(q, CAST('1' AS DOUBLE))"),
        ("usage", "feature", "feature", "feature"),
        ("usage", "feature", "", "CAST(NULL AS VARCHAR)"),
    ],
)
def test_what_a_cell_says(table: str, column: str, cell: str, value: str) -> None:
    assert contract.TABLES[table].column(column).value(cell) == value


@pytest.mark.parametrize(
    ("table", "present", "condition"),
    [
        ("csm_actions", ("status",), "COALESCE(status, CAST('done' AS VARCHAR)) = 'done'"),
        ("csm_actions", ("acted_on",), "TRUE"),
        ("contracts", ("status",), "TRUE"),
    ],
)
def test_which_event_days_were_no_plan(table: str, present: tuple[str, ...], condition: str) -> None:
    assert contract.TABLES[table].happened(present) == condition


@pytest.mark.parametrize(
    ("row", "status", "quantity"),
    [
        ({}, "done", 1.0),
        ({"status": None, "quantity": None}, "done", 1.0),
        ({"status": "missed", "quantity": 3.0}, "missed", 3.0),
    ],
    ids=["absent", "empty", "filled"],
)
@pytest.mark.parametrize("keyed", [False, True])
def test_views_say_what_empty_and_absent_cells_stand_for(
    row: dict[str, object], status: str, quantity: float, keyed: bool, tmp_path: Path
) -> None:
    day = date(2024, 1, 1)
    frames = {
        "accounts": pd.DataFrame([{"account_id": "a"}]),
        "contracts": pd.DataFrame([{"contract_id": "1", "account_id": "a", "starts_on": day, "mrr": 1}]),
        "csm_actions": pd.DataFrame(
            [{"account_id": "a", "acted_on": day, "action": "x"} | {k: v for k, v in row.items() if k == "status"}]
        ),
        "usage": pd.DataFrame(
            [{"account_id": "a", "used_on": day} | {k: v for k, v in row.items() if k == "quantity"}]
        ),
    }
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=date(2025, 1, 1))
    with (tables.connect_keyed if keyed else tables.connect)(budget=Budget(1, 0.5)) as connection:
        if keyed:
            tables.show_accounts(connection, *tables.account_keys(connection))
        assert connection.execute("SELECT status FROM raw.csm_actions").fetchall() == [(status,)]
        assert connection.execute("SELECT quantity FROM raw.usage").fetchall() == [(quantity,)]


def test_what_an_empty_cell_stands_for_is_said_in_the_contract_alone() -> None:
    blanks = {column.blank for table in contract.TABLES.values() for column in table if column.blank}
    for file in (ROOT / "features").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not [blank for blank in blanks if f", '{blank}')" in text or f"(quantity, {blank})" in text], file.name
