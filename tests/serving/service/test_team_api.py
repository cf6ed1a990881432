"""Health and alerts through the service: lists, details, what people write down, and what is refused."""

from typing import Any

import pytest

MINE, THEIRS = "a03", "a01"  # in the book of Ada A., and in another
RENEWAL = "renewal_in_120_days"


def test_health_is_listed_worst_first_with_its_rule_and_shown_down_to_measures(service: Any) -> None:
    content = service.client().get("/api/health?limit=1000").json()
    scores = [row["score"] for row in content["rows"] if row["score"] is not None]
    assert scores == sorted(scores)
    assert content["total"] == len(content["rows"]) > 40
    assert content["rule"]["csm_actions"]["weight"] == 0.6
    assert "no probability" in content["definition"]
    detail = service.client().get(f"/api/accounts/{MINE}").json()["health"]
    measures = {row["measure"]: row for row in detail["measures"]}
    assert measures["usage_vs_baseline_28d"]["points"] is not None
    assert measures["goals_overdue"]["value"] is None, "the company has no goals"
    assert [row["as_of"] for row in detail["history"]][-1] == "2026-01-01"


def test_an_override_stands_beside_the_score_of_its_account_alone(service: Any) -> None:
    body = {"account_id": MINE, "band": "D", "reason": "They told me so", "until": "2026-03-01"}
    ada = service.client(service.token("csm", "Ada A."))
    assert ada.post("/api/health", json=body).status_code == 200
    rows = {row["account_id"]: row for row in ada.get("/api/health?limit=1000").json()["rows"]}
    expected = {"band": "D", "colour": "red", "reason": "They told me so", "by": "Ada A.", "until": "2026-03-01"}
    assert rows[MINE]["override"] == expected
    assert [account for account, row in rows.items() if row["override"]] == [MINE]
    assert rows[MINE]["band"] != "D", "what was computed stays"


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"until": "2026-04-02"}, 422, r"up to 2026-04-01 (health.override_days)"),
        ({"until": "2026-01-01"}, 422, "a day after 2026-01-01"),
        ({"reason": "x"}, 422, "at least 3 characters"),
        ({"band": "E"}, 422, "'A', 'B', 'C' or 'D'"),
        ({"account_id": THEIRS}, 404, "among those you see"),
    ],
)
def test_overrides_that_cannot_be_are_refused(service: Any, changes: Any, status: int, message: str) -> None:
    body = {"account_id": MINE, "band": "D", "reason": "They told me so", "until": "2026-03-01"}
    answer = service.client(service.token("csm", "Ada A.")).post("/api/health", json=body | changes)
    assert answer.status_code == status
    assert message in answer.text


def test_an_alert_comes_with_its_playbook_and_is_acknowledged_by_name(service: Any) -> None:
    ada = service.client(service.token("csm", "Ada A."))
    body = {"account_id": MINE, "rule": RENEWAL, "answer": "acknowledged", "reason": "On it"}
    assert ada.post("/api/alerts", json=body).status_code == 200
    rows = ada.get("/api/alerts?limit=1000").json()["rows"]
    mine = next(row for row in rows if (row["account_id"], row["rule"]) == (MINE, RENEWAL))
    assert (mine["status"], mine["by"], mine["reason"]) == ("acknowledged", "Ada A.", "On it")
    assert [step["due_on"] for step in mine["steps"]] == sorted(step["due_on"] for step in mine["steps"])
    assert {row["csm"] for row in rows} == {"Ada A."}
    other = service.client(service.token("csm", "Ben <b>B</b>")).get("/api/alerts?limit=1000").json()["rows"]
    assert MINE not in {row["account_id"] for row in other}


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"answer": "snoozed", "until": "2026-02-01"}, 422, "a snooze needs until and a reason"),
        ({"answer": "snoozed", "reason": "away"}, 422, "a snooze needs until and a reason"),
        ({"answer": "snoozed", "reason": "away", "until": "2027-02-01"}, 422, "alerts.snooze_days"),
        ({"rule": "usage_down"}, 404, "no open alert of the rule 'usage_down'"),
        ({"account_id": THEIRS}, 404, "among those you see"),
    ],
)
def test_answers_that_cannot_be_are_refused(service: Any, changes: Any, status: int, message: str) -> None:
    body = {"account_id": MINE, "rule": RENEWAL, "answer": "acknowledged"}
    answer = service.client(service.token("csm", "Ada A.")).post("/api/alerts", json=body | changes)
    assert answer.status_code == status
    assert message in answer.text


def test_escalations_are_acknowledged_by_name_and_those_of_others_are_not_told(service: Any) -> None:
    client = service.client(service.token("revops"))
    rows = client.get("/api/escalations").json()["rows"]
    number = next(row["number"] for row in rows if row["cut"] == "total")
    assert client.post("/api/escalations", json={"number": number, "note": "On Monday"}).status_code == 200
    row = next(row for row in client.get("/api/escalations").json()["rows"] if row["number"] == number)
    assert (row["status"], row["note"]) == ("acknowledged", "On Monday")
    ada = service.client(service.token("csm", "Ada A."))
    assert {(row["cut"], row["group"]) for row in ada.get("/api/escalations").json()["rows"]} <= {("csm", "Ada A.")}
    refused = ada.post("/api/escalations", json={"number": number})
    assert refused.status_code == 404
    assert "among those that stand" in refused.text


def test_the_review_shows_a_step_that_was_written_down(service: Any) -> None:
    ada = service.client(service.token("csm", "Ada A."))
    body = {"account_id": MINE, "step": "Call the CFO", "owner": "Cleo", "due_on": "2025-12-20"}
    assert ada.post("/api/review", json=body).status_code == 200
    rows = {row["account_id"]: row for row in ada.get("/api/review").json()["rows"]}
    told = [rows[MINE][name] for name in ("state", "step", "owner", "due_on", "by", "overdue")]
    assert told == ["open", "Call the CFO", "Cleo", "2025-12-20", "Ada A.", True]
    assert {row["csm"] for row in rows.values()} == {"Ada A."}
    assert ada.post("/api/review", json=body | {"account_id": THEIRS}).status_code == 404
    assert ada.post("/api/review", json=body | {"step": "x"}).status_code == 422
