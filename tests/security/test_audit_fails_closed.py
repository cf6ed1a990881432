"""The audit log when it cannot be written: counted, said, and, where it is required, nothing is shown."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from features.tables.spreadsheet_text import safe
from serving.access.audit import Audit


def unaudited(service: Any) -> float:
    text = service.client().get("/metrics").text
    return sum(float(line.split()[-1]) for line in text.splitlines() if 'events_total{what="unaudited"' in line)


@pytest.fixture
def block(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a service's log where no folder can be."""

    def make(service: Any, folder: Path) -> Any:
        in_the_way = folder / "in-the-way"
        in_the_way.write_text("")
        monkeypatch.setattr(service.desk.audit, "folder", in_the_way / "audit")
        return service

    return make


def test_by_default_it_is_counted_and_said_and_answers_go_on(fresh: Any, block: Any, tmp_path: Path) -> None:
    service = fresh()
    before = unaudited(service)
    assert service.client().get("/readyz").text == "ready\n"
    block(service, tmp_path)
    assert service.client().get("/api/accounts").status_code == 200
    assert unaudited(service) == before + 1
    ready = service.client().get("/readyz")
    assert (ready.status_code, ready.text) == (200, "ready\nThe audit log cannot be written: Not a directory.\n")


@pytest.mark.parametrize("path", ["/api", "/api/accounts", "/api/accounts.csv", "/", "/accounts/a02", "/api/model"])
def test_where_it_is_required_nothing_is_shown(fresh: Any, block: Any, tmp_path: Path, path: str) -> None:
    service = fresh(audit="required")
    assert service.client().get(path).status_code == 200
    working = service.desk.audit.folder
    service.desk.audit._handle = None
    block(service, tmp_path)
    answer = service.client().get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
    assert b"a02" not in answer.content
    score = service.client().post("/api/score", json={"account_ids": ["a02"]})
    assert (score.status_code, b"horizon" in score.content) == (503, False)
    ready = service.client().get("/readyz")
    assert (ready.status_code, "audit log cannot be written" in ready.text) == (503, True)
    service.desk.audit.folder = working
    assert service.client().get(path).status_code == 200, "it goes on by itself"
    assert service.client().get("/readyz").status_code == 200


def test_where_it_is_required_no_part_of_the_answer_follows_the_refusal(fresh: Any, block: Any, tmp_path: Path) -> None:
    """A client that reads on after an answer's end would see it."""
    service, sent = block(fresh(audit="required"), tmp_path), []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/api/accounts", "query_string": b"", "scheme": "http",
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {service.admin}".encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
    }  # fmt: skip
    asyncio.run(service.guarded(scope, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 503
    assert b"a02" not in sent[1]["body"]


def test_it_is_written_before_anything_is_shown(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service, order = fresh(), []
    write = Audit.write
    monkeypatch.setattr(Audit, "write", lambda *args, **more: (order.append("written"), write(*args, **more)))

    async def ask() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            order.append(message["type"])

        scope = {
            "type": "http", "method": "GET", "path": "/api", "query_string": b"", "scheme": "http",
            "headers": [(b"host", b"h"), (b"authorization", f"Bearer {service.admin}".encode())],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
        }  # fmt: skip
        await service.guarded(scope, receive, send)

    asyncio.run(ask())
    assert order[:2] == ["written", "http.response.start"]


@pytest.mark.parametrize("name", ["accounts", "history", "movements", "bridge"])
def test_every_account_of_a_download_is_in_it(untouched: Any, name: str) -> None:
    service = untouched()
    text = service.client().get(f"/api/{name}.csv").text
    ids = {row["account_id"] for row in csv.DictReader(io.StringIO(text))}
    (file,) = service.desk.audit.folder.iterdir()
    (line,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert (line["accounts"], {safe(account) for account in line["account_ids"]}) == (len(ids), ids)


def test_a_line_torn_by_a_kill_is_closed_when_the_service_starts_again(untouched: Any) -> None:
    service = untouched()
    service.client().get("/api")
    (file,) = service.desk.audit.folder.iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    Audit(service.desk.audit.folder.parent).write("ada", "GET /b")
    assert [json.loads(line)["what"] for line in file.read_text().splitlines()] == ["a torn line", "GET /b"]
