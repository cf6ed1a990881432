"""What the tables come to in money, by hand."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.traps import second_look
from features.traps.second_look import FILE

pytestmark = pytest.mark.usefixtures("costly")

LINES = """
    a 2023-01-10 -          100
    b 2023-01-10 2024-11-20 200
    c 2023-01-10 -          300
    c 2024-06-15 -           50
    d 2024-11-05 -          400
    e 2023-03-01 2024-12-10  10
    e 2024-12-20 -           20
"""


@pytest.fixture
def revenue(tmp_path: Path) -> dict[str, object]:
    rows = [line.split() for line in LINES.strip().splitlines()]
    contracts = pd.DataFrame(
        {
            "contract_id": [str(number) for number in range(len(rows))],
            "account_id": [row[0] for row in rows],
            "starts_on": [row[1] for row in rows],
            "ended_on": [None if row[2] == "-" else row[2] for row in rows],
            "mrr": [float(row[3]) for row in rows],
        }
    )
    accounts = pd.DataFrame({"account_id": list("abcde"), "name": ["Ann", "Bob", "Cy", "Dee", "Eve"]})
    frames = {"accounts": accounts, "contracts": contracts}
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=date(2025, 1, 1))
    chosen = params.load(None, [f"data_dir={tmp_path}", "threads=1"])
    look = second_look(tables, params=chosen)
    assert look.revenue is not None
    assert look == second_look(tables, params=chosen), "the same again, as it was kept"
    assert (tmp_path / FILE).exists()
    return dict(look.revenue)


def test_now(revenue: dict[str, object]) -> None:
    assert revenue["as_of"] == "2025-01-01"
    assert (revenue["accounts"], revenue["arr"]) == (4, 12 * (100 + 350 + 400 + 20))
    assert revenue["median_arr"] == 12 * (100 + 350) / 2
    assert revenue["largest"] == {"account_id": "d", "name": "Dee", "arr": 4_800.0, "share": 400 / 870}


def test_a_year_before(revenue: dict[str, object]) -> None:
    """Of a, b, c and e: b left, c took more, and e came back within the grace with more."""
    assert (revenue["accounts_12m_ago"], revenue["arr_12m_ago"]) == (4, 12 * 610)
    assert revenue["nrr_12m"] == 470 / 610
    assert revenue["grr_12m"] == 410 / 610
    assert (revenue["logo_retention_12m"], revenue["churned_accounts_12m"]) == (0.75, 1)
    assert "from 2024-01-01 to 2025-01-01" in str(revenue["definition"])


def test_month_by_month(revenue: dict[str, object]) -> None:
    months = {month["month"]: month for month in revenue["months"]}  # type: ignore[attr-defined]
    assert len(months) == 24
    assert list(months)[-1] == "2025-01-01"
    december = {
        "accounts": 4,
        "arr": 12 * 860.0,
        "new": 1,
        "returned": 0,
        "churned": 1,
        "new_arr": 4_800.0,
        "churned_arr": 2_400.0,
    }
    assert months["2024-12-01"] == {"month": "2024-12-01", **december}
    for month, following in zip(list(months.values())[:-1], list(months.values())[1:], strict=True):
        moved = following["new"] + following["returned"] - following["churned"]
        assert following["accounts"] == month["accounts"] + moved


def test_a_year_that_was_not_there(tmp_path: Path) -> None:
    contracts = pd.DataFrame({"contract_id": ["1"], "account_id": ["a"], "starts_on": ["2024-10-05"], "mrr": [5.0]})
    frames = {"accounts": pd.DataFrame({"account_id": ["a"]}), "contracts": contracts}
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=date(2025, 1, 1))
    revenue = second_look(tables, params=params.load(None, [f"data_dir={tmp_path}"])).revenue
    assert revenue is not None
    assert [revenue[name] for name in ("nrr_12m", "grr_12m", "logo_retention_12m", "arr_12m_ago")] == [None] * 4
    assert [month["accounts"] for month in revenue["months"]] == [0, 1, 1, 1]
