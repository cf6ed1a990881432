"""Why revenue was lost: who left by the lines, the reason written down, what showed before, and what cannot be told."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.kpis.customers.losses import lost_accounts
from features.tables.checked import Tables
from params import Params
from serving.forecast.declared.customer_tables import LOSS
from serving.forecast.refusals import BadRequest
from serving.kpis.kpi_files import write_rows
from serving.kpis.loss_report import agreement, by_cause, loss_report, of_department

AS_OF = date(2026, 1, 1)


def frames() -> dict[str, pd.DataFrame]:
    """Four accounts: a left for the price, b for no reason told, c is there still, d left before the window."""
    lines = [
        ("1", "a", "core", "2024-01-01", "2025-03-01", 100.0),
        ("2", "a", "more", "2024-01-01", "2025-01-01", 40.0),
        ("3", "b", "core", "2024-01-01", "2025-08-01", 10.0),
        ("4", "c", "core", "2024-01-01", None, 70.0),
        ("5", "d", "core", "2023-01-01", "2023-06-01", 70.0),
    ]
    contracts = pd.DataFrame(lines, columns=["contract_id", "account_id", "product", "starts_on", "ended_on", "mrr"])
    events = [
        ("a", "2025-03-09", "price", "Sales", "2025-03-10"),
        ("a", "2024-10-01", "value", "Product", "2024-10-02"),  # too far from the day that the lines say
        ("b", "2025-08-03", "product", "Product", "2026-02-01"),  # nobody knew of it then
        ("c", "2025-05-01", "fit", "Sales", "2025-05-02"),  # is a customer
    ]
    written = pd.DataFrame(events, columns=["account_id", "left_on", "cause", "owner_department", "recorded_at"])
    return {
        "accounts": pd.DataFrame({"account_id": list("abcd"), "name": ["Ay", "Be", "Ce", "De"], "csm": "Ada"}),
        "contracts": contracts,
        "churn_events": written,
    }


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return tables_from_frames(frames(), tmp_path / "tables.duckdb", data_until=AS_OF)


@pytest.fixture
def settings(tmp_path: Path) -> Params:
    return params.load(overrides=["threads=1", f"data_dir={tmp_path}"])


def test_who_left_is_what_the_lines_say_and_why_what_was_known_by_then(tables: Tables, settings: Params) -> None:
    lost = lost_accounts(
        tables,
        since=date(2024, 1, 1),
        as_of=AS_OF,
        within_days=92,
        rules=settings.revenue,
        budget=settings.budget,
    )
    assert lost["left_on"].dt.strftime("%Y-%m-%d").to_dict() == {"a": "2025-03-01", "b": "2025-08-01"}
    assert lost["arr"].to_dict() == {"a": 1200.0, "b": 120.0}, "the line that ended before was lost before"
    assert lost["cause"].where(lost["cause"].notna(), "").to_dict() == {"a": "price", "b": ""}


def test_losses_add_up_by_cause_and_quarter(tables: Tables, settings: Params) -> None:
    report = loss_report(tables, as_of=AS_OF, params=settings)
    told = report.to_json()
    assert (told["accounts"], told["arr_lost"], told["unknown_share"]) == (2, 1320.0, 120 / 1320)
    rows = {(row["cause"], row["quarter"]): row["arr_lost"] for row in told["rows"]}
    assert rows == {
        ("price", "all"): 1200.0, ("unknown", "all"): 120.0, ("price", "2025-Q1"): 1200.0, ("unknown", "2025-Q3"): 120.0
    }  # fmt: skip
    assert [row["name"] for row in told["events"]] == ["Ay", "Be"]
    sales = report.to_json("sales")
    assert [row["account_id"] for row in sales["events"]] == ["a"]
    with pytest.raises(BadRequest, match=r"--department legal: no loss is owned by it\. The owners are Sales"):
        report.to_json("legal")
    with pytest.raises(BadRequest, match="--as-of 2026-03-01 lies after 2026-01-01"):
        loss_report(tables, as_of=date(2026, 3, 1), params=settings)


def test_a_company_that_writes_nothing_down_still_has_its_losses(tmp_path: Path, settings: Params) -> None:
    bare = {name: frame for name, frame in frames().items() if name != "churn_events"}
    tables = tables_from_frames(bare, tmp_path / "bare.duckdb", data_until=AS_OF)
    told = loss_report(tables, as_of=AS_OF, params=settings).to_json()
    assert (told["unknown_share"], told["departments"]) == (1.0, [])


def event(cause: str, showed: list[str] | None, arr: float = 10.0) -> dict[str, Any]:
    return {"cause": cause, "quarter": "2025-Q1", "arr": arr, "showed": showed, "owner_department": ""}


def test_reasons_are_held_against_what_showed() -> None:
    events = [
        *[event("fit", ["fit"])] * 8, *[event("fit", [])] * 2, *[event("price", ["fit"])] * 1,
        *[event("price", [])] * 9, event("unknown", ["fit"]), event("fit", None),
    ]  # fmt: skip
    (row,) = agreement(events, ["fit"])
    assert (row["n"], row["showed"], row["n_others"], row["others_showed"]) == (10, 0.8, 10, 0.1)
    assert row["difference"] == pytest.approx(0.7)
    assert 0 < row["low"] < row["difference"] < row["high"] <= 1
    assert list(agreement(events, ["value"])) == [], "nobody left for it"
    assert list(by_cause([])) == []
    assert list(of_department([], None)) == []


def test_the_accounts_are_written_with_what_the_columns_mean(tmp_path: Path, tables: Tables, settings: Params) -> None:
    told = loss_report(tables, as_of=AS_OF, params=settings).to_json()
    for suffix in ("csv", "parquet", "xlsx"):
        write_rows(told["events"], LOSS, tmp_path / f"losses.{suffix}", told["definition"])
    rows = pd.read_parquet(tmp_path / "losses.parquet")
    assert rows[["account_id", "arr", "cause"]].values.tolist() == [["a", 1200.0, "price"], ["b", 120.0, "unknown"]]
    assert "Be" in (tmp_path / "losses.csv").read_text()


@pytest.mark.usefixtures("costly")
def test_causes_that_show_before_are_seen_in_the_simulated_company(
    team_tables: Tables, team_params: Params, raw_rows: Callable[[str], pd.DataFrame]
) -> None:
    report = loss_report(team_tables, as_of=AS_OF, params=team_params, months=24)
    told = {row["cause"]: row for row in report.to_json()["agreement"]}
    assert told["fit"]["showed"] == 1.0, "fit is rated at signing, and says so"
    assert told["stakeholder"]["showed"] > told["stakeholder"]["others_showed"]
    written = raw_rows("churn_events").set_index("account_id")["cause"].fillna("unknown")
    for row in report.events:
        assert row["cause"] == written[row["account_id"]]
