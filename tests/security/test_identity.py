"""Who somebody is: said once, from the service's own pages, and over when they sign out."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

REMOTE = {"client": "10.0.0.9", "base": "http://holdfast.example:3000"}
OWN = {"origin": "http://127.0.0.1:3000"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def cookie_of(answer: Any) -> str:
    return str(answer.headers["set-cookie"]).split(";")[0]


def signed_in(service: Any, **more: Any) -> str:
    answer = service.stranger().post("/sign-in", data={"token": service.token("revops")}, **more)
    assert answer.status_code == 303
    return cookie_of(answer)


TWICE = [
    ("authorization", "Bearer hf_one", "Bearer hf_two"),
    ("cookie", "holdfast_session=hs_one", "holdfast_session=hs_two"),
    ("host", "127.0.0.1", "evil.example"),
    ("origin", "http://127.0.0.1:3000", "https://evil.example"),
    ("content-type", "application/json", "text/plain"),
    ("x-forwarded-user", "revops", "admin"),
]


@pytest.mark.parametrize(("name", "first", "second"), TWICE)
def test_two_headers_that_say_who_asks_are_refused(fresh: Any, name: str, first: str, second: str) -> None:
    service = fresh(proxies=["127.0.0.1"], proxy_header="X-Forwarded-User")
    headers = [("host", "127.0.0.1"), ("authorization", f"Bearer {service.admin}")]
    sent = [pair for pair in headers if pair[0] != name] + [(name, first), (name, second)]
    answer = ask_raw(service, "/api", sent)
    assert (answer["status"], answer["error"]["message"]) == (400, f"The header {name} came more than once.")


def ask_raw(service: Any, path: str, headers: list[tuple[str, str]], method: str = "GET") -> dict[str, Any]:
    """Ask with headers exactly as given."""
    import asyncio

    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope = {
        "type": "http", "method": method, "path": path, "query_string": b"", "scheme": "http", "http_version": "1.1",
        "headers": raw, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 3000),
    }  # fmt: skip
    asyncio.run(service.guarded(scope, receive, send))
    return {"status": sent[0]["status"], **json.loads(b"".join(m.get("body", b"") for m in sent[1:]))}


def test_two_sessions_in_one_header_are_refused(service: Any) -> None:
    cookie = signed_in(service)
    answer = service.stranger().get("/api", headers={"cookie": f"{cookie}; holdfast_session=hs_planted"})
    assert (answer.status_code, "came more than once" in answer.text) == (400, True)
    others = service.stranger().get("/api", headers={"cookie": f'a=1; {cookie}; b="x; c'})
    assert others.status_code == 200, "other cookies do not matter, well-formed or not"


CHANGES = [
    ("/sign-in", {"data": {"token": "x"}}),
    ("/sign-out", {}),
    ("/api/score", {"json": {"account_ids": ["a02"]}}),
    ("/api/live", {"json": {"accounts": [{"account_id": "a02"}]}}),
]


@pytest.mark.parametrize(("path", "body"), CHANGES)
@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_pages_of_other_sites_change_nothing(
    service: Any, path: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    cookie = {"cookie": signed_in(service)}
    answer = service.stranger().post(path, headers={**cookie, **headers}, **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert service.stranger().get("/api", headers=cookie).status_code == 200, "nobody was signed out"
    answer = service.stranger().post(path, headers={**cookie, **OWN}, **body)
    assert answer.status_code in (200, 303, 401), "the service's own pages may"


def test_signing_out_ends_the_session_for_whoever_has_copied_the_cookie(service: Any) -> None:
    cookie, other = signed_in(service), signed_in(service)
    assert service.stranger().get("/api", headers={"cookie": cookie}).status_code == 200
    out = service.stranger().post("/sign-out", headers={"cookie": cookie, **OWN})
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert service.stranger().get("/api", headers={"cookie": cookie}).status_code == 401
    assert service.stranger().get("/api", headers={"cookie": other}).status_code == 200, "another browser's goes on"


def test_a_token_is_no_cookie(service: Any) -> None:
    for name in ("holdfast_session", "holdfast_token"):
        answer = service.stranger().get("/api", headers={"cookie": f"{name}={service.admin}"})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("client", "headers", "secure"),
    [
        ({}, OWN, False),
        (REMOTE, {}, True),
        (REMOTE, {"origin": "http://holdfast.example:3000"}, None),
        ({"base": "https://holdfast.example"}, {"origin": "https://holdfast.example"}, True),
    ],
)
def test_cookies_are_secure_off_this_machine(
    service: Any, client: dict[str, str], headers: dict[str, str], secure: bool | None
) -> None:
    answer = service.stranger(**client).post("/sign-in", data={"token": service.admin}, headers=headers)
    if secure is None:
        assert (answer.status_code, "in the clear" in answer.text) == (403, True)
        return
    parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=strict", "path=/"} <= parts
    assert ("secure" in parts) == secure


@pytest.mark.parametrize("path", ["/api/score", "/api/live"])
@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_bodies_that_do_not_say_they_are_json_are_refused(service: Any, path: str, kind: str) -> None:
    answer = service.client().post(
        path, content=b'{"account_ids": ["a02"]}', headers={"content-type": kind} if kind else {}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


def test_a_sign_in_that_is_no_form_is_refused(service: Any) -> None:
    answer = service.stranger().post("/sign-in", json={"token": service.admin})
    assert answer.status_code == 415
    large = service.stranger().post("/sign-in", content=b"token=" + b"x" * 20_000, headers=FORM)
    assert large.status_code == 413


ADDRESSES = ("/", "/accounts", "/accounts/a02", "/model", "/api", "/api/score", "/api/live", "/api/nrr.csv", "/livez",
             "/readyz", "/metrics", "/sign-in", "/static/style.css", "/nothing")  # fmt: skip


@pytest.mark.parametrize("path", ADDRESSES)
def test_methods_that_there_are_not_are_405(service: Any, path: str) -> None:
    sent = {"content": b'{"account_ids": ["a02"]}', "headers": {"content-type": "application/json"}}
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "FOO"):
        answer = service.client()(method, path, **sent)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST"), method


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/", 405), ("POST", "/api/accounts", 405), ("POST", "/sign-in/", 404), ("GET", "/api/score", 405),
     ("GET", "/sign-out", 405), ("HEAD", "/api/score", 405), ("POST", "/nothing", 404)],
)  # fmt: skip
def test_what_an_address_does_not_take_is_told(service: Any, method: str, path: str, status: int) -> None:
    assert service.client()(method, path).status_code == status


@pytest.mark.parametrize("path", [p for p in ADDRESSES if p not in ("/api/score", "/api/live", "/livez")])
def test_head_is_get_without_the_body(service: Any, path: str) -> None:
    get, head = service.client().get(path), service.client()("HEAD", path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    changing = {"content-length"} if path == "/metrics" else set()
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in get.headers.items() if k not in changing
    }


def test_the_page_asked_for_comes_after_signing_in(service: Any) -> None:
    asked = "/accounts?segment=large&search=%22%3E%3Cb%3E"
    form = service.stranger(accept="text/html").get(asked)
    assert form.status_code == 401
    assert 'name="next" value="/accounts?segment=large&amp;search=%22%3E%3Cb%3E"' in form.text
    wrong = service.stranger().post("/sign-in", data={"token": "hf_wrong", "next": asked})
    assert 'name="next" value="/accounts?segment=large&amp;' in wrong.text, "it is not forgotten by a wrong token"
    right = service.stranger().post("/sign-in", data={"token": service.admin, "next": asked})
    assert right.headers["location"] == asked


@pytest.mark.parametrize(
    "asked",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "evil", "",
     "/\r\nset-cookie: a=b", "javascript:alert(1)", "/" + "a" * 3000, "/é"],
)  # fmt: skip
def test_nobody_is_sent_to_another_site(service: Any, asked: str) -> None:
    answer = service.stranger().post("/sign-in", data={"token": service.admin, "next": asked})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_the_one_time_address_signs_in_once_and_only_until_there_is_a_token(untouched: Any) -> None:
    service = untouched()
    secret = service.desk.sessions.invite()
    assert service.stranger()("HEAD", f"/sign-in?once={secret}").status_code == 200, "a look does not use it up"
    first = service.stranger().get(f"/sign-in?once={secret}")
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = {"cookie": cookie_of(first)}
    assert "Sign out" in service.stranger(accept="text/html").get("/", headers=cookie).text
    second = service.stranger().get(f"/sign-in?once={secret}")
    assert (second.status_code, "This address was used" in second.text) == (401, True)
    service.token("csm", "Ada A.")
    assert service.stranger().get("/api", headers=cookie).status_code == 401


def test_below_a_path_every_address_has_it_and_the_cookie_is_its_own(fresh: Any) -> None:
    service = fresh(base_path="/team/holdfast")
    answer = service.stranger().post("/team/holdfast/sign-in", data={"token": service.admin, "next": "/model"})
    assert answer.headers["location"] == "/team/holdfast/model"
    assert cookie_of(answer).startswith("holdfast_session_team_holdfast=hs_")
    assert "Path=/team/holdfast;" in answer.headers["set-cookie"] + ";"
    cookie = {"cookie": cookie_of(answer)}
    for path in ("/team/holdfast", "/team/holdfast/", "/"):
        page = service.stranger(accept="text/html").get(path, headers=cookie)
        assert page.status_code == 200
        addresses = [part.split('"')[0] for part in page.text.split('href="')[1:]]
        assert {address for address in addresses if not address.startswith(("/team/holdfast/", "#"))} == set()
    out = service.stranger().post("/team/holdfast/sign-out", headers=cookie)
    assert out.headers["location"] == "/team/holdfast/sign-in"
    assert service.stranger().get("/team/holdfast/api", headers=cookie).status_code == 401
    assert service.client().get("/team/holdfastness").status_code == 404
    assert urlsplit(service.client().get("/openapi.json").json()["servers"][0]["url"]).path == "/team/holdfast"
