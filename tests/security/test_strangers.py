"""Whoever is not known: limited before anything is answered, and not able to fill the audit log."""

import json
from typing import Any

import pytest


def log_of(service: Any) -> list[dict[str, Any]]:
    folder = service.desk.audit.folder
    return [json.loads(line) for file in sorted(folder.iterdir()) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("path", ["/", "/api", "/nothing", "/sign-in", "/static/style.css"])
def test_strangers_are_limited_before_the_401(untouched: Any, path: str) -> None:
    client = untouched(requests_per_minute=600).remote()
    statuses = [client.get(path).status_code for _ in range(40)]
    assert statuses[0] in (200, 401)
    assert (statuses[-1], statuses.count(statuses[0]) <= 12) == (429, True)


def test_cookies_that_are_none_are_limited_too(untouched: Any) -> None:
    client = untouched().remote()
    answers = [client.get("/api", headers={"cookie": f"holdfast_session=hs_{n}"}) for n in range(20)]
    assert (answers[0].status_code, answers[-1].status_code) == (401, 429)
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_whoever_is_signed_in_does_not_suffer_from_strangers_of_the_same_address(fresh: Any) -> None:
    """As behind a proxy, whose address all of them have."""
    service = fresh(requests_per_minute=6000)
    token = service.token("revops")
    stranger = service.remote()
    while stranger.get("/api").status_code != 429:
        pass
    for _ in range(20):
        service.remote("hf_guess").get("/api")
    assert service.remote(token).get("/api").status_code == 200


def test_a_thousand_strangers_leave_a_few_lines_without_what_they_said(untouched: Any) -> None:
    service = untouched()
    client = service.remote()
    secret = service.token("admin")
    for number in range(300):
        client.get(f"/x{number}/{secret}?token={secret}&secret=5")
    service.desk.strangers.flush()
    log = log_of(service)
    assert len(log) < 20
    assert sum(line.get("requests", 1) for line in log) == 300
    assert secret not in json.dumps(log)
    assert "secret=5" not in json.dumps(log)


def test_no_query_is_in_the_log_of_whoever_is_signed_in(untouched: Any) -> None:
    service = untouched()
    service.client().get("/api/accounts?search=secret-name")
    (line,) = log_of(service)
    assert (line["what"], line["role"], "secret-name" in json.dumps(line)) == ("GET /api/accounts", "admin", False)
