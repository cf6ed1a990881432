"""The declared features: complete, built from what they say they need, and gone where that is absent."""

import math
import string
from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest

import params
from features.families import catalogue
from features.snapshots.building import build
from features.tables import contract
from params import Budget

DATE = [date(2023, 6, 1)]
NO_FEATURES = {"churn_events", "fx_rates", "leads", "pay", "people", "services", "targets"}
OPTIONAL = sorted(set(contract.TABLES) - {"accounts", "contracts"} - NO_FEATURES)


def test_names_are_unique_and_each_family_has_its_own() -> None:
    names = [feature.name for feature in catalogue.FEATURES]
    assert len(names) == len(set(names)) >= 60
    assert {feature.family for feature in catalogue.FEATURES} == {
        "usage",
        "csm_actions",
        "engagement",
        "contract_history",
    }


@pytest.mark.parametrize("feature", catalogue.FEATURES, ids=lambda feature: feature.name)
def test_a_feature_is_declared_in_full(feature: Any) -> None:
    assert [field for _, field, _, _ in string.Formatter().parse(feature.sentence) if field] == ["value"]
    assert feature.meaning
    assert feature.unit
    assert feature.signal
    for need in feature.needs:
        table, column = need.split(".")
        assert contract.TABLES[table].column(column)
    if feature.name[-1] == "d" and feature.name.rsplit("_", 1)[-1][:-1].isdigit():
        assert feature.window_days >= int(feature.name.rsplit("_", 1)[-1][:-1])


@pytest.mark.parametrize(
    ("name", "possible"),
    [
        ("usage_28d", (0, math.inf)),
        ("active_days_28d", (0, 28)),
        ("days_since_usage", (0, 180)),
        ("tenure_days", (0, math.inf)),
        ("days_to_term_end", (-math.inf, math.inf)),
        ("power_user_share_28d", (0, 1)),
        ("seat_utilisation_28d", (0, math.inf)),
        ("notice_given", (0, 1)),
        ("support_fit", (0, 1)),
        ("nps_last", (0, 10)),
        ("nps_change", (-10, 10)),
        ("ces_last", (1, 7)),
        ("arr_change_365d", (-1, math.inf)),
        ("discount", (-math.inf, 1)),
        ("usage_trend_28d", (-math.inf, math.inf)),
        ("last_call", (-2, 1)),
    ],
)
def test_what_a_feature_can_be_follows_from_its_unit_and_window(name: str, possible: tuple[float, float]) -> None:
    assert {feature.name: feature.possible for feature in catalogue.FEATURES}[name] == possible


def test_no_feature_of_a_company_is_what_it_cannot_be(
    company: Any, checked: Callable[..., Any], snapshots_of: Callable[..., Any]
) -> None:
    scales = contract.SCORES
    answers = [row for row in company["surveys"] if row["score"] is not None]
    on_scale = [row for row in answers if scales[row["kind"]][0] <= row["score"] <= scales[row["kind"]][1]]
    found = snapshots_of(checked(company | {"surveys": on_scale}), [date(2023, month, 1) for month in range(1, 13)])
    numbers = [feature for feature in found.features if feature.kind == "number"]
    seen = {feature.name: (found.frame[feature.name].min(), found.frame[feature.name].max()) for feature in numbers}
    outside = [f.name for f in numbers if seen[f.name][0] < f.possible[0] or seen[f.name][1] > f.possible[1]]
    assert len(numbers) > 100
    assert outside == []


@pytest.mark.parametrize("table", OPTIONAL)
def test_an_absent_table_removes_its_features_and_no_others(
    company: Any, checked: Callable[..., Any], snapshots_of: Callable[..., Any], table: str
) -> None:
    rows = {name: content for name, content in company.items() if name != table}
    found = snapshots_of(checked(rows), DATE)
    gone = {f.name for f in catalogue.FEATURES if any(need.startswith(f"{table}.") for need in f.needs)}
    assert gone
    assert gone <= set(found.left_out)
    assert not gone & set(found.frame.columns)
    assert {f.name for f in found.features} == set(_all_given(company)) - gone


def _all_given(company: Any) -> list[str]:
    """Features that the company's columns can give."""
    columns = {f"{name}.{column}" for name, content in company.items() for column in content[0]}
    return [feature.name for feature in catalogue.FEATURES if set(feature.needs) <= columns]


@pytest.mark.parametrize("table", ["accounts", "contracts", *OPTIONAL])
def test_required_columns_are_enough(
    company: Any, checked: Callable[..., Any], snapshots_of: Callable[..., Any], table: str
) -> None:
    bare = [{column: row[column] for column in contract.TABLES[table].required_names} for row in company[table]]
    if table == "accounts":
        bare = [{"account_id": account} for account in sorted({row["account_id"] for row in bare})]
    if table == "contracts":
        bare = list({row["contract_id"]: row for row in bare}.values())
    found = snapshots_of(checked(company | {table: bare}), DATE)
    shown = [f"{table}.{column}" for column in contract.TABLES[table].required_names]
    for feature in found.features:
        assert all(need in shown for need in feature.needs if need.startswith(f"{table}."))
    assert not found.frame.empty


def test_accounts_and_contracts_alone_give_the_contract_history(
    company: Any, checked: Callable[..., Any], snapshots_of: Callable[..., Any]
) -> None:
    rows = {name: company[name] for name in ("accounts", "contracts", "fx_rates")}
    found = snapshots_of(checked(rows), DATE)
    assert {feature.family for feature in found.features} == {"contract_history"}
    assert found.note.count("usage.used_on") == 1
    assert "usage_28d" in found.note


def test_dropped_features_are_gone_but_the_columns_of_the_spine_stay(company_tables: Any) -> None:
    defaults = params.load(overrides=["snapshots.drop=[arr, notice_share, usage_28d]"])
    found = build(company_tables, DATE, revenue=defaults.revenue, settings=defaults.snapshots, budget=Budget(1, 0.5))
    assert not {"arr", "notice_share", "usage_28d"} & {feature.name for feature in found.features}
    assert {"arr", "notice_share"} <= set(found.frame), "facts of the renewal calendar rest on it"
    assert "usage_28d" not in found.frame


def test_dropping_an_unknown_feature_is_an_error(company: Any, checked: Callable[..., Any]) -> None:
    with pytest.raises(params.SettingsError, match=r"no feature usage_28; did you mean usage_28d\?"):
        catalogue.select(checked({"accounts": company["accounts"]}), ["usage_28"])


def test_texts_are_read_whatever_their_spelling(
    company: Any, checked: Callable[..., Any], snapshots_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = tuple(feature for feature in catalogue.FEATURES if feature.name == "severe_tickets_90d")
    monkeypatch.setattr(catalogue, "FEATURES", chosen)

    def severe(severity: str | None) -> float:
        tickets = [row | {"severity": severity} for row in company["tickets"]]
        found = snapshots_of(checked({**company, "tickets": tickets}), DATE).frame
        return float(found["severe_tickets_90d"].sum())

    assert severe("low") == severe(None) == 0
    assert severe(" Critical") == severe("4") > 0


def test_category_features_are_the_attributes(
    company: Any, company_tables: Any, snapshots_of: Callable[..., Any]
) -> None:
    found = snapshots_of(company_tables, DATE)
    written = {column.name for column in contract.ACCOUNTS if column.free_text}
    columns = {column for column in company["accounts"][0] if column not in ("account_id", "valid_from", "recorded_at")}
    columns -= written
    assert set(found.attributes) == columns
    assert {feature.name for feature in found.features if feature.kind == "category"} - {"tenure_phase"} <= columns
    assert found.frame.columns.is_unique
    assert set(found.frame["segment"].dropna()) == {"small", "large", "moved"}
    assert isinstance(found.frame["customer_since"].dtype, type(pd.Series(pd.to_datetime(["2020-01-01"])).dtype))
