"""Plays over HTTP: who sees which, and what people answer stays on record."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

from serving.actions.effects_told import NO_STUDY, effects_told
from serving.actions.on_record import answers_before, record_recommendations
from serving.forecast.stored_effects import StoredEffects
from serving.journal.entries import ENROLMENT, Note, write
from serving.ledger.record import open_record

MINE = "a03"  # in the book of Ada A.


@pytest.fixture
def answering(untouched: Any) -> Any:
    """A place of its own, since answers stay."""
    return untouched()


def test_plays_come_by_rank_with_the_hours_they_take(service: Any) -> None:
    content = service.client().get("/api/actions?limit=1000").json()
    assert {row["answer"] for row in content["rows"]} == {"do"}
    assert content["total"] == len(content["rows"]) > 20
    for book in {row["csm"] for row in content["rows"]}:
        ranks = [row["rank"] for row in content["rows"] if row["csm"] == book]
        assert ranks == sorted(ranks)
    assert {row["csm"] for row in content["capacity"]} == {row["csm"] for row in content["rows"]}
    assert content["notes"] == ["Sizes are assumed."]
    assert content["definition"] == "ARR saved = .."
    everyone = service.client().get("/api/actions?answer=all&limit=1000").json()
    assert everyone["total"] > content["total"]
    assert {row["answer"] for row in everyone["rows"]} == {"do", "nothing"}


def test_a_csm_sees_the_own_book_and_the_own_hours(service: Any) -> None:
    client = service.client(service.token("csm", "Ada A."))
    content = client.get("/api/actions?limit=1000").json()
    assert {row["book"] for row in content["rows"]} == {"Ada A."}
    assert [row["csm"] for row in content["capacity"]] == ["Ada A."]
    assert content["notes"] == []
    assert client.get("/api/actions?csm=Zed").status_code == 403


def test_an_answer_stays_on_record_and_holds_the_play_back(answering: Any) -> None:
    client = answering.client(answering.token("csm", "Ada A."))
    row = client.get("/api/actions").json()["rows"][0]
    sent = {"account_id": row["account_id"], "action": row["action"], "answer": "disagree", "reason": "They migrate."}
    taken = client.post("/api/actions/answer", json=sent)
    assert taken.status_code == 200
    assert taken.json() == sent | {"answered_by": "Ada A.", "entry": taken.json()["entry"]}
    listed = client.get("/api/actions/answers").json()["rows"]
    assert [(each["answer"], each["reason"], each["answered_by"]) for each in listed] == [
        ("disagree", "They migrate.", "Ada A.")
    ]
    others = answering.client(answering.token("csm", "Ben <b>B</b>"))
    assert others.get("/api/actions/answers").json()["rows"] == []
    with open_record(answering.desk.params) as record:
        answered = answers_before(record, date(2100, 1, 1))
    assert list(answered.held_back) == [(row["account_id"], row["action"])]


def test_what_came_of_plays_is_told_of_the_own_book_alone(answering: Any) -> None:
    plays = answering.client().get("/api/actions?limit=1000").json()["rows"]
    table = pd.DataFrame(plays).assign(as_of=pd.Timestamp(2026, 1, 1), run_id="run-1")
    with open_record(answering.desk.params) as record:
        record_recommendations(record, table)
    content = answering.client().get("/api/actions/record?limit=5").json()
    assert (content["total"], len(content["rows"])) == (len(plays), 5)
    assert content["summary"]["recommended"] == len(plays)
    assert {row["happened"] for row in content["rows"]} == {None}
    mine = answering.client(answering.token("csm", "Ada A.")).get("/api/actions/record?limit=1000").json()["rows"]
    assert {row["account_id"] for row in mine} == {row["account_id"] for row in plays if row["book"] == "Ada A."}


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"account_id": "nobody"}, 404, "There is no such account"),
        ({"account_id": "a01"}, 404, "There is no such account"),  # in another book
        ({"action": "dinner"}, 422, "that is not what is recommended for this account; it is training now"),
        ({"answer": "maybe"}, 422, "answer"),
        ({"answer": "disagree", "reason": "  "}, 422, "say why you disagree"),
        ({"reason": "x" * 501}, 422, "reason"),
        ({"extra": 1}, 422, "extra"),
    ],
)
def test_what_cannot_be_answered_is_refused(service: Any, changes: dict[str, object], status: int, words: str) -> None:
    client = service.client(service.token("csm", "Ada A."))
    sent = {"account_id": MINE, "action": "training", "answer": "done"} | changes
    refused = client.post("/api/actions/answer", json=sent)
    assert refused.status_code == status
    assert words in refused.text


@pytest.mark.parametrize("name", ["base", "momentum", "plan", "downside", "severe"])
def test_presets_are_answered_from_the_publication(service: Any, name: str) -> None:
    content = service.client().get(f"/api/scenario?preset={name}").json()
    assert content["scenario"]["name"] == name
    assert content["difference"] == {"mean": -0.01, "p10": -0.01, "p90": -0.01}
    assert content["marks"][0]["mark"] == "assumed"
    assert service.client().get("/api/scenario?preset=worst").status_code == 422
    assert service.client(service.token("csm", "Ada A.")).get(f"/api/scenario?preset={name}").status_code == 403


def test_effects_are_told_with_their_interval_and_what_may_be_concluded(service: Any) -> None:
    content = service.client().get("/api/effects").json()
    known, unknown = content["rows"]
    assert (known["action"], known["verdict"], known["evidence"]) == ("training", "helpful", "good")
    assert (known["churn_points"], known["low"], known["high"]) == (-1.2, -2.0, -0.4)
    assert known["withstood"] is True
    assert "It may be said to lower churn." in known["conclusion"]
    assert (unknown["churn_points"], unknown["withstood"]) == (None, None)
    assert "About 7,000 account-months with the action are needed." in unknown["conclusion"]
    assert any("SHAP" in caution for caution in content["cautions"])
    assert content["effects_as_of"] == "2026-01-01"


def test_the_page_of_effects_says_what_may_not_be_concluded(service: Any) -> None:
    client = service.client(accept="text/html,*/*")
    shown = client.get("/effects").text
    assert "1 of 2 kinds of actions has an effect that stands" in shown
    assert "−2.0 to −0.4" in shown
    assert "What may not be concluded" in shown
    assert 'href="/effects"' in client.get("/actions").text
    mine = service.client(service.token("csm", "Ada A."), accept="text/html,*/*")
    assert 'href="/effects"' not in mine.get("/actions").text


def test_the_quarter_in_review_says_what_is_assumed(service: Any) -> None:
    content = service.client().get("/api/process").json()
    assert content["quarter"] == {"from": "2025-10-01", "to": "2026-01-01"}
    assert [(row["kind"], row["mark"]) for row in content["follows"]] == [("training", "assumed")]
    shown = service.client(accept="text/html,*/*").get("/process").text
    assert "NRR in 6 months: 91.2 % if the team keeps on as it does" in shown
    assert "(−2.10 to −0.90)" in shown
    assert "76.5 %" in shown
    assert "Assumed, not yet measured" in shown
    mine = service.client(service.token("csm", "Ada A."))
    assert mine.get("/api/process").status_code == 403


def test_a_holdout_that_is_off_shows_what_it_would_cost_and_cannot_show(service: Any) -> None:
    content = service.client().get("/api/holdout").json()
    assert (content["status"], content["assignments"], content["results"]) == ("off", [], None)
    assert content["plan"]["detectable_points"] == 12.34567
    shown = service.client(accept="text/html,*/*").get("/holdout").text
    assert "No recommendation is withheld: the holdout is off" in shown
    assert "54.3k" in shown
    assert "the effect would have to be 13 times the one expected" in shown
    assert "acknowledged_arr: 54322" in shown
    mine = service.client(service.token("csm", "Ada A."), accept="text/html,*/*")
    assert mine.get("/holdout").status_code == 403
    assert 'href="/holdout"' not in mine.get("/actions").text


def test_a_holdout_that_is_on_names_the_accounts_of_its_quarter(
    answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = {"as_of": "2026-01-01", "salt": "s", "probability_millionths": 900_000, "action": "training"}
    quarters = (("a03", "2026-01-01", True), ("a04", "2026-01-01", False), ("a05", "2025-10-01", True))
    notes = [
        Note(ENROLMENT, "Holdfast", account, {**says, "quarter": quarter, "is_withheld": withheld})
        for account, quarter, withheld in quarters
    ]
    with open_record(answering.desk.params) as record:
        write(record, notes)
    told = answering.desk.following.state.published.about["holdout"] | {"status": "on", "enrolled": 2, "withheld": 1}
    monkeypatch.setitem(answering.desk.following.state.published.about, "holdout", told)
    rows = answering.client().get("/api/holdout").json()["assignments"]
    assert [(row["account_id"], row["is_withheld"]) for row in rows] == [("a03", True), ("a04", False)]
    assert {row["probability_of_assignment"] for row in rows} == {0.9}
    shown = answering.client(accept="text/html,*/*").get("/holdout").text
    assert "1 of 2 accounts in the holdout go without a recommendation this quarter" in shown


def test_without_a_study_of_the_date_effects_are_none_and_it_says_why() -> None:
    day = date(2026, 1, 1)
    assert effects_told(None, day)["notes"] == [NO_STUDY]
    later = effects_told(StoredEffects(date(2026, 2, 1), "study-2", ()), day)
    assert later["effects_as_of"] is None
    assert "left aside" in later["notes"][0]


def test_pages_show_the_plays_and_take_answers(answering: Any) -> None:
    client = answering.client(answering.token("csm", "Ada A."), accept="text/html,*/*")
    listed = client.get("/actions").text
    assert "What Ada A. does next" in listed
    assert "Ben <b>" not in listed
    assert "Sizes are assumed." not in listed  # a note counts what is in other books
    detail = client.get(f"/accounts/{MINE}").text
    assert "<strong>Training</strong>: expected to save" in detail
    fields = {"account_id": MINE, "action": "training", "answer": "not now", "reason": "Busy"}
    taken = client.post("/actions", data=fields)
    assert (taken.status_code, taken.headers["location"]) == (303, f"/accounts/{MINE}#next")
    rows = client.get("/api/actions/answers").json()["rows"]
    assert [(row["answer"], row["reason"]) for row in rows] == [("not now", "Busy")]
