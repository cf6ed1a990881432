"""The impact review sheet: what the customer knows, and nothing that is internal."""

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from serving.access.tokens import Caller
from serving.desk.impact_sheet import FEWEST_PEERS, impact_sheet
from serving.pages.business.customer_pages import sheet
from serving.pages.render import standalone

ADMIN = Caller(name="", role="admin")
GOAL = {
    "goal": "reports on time", "milestone_of": None, "owner_side": None, "metric": "hours a week", "unit": "hours",
    "baseline_value": 40.0, "target_value": 20.0, "due_on": "2026-06-01", "set_on": "2025-01-01", "reached_on": None,
    "current_value": 25.0, "measured_on": "2025-12-01",
}  # fmt: skip
TASK = GOAL | {
    "goal": "name the users", "milestone_of": "reports on time", "owner_side": "customer", "due_on": "2025-11-01",
    "metric": None, "unit": None, "baseline_value": None, "target_value": None, "current_value": None,
}  # fmt: skip
INTERNAL = ("churn", "at risk", "probab", "health", "fit", "trend", "peer_", "reason", "CSM", "csm", "arr", "ARR")


class Planned:
    """A publication of which one account has a plan, and segments are as given."""

    def __init__(self, published: Any, plan: list[dict[str, Any]], **labels: str) -> None:
        self.about, self.snapshot, self._published = published.about, published.snapshot, published
        self._plan, self._labels = plan, labels

    def account(self, account_id: str, csm: str | None) -> Any:
        detail = self._published.account(account_id, csm)
        return None if detail is None else detail | {"plan": self._plan, "labels": detail["labels"] | self._labels}


@pytest.fixture
def planned(service: Any) -> Any:
    published = service.desk.following.state.published
    return Planned(published, [GOAL, TASK], impact="less overtime", pain="they hate it", fit="bad")


def test_goals_have_their_tasks_states_and_progress(planned: Any) -> None:
    content = impact_sheet(planned, "a02", ADMIN)
    (goal,) = content["goals"]
    assert (goal["state"], goal["progress"]) == ("open", 0.75)
    assert [(task["goal"], task["state"]) for task in goal["tasks"]] == [("name the users", "overdue")]
    assert [row["goal"] for row in content["steps"]] == ["reports on time", "name the users"]
    page = standalone("sheet.html", **sheet(content))
    assert "75 % of the way" in page
    assert "was due 1 Nov 2025" in page
    assert "<td>You</td>" in page


def test_nothing_internal_stands_on_the_sheet(planned: Any) -> None:
    """Neither a word of what is internal, nor any figure that the account's own page has and the sheet does not."""
    content = impact_sheet(planned, "a02", ADMIN)
    page = standalone("sheet.html", **sheet(content))
    body = re.sub(r"<[^>]+>", " ", page.split("<body")[1])
    assert [word for word in INTERNAL if re.search(rf"(?<![a-z]){word}", body)] == []
    assert "less overtime" in body
    assert "they hate it" not in body, "pains are the vendor's notes"
    detail = planned.account("a02", None)
    told = set(texts({name: detail[name] for name in ("horizons", "drivers", "peers", "health", "history", "csm")}))
    assert told & set(texts(content)) == set()


def texts(content: Any) -> Iterator[str]:
    """Texts of some length, and figures with digits after the point, within plain data."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        for one in content:
            yield from texts(one)
    elif (isinstance(content, str) and len(content) > 10) or (isinstance(content, float) and content % 1):
        yield str(content)


def test_use_is_held_against_at_least_ten_that_stayed(planned: Any) -> None:
    snapshot = planned.snapshot
    everyone = snapshot.assign(tenure_days=400, arr_change_365d=0.0, segment="x")
    planned.snapshot = everyone
    content = impact_sheet(planned, "a02", ADMIN)
    assert content["has_peers"]
    page = standalone("sheet.html", **sheet(content))
    assert "others of your segment" in page
    assert f"{len(everyone) - 1}" not in re.sub(r"<[^>]+>", " ", page.split("Customers like you:")[1])
    (users,) = [row for row in content["use"] if row["measure"] == "active_users_28d"]
    others = everyone["active_users_28d"].drop("a02")
    assert users["usual"] == pytest.approx(others.median())
    planned.snapshot = everyone.head(FEWEST_PEERS)
    few = impact_sheet(planned, "a02", ADMIN)
    assert (few["has_peers"], {row["usual"] for row in few["use"]}) == (False, {None})
    for unknown in ({"arr_change_365d": pd.NA}, {"segment": None}):
        planned.snapshot = everyone.assign(**unknown)
        assert not impact_sheet(planned, "a02", ADMIN)["has_peers"]
    planned.snapshot = everyone.drop(columns="segment")
    assert not impact_sheet(planned, "a02", ADMIN)["has_peers"], "of customers at large nothing is said to be alike"


def test_the_sheet_is_served_to_whoever_sees_the_account(service: Any) -> None:
    client = service.client()
    assert client.get("/api/sheets/a02").json()["account_id"] == "a02"
    page = client.get("/sheets/a02", headers={"accept": "text/html"}).text
    assert "No goals are written down yet" in page
    assert "/static/style.css" in page
    ada = service.client(service.token("csm", "Ada A."))
    assert ada.get("/sheets/a03").status_code == 200
    assert ada.get("/sheets/a01").status_code == 404
    assert ada.get("/api/sheets/a01").status_code == 404
    awkward = "/sheets/?id=a%2F06+%C3%A9%3F%23%25"
    assert client.get(awkward).status_code == 200
