"""Pages and answers about the business: what they say, what each role sees, and what stands where there is nothing."""

import io
from typing import Any

import pandas as pd
import pytest

from serving.access.tokens import Caller
from serving.desk import business
from serving.pages.business.kpi_words import GROUPS, TITLES, kpi_figure
from serving.publication.last_watch import FILE, note_watch

WHOLE = ("/cohorts", "/scenarios", "/watch", "/api/cohorts", "/api/watch")


def html(client: Any, path: str) -> str:
    answer = client.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 200, path
    return str(answer.text)


def test_kpis_say_their_figure_definition_and_n(service: Any) -> None:
    told = service.client().get("/api/kpis").json()
    nrr = next(row for row in told["rows"] if (row["kpi"], row["cut"]) == ("nrr", "total"))
    page = html(service.client(), "/kpis")
    assert kpi_figure(nrr) in page
    assert told["definitions"]["nrr"].split(";")[0][1:] in page
    assert {row["as_of"] for row in told["rows"]} > {"2026-01-01"}, "and the start of the quarter before"


def test_a_csm_sees_the_kpis_of_the_own_book_alone(service: Any) -> None:
    told = service.client(service.token("csm", "Ada A.")).get("/api/kpis").json()
    assert {(row["cut"], row["value"]) for row in told["rows"]} == {("csm", "Ada A.")}
    assert (told["grid"], told["warnings"]) == ([], [])


def test_the_triangle_is_the_cells_of_the_api(service: Any) -> None:
    rows = service.client().get("/api/cohorts").json()["rows"]
    page = html(service.client(), "/cohorts?figure=grr")
    newest = [row for row in rows if row["cohort"] == rows[-1]["cohort"]]
    assert newest[0]["cohort"] in page
    assert page.count('class="h') >= len(newest)
    assert "Accounts that left count as 0" in page


def test_the_cells_to_come_stand_in_the_triangle_with_their_interval(service: Any) -> None:
    told = service.client().get("/api/cohorts").json()
    assert told["ahead"]
    known = {(row["cohort"], row["age_quarters"]) for row in told["rows"]}
    for row in told["ahead"]:
        assert (row["cohort"], row["age_quarters"]) not in known
        assert row["nrr_low"] <= row["nrr_high"]
    page = html(service.client(), "/cohorts")
    assert 'ahead">' in page
    newest = told["ahead"][-1]
    assert f"{round(100 * newest['nrr_low'])}–{round(100 * newest['nrr_high'])}" in page
    rows = pd.read_csv(io.StringIO(service.client().get("/api/cohorts.csv").text))
    assert rows["kind"].value_counts().to_dict() == {"actual": len(told["rows"]), "forecast": len(told["ahead"])}


PAY_OF_ALL = ("0.6321", "345678.9", "345,679", "63 %")


def test_pay_is_shown_to_admins_whole_with_the_share_that_is_luck(service: Any) -> None:
    told = service.client().get("/api/pay").json()
    assert [(plan["name"], len(plan["people"])) for plan in told["plans"]] == [("in force", 3), ("of next year", 3)]
    page = html(service.client(), "/pay?plan=of next year")
    assert "Luck alone would make 63 % of the differences in pay under the plan “of next year”" in page
    assert "64,444" in page
    assert "25 % counts" in page
    rows = pd.read_csv(io.StringIO(service.client().get("/api/pay.csv").text))
    assert rows.groupby("plan")["person"].nunique().to_dict() == {"in force": 3, "of next year": 3}


def test_a_csm_sees_the_own_pay_under_the_plan_in_force_alone(service: Any) -> None:
    client = service.client(service.token("csm", "Ada A."))
    told = client.get("/api/pay").json()
    assert [(plan["name"], [row["person"] for row in plan["people"]]) for plan in told["plans"]] == [
        ("in force", ["Ada A."])
    ]
    for path in ("/api/pay", "/api/pay.csv", "/pay", "/pay?plan=of next year"):
        text = client.get(path, headers={"accept": "text/html,*/*"}).text
        assert not [word for word in (*PAY_OF_ALL, "of next year", "Chloé C.") if word in text], path
    assert "you would have had 101 % of target in 2 quarters" in html(client, "/pay")


def test_a_manager_sees_the_own_people_and_others_sums_alone(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    teams = {"lacking": "", "teams": {"of tests": ["Ben <b>B</b>"]}, "leaders": ["Lea"]}
    monkeypatch.setitem(service.desk.following.state.published._insights, "teams", teams)
    published = service.desk.following.state.published
    told = business.pay(published, Caller("of tests", "revops"))["plans"][0]
    assert (told["cost"], [row["person"] for row in told["people"]]) == (345_678.9, ["Ben <b>B</b>"])
    assert "Single people’s pay is for admins" in html(service.client(service.token("revops")), "/pay")
    names = {
        name: [row["person"] for row in business.pay(published, Caller(name, "revops"))["plans"][0]["people"]]
        for name in ("Lea", "Rita")
    }
    assert names == {"Lea": ["Ada A.", "Ben <b>B</b>", "Chloé C."], "Rita": []}


def test_a_csm_sees_the_own_card_alone(service: Any) -> None:
    every = service.client().get("/api/scorecards").json()["rows"]
    own = service.client(service.token("csm", "Ada A.")).get("/api/scorecards").json()["rows"]
    assert own == [row for row in every if row["person"] == "Ada A."]
    sellers = service.client(service.token("csm", "Ada A.")).get("/api/scorecards?by=seller").json()
    assert sellers["rows"] == []


def test_what_cannot_be_told_says_why(service: Any) -> None:
    assert "no feature" in html(service.client(), "/behaviours")
    assert "no column seller" in html(service.client(), "/scorecards?by=seller")


def test_the_watch_is_what_was_found_last(service: Any, place: Any) -> None:
    folder = service.desk.following.state.published.file.parent
    assert "holdfast watch" in html(service.client(), "/watch")
    chart = {"name": "level", "statistic": 3.5, "limit": 3.0, "alarm": True, "since": "2025-11-01", "cause": "market"}
    content = {
        "as_of": "2026-01-01", "model_version": "1", "trained_as_of": "2025-10-01", "verdict": "market",
        "todo": "Leave the model as it is.", "calibration": {"charts": [chart], "months": ["2025-11-01"]},
        "data": [], "inputs": {"moved_share": 0.0, "rows": []},
    }  # fmt: skip
    note_watch(folder, content)
    try:
        assert "did not record where it stands" in html(service.client(), "/watch")
        note_watch(folder, content | {"ladder": {"action": "wait", "reason": "it is young <1>", "version": ""}})
        page = html(service.client(), "/watch")
        rung = page.split('aria-current="step"')[1].split("</li>")[0]
        assert "<strong>Wait.</strong>" in rung
        assert "It is young &lt;1&gt;." in rung
        assert page.count('aria-current="step"') == 1
        assert service.client().get("/api/watch").json()["ladder"]["action"] == "wait"
        assert "The market moved, and not the model." in page
        assert "beyond the limit" in page
        assert service.client().get("/api/watch").json()["looked_as_of"] == "2026-01-01"
        assert "Leave the model as it is." in html(service.client(), "/?for=data")
    finally:
        (folder / FILE).unlink()


def test_scenarios_stand_beside_the_forecast(service: Any) -> None:
    page = html(service.client(), "/scenarios")
    assert "NRR of 90" in page
    assert "“severe”" in page or "“momentum”" in page


@pytest.mark.parametrize("path", WHOLE)
def test_what_is_of_the_whole_company_is_refused_and_not_linked(service: Any, path: str) -> None:
    client = service.client(service.token("csm", "Ada A."))
    answer = client.get(path)
    assert (answer.status_code, "of the whole company" in answer.text) == (403, True)
    assert f'href="{path}"' not in html(client, "/kpis")


def test_the_navigation_is_short_and_leads_to_every_page(service: Any) -> None:
    client = service.client()
    groups = html(client, "/").split('<nav aria-label="Pages">')[1].split("</nav>")[0]
    assert groups.count("<li>") == 5
    nearby = html(client, "/kpis").split('aria-label="Within this group">')[1].split("</nav>")[0]
    assert [name for name in ("KPIs", "Cohorts", "Scorecards", "Scenarios", "Behaviours") if name not in nearby] == []


def test_a_manager_s_home_has_a_row_a_book(service: Any) -> None:
    page = html(service.client(), "/?for=manager")
    assert "Ada A." in page
    assert "20 of 40" in page, "hours planned"
    assert "Book of Ada A." in html(service.client(service.token("csm", "Ada A.")), "/?for=manager"), "nobody else's"


def test_every_kpi_has_a_name_and_a_group() -> None:
    from features.kpis.declared_kpis import kpi_names

    grouped = {name for names in GROUPS.values() for name in names}
    assert grouped == set(TITLES)
    assert set(kpi_names()) - grouped == {name for name in kpi_names() if name.endswith("_annualised")}


def test_a_play_is_answered_on_the_first_page_and_says_so(writing: Any) -> None:
    client = writing.client(writing.token("csm", "Ada A."), accept="text/html,*/*")
    assert "This week’s plays" in html(client, "/")
    play = client.get("/api/actions?limit=1").json()["rows"][0]
    form = {"account_id": play["account_id"], "action": play["action"], "back": "week"}
    refused = client.post("/actions", data=form | {"answer": "disagree"})
    assert (refused.status_code, "say why you disagree" in refused.text) == (422, True)
    answer = client.post("/actions", data=form | {"answer": "disagree", "reason": "They <migrate>."})
    assert (answer.status_code, answer.headers["location"]) == (303, "/#plays")
    assert "You answered: disagree (They &lt;migrate&gt;.)" in html(client, "/")
    elsewhere = client.post("/actions", data=form | {"answer": "done"}, headers={"origin": "https://elsewhere.example"})
    assert elsewhere.status_code == 403


def test_alerts_are_taken_up_and_snoozed_on_their_page(writing: Any) -> None:
    client = writing.client(writing.token("csm", "Ada A."), accept="text/html,*/*")
    first, second = client.get("/api/alerts").json()["rows"][:2]
    form = {"account_id": first["account_id"], "rule": first["rule"]}
    answer = client.post("/alerts", data=form | {"answer": "acknowledged", "until": "", "reason": ""})
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts")
    assert "Taken up by Ada A." in html(client, "/alerts")
    form = {"account_id": second["account_id"], "rule": second["rule"], "answer": "snoozed"}
    assert client.post("/alerts", data=form).status_code == 422
    client.post("/alerts", data=form | {"until": "2026-01-20", "reason": "On holiday"})
    assert "Snoozed until 20 Jan 2026, Ada A." in html(client, "/alerts")
    elsewhere = client.post("/alerts", data=form, headers={"origin": "https://elsewhere.example"})
    assert elsewhere.status_code == 403
