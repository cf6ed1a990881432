"""What was done around each snapshot: in the month after, and before it by what was known then."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from features.actions.action_windows import action_windows, kinds_of, require_actions
from features.inputs.frames import tables_from_frames
from features.tables.checked import Tables
from features.tables.problems import BadInput
from params import Budget

pytestmark = pytest.mark.usefixtures("costly")
BUDGET = Budget(1, 0.5)
MARCH, APRIL = date(2025, 3, 1), date(2025, 4, 1)
ACTIONS = [  # action, day, status, recorded
    ("QBR", "2025-02-20", "done", "2025-02-20"),
    ("QBR", "2025-02-25", "done", "2025-03-10"),  # not known on the 1st of March
    ("qbr ", "2025-03-01", "done", "2025-03-01"),
    ("QBR", "2025-03-30", "done", "2025-03-30"),
    ("QBR", "2025-03-31", "done", "2025-03-31"),  # day 30: after the window
    ("QBR", "2024-02-29", "done", "2024-02-29"),  # more than a year before
    ("Training", "2025-03-05", "missed", "2025-03-05"),
    ("Training", "2025-02-05", "missed", "2025-02-05"),
    ("Training", "2025-04-05", "planned", "2025-04-05"),
    ("Training", "2025-04-09", "done", "2025-06-30"),  # not known when it is asked
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    start = pd.Timestamp("2024-01-01")
    contracts = {"contract_id": ["c"], "account_id": ["a"], "starts_on": [start], "mrr": [100.0]}
    rows = pd.DataFrame(ACTIONS, columns=["action", "acted_on", "status", "recorded_at"]).assign(account_id="a")
    rows[["acted_on", "recorded_at"]] = rows[["acted_on", "recorded_at"]].apply(pd.to_datetime)
    frames = {
        "accounts": pd.DataFrame({"account_id": ["a"]}),
        "contracts": pd.DataFrame(contracts),
        "csm_actions": rows,
    }
    return tables_from_frames(frames, tmp_path_factory.mktemp("t") / "tables.duckdb", data_until=date(2025, 7, 1))


def windows(tables: Tables, *, known_by: date = date(2025, 6, 1)) -> pd.DataFrame:
    rows = action_windows(tables, [MARCH, APRIL], level="action", known_by=known_by, budget=BUDGET)
    return rows.set_index([rows["as_of"].dt.date, "kind"])


def test_the_window_is_thirty_days_from_the_month_start_on(tables: Tables) -> None:
    rows = windows(tables)
    assert rows.loc[(MARCH, "qbr"), "done"] == 2
    assert rows.loc[(MARCH, "qbr"), "first_day"] == 0
    assert rows.loc[(MARCH, "training"), ["done", "missed"]].tolist() == [0, 1]


def test_what_is_before_counts_as_it_was_known_then(tables: Tables) -> None:
    rows = windows(tables)
    assert rows.loc[(MARCH, "qbr"), ["before_30", "before_90", "before_365"]].tolist() == [1, 1, 1]
    assert rows.loc[(APRIL, "qbr"), ["before_30", "before_90", "before_365"]].tolist() == [2, 5, 5]
    assert rows.loc[(MARCH, "training"), "missed_before"] == 1


def test_what_is_not_known_when_it_is_asked_was_not_done(tables: Tables) -> None:
    assert windows(tables).loc[(APRIL, "training"), "done"] == 0
    assert windows(tables, known_by=date(2025, 7, 1)).loc[(APRIL, "training"), "done"] == 1


def test_kinds_are_told_apart_by_what_they_say_not_by_how_it_is_written(tables: Tables) -> None:
    assert kinds_of(tables, "action", BUDGET) == {"qbr": "QBR", "training": "Training"}
    assert kinds_of(tables, "playbook", BUDGET) == {}


def test_without_the_table_it_is_said(tmp_path: Path) -> None:
    start = pd.Timestamp("2024-01-01")
    contracts = {"contract_id": ["c"], "account_id": ["a"], "starts_on": [start], "mrr": [100.0]}
    frames = {"accounts": pd.DataFrame({"account_id": ["a"]}), "contracts": pd.DataFrame(contracts)}
    bare = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=date(2025, 7, 1))
    with pytest.raises(BadInput, match=r"csm_actions.*there is no such table"):
        require_actions(bare)
