"""Who was there and what they did, as far as it is kept here."""

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.kpis.care_done import last_done, staff_gone, staff_hours
from features.tables.checked import Warehouse
from params import Budget

pytestmark = pytest.mark.usefixtures("costly")
DAY, SMALL = date(2025, 3, 1), Budget(1, 0.5)


def tables(folder: Path) -> Any:
    start = pd.Timestamp("2024-01-01")
    frames = {
        "accounts": pd.DataFrame({"account_id": ["a"]}),
        "contracts": pd.DataFrame({"account_id": ["a"], "contract_id": ["c"], "starts_on": start, "mrr": 1.0}),
        "people": pd.DataFrame(
            {
                "name": ["Ada", "Ben", "Cyd", "Dot"],
                "role": "csm",
                "hours_per_month": 80.0,
                "left_on": pd.to_datetime([None, "2025-03-01", "2025-03-02", "2024-06-01"]),
            }
        ),
        "csm_actions": pd.DataFrame(
            {"account_id": ["a"], "action": ["call"], "acted_on": [pd.Timestamp("2025-02-01")]}
        ),
    }
    return tables_from_frames(frames, folder / "tables.duckdb", data_until=date(2025, 4, 1))


def test_who_has_left_is_told_from_who_was_never_there(tmp_path: Path) -> None:
    here = tables(tmp_path)
    assert staff_gone(here, DAY, SMALL) == {"Ben", "Dot"}
    assert staff_hours(here, DAY, SMALL)["name"].tolist() == ["Ada", "Cyd"]


def test_actions_that_lie_in_a_warehouse_are_not_read(tmp_path: Path) -> None:
    here = tables(tmp_path)
    assert last_done(here, DAY, SMALL)["action"].tolist() == ["call"]
    warehouse = Warehouse("postgres", "postgresql://nowhere", {"csm_actions": "SELECT 1"}, {}, {})
    assert last_done(dataclasses.replace(here, warehouse=warehouse), DAY, SMALL).empty
