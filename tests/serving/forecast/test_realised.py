"""What the roll-up is given beside predictions, on contracts small enough to add up by hand. Grace 30 days."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.tables.checked import Tables
from params import Budget, load
from serving.forecast.realised import due_by_month, realised

pytestmark = pytest.mark.usefixtures("costly")

AS_OF = date(2026, 1, 1)
RULES = load().revenue
BUDGET = Budget(1, 1.0)

# account, line, starts, ends, ended early, MRR
LINES = [
    ("stays", "s1", date(2024, 4, 1), date(2025, 4, 1), None, 100),
    ("stays", "s2", date(2025, 4, 1), date(2026, 4, 1), None, 150),
    ("left", "l1", date(2024, 7, 1), date(2026, 7, 1), date(2025, 10, 1), 200),
    ("back", "b1", date(2024, 7, 1), date(2026, 7, 1), date(2025, 5, 1), 50),
    ("back", "b2", date(2025, 9, 1), date(2026, 9, 1), None, 50),
    ("new", "n1", date(2025, 11, 15), None, None, 10),
]


def contracts() -> pd.DataFrame:
    names = ("account_id", "contract_id", "starts_on", "ends_on", "ended_on", "mrr")
    return pd.DataFrame([dict(zip(names, line, strict=True)) for line in LINES])


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    accounts = pd.DataFrame(
        {
            "account_id": ["stays", "left", "back", "new", "late"],
            "region": ["North", "South", None, "North", "South"],
            "valid_from": [None, None, None, None, pd.Timestamp(2026, 2, 1)],
        }
    )
    frames = {"accounts": accounts, "contracts": contracts()}
    return tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=AS_OF)


def customers(*arr_of: tuple[str, float]) -> pd.DataFrame:
    return pd.DataFrame(arr_of, columns=["account_id", "arr"])


NOW = customers(("back", 600.0), ("new", 120.0), ("stays", 1800.0))


def test_past_cohorts_split_into_customers_of_today_and_the_lost(tables: Tables) -> None:
    """Column h - 1 is ARR on as_of + h - 12 months: 2025-02-01 for h = 1, 2025-12-01 for h = 11."""
    found = realised(tables, NOW, as_of=AS_OF, months=12, rules=RULES, budget=BUDGET)
    back, new, stays = found.cohort_arr
    assert stays.tolist() == [1200.0] * 2 + [1800.0] * 10
    assert new.tolist() == [0.0] * 10 + [120.0] * 2
    assert back.tolist() == [0.0] * 7 + [600.0] * 5, "before its break it counts as lost; from 2025-09-01 as a customer"
    lost = {(row.account_id, row.month): row.arr for row in found.lost.itertuples()}
    assert lost == {("back", h): 600.0 for h in (1, 2, 3)} | {("left", h): 2400.0 for h in range(1, 9)}


def test_with_returns_included_a_returned_account_is_a_customer(tables: Tables) -> None:
    rules = RULES.model_copy(update={"reactivation": "include"})
    found = realised(tables, NOW, as_of=AS_OF, months=3, rules=rules, budget=BUDGET)
    assert found.cohort_arr[0].tolist() == [600.0] * 3
    assert set(found.lost["account_id"]) == {"left"}


@pytest.mark.parametrize("months", [1, 12, 18])
def test_months_beyond_twelve_have_nothing_realised(tables: Tables, months: int) -> None:
    found = realised(tables, NOW, as_of=AS_OF, months=months, rules=RULES, budget=BUDGET)
    assert found.cohort_arr.shape == (3, months)
    assert not found.cohort_arr[:, 12:].any()
    assert found.lost["month"].max() <= months


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (date(2026, 1, 1), {("stays", 3): 1800.0, ("back", 8): 600.0}),
        (date(2026, 4, 1), {("stays", 0): 1800.0, ("back", 5): 600.0}),
        (date(2026, 4, 2), {("back", 5): 600.0}),
        (date(2025, 4, 10), {("stays", 12): 1800.0}),  # the last part of a month, up to 2026-04-10
        (date(2025, 3, 31), {("stays", 1): 1200.0}),  # ends 2026-03-31
    ],
)
def test_arr_is_due_in_the_month_its_term_ends(
    tables: Tables, as_of: date, expected: dict[tuple[str, int], float]
) -> None:
    """Terms end on 2026-04-01 and 2026-09-01; an end on the first day of the window counts, one before it does not."""
    due = due_by_month(tables, NOW, as_of=as_of, months=12, rules=RULES, budget=BUDGET)
    found: dict[Any, float] = {(NOW["account_id"][i], int(j)): due[i, j] for i, j in zip(*np.nonzero(due), strict=True)}
    assert found == expected
