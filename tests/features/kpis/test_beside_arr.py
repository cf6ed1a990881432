"""Leads, paid services, referrals and the first steps of a customer: by hand, each by what was known at the date."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.kpis.account_facts import Window, account_facts
from features.kpis.customers.leads import leads_raised
from features.kpis.figures import kpis_of
from features.tables.checked import Tables
from features.tables.problems import NoRate

AS_OF = date(2026, 1, 1)
SETTINGS = params.load(overrides=["threads=1"])
LINES = pd.DataFrame({
    "account_id": ["a", "b"], "contract_id": ["c1", "c2"], "signed_on": ["2024-01-01", "2025-03-01"],
    "starts_on": ["2024-01-01", "2025-03-11"], "mrr": [100.0, 50.0],
})  # fmt: skip
ACCOUNTS = pd.DataFrame({"account_id": ["a", "b"], "source": ["outbound", "Referral"]})


def made(folder: Path, **frames: pd.DataFrame) -> Tables:
    folder.mkdir(exist_ok=True)
    whole = {"accounts": ACCOUNTS, "contracts": LINES, **frames}
    return tables_from_frames(whole, folder / "tables.duckdb", data_until=AS_OF)


def figures(tables: Tables) -> dict[str, tuple[float, int]]:
    window = Window(AS_OF, 12, 7)
    facts = account_facts(tables, window, rules=SETTINGS.revenue, budget=SETTINGS.budget)
    return {kpi.kpi: (kpi.figure, kpi.n) for kpi in kpis_of(facts, window, "total", "total")}


def test_services_are_revenue_beside_and_never_arr(tmp_path: Path) -> None:
    services = pd.DataFrame({
        "account_id": ["a", "a", "b", "b"], "amount": [100.0, 10.0, 1000.0, 7.0],
        "delivered_on": ["2025-02-01", "2024-02-01", "2025-12-31", "2025-12-30"], "currency": [None, None, "EUR", None],
        "recorded_at": [None, None, None, "2026-02-01"],
    })  # fmt: skip
    rates = pd.DataFrame({"month": ["2025-01-01"], "currency": ["EUR"], "rate": [1.1]})
    told = figures(made(tmp_path, services=services, fx_rates=rates))
    assert told["services_revenue"] == (1200.0, 2), "what was delivered before, or known later, is not told"
    without = figures(made(tmp_path / "without"))
    assert "services_revenue" not in without
    assert {name: str(told[name]) for name in without} == {name: str(of) for name, of in without.items()}, (
        "no other figure knows of services"
    )


def test_a_service_in_a_currency_without_a_rate_is_refused(tmp_path: Path) -> None:
    services = pd.DataFrame({"account_id": ["a"], "amount": [1.0], "delivered_on": ["2025-02-01"], "currency": ["CHF"]})
    with pytest.raises(NoRate, match="no rate of CHF by 2026-01-01, in which services were paid"):
        figures(made(tmp_path, services=services))


def test_leads_are_told_by_what_had_come_of_them(tmp_path: Path) -> None:
    leads = pd.DataFrame(
        [
            ("a", "2025-02-01", "csm", "Ada", 10.0, "2025-03-01", None),
            ("a", "2025-02-02", "csm", "Ada", 20.0, None, "2025-03-01"),
            ("b", "2025-12-01", "csm", "Ada", 40.0, "2026-02-01", None),  # won later: open as known
            ("b", "2025-06-01", "event", None, 80.0, None, None),
            ("b", "2024-06-01", "event", "Sam", 160.0, "2025-06-01", None),  # raised before the window
        ],
        columns=["account_id", "raised_on", "source", "owner", "amount", "won_on", "lost_on"],
    )
    tables = made(tmp_path, leads=leads)
    raised = leads_raised(tables, since=date(2025, 1, 1), as_of=AS_OF, budget=SETTINGS.budget)
    assert raised.to_dict("records") == [
        {"source": "csm", "owner": "Ada", "raised": 3, "open": 1, "won": 1, "lost": 1, "open_arr": 40.0,
         "won_arr": 10.0},
        {"source": "event", "owner": "not said", "raised": 1, "open": 1, "won": 0, "lost": 0, "open_arr": 80.0,
         "won_arr": 0.0},
    ]  # fmt: skip
    assert figures(tables)["lead_conversion"] == (2 / 3, 3), "closed in the window, whenever raised"


def test_advocacy_counts_referrals_references_and_the_arr_referred(tmp_path: Path) -> None:
    kinds = ["referral", "reference", "Reference", "email"]
    engagement = pd.DataFrame({"account_id": "a", "happened_on": "2025-06-01", "kind": kinds})
    told = figures(made(tmp_path, engagement=engagement))
    assert told["referral_rate"] == (0.5, 1)
    assert told["reference_rate"] == (1.0, 2)
    assert told["referred_arr"] == (600.0, 1)
    assert told["referred_arr_share"] == (1.0, 1), "of those that began in the window"


def test_the_way_from_signature_over_kickoff_to_first_value(tmp_path: Path) -> None:
    goals = pd.DataFrame({
        "account_id": ["b", "b"], "goal": ["Kickoff held", "live"], "horizon": ["other", "first_value"],
        "set_on": "2025-03-11", "achieved_on": ["2025-03-21", "2025-04-20"], "milestone_of": ["live", None],
    })  # fmt: skip
    told = figures(made(tmp_path, goals=goals))
    assert told["signature_to_kickoff_median"] == (20, 1)
    assert told["kickoff_to_first_value_median"] == (30, 1)
    assert told["ttfv_median"] == (40, 1)
