"""The age of urgent tickets as it was known, against cases by hand."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.kpis.open_tickets import URGENT_DAYS, urgent_ticket_days
from params import Budget

CASES = [  # account, opened, resolved, severity
    ("open", "2025-01-01", None, "high"),
    ("open", "2025-02-01", None, "critical"),
    ("closed", "2025-01-01", "2025-01-20", "high"),
    ("later", "2025-01-01", "2025-03-05", "high"),
    ("calm", "2025-01-01", None, "low"),
    ("tomorrow", "2025-03-01", None, "high"),
]


def tables(folder: Path, severity: bool = True) -> Any:
    ids = sorted({case[0] for case in CASES})
    tickets = pd.DataFrame(CASES, columns=["account_id", "opened_at", "resolved_at", "severity"])
    tickets[["opened_at", "resolved_at"]] = tickets[["opened_at", "resolved_at"]].apply(pd.to_datetime)
    contracts = pd.DataFrame(
        {"account_id": ids, "contract_id": ids, "starts_on": pd.Timestamp("2024-01-01"), "mrr": 1.0}
    )
    frames = {
        "accounts": pd.DataFrame({"account_id": ids}),
        "contracts": contracts,
        "tickets": tickets if severity else tickets.drop(columns="severity"),
    }
    return tables_from_frames(frames, folder / "tables.duckdb", data_until=date(2025, 4, 1))


@pytest.mark.usefixtures("costly")
def test_the_oldest_that_was_open_and_known_counts_and_a_solution_only_once_it_was_known(tmp_path: Path) -> None:
    found = urgent_ticket_days(tables(tmp_path), [date(2025, 3, 1), date(2025, 1, 15)], Budget(1, 0.5))
    rows = {(row.account_id, row.as_of.date().isoformat()): row[-1] for row in found.itertuples(index=False)}
    assert rows == {
        ("open", "2025-03-01"): 59, ("later", "2025-03-01"): 59,
        ("open", "2025-01-15"): 14, ("closed", "2025-01-15"): 14, ("later", "2025-01-15"): 14,
    }  # fmt: skip


@pytest.mark.usefixtures("costly")
def test_without_severities_nothing_is_urgent(tmp_path: Path) -> None:
    found = urgent_ticket_days(tables(tmp_path, severity=False), [date(2025, 3, 1)], Budget(1, 0.5))
    assert found.empty
    assert URGENT_DAYS in found.columns
