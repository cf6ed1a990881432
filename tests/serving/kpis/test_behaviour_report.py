"""Behaviours and the ideal customer of a simulated company: point-in-time, against pandas, and what cannot be said."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from features.kpis.behaviours import BY_DAYS, CONTENT, USE, Doing, young_accounts, young_use
from features.kpis.signing import closed, signed_accounts, value_fits
from features.tables.checked import Tables
from features.tables.problems import BadInput
from params import Params
from serving.kpis.behaviour_report import behaviour_report
from serving.kpis.ideal_customer import icp_report, sold

pytestmark = pytest.mark.usefixtures("costly")

AS_OF = date(2026, 1, 1)


def test_users_by_an_age_are_those_known_at_that_age(
    team_tables: Tables, team_params: Params, raw_rows: Callable[[str], pd.DataFrame]
) -> None:
    rules = {"rules": team_params.revenue, "budget": team_params.budget}
    accounts = young_accounts(team_tables, as_of=AS_OF, **rules)
    users = young_use(team_tables, accounts, USE, as_of=AS_OF, budget=team_params.budget)
    usage = raw_rows("usage").merge(accounts["began"], left_on="account_id", right_index=True)
    days = [(usage[name] - pd.Timestamp(0)).dt.days - usage["began"] for name in ("used_on", "recorded_at")]
    happened, recorded = days[0], days[1].fillna(days[0])
    for by_day in (30, 90):
        young = usage[(happened >= 0) & (happened < by_day) & (recorded < by_day) & (usage["quantity"] > 0)]
        expected = young.groupby(["account_id", "feature"])["user_id"].nunique()
        told = users[users["by_day"] == by_day].set_index(["account_id", "feature"])["users"]
        assert told.to_dict() == expected.to_dict()
    first = raw_rows("usage").groupby("feature")["used_on"].min()
    days = users.groupby("feature")["first_day"].agg(["min", "max"])
    assert (days["min"] == days["max"]).all()
    assert {name: pd.Timestamp(int(day), unit="D") for name, day in days["min"].items()} == first.to_dict()


def test_content_is_of_people_by_course_article_or_event(
    team_tables: Tables, team_params: Params, raw_rows: Callable[[str], pd.DataFrame]
) -> None:
    rules = {"rules": team_params.revenue, "budget": team_params.budget}
    accounts = young_accounts(team_tables, as_of=AS_OF, **rules)
    people = young_use(team_tables, accounts, CONTENT, as_of=AS_OF, budget=team_params.budget)
    rows = raw_rows("engagement").merge(accounts["began"], left_on="account_id", right_index=True)
    rows = rows[rows["item"].notna() & rows["contact_id"].notna()]
    age = (rows["happened_on"] - pd.Timestamp(0)).dt.days - rows["began"]
    day = max(BY_DAYS)
    expected = rows[(age >= 0) & (age < day)].groupby(["account_id", "item"])["contact_id"].nunique()
    told = people[people["by_day"] == day].set_index(["account_id", "feature"])["users"]
    assert told.to_dict() == expected.to_dict()


@pytest.mark.parametrize(
    ("doing", "people", "words"), [(USE, 1, "1 user of x"), (USE, 3, "3 users of x"), (CONTENT, 2, "2 people at x")]
)
def test_a_behaviour_is_told_in_words(doing: Doing, people: int, words: str) -> None:
    assert doing.words(people, "x") == words


def test_behaviours_are_told_by_segment_and_say_that_they_cause_nothing(
    team_tables: Tables, team_params: Params
) -> None:
    report = behaviour_report(team_tables, as_of=AS_OF, params=team_params)
    needed = {"behaviour", "segment", "by_day", "kept_above", "kept_below", "n", "low", "high", "confirmed"}
    for row in report["rows"]:
        assert needed <= set(row)
        assert row["says"] == "goes with, not causes"
    assert {row["of"] for row in report["rows"]} <= {"use", "content"}
    assert set(report["power"]) == {"leavings", "tried", "detectable_ratio", "leavings_for_half"}


def test_the_ideal_customer_is_of_closed_accounts_only(team_tables: Tables, team_params: Params) -> None:
    report = icp_report(team_tables, as_of=AS_OF, params=team_params)
    assert (report["rows"], report["given"], report["disagreements"], report["note"]) == (
        [], [], [], f"Too few: {report['accounts']} accounts have had their first year, 100 are needed."
    )  # fmt: skip


def test_bad_fit_sold_is_counted_by_quarter_source_and_seller(
    team_tables: Tables, team_params: Params, raw_rows: Callable[[str], pd.DataFrame]
) -> None:
    report = icp_report(team_tables, as_of=AS_OF, params=team_params)
    rows = {(row["quarter"], row["cut"], row["value"]): row for row in report["sold"]}
    accounts = raw_rows("accounts").sort_values("valid_from", kind="stable").drop_duplicates("account_id")
    began = raw_rows("contracts").groupby("account_id")["starts_on"].min()
    first = accounts.set_index("account_id").join(began)
    first = first[(first["starts_on"] - first["customer_since"]).dt.days <= 31]
    for cut in ("source", "seller"):
        expected = first["fit"].eq("bad").groupby(first[cut]).agg(["sum", "size"])
        told = {value: (row["bad"], row["accounts"]) for (quarter, by, value), row in rows.items()
                if by == cut and quarter == "all"}  # fmt: skip
        assert told == {value: tuple(counts) for value, counts in expected.iterrows()}
    quarters = [row for (quarter, cut, _), row in rows.items() if cut == "total" and quarter != "all"]
    assert sum(row["bad"] for row in quarters) == rows["all", "total", "all"]["bad"]
    assert all(row["low"] <= row["share"] <= row["high"] for row in rows.values())


def test_a_fit_that_nobody_judged_follows_from_the_five_by_the_rule(team_params: Params, tmp_path: Path) -> None:
    """Means of .8 and .3, two fits only, and one that was judged whatever they say."""
    accounts = pd.DataFrame({
        "account_id": ["good", "bad", "unknown", "judged"], "fit": [None, None, None, "stretch"],
        "technical_fit": [0.8, 0.3, 0.9, 0.1], "functional_fit": [0.9, 0.3, 0.9, 0.1],
        "experience_fit": [0.7, 0.3, None, 0.1],
    })  # fmt: skip
    names = accounts["account_id"]
    contracts = pd.DataFrame({"contract_id": names, "account_id": names, "starts_on": "2024-01-15", "mrr": 10.0})
    frames = {"accounts": accounts, "contracts": contracts}
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=AS_OF)
    told = signed_accounts(tables, as_of=AS_OF, rules=team_params.revenue, budget=team_params.budget,
                           fit_rule=team_params.ideal_customer)  # fmt: skip
    fits = told["given_fit"].where(told["given_fit"].notna(), None).to_dict()
    assert fits == {"good": "good", "bad": "bad", "unknown": None, "judged": "stretch"}
    assert told["is_derived"].to_dict() == {"good": True, "bad": True, "unknown": False, "judged": False}
    assert [(row["accounts"], row["bad"]) for row in sold(told) if row["quarter"] == "2024-Q1"] == [(3, 1)]


def test_a_customer_judged_good_whose_values_are_bad_is_listed(team_params: Params, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    names = [f"a{number}" for number in range(400)]
    region = rng.choice(["x", "y"], 400)
    leaves = rng.random(400) < np.where(region == "x", 0.5, 0.05)
    begins = pd.to_datetime("2023-01-01") + pd.to_timedelta(rng.integers(0, 700, 400), unit="D")
    contracts = pd.DataFrame({
        "contract_id": names, "account_id": names, "starts_on": begins, "mrr": 10.0,
        "ended_on": (begins + pd.Timedelta(days=200)).where(leaves),
    })  # fmt: skip
    accounts = pd.DataFrame({"account_id": names, "region": region, "fit": "good"})
    frames = {"accounts": accounts, "contracts": contracts}
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=AS_OF)
    report = icp_report(tables, as_of=AS_OF, params=team_params)
    proposed = {row["value"]: row["proposed_fit"] for row in report["rows"]}
    assert proposed == {"x": "bad", "y": "good"}
    assert {row["account_id"] for row in report["disagreements"]} == {
        name for name, where, left in zip(names, region, leaves, strict=True) if where == "x" and not left
    }
    assert {row["why"] for row in report["disagreements"]} == {"region x (bad)"}


def test_a_value_that_keeps_less_is_bad_and_others_are_stretch(team_params: Params) -> None:
    rng = np.random.default_rng(3)
    industry = rng.choice(["one", "two", "three", "four"], 800)
    region = rng.choice(["x", "y"], 800)
    customer = rng.random(800) < np.where(industry == "one", 0.6, 0.9)
    year = pd.DataFrame({
        "cohort": rng.choice(["2023-Q1", "2023-Q2", "2024-Q1", "2024-Q2"], 800), "starting_arr": 100.0,
        "arr": np.where(customer, 110.0, 0.0), "customer": customer, "industry": industry, "region": region,
    })  # fmt: skip
    fits = {(fit.attribute, fit.value): fit for fit in value_fits(year, team_params.forecast, 0.8)}
    one = fits["industry", "one"]
    here = year[year["industry"] == "one"]
    assert one.proposed_fit == "bad"
    assert (one.n, one.grr.figure, one.nrr.figure) == (
        len(here), pytest.approx(here["customer"].mean()), pytest.approx(1.1 * here["customer"].mean())
    )  # fmt: skip
    for figure in (one.grr, one.nrr, one.kept):
        assert figure.low < figure.figure < figure.high
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
    told = signed_accounts(tables, as_of=AS_OF, rules=team_params.revenue, budget=team_params.budget,
                           fit_rule=team_params.ideal_customer)  # fmt: skip
    assert closed(told)["region"].tolist() == ["first"]
    with pytest.raises(BadInput, match="usage: has no feature or no user_id"):
        behaviour_report(tables, as_of=AS_OF, params=team_params)
