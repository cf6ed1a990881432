"""Who may see what, over all routes: a role csm sees its own book and nothing of the whole company."""

import io
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import openpyxl
import pytest
from fastapi.routing import APIRoute

from serving.pages import routes as pages
from serving.service import api

ROLES = ("admin", "revops", "csm", "stranger")
LISTS = (
    "accounts",
    "nrr",
    "renewals",
    "movements",
    "bridge",
    "history",
    "forecasts",
    "health",
    "actions",
    "losses",
    "whitespace",
    "pay",
)
EVERYBODY, SIGNED_IN, NOT_CSM = (200, 200, 200, 200), (200, 200, 200, 401), (200, 200, 403, 401)
# What each role is answered: a route that is added fails until somebody has decided who sees it.
EXPECTED: dict[str, tuple[int, ...]] = {
    "/readyz": EVERYBODY,
    "/sign-in": EVERYBODY,
    "/static/style.css": EVERYBODY,
    "/static/icon.svg": EVERYBODY,
    "/static/search.js": EVERYBODY,
    "/favicon.ico": SIGNED_IN,
    "/": SIGNED_IN,
    "/accounts": SIGNED_IN,
    "/accounts/{account_id:path}": SIGNED_IN,
    "/sheets/{account_id:path}": SIGNED_IN,
    "/health": SIGNED_IN,
    "/alerts": SIGNED_IN,
    **dict.fromkeys(("/escalations", "/review", "/losses", "/whitespace"), SIGNED_IN),
    "/actions": SIGNED_IN,
    "/track-record": SIGNED_IN,
    "/model": SIGNED_IN,
    **dict.fromkeys(("/kpis", "/scorecards", "/behaviours"), SIGNED_IN),
    **dict.fromkeys(("/cohorts", "/scenarios", "/watch"), NOT_CSM),
    **dict.fromkeys(("/api/kpis", "/api/scorecards"), SIGNED_IN),
    **dict.fromkeys(("/api/cohorts", "/api/cohorts.{kind}", "/api/watch"), NOT_CSM),
    "/pay": SIGNED_IN,
    "/openapi.json": SIGNED_IN,
    "/docs.json": SIGNED_IN,
    "/api": SIGNED_IN,
    "/api/track-record": SIGNED_IN,
    "/api/calls": SIGNED_IN,
    "/api/alerts": SIGNED_IN,
    "/api/escalations": SIGNED_IN,
    "/api/review": SIGNED_IN,
    "/api/model": SIGNED_IN,
    "/api/actions/answers": SIGNED_IN,
    "/api/actions/record": SIGNED_IN,
    "/api/accounts/{account_id:path}": SIGNED_IN,
    "/api/sheets/{account_id:path}": SIGNED_IN,
    **{f"/api/{name}": SIGNED_IN for name in LISTS},
    **{f"/api/{name}.{{kind}}": SIGNED_IN for name in LISTS},
    "/api/scenario": NOT_CSM,
    **dict.fromkeys(("/api/voice", "/api/behaviours", "/api/icp"), NOT_CSM),
    "/api/effects": NOT_CSM,
    "/effects": NOT_CSM,
    "/api/process": NOT_CSM,
    "/process": NOT_CSM,
    **dict.fromkeys(("/api/holdout", "/holdout"), NOT_CSM),
    "/metrics": NOT_CSM,
}
MINE = "a03"
POSTED = {
    "/api/score": {"account_ids": [MINE]},
    "/api/live": {"accounts": [{"account_id": MINE}]},
    "/api/actions/answer": {"account_id": MINE, "action": "training", "answer": "done"},
    "/api/calls": {"account_id": MINE, "outcome": "renew"},
    "/api/alerts": {"account_id": MINE, "rule": "renewal_in_120_days", "answer": "acknowledged"},
    "/api/escalations": {"number": 2},
    "/api/review": {"account_id": MINE, "step": "Call them", "owner": "Ada A.", "due_on": "2026-02-01"},
    "/api/health": {"account_id": MINE, "band": "C", "reason": "of tests", "until": "2026-02-01"},
    "/calls": None,
    "/actions": None,
    "/alerts": None,
    "/escalations": None,
    "/review": None,
    "/sign-in": None,
    "/sign-out": None,
}

EMPTY_POSTS = {
    **dict.fromkeys(("/api/score", "/api/live", "/api/calls", "/api/alerts", "/api/health", "/api/review"), 415),
    **dict.fromkeys(("/api/escalations", "/api/actions/answer", "/calls", "/actions", "/alerts", "/sign-in"), 415),
    **dict.fromkeys(("/escalations", "/review"), 415),
    "/sign-out": 303,
}
OPEN = [route for route, statuses in EXPECTED.items() if statuses == EVERYBODY]


def routes(method: str) -> set[str]:
    every = (route for router in (api.router, pages.router) for route in routes_of(router))
    return {route.path for route in every if isinstance(route, APIRoute) and method in route.methods}


def routes_of(router: Any) -> Iterator[Any]:
    """The routes of a router, and of all that it includes."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        yield from [route] if included is None else routes_of(included)


def addresses() -> Iterator[tuple[str, str]]:
    """Each route that is read, and the addresses to read it at."""
    for route in sorted(routes("GET")):
        for kind in ("csv", "xlsx") if "{kind}" in route else ("",):
            yield route, route.replace("{kind}", kind).replace("{account_id:path}", MINE)


def client_of(service: Any, role: str) -> Any:
    if role == "stranger":
        return service.stranger(accept="text/html,*/*")
    token = service.token(role, "Ada A." if role == "csm" else None)
    return service.client(token, accept="text/html,*/*")


def words_of(answer: Any) -> str:
    if "spreadsheet" not in answer.headers.get("content-type", ""):
        return str(answer.text)
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    return " ".join(repr(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row)


def test_somebody_has_decided_who_sees_each_route() -> None:
    assert routes("GET") == set(EXPECTED)
    assert routes("POST") == set(POSTED)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_answered_what_it_may_see(service: Any, role: str) -> None:
    client = client_of(service, role)
    for route, address in addresses():
        assert client.get(address).status_code == EXPECTED[route][ROLES.index(role)], address
    for path, body in POSTED.items():
        if body is not None:
            assert client.post(path, json=body).status_code == (401 if role == "stranger" else 200), path


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "FOO")


def test_all_routes_by_all_methods_for_all_roles(service: Any, attack: Any) -> None:
    """Every n-th of them with every run of the tests, and all with `make attack`."""
    everything = [(role, method, *there) for role in ROLES for method in METHODS for there in every_address()]
    tried = everything[:: attack.size(23, 1)]
    clients = {role: client_of(service, role) for role in ROLES}
    for role, method, route, address in tried:
        answer = clients[role](method, address)
        assert answer.status_code == expected(role, method, route), (role, method, address)
        assert role != "stranger" or "Ada A." not in answer.text, (method, address)
        assert method != "HEAD" or answer.content == b"", (role, address)
    attack.count("requests: routes x methods x roles", len(tried))


def every_address() -> Iterator[tuple[str, str]]:
    yield from addresses()
    yield from ((path, path) for path in sorted(POSTED))


def expected(role: str, method: str, route: str) -> int:
    """The status by who asks for what; a stranger is not told what an address takes."""
    if role == "stranger" and route not in OPEN:
        return 401
    if method in ("GET", "HEAD") and route in EXPECTED:
        return EXPECTED[route][ROLES.index(role)]
    return EMPTY_POSTS.get(route, 405) if method == "POST" else 405


PLANTED = 7_654_321.0
SECRETS = ("note-of-the-whole", "7654321", "7,654,321", "planted-category", "765432100", "tracking.example")


@pytest.fixture
def planted(service: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The service, its publication full of figures of the whole company that no CSM may see."""
    about = service.desk.following.state.published.about
    counts = dict.fromkeys(("rows", "events", "accounts"), int(PLANTED))
    shares = ("mean_predicted", "mean_observed", "auc", "auc_low", "skill", "skill_low", "calibration_error")
    scores = [{"outcome": "churn", "horizon_months": 3, **counts, **dict.fromkeys(shares, PLANTED)}]
    tested = {"scores": scores, "reliability": {}}
    card = {
        **about["model"],
        "events": {"churn": int(PLANTED)},
        "settings": {"model.trees": str(int(PLANTED))},
        "importance": {"churn": [{"index": "planted-category", "mean_abs_log_odds": PLANTED}], "expansion": []},
        "test": tested,
        "backtest": {**tested, "run_id": "r", "made_at": "", "data_digest": "", "portfolio": [], "forecasts": []},
        "added_later": PLANTED,
    }
    monkeypatch.setitem(about, "model", card)
    monkeypatch.setitem(about, "notes", ["note-of-the-whole 7654321"])
    monkeypatch.setitem(about, "red_flag", "note-of-the-whole")
    serving = service.desk.params.serving.model_copy(update={"mlflow_url": "http://tracking.example/"})
    monkeypatch.setattr(service.desk, "params", service.desk.params.model_copy(update={"serving": serving}))
    return service


def test_a_csm_sees_no_field_of_the_whole_company(planted: Any) -> None:
    revops = " ".join(words_of(client_of(planted, "revops").get(address)) for _, address in addresses())
    assert [secret for secret in SECRETS if secret not in revops] == [], "it is there to be seen"
    client = client_of(planted, "csm")
    for _, address in addresses():
        text = words_of(client.get(address))
        assert [secret for secret in SECRETS if secret in text] == [], address


def test_a_csm_sees_no_figure_of_the_whole_company_and_nobody_of_another_book(service: Any) -> None:
    figures, people = whole_company(service)
    assert len(figures) > 100
    client = client_of(service, "csm")
    for _, address in addresses():
        text = words_of(client.get(address))
        words = set(re.findall(r"[\w.,]*\w", text))
        assert not words & figures, address
        assert not [name for name in people if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)], address


def whole_company(service: Any) -> tuple[set[str], set[str]]:
    """Figures of all accounts together, as answers and pages write them, and whoever is in other books."""
    client = service.client()
    rows = client.get("/api/accounts?limit=1000").json()["rows"]
    others = [row for row in rows if row["csm"] != "Ada A."]
    people = {row["account_id"] for row in others} | {row["csm"] for row in others}
    mine = numbers(client.get(f"/api/nrr?cut=csm&value={quote('Ada A.')}").json())
    mine |= numbers(client.get(f"/api/renewals?cut=csm&value={quote('Ada A.')}").json())
    mine |= numbers(client.get(f"/api/movements?limit=1000&csm={quote('Ada A.')}").json())
    mine |= numbers(client.get(f"/api/bridge?limit=1000&csm={quote('Ada A.')}").json())
    whole = set()
    for path in (
        "/api/nrr?cut=total",
        "/api/renewals?cut=total",
        "/api/movements?limit=1",
        "/api/bridge?limit=1",
        "/api/forecasts?cut=total",
    ):
        whole |= numbers(client.get(path).json())
    figures = {number for number in whole - mine if len(repr(number).strip("0.")) > 4}
    return {repr(number) for number in figures} | {f"{n:,.0f}" for n in figures if n > 20_000}, people


def numbers(content: Any) -> set[float]:
    """All numbers within plain data."""
    if isinstance(content, dict):
        return set().union(*map(numbers, content.values()))
    if isinstance(content, list):
        return set().union(*map(numbers, content))
    return {content} if isinstance(content, int | float) and not isinstance(content, bool) else set()


def test_no_path_of_this_machine_is_shown_but_to_administrators(service: Any) -> None:
    places = (str(service.desk.params.data_dir), "mlflow.db", ".sqlite")
    for role in ("revops", "csm", "stranger"):
        client = client_of(service, role)
        for _, address in addresses():
            assert [place for place in places if place in words_of(client.get(address))] == [], (role, address)


def test_a_csm_s_model_says_which_it_is_and_no_more(service: Any) -> None:
    card = client_of(service, "csm").get("/api/model").json()
    assert card["published_model"]["version"] == service.client().get("/api/model").json()["published_model"]["version"]
    assert not {"events", "settings", "importance", "test", "backtest"} & set(card["published_model"])
    assert all("categories" not in item for item in card["inputs"])
    assert json.dumps(card["inputs"])
