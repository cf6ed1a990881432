"""The health of a small company: caps from tables, trend, accounts that left, the table, details, bad rules."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from params import SettingsError, load
from serving.forecast.refusals import BadRequest
from serving.health.account_health import account_health
from serving.health.listed import details, health_table, listed_health

AS_OF = date(2026, 1, 1)
SMALL = (
    "health.csm_actions.measures={goals_reached_share: {weight: 1, targets: [[0, 0], [1, 100]]}}",
    "health.customer_actions.measures={active_users_28d: {weight: 1, targets: [[0, 0], [4, 100]]}}",
)
ONLY = {  # `--set` lays over what there is: the measures that come with the product are switched off
    f"health.{half}.measures.{name}.weight": 0.0
    for half in ("csm_actions", "customer_actions")
    for name in getattr(load().health, half).measures
}


def settings(folder: Path, *more: str) -> Any:
    off = [f"{key}={value}" for key, value in ONLY.items() if "goals_reached_share" not in key]
    return load(overrides=[f"data_dir={folder}", *off, *SMALL, *more])


@pytest.fixture(scope="module")
def company(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Four customers: well, one that fades, one under notice with an old urgent ticket, and one that left."""
    folder = tmp_path_factory.mktemp("health")
    ids = ["fades", "left", "notice", "well"]
    contracts = pd.DataFrame(
        {
            "contract_id": ids,
            "account_id": ids,
            "starts_on": pd.Timestamp("2024-01-01"),
            "ends_on": [pd.Timestamp(day) for day in ("2027-01-01", "2025-10-15", "2026-06-01", "2027-01-01")],
            "notice_on": [pd.NaT, pd.NaT, pd.Timestamp("2025-12-01"), pd.NaT],
            "mrr": [10.0, 20.0, 30.0, 40.0],
        }
    )
    days = pd.date_range("2024-01-02", "2025-12-30", freq="7D")
    usage = [
        {"account_id": account, "used_on": day, "user_id": f"u{user}"}
        for account in ids
        for day in days
        for user in range(1 if account == "fades" and day >= pd.Timestamp("2025-11-01") else 4)
        if account != "left" or day < pd.Timestamp("2025-10-15")
    ]
    goals = pd.DataFrame(
        {
            "account_id": ids,
            "goal": "g",
            "set_on": pd.Timestamp("2024-02-01"),
            "achieved_on": pd.Timestamp("2024-06-01"),
        }
    )
    tickets = [{"account_id": "notice", "opened_at": pd.Timestamp("2025-11-01"), "severity": "critical"}]
    frames = {
        "accounts": pd.DataFrame(
            {"account_id": ids, "name": [f"The {i}" for i in ids], "csm": ["Ada", "Ada", "Ben", "Ben"]}
        ),
        "contracts": contracts,
        "usage": pd.DataFrame(usage),
        "goals": goals,
        "tickets": pd.DataFrame(tickets),
    }
    return folder, tables_from_frames(frames, folder / "tables.duckdb", data_until=AS_OF)


def rows_of(company: Any, *more: str) -> dict[str, Any]:
    folder, tables = company
    content = listed_health(tables, AS_OF, settings(folder, *more))
    return {row["account_id"]: row for row in content["rows"]}


def test_each_account_has_its_score_band_and_trend(company: Any) -> None:
    rows = rows_of(company)
    assert rows["well"]["score"] == 100
    assert (rows["well"]["band"], rows["well"]["trend"], rows["well"]["name"]) == ("A", "level", "The well")
    assert rows["fades"]["score"] == 0.6 * 100 + 0.4 * 25
    assert (rows["fades"]["trend"], rows["fades"]["change"]) == ("down", -30)


def test_notice_and_an_old_urgent_ticket_hold_the_band_down(company: Any) -> None:
    row = rows_of(company)["notice"]
    assert (row["score"], row["band"], row["colour"], row["cap"]) == (100, "D", "red", "notice")
    calm = rows_of(company, "health.caps.notice.when=notice_given > 5")["notice"]
    assert (calm["band"], calm["cap"]) == ("C", "urgent_ticket")


def test_an_account_that_left_keeps_its_last_score_and_says_since_when(company: Any) -> None:
    row = rows_of(company)["left"]
    assert (row["status"], row["frozen_on"][:7], row["band"]) == ("frozen", "2025-11", "A")
    assert "left" not in rows_of(company, "health.history_months=1")


def test_an_account_is_shown_down_to_its_measures(company: Any) -> None:
    folder, tables = company
    params = settings(folder)
    detail = details(account_health(tables, AS_OF, params), tables, params)["fades"]
    used = next(row for row in detail["measures"] if row["measure"] == "active_users_28d")
    assert (used["value"], used["points"], used["weight"], used["targets"]) == (1, 25, 1, [[0, 0], [4, 100]])
    assert used["meaning"].startswith("Distinct users")
    assert [row["as_of"] for row in detail["history"]][-1] == "2026-01-01"


def test_the_table_has_the_declared_columns_and_says_what_the_score_means(company: Any) -> None:
    folder, tables = company
    health = account_health(tables, AS_OF, settings(folder))
    run = {"run_id": "r", "as_of": AS_OF, "model_version": "1", "made_at": pd.Timestamp("2026-01-02", tz="UTC")}
    frame = health_table(health, run)
    assert frame["account_id"].tolist() == ["fades", "left", "notice", "well"]
    assert frame["definition"].iloc[0].startswith("Health: 60% what the team did + 40% what the customer did")


def test_one_book_and_a_near_miss(company: Any) -> None:
    folder, tables = company
    content = listed_health(tables, AS_OF, settings(folder), csm="Ben")
    assert [row["account_id"] for row in content["rows"]] == ["notice", "well"]
    with pytest.raises(BadRequest, match=r"--csm Bem: no account is in that book; did you mean Ben\?"):
        listed_health(tables, AS_OF, settings(folder), csm="Bem")


def test_measures_that_are_no_features_are_named_all_at_once(company: Any) -> None:
    wrong = (
        "health.csm_actions.measures.goals_reached_shar={weight: 0, targets: [[0, 0], [1, 1]]}",
        "health.caps.notice.when=notce_given > 0",
        "health.customer_actions.measures.tenure_phase={weight: 0, targets: [[0, 0], [1, 1]]}",
    )
    with pytest.raises(SettingsError) as error:
        rows_of(company, *wrong)
    text = str(error.value)
    assert "goals_reached_shar that is a number; did you mean goals_reached_share?" in text
    assert "caps.notice.when: there is no feature notce_given that is a number; did you mean notice_given?" in text
    assert "tenure_phase" in text, "a text is no measure"
    with pytest.raises(SettingsError, match=r"health\.caps\.notice\.when: seats\.users cannot be asked for here"):
        rows_of(company, "health.caps.notice.when=seats.users >= 3 within 90d")
