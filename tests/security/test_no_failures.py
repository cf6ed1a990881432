"""Whatever is asked is answered or refused, and is never a failure of the service."""

import random
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from serving.pages.formats import account_address

HOSTILE = (
    "\0", "\x01", "²", "٣", "①", "9" * 5000, "-1", "0", "1e400", "nan", "1_0", " 12", "+12", "12.0", "0x10", "½",
    "é" * 300, "'", '"', "$", '$."', "\\", 'a"\\', "[0]", "$.a", "%", "_", "{{7*7}}", "<b>", "../..", "..", ".", "//",
    "%00", "%2e%2e", "\ufffd", "\u202e", "\U0001f600", "9999-12-31", "0001-01-01", "2026-02-30", "", "null", "None",
    "total", "csm", "name", "segment", "account_id", "arr; DROP TABLE account", "=1+1", "\r\nset-cookie: a=b",
    "a" * 4000,
)  # fmt: skip
FIELDS = (
    "horizon", "page", "cut", "value", "segment", "region", "csm", "search", "sort", "order", "window", "limit",
    "horizon_months", "min_arr_at_risk", "renews_from", "renews_before", "offset", "metric", "account_id", "id", "once",
    "unknown",
)  # fmt: skip
PAGES = ("/", "/accounts", "/model", "/sign-in", "/accounts/")
LISTS = ("accounts", "nrr", "renewals", "movements", "bridge", "history", "forecasts", "actions")
PATHS = (
    *PAGES,
    "/api",
    "/api/model",
    "/api/accounts/",
    *(f"/api/{name}{kind}" for name in LISTS for kind in ("", ".csv")),
)
FOLDERS = ("api/accounts", "accounts", "api", "static")
REQUESTS = 2000


@pytest.mark.parametrize(
    "address",
    ["/api/accounts?cut=%00&value=a", "/api/nrr?cut=%00", "/?horizon=%C2%B2", f"/?horizon={'9' * 5000}",
     "/accounts?page=%C2%B2", f"/accounts?page={'9' * 5000}", "/accounts?cut=%00&value=%00",
     "/api/accounts?cut=a%22%5C&value=b", "/accounts/%00", "/api/accounts/%ff%fe", "/accounts/?id=%00"],
)  # fmt: skip
def test_what_failed_once(service: Any, address: str) -> None:
    assert service.client(accept="text/html").get(address).status_code in (200, 404, 422)


@pytest.mark.slow
def test_two_thousand_generated_requests_meet_no_failure(service: Any, attack: Any) -> None:
    random_numbers, statuses = random.Random(18), []
    clients = [service.client(), service.client(service.token("csm", "Ada A.")), service.stranger()]
    requests = attack.size(REQUESTS, 2 * REQUESTS)
    for number in range(requests):
        address = generated(random_numbers)
        method = random_numbers.choice(("GET", "GET", "GET", "HEAD", "POST"))
        client = clients[number % 10 if number % 10 < 3 else 0]
        answer = client(method, address, headers={"accept": random_numbers.choice(("text/html", "*/*"))})
        assert answer.status_code < 500, address
        statuses.append(answer.status_code)
    assert statuses.count(200) > requests / 20, "some of it is answered"
    attack.count("generated requests, none a 5xx", len(statuses))


def generated(random_numbers: random.Random) -> str:
    """An address with hostile fields, or a hostile address."""
    pick = random_numbers.choice
    if random_numbers.random() < 0.2:
        return f"/{pick(FOLDERS)}/{quote(pick(HOSTILE))}"
    fields = {pick(FIELDS): pick(HOSTILE) for _ in range(pick((1, 1, 2)))}
    return f"{pick(PATHS)}?{urlencode(fields)}"


BODIES = (
    b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"account_ids": ["\\ud800"]}', b'{"account_ids": ["\\u0000"]}',
    b'{"account_ids": ["a02"], "horizons": [99999999999999999999]}', b'{"account_ids": ["a02"], "drivers": 1e400}',
    b'{"account_ids": ["a02"], "drivers": NaN}', b'{"account_ids": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"accounts": [{"account_id": "\\ud800", "new": true, "changes": {"arr": 1}}]}',
    b'{"accounts": [{"account_id": "a02", "changes": {"\\ud800": 1}}]}',
    b'{"accounts": [{"account_id": "a02", "changes": {"term_ends_on": "\\u0000"}}]}',
    b'{"accounts": [{"account_id": "a02", "changes": {"segment": "\\ud800"}}]}',
    b'{"accounts": [{"account_id": "\\u0000", "new": true, "changes": {"arr": 1, "segment": "\\u0001"}}]}',
)  # fmt: skip


@pytest.mark.parametrize("path", ["/api/score", "/api/live", "/sign-in", "/sign-out"])
def test_no_body_makes_it_fail(service: Any, path: str) -> None:
    kind = "application/json" if path.startswith("/api") else "application/x-www-form-urlencoded"
    for body in BODIES:
        answer = service.client().post(path, content=body, headers={"content-type": kind})
        assert answer.status_code < 500, body[:80]


def test_every_account_can_be_opened_whatever_its_id(service: Any) -> None:
    """Also those whose ids hold control characters, or what browsers and proxies read as steps of a path."""
    ids = [row["account_id"] for row in service.client().get("/api/accounts?limit=1000").json()["rows"]]
    assert {"a/06 é?#%", "../a//08\t\x01"} <= set(ids)
    page = service.client(accept="text/html").get("/accounts").text
    links = set(re.findall(r'href="(/accounts/[^"]+)"', page))
    for account in ids:
        address = account_address(account)
        assert not re.search(r"/\.{1,2}(/|$)|//|%0", address.partition("?")[0]), address
        assert service.client(accept="text/html").get(address).status_code == 200
        assert service.client().get(f"/api{address}").json()["account_id"] == account
    assert links <= {account_address(account) for account in ids}
    scored = service.client().post("/api/score", json={"account_ids": ids}).json()["scores"]
    assert [score["account_id"] for score in scored] == ids


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_every_download_can_be_made(service: Any, name: str, kind: str) -> None:
    assert service.client().get(f"/api/{name}.{kind}").status_code == 200
