"""Monthly movements of dbt's mrr-playbook, reproduced through the contract tables by the product's own arithmetic.

The playbook lists 121 subscription periods and, month by month, what its SQL makes of them. A period is a contract
line `[start_date, end_date)` in a world without grace, a month's MRR is that of its first day, and the expected table
has a row for each month of a customer from the first with MRR to the one after the last. Its calendar of months (the
"spine") starts on 2017-01-01 or, as upstream ships it, on 2018-01-01: that one has no month of customers 2, 3 and 4,
who came and left in 2017, and so drops them. Months before the spine are left out here in the same way.
"""

import os
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import params
from features import revenue
from features.inputs.frames import tables_from_frames
from features.tables.checked import Tables
from params import Budget

OUTSIDE = Path(os.environ.get("HOLDFAST_OUTSIDE_DATA", Path(__file__).resolve().parents[3].parent / "shared" / "data"))
PLAYBOOK = OUTSIDE / "mrr_playbook"
RULES = params.load().revenue.model_copy(update={"grace_days": 0})
ENGINE = {"rules": RULES, "known_by": date(2020, 6, 1), "budget": Budget(1, 0.5)}
THEIRS = {
    "new": "new",
    "reactivation": "reactivation",
    "churn": "churn",
}  # whatever else changes, its sign says whether they call it an upgrade or a downgrade

pytestmark = [
    pytest.mark.usefixtures("costly"),
    pytest.mark.outside,
    pytest.mark.skipif(not PLAYBOOK.is_dir(), reason=f"no outside data in {PLAYBOOK} (set HOLDFAST_OUTSIDE_DATA)"),
]


MONTHS = [month.date() for month in pd.date_range("2017-07-01", "2020-03-01", freq="MS")]


def stored(end_column: str, folder: Path) -> Tables:
    """The periods as contract lines, their end in one of the contract's two columns for it."""
    periods = pd.read_csv(PLAYBOOK / "subscription_periods.csv", dtype=str)
    names = {"subscription_id": "contract_id", "customer_id": "account_id", "start_date": "starts_on"}
    lines = periods.rename(columns=names | {"end_date": end_column, "monthly_amount": "mrr"})
    frames = {"accounts": lines[["account_id"]].drop_duplicates(), "contracts": lines}
    return tables_from_frames(frames, folder / f"{end_column}.duckdb", data_until=date(2020, 6, 1))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """MRR and its movement, a row a customer and month of `MONTHS`."""
    tables = stored("ends_on", tmp_path_factory.mktemp("playbook"))
    arr = revenue.arr_by_account(tables, MONTHS, **ENGINE)  # type: ignore[arg-type]
    months = pd.Index(pd.to_datetime(pd.Series(MONTHS)), name="instant")
    wide = arr.pivot(index="instant", columns="account_id", values="arr").reindex(months).fillna(0.0)
    mrr = (wide / 12).stack().rename("mrr").reset_index()
    mrr["prev_mrr"] = mrr.groupby("account_id")["mrr"].shift(fill_value=0.0)
    return mrr.merge(monthly_movements(tables), on=["instant", "account_id"], how="left")


def monthly_movements(tables: Tables) -> pd.DataFrame:
    """Each month's movements against the month before, at most one a customer and month."""
    parts = []
    for start, end in pairwise(MONTHS):
        moved = revenue.movements(tables, start=start, end=end, **ENGINE)  # type: ignore[arg-type]
        parts.append(moved.assign(instant=pd.Timestamp(end)))
    moved = pd.concat(parts)
    assert not moved.duplicated(["instant", "account_id"]).any()
    by_sign = pd.Series(np.where(moved["amount"] > 0, "upgrade", "downgrade"), index=moved.index)
    named = moved.assign(change_category=moved["movement"].map(THEIRS).fillna(by_sign), mrr_change=moved["amount"] / 12)
    return named[["instant", "account_id", "change_category", "mrr_change"]]


@pytest.mark.parametrize("spine", ["2017-01-01", "2018-01-01"])
def test_every_row_of_the_playbook_is_reproduced(history: pd.DataFrame, spine: str) -> None:
    expected = pd.read_csv(PLAYBOOK / f"expected_mrr_movements_spine_{spine}.csv", dtype={"customer_id": str})
    ours = sorted_rows(playbook_rows(history[history["instant"] >= spine]))
    pd.testing.assert_frame_equal(ours, sorted_rows(expected), check_dtype=False, check_exact=True)


def test_scheduled_and_explicit_ends_are_the_same_where_there_is_no_grace(tmp_path: Path) -> None:
    scheduled, explicit = (
        revenue.arr_by_account(stored(column, tmp_path), MONTHS, **ENGINE)  # type: ignore[arg-type]
        for column in ("ends_on", "ended_on")
    )
    pd.testing.assert_frame_equal(scheduled, explicit)


def sorted_rows(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.fillna({"change_category": ""}).sort_values(["customer_id", "date_month"], ignore_index=True)


def playbook_rows(history: pd.DataFrame) -> pd.DataFrame:
    """The playbook's columns; what is renewed is the MRR of the month before less what was lost of it."""
    rows = history[in_life(history)]
    lost = rows["mrr_change"].where(rows["change_category"].isin(["downgrade", "churn"]), 0.0)
    return pd.DataFrame(
        {
            "date_month": rows["instant"].dt.strftime("%Y-%m-%d"),
            "customer_id": rows["account_id"],
            "mrr": rows["mrr"],
            "prev_mrr": rows["prev_mrr"],
            "mrr_change": rows["mrr_change"].fillna(0.0),
            "change_category": rows["change_category"],
            "renewal_amount": rows["prev_mrr"] + lost,
        }
    )


def in_life(history: pd.DataFrame) -> "pd.Series[bool]":
    """Months from a customer's first with MRR to the one after its last."""
    active = (history["mrr"] > 0) | (history["prev_mrr"] > 0)
    so_far = active.groupby(history["account_id"]).cummax()
    from_here = active[::-1].groupby(history["account_id"][::-1]).cummax()
    return so_far & from_here
