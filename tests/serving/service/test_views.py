"""What the pages show is consistent with itself."""

import importlib
from typing import Any

import pytest

from models.words import NO_REASON
from serving.access.tokens import Caller
from serving.pages import views
from serving.pages.render import environment

RETENTION = importlib.import_module("features.revenue.retention")  # the package's own name for it is a function
EVERYBODY = Caller("ada", "revops", None)


@pytest.mark.parametrize("horizon", [3, 6])
def test_red_flags_are_of_rows_that_the_page_lists(service: Any, monkeypatch: pytest.MonkeyPatch, horizon: int) -> None:
    """The largest value of a cut is listed, and each with a flag over the page's horizon; the smallest has one here."""
    published = service.desk.following.state.published
    rows = views.portfolio(published, EVERYBODY, horizon)["cuts"]["csm"]["rows"]
    assert len(rows) == 3
    monkeypatch.setattr(views, "MOST_VALUES", 1)
    monkeypatch.setattr(RETENTION, "WIDE_GAP", rows[-1]["nrr"] - rows[-1]["grr"])
    monkeypatch.setattr(RETENTION, "MOST_KEPT", 1.0)
    shown = views.portfolio(published, EVERYBODY, horizon)
    listed = [row["value"] for row in shown["cuts"]["csm"]["rows"]]
    flagged = [flag["value"] for flag in shown["flags"] if flag["cut"] == "csm"]
    assert listed == [rows[0]["value"], *(value for value in flagged if value != rows[0]["value"])]
    assert rows[-1]["value"] in flagged
    assert {flag["flag"].split(":")[1] for flag in shown["flags"]} == {" expansion masks loss."}
    page = service.client().get(f"/?horizon={horizon}").text
    assert page.count("stands far above") == len(shown["flags"])


def test_the_model_page_tells_administrators_how_to_open_its_run(service: Any) -> None:
    """The command holds a path of the machine, which nobody else needs."""
    store = service.desk.params.store_uri
    assert f"mlflow ui --backend-store-uri {store}</code>" in service.client().get("/model").text
    answer = service.remote(service.token("revops")).get("/model", headers={"accept": "text/html"})
    assert (answer.status_code, "backend-store-uri" in answer.text) == (200, False)


@pytest.mark.parametrize(("reason", "said"), [("", NO_REASON), ("usage fell <b>", "usage fell &lt;b&gt;")])
def test_what_no_reason_raises_is_said_as_in_the_terminal(reason: str, said: str) -> None:
    macro = '{% from "macros.html" import top_reason %}{{ top_reason({"top_reason": reason}) }}'
    assert environment().from_string(macro).render(reason=reason).strip() == said


@pytest.mark.parametrize(("asked", "horizon"), [("", 6), ("&horizon_months=3", 3), ("&horizon_months=3&metric=grr", 3)])
def test_the_api_tells_the_red_flags_of_the_page(
    service: Any, monkeypatch: pytest.MonkeyPatch, asked: str, horizon: int
) -> None:
    """Those of the horizon asked for, whatever the metric; the texts hold the ratios, and so differ."""
    published = service.desk.following.state.published
    monkeypatch.setattr(RETENTION, "WIDE_GAP", 0.0)
    monkeypatch.setattr(RETENTION, "MOST_KEPT", 1.0)
    flags = [row for row in views.portfolio(published, EVERYBODY, horizon)["flags"] if row["cut"] == "csm"]
    assert len(flags) > 1
    told = service.client().get(f"/api/nrr?cut=csm{asked}").json()["red_flags"]
    assert told == [f"csm {row['value']}: {row['flag']}" for row in flags]
    assert published.ratios(3, cut="csm") != published.ratios(6, cut="csm")
