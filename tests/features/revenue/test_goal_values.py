"""The success plan as known at a date: the newest row of each goal, and nothing that was not known yet."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from features.inputs.frames import tables_from_frames
from features.revenue.goal_values import COLUMNS, goal_values
from params import Budget

BUDGET = Budget(threads=1, memory_gb=1)
LINE = {"account_id": "a", "starts_on": date(2024, 1, 1), "ends_on": None, "mrr": 100.0}
GOAL = {
    "account_id": "a", "goal": "fewer hours", "set_on": date(2025, 1, 10), "due_on": date(2025, 12, 1),
    "achieved_on": date(2025, 9, 1), "metric": "hours", "unit": "hours", "baseline_value": 40.0, "target_value": 20.0,
    "current_value": 25.0, "updated_on": date(2025, 6, 1), "milestone_of": None, "owner_side": None,
}  # fmt: skip


def plan(folder: Path, rows: list[dict[str, Any]], day: date) -> list[dict[str, Any]]:
    frames = {
        "accounts": pd.DataFrame({"account_id": ["a"]}),
        "contracts": pd.DataFrame([LINE]),
        "goals": pd.DataFrame(rows),
    }
    tables = tables_from_frames(frames, folder / "tables.duckdb", data_until=date(2026, 1, 1))
    frame = goal_values(tables, as_of=day, budget=BUDGET)
    assert list(frame.columns) == list(COLUMNS)
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in records]


def test_each_figure_counts_from_the_day_it_was_known(tmp_path: Path) -> None:
    assert plan(tmp_path, [GOAL], date(2025, 1, 10)) == []
    (early,) = plan(tmp_path, [GOAL], date(2025, 3, 1))
    assert (early["baseline_value"], early["target_value"], early["current_value"]) == (40.0, 20.0, None)
    assert early["reached_on"] is None
    (later,) = plan(tmp_path, [GOAL], date(2025, 7, 1))
    assert (later["current_value"], later["measured_on"]) == (25.0, pd.Timestamp("2025-06-01"))
    assert later["reached_on"] is None
    (last,) = plan(tmp_path, [GOAL], date(2025, 10, 1))
    assert last["reached_on"] == pd.Timestamp("2025-09-01")


def test_of_several_rows_of_a_goal_the_newest_counts(tmp_path: Path) -> None:
    again = GOAL | {"current_value": 22.0, "updated_on": date(2025, 8, 1), "achieved_on": None}
    (row,) = plan(tmp_path, [GOAL | {"achieved_on": None}, again], date(2025, 10, 1))
    assert (row["current_value"], row["reached_on"]) == (22.0, None)


def test_tasks_name_their_goal_and_side(tmp_path: Path) -> None:
    task = {"account_id": "a", "goal": "name users", "set_on": date(2025, 1, 10), "due_on": date(2025, 2, 1),
            "milestone_of": "fewer hours", "owner_side": "customer"}  # fmt: skip
    rows = plan(tmp_path, [GOAL, task], date(2025, 10, 1))
    assert [(row["goal"], row["milestone_of"], row["owner_side"]) for row in rows] == [
        ("name users", "fewer hours", "customer"),
        ("fewer hours", None, None),
    ]


def test_a_goal_that_is_set_anew_is_open_again(tmp_path: Path) -> None:
    again = GOAL | {"set_on": date(2025, 11, 1), "due_on": date(2026, 12, 1), "achieved_on": None, "updated_on": None}
    (row,) = plan(tmp_path, [GOAL, again | {"current_value": None}], date(2025, 12, 1))
    assert (row["set_on"], row["due_on"]) == (pd.Timestamp("2025-11-01"), pd.Timestamp("2026-12-01"))
    assert (row["reached_on"], row["current_value"], row["measured_on"]) == (None, None, None)


def test_goals_may_have_steps_of_the_same_name(tmp_path: Path) -> None:
    other = GOAL | {"goal": "more reports", "achieved_on": None}
    step = {"account_id": "a", "goal": "kick-off held", "set_on": date(2025, 1, 10), "due_on": date(2025, 2, 1)}
    first = step | {"milestone_of": "fewer hours", "achieved_on": date(2025, 1, 20)}
    rows = plan(tmp_path, [GOAL, other, first, step | {"milestone_of": "more reports"}], date(2025, 3, 1))
    reached = {row["milestone_of"]: row["reached_on"] for row in rows if row["goal"] == "kick-off held"}
    assert reached == {"fewer hours": pd.Timestamp("2025-01-20"), "more reports": None}
