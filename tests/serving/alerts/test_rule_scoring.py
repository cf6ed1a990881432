"""Alerts of a small company, night after night: state, budget, answers, expiry, escalation, replay, erasure."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from params import SettingsError, load
from serving.alerts import rule_scoring
from serving.alerts.episodes import alerts_of
from serving.alerts.escalating import LOST_BEYOND_LUCK, Measure
from serving.alerts.lost_beyond_luck import Losses
from serving.alerts.replaying import replay_rules
from serving.alerts.rule_scoring import watch
from serving.alerts.shared_cause import SCORES, Cause
from serving.journal.entries import ALERT_ANSWER, Note, write
from serving.ledger.record import open_record

AS_OF = date(2026, 1, 1)
NIGHT = date(2025, 11, 20)
OFF = [f"alerts.rules.{name}.enabled=false" for name in load().alerts.rules]
RULES = (
    "alerts.rules.few_users={kind: risk, feature: active_users_28d, at_most: 2, leave: 3, says: x, playbook: renewal}",
    "alerts.rules.churn_likely.enabled=true",
    "alerts.rules.churn_likely.hold_days=0",
)


@pytest.fixture(scope="module")
def tables(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Eight customers of Ada with ever more ARR, whose users fall from four to one in autumn 2025, and one of Ben."""
    folder = tmp_path_factory.mktemp("alerts")
    ids = [f"a{n}" for n in range(8)] + ["well"]
    contracts = pd.DataFrame(
        {
            "contract_id": ids,
            "account_id": ids,
            "starts_on": pd.Timestamp("2024-01-01"),
            "ends_on": pd.Timestamp("2027-01-01"),
            "mrr": [10.0 * n for n in range(1, 10)],
        }
    )
    usage = [
        {"account_id": account, "used_on": day, "user_id": f"u{user}"}
        for account in ids
        for day in pd.date_range("2024-01-02", "2025-12-30", freq="7D")
        for user in range(1 if account != "well" and day >= pd.Timestamp("2025-10-20") else 4)
    ]
    frames = {
        "accounts": pd.DataFrame({"account_id": ids, "name": ids, "csm": ["Ada"] * 8 + ["Ben"]}),
        "contracts": contracts,
        "usage": pd.DataFrame(usage),
    }
    return tables_from_frames(frames, folder / "tables.duckdb", data_until=AS_OF)


def settings(folder: Path, *more: str) -> Any:
    return load(overrides=[f"data_dir={folder}", *OFF, *RULES, *more])


def seen(tables: Any, day: date, params: Any, chances: dict[str, float] | None = None) -> Any:
    frame = None
    if chances is not None:
        frame = pd.DataFrame({"account_id": list(chances), "arr": 1000.0, "churn_probability": list(chances.values())})
    with open_record(params) as record:
        return watch(tables, day, params, record, frame)


def told(alerts: Any) -> dict[str, Any]:
    return {row["account_id"]: row for row in alerts.rows}


@pytest.mark.usefixtures("costly")
def test_what_holds_is_told_once_within_the_budget_and_the_rest_is_for_the_digest(tables: Any, tmp_path: Path) -> None:
    params = settings(tmp_path)
    assert seen(tables, NIGHT, params).rows == [], "across for the first time: it must hold"
    rows = told(seen(tables, AS_OF, params))
    assert set(rows) == {f"a{n}" for n in range(8)}
    assert [account for account, row in rows.items() if row["delivery"] == "new"] == ["a7", "a6", "a5", "a4", "a3"]
    assert {row["fired_on"] for row in rows.values()} == {"2026-01-01"}
    assert rows["a7"]["steps"][0]["due_on"] == "2026-01-08"
    again = seen(tables, AS_OF, params)
    assert told(again) == rows, "a date that was scored already changes nothing"


@pytest.mark.usefixtures("costly")
def test_a_rule_that_is_new_begins_three_months_back(tables: Any, tmp_path: Path) -> None:
    rows = told(seen(tables, AS_OF, settings(tmp_path)))
    assert {row["fired_on"] for row in rows.values()} == {"2026-01-01"}
    assert (
        seen(tables, AS_OF, settings(tmp_path / "b", "alerts.rules.few_users.hold_days=0")).rows[0]["fired_on"]
        == "2025-12-01"
    )


@pytest.mark.usefixtures("costly")
def test_answers_stand_with_the_alert_and_a_snooze_ends(tables: Any, tmp_path: Path) -> None:
    params = settings(tmp_path)
    rows = told(seen(tables, AS_OF, params))
    with open_record(params) as record:
        for account, answer in (
            ("a7", {"answer": "acknowledged"}),
            ("a6", {"answer": "snoozed", "until": "2026-02-01"}),
            ("a5", {"answer": "snoozed", "until": "2026-01-01"}),
        ):
            payload = {"alert": rows[account]["alert_id"], **answer}
            note = Note(ALERT_ANSWER, "Ada", account, payload, text="on holiday")
            write(record, [note], at=datetime(2025, 12, 30, tzinfo=UTC))
    found = told(seen(tables, AS_OF, params))
    assert (found["a7"]["status"], found["a7"]["by"], found["a7"]["reason"]) == ("acknowledged", "Ada", "on holiday")
    assert (found["a6"]["status"], found["a6"]["until"]) == ("snoozed", "2026-02-01")
    assert found["a5"]["status"] == "open", "its snooze is over"


@pytest.mark.usefixtures("costly")
def test_an_alert_closes_where_the_value_is_back_or_nobody_took_it_up(tables: Any, tmp_path: Path) -> None:
    high = dict.fromkeys(["a0", "well"], 0.5)
    low = dict.fromkeys(["a0", "well"], 0.1)
    params = settings(tmp_path, "alerts.rules.few_users.enabled=false", "alerts.expires_days=20")
    assert seen(tables, date(2025, 11, 1), params, low).rows == []
    assert set(told(seen(tables, NIGHT, params, high))) == {"a0", "well"}
    back = seen(tables, date(2025, 12, 1), params, {"a0": 0.2, "well": 0.5})
    assert set(told(back)) == {"well"}
    assert seen(tables, AS_OF, params, high).rows[0]["account_id"] == "a0", "a0 has crossed again, well has expired"
    with open_record(params) as record:
        closed = {(row["account_id"], row["fired_on"]): row["closed_on"] for row in alerts_of(record, open_only=False)}
    assert closed == {
        ("a0", "2025-11-20"): "2025-12-01",
        ("well", "2025-11-20"): "2026-01-01",
        ("a0", "2026-01-01"): None,
    }


def answer(params: Any, alert: dict[str, Any], **payload: Any) -> None:
    note = Note(ALERT_ANSWER, "Ada", alert["account_id"], {"alert": alert["alert_id"], **payload})
    with open_record(params) as record:
        write(record, [note], at=datetime(2025, 11, 21, tzinfo=UTC))


@pytest.mark.usefixtures("costly")
def test_an_alert_expires_on_its_day_unless_somebody_took_it_up_or_snoozed_it(tables: Any, tmp_path: Path) -> None:
    high = dict.fromkeys(["a0", "a1", "well"], 0.5)
    params = settings(tmp_path, "alerts.rules.few_users.enabled=false", "alerts.expires_days=11")
    assert seen(tables, date(2025, 11, 1), params, dict.fromkeys(high, 0.1)).rows == []
    rows = told(seen(tables, NIGHT, params, high))
    answer(params, rows["a0"], answer="acknowledged")
    answer(params, rows["a1"], answer="snoozed", until="2025-12-10")
    assert rows["well"]["expires_on"] == "2025-12-01"
    later = told(seen(tables, date(2025, 12, 1), params, high))
    assert set(later) == {"a0", "a1"}, "that of well is closed on the day it names"
    assert later["a1"]["expires_on"] == "2025-12-21", "as long once the snooze is over"
    assert set(told(seen(tables, AS_OF, params, high))) == {"a0"}


@pytest.mark.usefixtures("costly")
def test_alerts_that_fired_later_are_not_told_of_on_an_earlier_date(tables: Any, tmp_path: Path) -> None:
    params = settings(tmp_path)
    assert seen(tables, NIGHT, params).rows == []
    assert seen(tables, AS_OF, params).rows
    assert seen(tables, NIGHT, params).rows == []


@pytest.mark.usefixtures("costly")
def test_a_rule_that_begins_anew_tells_no_account_twice(tables: Any, tmp_path: Path) -> None:
    """The users fell in October: told of on 20 November, and again on 1 December by a rule stepped from then on."""
    at_once = "alerts.rules.few_users.hold_days=0"
    assert seen(tables, date(2025, 10, 1), settings(tmp_path, at_once)).rows == []
    first = told(seen(tables, NIGHT, settings(tmp_path, at_once)))
    assert {row["fired_on"] for row in first.values()} == {"2025-11-20"}
    again = seen(tables, AS_OF, settings(tmp_path, at_once, "alerts.rules.few_users.leave=4"))
    assert sorted(row["account_id"] for row in again.rows) == sorted(first), "one each"
    assert {row["alert_id"] for row in again.rows} == {row["alert_id"] for row in first.values()}


@pytest.mark.usefixtures("costly")
def test_leadership_is_told_where_a_threshold_is_passed(tables: Any, tmp_path: Path) -> None:
    limits = ["accounts=2", "arr_at_risk_share=0.9", "cuts=[]"]
    params = settings(tmp_path, *(f"alerts.escalate.{limit}" for limit in limits))
    found = seen(tables, AS_OF, params, {"a0": 0.5, "a1": 0.4, "well": 0.1})
    assert [(row["what"], row["value"], row["limit"]) for row in found.escalations] == [("accounts", 2, 2)]
    assert [row["account_id"] for row in found.escalations[0]["accounts"]] == ["a0", "a1", "well"]
    assert seen(tables, AS_OF, settings(tmp_path / "b")).escalations == [], "nothing is known without a forecast"


@pytest.mark.usefixtures("costly")
def test_with_what_was_lost_are_the_accounts_that_lost_it(
    tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    amounts = pd.Series({"a3": 10.0, "left": 90.0, "well": 0.0})
    losses = Losses(amounts, Measure(LOST_BEYOND_LUCK, "total", "total", 0.2, 0.1))
    monkeypatch.setattr(rule_scoring, "lost_beyond_luck", lambda *_: losses)
    params = settings(tmp_path, "alerts.escalate.accounts=1", "alerts.escalate.cuts=[]")
    rows = {row["what"]: row["accounts"] for row in seen(tables, AS_OF, params, {"a0": 0.5, "well": 0.4}).escalations}
    assert rows[LOST_BEYOND_LUCK] == [
        {"account_id": "left", "name": "left", "arr_lost": 90.0},
        {"account_id": "a3", "name": "a3", "arr_lost": 10.0},
    ]
    assert [row["account_id"] for row in rows["accounts"]] == ["a0", "well"]


@pytest.mark.usefixtures("costly")
def test_with_a_shared_cause_are_the_accounts_that_have_it_in_common(
    tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause = Cause(SCORES, NIGHT, (("region", "EMEA"),), ("well", "a1"), 100.0, 50.0, 5.0, 4.0, 0.01)
    monkeypatch.setattr(rule_scoring, "shared_causes", lambda *_: [cause])
    rows = seen(tables, AS_OF, settings(tmp_path), {"a0": 0.3, "a1": 0.2, "well": 0.1}).escalations
    members = {row["what"]: [each["account_id"] for each in row["accounts"]] for row in rows}
    assert members["shared_cause"] == ["a1", "well"]


@pytest.mark.usefixtures("costly")
def test_rules_on_what_these_tables_cannot_give_wait_and_unknown_ones_are_refused(tables: Any, tmp_path: Path) -> None:
    found = seen(tables, AS_OF, settings(tmp_path, "alerts.rules.goal_overdue.enabled=true"))
    assert set(found.notes[0].removesuffix(".").rpartition(": ")[2].split(", ")) == {"goal_overdue", "churn_likely"}
    with pytest.raises(
        SettingsError, match=r"few_users\.feature: .* active_user_28d .* did you mean active_users_28d\?"
    ):
        seen(tables, AS_OF, settings(tmp_path, "alerts.rules.few_users.feature=active_user_28d"))


@pytest.mark.usefixtures("costly")
def test_every_rule_is_replayed_over_the_past(tables: Any, tmp_path: Path) -> None:
    content = replay_rules(tables, settings(tmp_path))
    rows = {row["rule"]: row for row in content["replay"]}
    assert (rows["few_users"]["fired"], rows["few_users"]["judged"]) == (8, 0), "what came after is not known yet"
    assert rows["churn_likely"]["fired"] == 0
    assert content["notes"][0].startswith("There are no past probabilities yet")
