"""What the pages show is consistent with itself."""

import itertools
from importlib import import_module
from typing import Any

import pytest

from serving.access.tokens import Caller
from serving.desk import queries
from serving.pages import findings, formats, home, views
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
    monkeypatch.setattr(home, "MOST_VALUES", 1)
    page = home.home(published, EVERYBODY, horizon)
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
    assert [row["named"] for row in home.home(published, caller, 6)["flags"]] == [False]
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


@pytest.mark.parametrize("csm", [None, "Ada A."])
def test_whom_to_call_lies_above_its_peers_and_the_most_arr_above_them_comes_first(
    service: Any, csm: str | None
) -> None:
    published = service.desk.following.state.published
    shown = home.home(published, Caller("whoever", "csm" if csm else "revops", csm), 6)["attention"]
    assert all(row["above_peers"] > 0 for row in shown)
    above = [row["arr_above_peers"] for row in shown]
    assert above == sorted(above, reverse=True)


def test_a_book_s_page_tells_nothing_of_the_company(service: Any) -> None:
    published = service.desk.following.state.published
    page = home.home(published, Caller("whoever", "csm", "Ada A."), 6)
    assert (page["trailing"], page["cuts"], page["origins"], page["record_answer"]) == (None, {}, [], [])


def test_the_waterfall_leads_from_today_to_the_expected_arr(service: Any) -> None:
    published = service.desk.following.state.published
    steps = home.home(published, EVERYBODY, 6)["waterfall"]["steps"]
    for before, step in itertools.pairwise(steps[:-1]):
        assert step["start"] == pytest.approx(before["end"])
    assert steps[-2]["end"] == pytest.approx(steps[-1]["end"], rel=1e-9)


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        ({}, "attention"),
        ({"horizon_months": "3"}, "attention"),
        ({"segment": "large"}, "all"),
        ({"search": "oak", "show": "attention"}, "all"),
        ({"segment": "large", "show": "growth"}, "growth"),
        ({"show": "nonsense"}, "all"),
    ],
)
def test_the_list_is_of_accounts_that_need_attention_unless_another_is_asked_for(
    parameters: dict[str, str], shown: str
) -> None:
    assert views.list_shown(parameters) == shown


def nrr(value: float) -> dict[str, Any]:
    return {"nrr": value, "mean": value}


@pytest.mark.parametrize(
    ("realised", "ahead", "title"),
    [
        ([1.15] + [1.1] * 11 + [1.07], 1.07, "NRR fell from 115 % to 107 % in a year, and should hold there"),
        ([1.0] + [1.0] * 11 + [1.004], 1.05, "NRR held at 100 % in a year, and should rise to 105 %"),
        ([0.9] + [1.0] * 11 + [1.0], 0.95, "NRR rose from 90 % to 100 % in a year, and should fall to 95 %"),
        ([1.0], 0.95, "NRR of the last twelve months is 100 % and should fall to 95 %"),
    ],
)
def test_the_title_of_a_chart_says_what_it_shows(realised: list[float], ahead: float, title: str) -> None:
    assert findings.trailing_title([nrr(value) for value in realised], [nrr(ahead)]) == title


def test_few_past_forecasts_are_called_few() -> None:
    row = {"p10": 0.9, "p90": 1.1, "actual": 1.0}
    assert (
        findings.record_title([row]) == "Too few forecast dates to judge: the 80 % range held in 1 of 1 past forecast"
    )
    assert findings.record_title([row] * 9 + [row | {"actual": 2}]) == "The 80 % range held in 9 of 10 past forecasts"


def test_what_happened_comes_before_its_points() -> None:
    text = "Raises churn risk by 1.2 points: 12 active users (24 as of 2025-10-01)"
    assert formats.reason(text) == '12 active users (24 as of 2025-10-01) <span class="small brief">+1.2 points</span>'
    assert "<0.1 points" not in formats.reason("Lowers churn risk by less than 0.1 points: x")
    assert formats.reason("Nothing unusual; no end date") == "Nothing unusual; no end date"


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
