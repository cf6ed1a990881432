"""People's own calls: written by API and by the form of an account's page, by whoever sees the account."""

from typing import Any

import pytest

from serving.ledger.record import DATABASE

CHURN = {"account_id": "a03", "outcome": "churn", "category": "lost", "for_date": "2026-03-01", "amount": 0,
         "probability": 0.8, "reason": "Their <champion> left.", "seen_model": False}  # fmt: skip


def test_a_call_is_written_down_and_read_with_who_and_what_they_had_seen(writing: Any) -> None:
    csm = writing.client(writing.token("csm", "Ada A."))
    number = csm.post("/api/calls", json=CHURN).json()["number"]  # of the journal, which holds more than calls
    newer = {"account_id": "a03", "outcome": "renew", "replaces": number}
    assert csm.post("/api/calls", json=newer).json() == {"number": number + 1}
    answer = csm.get("/api/calls?account_id=a03").json()
    assert answer["total"] == 2
    second, first = answer["rows"]
    assert {name: first[name] for name in CHURN} == CHURN
    assert (first["called_by"], first["call_id"], first["superseded_by"]) == (
        "Ada A.",
        f"journal-{number}",
        f"journal-{number + 1}",
    )
    assert (second["outcome"], second["seen_model"], second["superseded_by"]) == ("renew", None, None)


def test_a_csm_writes_and_reads_of_the_own_book_alone(writing: Any) -> None:
    csm, revops = writing.client(writing.token("csm", "Ada A.")), writing.client(writing.token("revops"))
    assert revops.post("/api/calls", json=CHURN | {"account_id": "a01"}).status_code == 200
    refused = csm.post("/api/calls", json=CHURN | {"account_id": "a01"})
    assert (refused.status_code, "nothing was written down" in refused.text) == (404, True)
    assert csm.get("/api/calls").json()["rows"] == []
    assert csm.get("/api/calls?account_id=a01").json()["total"] == 0
    assert revops.get("/api/calls").json()["total"] == 1


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"outcome": None, "category": None, "probability": None}, 422, "say an outcome, a category or a probability"),
        ({"outcome": "stay"}, 422, "outcome: Input should be"),
        ({"probability": 1.5}, 422, "probability"),
        ({"reason": "x" * 501}, 422, "reason"),
        ({"replaces": 1007}, 422, "Entry 1007 is none of yours"),
        ({"account_id": "nobody"}, 404, "no account 'nobody'"),
    ],
)
def test_what_is_no_call_is_refused_and_nothing_is_written(
    writing: Any, change: dict[str, Any], status: int, message: str
) -> None:
    client = writing.client(writing.token("revops"))
    before = client.get("/api/calls").json()["rows"]
    answer = client.post("/api/calls", json=CHURN | change)
    assert (answer.status_code, message in answer.text) == (status, True), answer.text
    assert client.get("/api/calls").json()["rows"] == before


def test_the_form_of_an_account_s_page_writes_a_call_that_had_seen_the_model(writing: Any) -> None:
    client = writing.client(writing.token("csm", "Ada A."), accept="text/html,*/*")
    form = {"account_id": "a03", "outcome": "renew", "category": "", "reason": "Their <champion> stays.", "amount": "9"}
    answer = client.post("/calls", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/accounts/a03#calls")
    page = client.get("/accounts/a03").text
    assert "Their &lt;champion&gt; stays." in page
    (row,) = client.get("/api/calls").json()["rows"]
    assert (row["seen_model"], row["amount"], row["category"]) == (True, 9.0, None)
    assert client.post("/calls", data=form, headers={"origin": "https://elsewhere.example"}).status_code == 403
    assert client.post("/calls", data=form | {"outcome": "x"}).status_code == 422
    assert client.get("/api/calls").json()["total"] == 1


def test_a_record_that_cannot_be_used_stops_no_page_and_is_said(writing: Any) -> None:
    (writing.desk.params.data_dir / DATABASE).write_bytes(b"no database " * 400)
    client = writing.client(writing.token("revops"), accept="text/html,*/*")
    assert "cannot be read just now" in client.get("/accounts/a03").text
    answer = client.post("/api/calls", json=CHURN)
    assert (answer.status_code, "nothing was written down" in answer.text) == (503, True)
