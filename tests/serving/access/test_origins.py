"""Where a request says it comes from: this service's own pages, and no others."""

import pytest
from starlette.datastructures import Headers

from serving.access.origins import is_unencrypted, needs_secure_cookie, require_host, require_own_origin
from serving.wire.answers import Refused

OURS: list[tuple[dict[str, str], list[str]]] = [
    ({"host": "127.0.0.1:3000"}, []),
    ({"host": "127.0.0.1:3000", "origin": "http://127.0.0.1:3000"}, []),
    ({"host": "[::1]:3000", "origin": "http://[::1]:3000"}, []),
    ({"host": "holdfast.example", "origin": "https://holdfast.example"}, []),
    ({"host": "holdfast.example:443", "origin": "https://holdfast.example"}, []),
    ({"host": "Holdfast.Example", "origin": "https://holdfast.example"}, []),
    ({"host": "127.0.0.1:3000", "origin": "https://holdfast.example:8443"}, ["holdfast.example"]),
    ({"host": "h", "sec-fetch-site": "same-origin"}, []),
    ({"host": "h", "sec-fetch-site": "none"}, []),
]
OTHERS: list[tuple[dict[str, str], list[str]]] = [
    ({"host": "127.0.0.1:3000", "origin": "http://127.0.0.1:4000"}, []),
    ({"host": "127.0.0.1:3000", "origin": "http://localhost:3000"}, []),
    ({"host": "holdfast.example", "origin": "https://evil.example"}, ["holdfast.example"]),
    ({"host": "holdfast.example", "origin": "https://holdfast.example.evil.example"}, []),
    ({"host": "holdfast.example", "origin": "https://holdfast.example:8443"}, []),
    ({"host": "holdfast.example", "origin": "null"}, []),
    ({"host": "holdfast.example", "origin": ""}, []),
    ({"host": "", "origin": "null"}, []),
    ({"host": "h", "origin": "https://[h"}, []),
    ({"host": "h", "origin": "https://h:x"}, []),
    ({"host": "h", "sec-fetch-site": "cross-site"}, []),
    ({"host": "h", "sec-fetch-site": "same-site"}, []),
]


@pytest.mark.parametrize(("headers", "hosts"), OURS)
def test_own_pages_may(headers: dict[str, str], hosts: list[str]) -> None:
    require_own_origin(Headers(headers), hosts)


@pytest.mark.parametrize(("headers", "hosts"), OTHERS)
def test_pages_of_other_sites_may_not(headers: dict[str, str], hosts: list[str]) -> None:
    with pytest.raises(Refused, match="sent by a page of") as refused:
        require_own_origin(Headers(headers), hosts)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("host", "origin", "secure", "unencrypted"),
    [
        ("127.0.0.1:3000", "http://127.0.0.1:3000", False, False),
        ("localhost:3000", None, False, False),
        ("[::1]", None, False, False),
        ("127.0.0.1:3000", "https://holdfast.example", True, False),  # a proxy that gives another name
        ("holdfast.example", None, True, False),
        ("holdfast.example", "https://holdfast.example", True, False),
        ("10.0.0.5:3000", "http://10.0.0.5:3000", True, True),
    ],
)
def test_cookies_are_for_encrypted_connections_but_on_this_machine(
    host: str, origin: str | None, secure: bool, unencrypted: bool
) -> None:
    headers = Headers({"host": host} | ({"origin": origin} if origin else {}))
    assert (needs_secure_cookie(headers), is_unencrypted(headers)) == (secure, unencrypted)


@pytest.mark.parametrize(
    ("host", "hosts", "opened", "passes"),
    [
        ("holdfast.example", [], False, True),
        ("holdfast.example", [], True, False),
        ("localhost", [], True, True),
        ("[::1]", [], True, True),
        ("[::1]:3000", [], True, True),
        ("holdfast.example:3000", ["holdfast.example"], True, True),
        ("other.example", ["holdfast.example"], False, False),
        ("", [], True, False),
    ],
)
def test_names_it_is_not_called_by(host: str, hosts: list[str], opened: bool, passes: bool) -> None:
    if passes:
        require_host(Headers({"host": host}), hosts, opened=opened)
        return
    with pytest.raises(Refused, match="not called by that name"):
        require_host(Headers({"host": host}), hosts, opened=opened)
