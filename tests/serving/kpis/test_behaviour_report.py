"""Behaviours and the ideal customer of a simulated company: point-in-time, against pandas, and what cannot be said."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.kpis.behaviours import young_use
from features.kpis.signing import closed_accounts, value_fits
from features.tables.checked import Tables
from features.tables.problems import BadInput
from params import Params
from serving.kpis.behaviour_report import behaviour_report, icp_report

pytestmark = pytest.mark.usefixtures("costly")

AS_OF = date(2026, 1, 1)


def test_users_by_an_age_are_those_known_at_that_age(
    team_tables: Tables, team_params: Params, raw_rows: Callable[[str], pd.DataFrame]
) -> None:
    rules = {"rules": team_params.revenue, "budget": team_params.budget}
    accounts, users = young_use(team_tables, as_of=AS_OF, **rules)
    usage = raw_rows("usage").merge(accounts["began"], left_on="account_id", right_index=True)
    days = [(usage[name] - pd.Timestamp(0)).dt.days - usage["began"] for name in ("used_on", "recorded_at")]
    happened, recorded = days[0], days[1].fillna(days[0])
    for by_day in (30, 90):
        young = usage[(happened >= 0) & (happened < by_day) & (recorded < by_day) & (usage["quantity"] > 0)]
        expected = young.groupby(["account_id", "feature"])["user_id"].nunique()
        told = users[users["by_day"] == by_day].set_index(["account_id", "feature"])["users"]
        assert told.to_dict() == expected.to_dict()


def test_behaviours_are_told_by_segment_and_say_that_they_cause_nothing(
    team_tables: Tables, team_params: Params
) -> None:
    report = behaviour_report(team_tables, as_of=AS_OF, params=team_params)
    needed = {"behaviour", "segment", "by_day", "kept_above", "kept_below", "n", "low", "high", "confirmed"}
    for row in report["rows"]:
        assert needed <= set(row)
        assert row["says"] == "goes with, not causes"


def test_the_ideal_customer_is_of_closed_accounts_only(team_tables: Tables, team_params: Params) -> None:
    report = icp_report(team_tables, as_of=AS_OF, params=team_params)
    assert (report["rows"], report["note"]) == (
        [], f"Too few: {report['accounts']} accounts have had their first year, 100 are needed."
    )  # fmt: skip


def test_a_value_that_keeps_less_is_bad_and_others_are_stretch(team_params: Params) -> None:
    rng = np.random.default_rng(3)
    industry = rng.choice(["one", "two", "three", "four"], 800)
    region = rng.choice(["x", "y"], 800)
    customer = rng.random(800) < np.where(industry == "one", 0.6, 0.9)
    closed = pd.DataFrame({
        "cohort": rng.choice(["2023-Q1", "2023-Q2", "2024-Q1", "2024-Q2"], 800), "starting_arr": 100.0,
        "arr": np.where(customer, 110.0, 0.0), "customer": customer, "industry": industry, "region": region,
    })  # fmt: skip
    fits = {(fit.attribute, fit.value): fit for fit in value_fits(closed, team_params.forecast)}
    one = fits["industry", "one"]
    here = closed[closed["industry"] == "one"]
    assert one.proposed_fit == "bad"
    assert (one.n, one.grr, one.nrr) == (
        len(here), pytest.approx(here["customer"].mean()), pytest.approx(1.1 * here["customer"].mean())
    )  # fmt: skip
    assert one.low < one.grr < one.high
    assert {fits["region", value].proposed_fit for value in "xy"} == {"stretch"}


def test_what_was_known_at_signing_is_the_first_row_of_an_account(team_params: Params, tmp_path: Path) -> None:
    contracts = pd.DataFrame(
        {"contract_id": ["c"], "account_id": ["a"], "product": ["p"], "starts_on": ["2024-01-01"], "mrr": [10.0]}
    )
    accounts = pd.DataFrame({
        "account_id": ["a", "a"], "region": ["first", "later"],
        "valid_from": pd.to_datetime(["2024-01-01", "2024-09-01"]),
    })  # fmt: skip
    frames = {"accounts": accounts, "contracts": contracts}
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=AS_OF)
    closed = closed_accounts(tables, as_of=AS_OF, rules=team_params.revenue, budget=team_params.budget)
    assert closed["region"].tolist() == ["first"]
    with pytest.raises(BadInput, match="usage: has no feature or no user_id"):
        behaviour_report(tables, as_of=AS_OF, params=team_params)
