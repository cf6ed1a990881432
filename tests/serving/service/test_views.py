"""What the pages show is consistent with itself."""

from importlib import import_module
from typing import Any

import pytest

from serving.access.tokens import Caller
from serving.desk import queries
from serving.pages import views
from serving.pages.render import environment
from serving.publication import last_night

RETENTION = import_module("features.revenue.retention")  # the room has a function of that name, too
EVERYBODY = Caller("ada", "revops", None)


@pytest.fixture
def always_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any gap is a red flag, of a single account too."""
    monkeypatch.setattr(RETENTION, "WIDE_GAP", -1.0)
    monkeypatch.setattr(RETENTION, "FEWEST_ACCOUNTS", 1)


@pytest.mark.usefixtures("always_flagged")
@pytest.mark.parametrize("horizon", [3, 6])
def test_a_page_shows_three_red_flags_of_rows_that_it_lists(
    service: Any, monkeypatch: pytest.MonkeyPatch, horizon: int
) -> None:
    published = service.desk.following.state.published
    monkeypatch.setattr(views, "MOST_VALUES", 1)
    page = views.portfolio(published, EVERYBODY, horizon)
    flagged = [(row["cut"], row["value"]) for row in page["flags"]]
    assert len(flagged) == 3
    assert flagged[0][0] == "total"
    assert [row["starting_arr"] for row in page["flags"]] == sorted(
        (r["starting_arr"] for r in page["flags"]), reverse=True
    )
    rows = [(cut, row["value"], bool(row["flag"])) for cut, part in page["cuts"].items() for row in part["rows"]]
    assert {(cut, value) for cut, value, is_flagged in rows if is_flagged} == set(flagged[1:])
    text = service.client().get(f"/?horizon={horizon}").text
    assert text.count("stands far above") == 3


@pytest.mark.usefixtures("always_flagged")
def test_no_one_reads_their_own_name_as_a_red_flag(service: Any) -> None:
    published = service.desk.following.state.published
    csm = next(value for value in published.cuts["csm"])
    caller = Caller("whoever", "csm", csm)
    assert [row["named"] for row in views.portfolio(published, caller, 6)["flags"]] == [False]
    (flag,) = queries.red_flags(published, queries.NrrQuery(), caller)
    assert csm not in flag
    (flag,) = queries.red_flags(published, queries.NrrQuery(cut="csm", value=csm), EVERYBODY)
    assert flag.startswith(f"csm {csm}: NRR of")


def test_the_model_page_tells_administrators_how_to_open_its_run(service: Any) -> None:
    """The command holds a path of the machine, which nobody else needs."""
    command = f"cd {service.desk.params.data_dir} &amp;&amp; mlflow ui --backend-store-uri sqlite:///mlflow.db</code>"
    assert command in service.client().get("/model").text
    answer = service.remote(service.token("revops")).get("/model", headers={"accept": "text/html"})
    assert (answer.status_code, "backend-store-uri" in answer.text) == (200, False)


def test_a_reason_is_shown_as_text() -> None:
    macro = '{% from "macros.html" import top_reason %}{{ top_reason({"top_reason": "usage fell <b>"}) }}'
    assert environment().from_string(macro).render().strip() == "usage fell &lt;b&gt;"


@pytest.mark.parametrize(("asked", "horizon"), [("", 6), ("&horizon_months=3", 3), ("&horizon_months=3&metric=grr", 3)])
@pytest.mark.usefixtures("always_flagged")
def test_the_api_tells_the_red_flags_of_what_is_asked_for(service: Any, asked: str, horizon: int) -> None:
    """Those of the horizon asked for, whatever the metric; the texts hold the ratios, and so differ."""
    published = service.desk.following.state.published
    flags = published.ratios(horizon, cut="csm")
    assert len(flags) > 1
    assert all(row["flag"] for row in flags)
    told = service.client().get(f"/api/nrr?cut=csm{asked}").json()["red_flags"]
    assert told == [f"csm {row['value']}: {row['flag']}" for row in flags]
    assert published.ratios(3, cut="csm") != published.ratios(6, cut="csm")


def test_pages_say_that_the_last_night_failed_and_what_they_show(service: Any) -> None:
    folder = service.desk.following.state.published.file.parent
    last_night.note(folder, last_night.LastNight("2026-02-01", "2026-02-01T02:00:00+00:00", "failed", "train"))
    try:
        for path in ("/", "/accounts", "/model"):
            assert "did not finish at the step “train”" in service.client().get(path).text, path
    finally:
        (folder / last_night.FILE).unlink()
    assert "did not finish" not in service.client().get("/").text
