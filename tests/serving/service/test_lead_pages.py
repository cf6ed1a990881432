"""The pages that leadership decides by."""

from typing import Any

import pytest

from serving.access.tokens import Caller
from serving.desk.escalation_desk import WORDS
from serving.pages.business.lead_pages import MEANINGS, ROWS_A_PAGE, escalations, review


@pytest.mark.parametrize(("asked", "page", "first", "shown"), [(1, 1, 0, 50), (3, 3, 100, 20), (99, 3, 100, 20)])
def test_the_review_is_paged_and_counts_all(service: Any, asked: int, page: int, first: int, shown: int) -> None:
    rows = [
        {"account_id": f"a{n}", "arr_at_risk": 10.0, "overdue": n < 2, "state": "nothing decided"} for n in range(120)
    ]
    published = service.desk.following.state.published
    content = review(published, {"rows": rows, "outcomes": []}, None, Caller("x", "admin", None), asked)
    assert ROWS_A_PAGE == 50
    assert (content["page_number"], content["pages"], content["total"]) == (page, 3, 120)
    assert [row["account_id"] for row in content["rows"]] == [f"a{n}" for n in range(first, first + shown)]
    assert (content["at_risk"], content["overdue"], content["undecided"]) == (1200.0, 2, 120)


def test_escalations_are_paged_and_counted_in_all(service: Any) -> None:
    rows = [{"number": n, "what": "accounts", "cut": "csm", "group": "Ada A.", "value": 9.0, "limit": 5.0,
             "status": "open"} for n in range(60)]  # fmt: skip
    published = service.desk.following.state.published
    first, last = (escalations(published, rows, number) for number in (1, 9))
    assert [len(page["rows"]) for page in (first, last)] == [50, 10]
    assert [page["page_number"] for page in (first, last)] == [1, 2]
    assert first["answer"] == last["answer"] == "60 escalations stand, and nobody has taken any of them up"


def test_a_page_of_the_review_is_asked_for_by_address(service: Any) -> None:
    client = service.client()
    assert client.get("/review?page=2").text == client.get("/review").text, "there is one page: the last is shown"
    assert client.get("/review?wrong=2").status_code == 422


def test_every_figure_passed_up_says_what_it_means_and_a_rise_is_told_in_points(service: Any) -> None:
    assert set(MEANINGS) == set(WORDS)
    row = {"what": "expected_loss_rise_share", "cut": "total", "group": "total", "value": 0.0742, "limit": 0.0213,
           "status": "open"}  # fmt: skip
    told = escalations(service.desk.following.state.published, [row])["rows"][0]
    assert (told["name"], told["value_shown"]) == ("Expected loss rose within a month", "+7.4 points of ARR")
    assert told["limit_shown"] == "+2.1 points of ARR"
    assert "Nothing is lost yet" in told["meaning"]
