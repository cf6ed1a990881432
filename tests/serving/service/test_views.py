"""What the pages show is consistent with itself."""

from typing import Any

import pytest

from serving.access import Caller
from serving.pages import views

EVERYBODY = Caller("ada", "revops", None)


@pytest.mark.parametrize("horizon", [3, 6])
def test_red_flags_are_of_rows_that_the_page_lists(service: Any, monkeypatch: pytest.MonkeyPatch, horizon: int) -> None:
    """The largest value of a cut is listed, and each with a flag over the page's horizon; the smallest has one here."""
    published = service.desk.following.state.published
    rows = views.portfolio(published, EVERYBODY, horizon)["cuts"]["csm"]["rows"]
    assert len(rows) == 3
    monkeypatch.setattr(views, "MOST_VALUES", 1)
    monkeypatch.setattr("features.revenue_retention.WIDE_GAP", rows[-1]["nrr"] - rows[-1]["grr"])
    shown = views.portfolio(published, EVERYBODY, horizon)
    listed = [row["value"] for row in shown["cuts"]["csm"]["rows"]]
    flagged = [flag["value"] for flag in shown["flags"] if flag["cut"] == "csm"]
    assert listed == [rows[0]["value"], *(value for value in flagged if value != rows[0]["value"])]
    assert rows[-1]["value"] in flagged
    assert {flag["flag"].split(":")[1] for flag in shown["flags"]} == {" expansion masks loss."}
    page = service.client().get(f"/?horizon={horizon}").text
    assert page.count("stands far above") == len(shown["flags"])
