"""What accounts paid in their first time as customers, by hand."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.kpis.lifetimes import YEAR_DAYS, customer_spells
from features.tables.checked import Tables
from params import load

DAY = pd.Timestamp("1970-01-01")
LINES = [  # account, starts, ends, MRR
    ("back", "2024-01-01", "2024-03-01", 2000.0),
    ("back", "2024-06-01", None, 2000.0),
    ("stays", "2024-01-01", "2024-07-01", 1000.0),
    ("stays", "2024-07-01", None, 3000.0),
]


def tables(folder: Path) -> Tables:
    lines = pd.DataFrame(LINES, columns=["account_id", "starts_on", "ends_on", "mrr"])
    lines[["starts_on", "ends_on"]] = lines[["starts_on", "ends_on"]].apply(pd.to_datetime)
    lines["contract_id"] = [f"c{place}" for place in range(len(lines))]
    frames = {"accounts": pd.DataFrame({"account_id": ["back", "stays"]}), "contracts": lines}
    return tables_from_frames(frames, folder / "tables.duckdb", data_until=date(2025, 1, 1))


@pytest.mark.usefixtures("costly")
def test_what_an_account_paid_after_it_came_back_is_not_of_its_first_time(tmp_path: Path) -> None:
    params = load(overrides=["revenue.grace_days=0"])
    as_of = date(2024, 12, 31)
    spells = customer_spells(tables(tmp_path), as_of=as_of, rules=params.revenue, budget=params.budget)
    assert DAY + pd.Timedelta(days=int(spells.loc["back", "until"])) == pd.Timestamp("2024-03-01")
    paid = {"back": 60 * 24_000, "stays": 182 * 12_000 + 183 * 36_000}
    for account, days_of_arr in paid.items():
        assert spells.loc[account, "paid"] == pytest.approx(days_of_arr / YEAR_DAYS)
