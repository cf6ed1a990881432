"""Facts about customers through the service: who was lost and why, and what a CSM sees of it."""

import io
from typing import Any

import pandas as pd


def test_losses_are_listed_and_summed_up_by_cause(service: Any) -> None:
    content = service.client().get("/api/losses?limit=5").json()
    assert content["total"] == 14, "every fifth of 60 accounts left, and two more"
    assert len(content["rows"]) == 5
    (whole,) = [row for row in content["causes"] if row["quarter"] == "all"]
    assert (whole["cause"], whole["accounts"], whole["share"]) == ("unknown", 14, 1.0)
    assert "churn_events" in content["definition"]
    assert {row["cause"] for row in content["at_risk"]} == {"value"}, "no data tell of signs of the others"
    none = service.client().get("/api/losses?cause=price").json()
    assert (none["total"], none["causes"]) == (0, [])


def test_a_csm_sees_the_losses_of_its_book_and_no_count_of_the_company(service: Any) -> None:
    ada = service.client(service.token("csm", "Ada A."))
    content = ada.get("/api/losses?limit=1000").json()
    assert {row["csm"] for row in content["rows"]} == {"Ada A."}
    assert (content["at_risk"], content["agreement"], content["departments"]) == ([], [], [])
    assert sum(row["accounts"] for row in content["causes"] if row["quarter"] == "all") == content["total"] > 0
    assert ada.get("/api/losses?csm=Ben <b>B</b>").status_code == 403


def test_losses_are_taken_away_as_a_file(service: Any) -> None:
    frame = pd.read_csv(io.StringIO(service.client().get("/api/losses.csv").text))
    assert len(frame) == 14
    assert {"name", "csm", "left_on", "quarter", "arr", "cause", "owner_department"} <= set(frame)


def test_what_is_not_owned_and_what_is_said_are_served(service: Any) -> None:
    client = service.client()
    assert client.get("/api/whitespace").json()["rows"] == [], "there is one product, and nobody said how many seats"
    voice = client.get("/api/voice").json()
    assert [row["category"] for row in voice["tickets"]] == ["not said"]
    assert voice["themes"] == []
    assert "has no feature" in client.get("/api/behaviours").json()["definition"]
    assert "Too few" in client.get("/api/icp").json()["note"]
    ada = service.client(service.token("csm", "Ada A."))
    for name in ("voice", "behaviours", "icp"):
        assert ada.get(f"/api/{name}").status_code == 403
