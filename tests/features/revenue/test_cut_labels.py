"""Labels in force at a date: the row of the attributes that counts then, and what stands for a missing one."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.revenue.cut_labels import group_labels, labels_in_force, usable_cuts
from features.tables.checked import Tables
from params import Budget

AS_OF = date(2026, 1, 1)
BUDGET = Budget(1, 1.0)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """Four accounts known at the date, one of them without a region, and one that becomes known later."""
    names = ["stays", "left", "back", "new", "late"]
    regions = ["North", "South", None, "North", "South"]
    valid_from = [None, None, None, None, pd.Timestamp(2026, 2, 1)]
    accounts = pd.DataFrame({"account_id": names, "region": regions, "valid_from": valid_from})
    lines = {"contract_id": names, "account_id": names, "starts_on": date(2025, 1, 1), "mrr": 10}
    frames = {"accounts": accounts, "contracts": pd.DataFrame(lines)}
    return tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=AS_OF)


def test_labels_are_those_in_force_and_missing_ones_are_named(tables: Tables) -> None:
    labels = labels_in_force(tables, AS_OF, ("region",), BUDGET)
    assert labels["region"].to_dict() == {"stays": "North", "left": "South", "back": "(none)", "new": "North"}


def test_labels_follow_the_order_asked_for(tables: Tables) -> None:
    labels = labels_in_force(tables, AS_OF, ("region",), BUDGET)
    asked = pd.Series(["new", "unknown", "left"])
    assert group_labels(labels, asked)["region"].tolist() == ["North", "(none)", "South"]


@pytest.mark.parametrize(
    ("asked", "present", "notes"),
    [
        (("region",), ("region",), ()),
        (("csm", "region", "size"), ("region",), ("No cut by csm, size: accounts has no such column.",)),
        ((), (), ()),
    ],
)
def test_cuts_that_accounts_lacks_are_named_once(
    tables: Tables, asked: tuple[str, ...], present: tuple[str, ...], notes: tuple[str, ...]
) -> None:
    assert usable_cuts(tables, asked) == (present, notes)


def test_a_cut_by_a_number_is_by_ranges_told_from_what_was_known(tmp_path: Path) -> None:
    """An account that becomes known later moves no edge; without settings of ranges the numbers stay."""
    sizes, later = [5, 20, 30, 700, 8000], 1_000_000
    names = [f"a{number}" for number in range(len(sizes))]
    known_from = [*([None] * len(sizes)), pd.Timestamp(2026, 2, 1)]
    accounts = {"account_id": [*names, "later"], "employees": [*sizes, later], "valid_from": known_from}
    lines = {"contract_id": names, "account_id": names, "starts_on": date(2025, 1, 1), "mrr": 10}
    frames = {"accounts": pd.DataFrame(accounts), "contracts": pd.DataFrame(lines)}
    numbers = {"accounts": ("employees",)}
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=AS_OF, numbers=numbers)

    def labels(*overrides: str) -> list[str]:
        ranges = params.load(None, ["forecast.cuts=[employees]", *overrides]).forecast
        return labels_in_force(tables, AS_OF, ("employees",), BUDGET, ranges)["employees"].tolist()

    assert labels("forecast.cut_bins=2") == ["under 30", "under 30", "30 or more", "30 or more", "30 or more"]
    edges = "forecast.cut_edges={employees: [10, 1000]}"
    assert labels(edges) == ["under 10", "10 to 999", "10 to 999", "10 to 999", "1,000 or more"]
    assert labels("forecast.cut_edges={employees: []}") == [str(size) for size in sizes]
    assert labels_in_force(tables, AS_OF, ("employees",), BUDGET)["employees"].tolist() == [str(s) for s in sizes]


def test_edges_of_what_is_no_cut_are_refused() -> None:
    with pytest.raises(params.SettingsError, match=r"cut_edges names employes, and cuts does not: name it in both"):
        params.load(None, ["forecast.cut_edges={employes: [1]}"])
