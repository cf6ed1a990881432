"""Pages that leadership decides by: losses, what is not owned, escalations, the review; and their forms."""

from typing import Any

import pytest

from serving.alerts.escalating import WORDS
from serving.desk import escalation_desk
from serving.pages.business.customer_pages import sign_words
from serving.pages.formats import short
from serving.wire.answers import Refused

MINE, THEIRS = "a03", "a01"
ELSEWHERE = {"origin": "https://elsewhere.example"}


def html(client: Any, path: str) -> str:
    answer = client.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 200, path
    return str(answer.text)


def test_losses_say_how_much_was_lost_and_why(service: Any) -> None:
    told = service.client().get("/api/losses?limit=1000").json()
    page = html(service.client(), "/losses")
    assert f"14 accounts left with {short(sum(row['arr'] for row in told['rows']))} of ARR" in page
    assert "Of 100 % of the ARR lost, nobody wrote the cause down." in page
    unknown = next(row for row in told["avoidable"] if row["kind"] == "unknown")
    assert (unknown["accounts"], unknown["share"]) == (14, 1.0)
    assert "What customers say" in page


def test_losses_are_filtered_and_the_file_is_of_what_is_filtered(service: Any) -> None:
    page = html(service.client(), "/losses?cause=unknown&department=&quarter=")
    assert "/api/losses.csv?cause=unknown" in page
    assert "No loss matches." in html(service.client(), "/losses?cause=price")


def test_a_csm_sees_the_own_losses_and_nothing_of_what_all_customers_say(service: Any) -> None:
    page = html(service.client(service.token("csm", "Ada A.")), "/losses")
    assert "Book of Ada A." in page
    for heading in ("What customers say", "Who shows the same today", "agree with what showed"):
        assert heading not in page


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ("champions = 0 or fit = bad", ["Champions present: 0", "How well the account fits the product: bad"]),
        ("first_value_reached = 0", ["Whether a first-value goal has been reached: no"]),
        ("severe_ticket_backlog > 2", ["High or critical tickets opened and not yet resolved: above 2"]),
        ("of_our_own >= 3", ["of_our_own: at least 3"]),
        ("region = this or that", ["region = this or that"]),
        ("", []),
    ],
)
def test_signs_are_told_in_words(conditions: str, words: list[str]) -> None:
    assert sign_words(conditions) == words


def test_where_nothing_is_missing_the_page_says_what_it_takes(service: Any) -> None:
    page = html(service.client(), "/whitespace")
    assert "Nothing is missing." in page
    assert "accounts.potential_seats" in page


def test_an_escalation_is_taken_up_by_name_on_its_page(writing: Any) -> None:
    client = writing.client(writing.token("revops"), accept="text/html,*/*")
    row = next(row for row in client.get("/api/escalations").json()["rows"] if row["cut"] == "total")
    assert "Nobody has taken it up" in html(client, "/escalations")
    form = {"number": str(row["number"]), "note": "On <Monday>"}
    assert client.post("/escalations", data=form, headers=ELSEWHERE).status_code == 403
    answer = client.post("/escalations", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/escalations")
    page = html(client, "/escalations")
    assert "Taken up by revops on" in page
    assert "On &lt;Monday&gt;" in page
    assert client.post("/escalations", data={"number": "x"}).status_code == 422
    ada = writing.client(writing.token("csm", "Ada A."), accept="text/html,*/*")
    assert ada.post("/escalations", data=form).status_code == 404
    assert "On &lt;Monday&gt;" not in html(ada, "/escalations"), "what is of the whole company"


@pytest.mark.parametrize("what", WORDS)
def test_an_escalation_is_headed_by_the_title_of_its_figure(
    service: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"number": 1, "what": what, "cut": "total", "group": "total", "value": 0.2, "limit": 0.1, "causes": []}
    answer = {"raised_on": "2026-01-01", "status": "open", "by": "", "note": "", "asks_again_on": None}
    monkeypatch.setattr(escalation_desk, "escalation_rows", lambda *_: [row | answer])
    assert f"Take up: {WORDS[what].title}" in html(service.client(), "/escalations")


def test_a_decision_is_written_down_on_the_review(writing: Any) -> None:
    client = writing.client(writing.token("csm", "Ada A."), accept="text/html,*/*")
    form = {"account_id": MINE, "step": "Call the <CFO>", "owner": "Cleo", "due_on": "2025-12-20"}
    answer = client.post("/review", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/review")
    page = html(client, "/review")
    assert "Call the &lt;CFO&gt;" in page
    assert "decided by Ada A." in page
    assert "overdue" in page
    assert client.post("/review", data=form | {"account_id": THEIRS}).status_code == 404
    assert client.post("/review", data=form | {"due_on": ""}).status_code == 422
    assert client.post("/review", data=form, headers=ELSEWHERE).status_code == 403
    admin = writing.client(accept="text/html,*/*")
    back = admin.post("/review", data=form | {"back": "Ada A.", "state": "done"})
    assert back.headers["location"] == "/review?csm=Ada+A."


def test_another_s_book_is_refused_on_the_review(service: Any) -> None:
    client = service.client(service.token("csm", "Ada A."))
    assert client.get("/review?csm=Ben <b>B</b>").status_code == 403


@pytest.mark.parametrize("path", ["/escalations", "/review"])
def test_a_record_that_cannot_be_read_is_said_and_stops_nothing(
    service: Any, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unusable(*_: Any) -> Any:
        raise Refused(503, "unusable")

    for name in ("escalation_rows", "review_of"):
        monkeypatch.setattr(f"serving.desk.escalation_desk.{name}", unusable)
    assert "cannot be read just now" in html(service.client(), path)
