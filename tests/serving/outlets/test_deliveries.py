"""Deliveries: signed, with the id they always had, to a receiver that takes, fails, hangs, redirects or is private."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from params import Params, SettingsError, load
from serving.ledger.record import open_record
from serving.outlets import outbox
from serving.outlets.deliveries import messages_of, require_addresses, send_due
from serving.outlets.messages import News
from serving.outlets.transport import Door, Undeliverable, post

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_b2xkIHNlY3JldCBvZiBsb25nIGFnbw=="
NEWS = News("forecast.published", "run-1", "2026-01-02T03:04:05+00:00", {"nrr": 1.05}, "NRR 105 %.\n<!channel> & Co")
FAILED_NIGHT = News("run.failed", "2026-01-01", "2026-01-02T04:00:00+00:00", {"step": "check"}, "It failed.")


@dataclass
class Receiver:
    """A server that keeps what it was sent, and answers as it is told: a status, or seconds to hang."""

    answers: list[int | float] = field(default_factory=list)
    received: list[tuple[dict[str, str], str]] = field(default_factory=list)
    url: str = ""


@contextmanager
def receiving(*answers: int | float) -> Iterator[Receiver]:
    receiver, ended = Receiver(list(answers)), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            receiver.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            answer = receiver.answers.pop(0) if receiver.answers else 204
            if isinstance(answer, float):
                ended.wait(answer)
                return
            self.send_response(answer)
            if 300 <= answer < 400:
                self.send_header("location", receiver.url)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks?team=cs"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def settings(folder: Path, kind: str = "webhook", **changes: Any) -> Params:
    target = {"kind": kind, "url": "HOOK_URL", **({"secret": "HOOK_SECRET"} if kind == "webhook" else {})}
    overrides = {"allow_private": True, "timeout_seconds": 1, **changes}
    told = [f"deliver.{name}={json.dumps(value)}" for name, value in overrides.items()]
    return load(None, [f"data_dir={folder}", f"deliver.targets={json.dumps({'crm': target})}", *told])


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts the address of a receiver and a secret where the settings say."""

    def put(receiver: Receiver, secret: str = SECRET) -> None:
        monkeypatch.setenv("HOOK_URL", receiver.url)
        monkeypatch.setenv("HOOK_SECRET", secret)

    return put


class Clock:
    """A time that goes on when it is told."""

    def __init__(self) -> None:
        self.now = datetime.now(tz=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, **duration: float) -> "Clock":
        self.now += timedelta(**duration)
        return self


def sent(params: Params, clock: Clock, *news: News) -> list[Any]:
    with open_record(params) as record:
        outbox.put(record, messages_of(news, params), clock())
        return send_due(record, params, clock)


def test_a_webhook_is_signed_as_the_published_library_verifies(costly: None, tmp_path: Path, hook: Any) -> None:
    with receiving() as receiver:
        hook(receiver)
        (delivery,) = sent(settings(tmp_path), Clock(), NEWS)
    ((headers, body),) = receiver.received
    assert delivery.state == outbox.DELIVERED
    content = Webhook(SECRET).verify(body, headers)
    assert content == {"type": NEWS.event, "timestamp": NEWS.occurred_at, "data": NEWS.data}
    assert headers["webhook-id"] == delivery.message_id


def test_while_a_secret_is_changed_both_verify(costly: None, tmp_path: Path, hook: Any) -> None:
    with receiving() as receiver:
        hook(receiver, f"{SECRET} {OLD_SECRET}")
        sent(settings(tmp_path), Clock(), NEWS)
    ((headers, body),) = receiver.received
    assert Webhook(SECRET).verify(body, headers) == Webhook(OLD_SECRET).verify(body, headers)


def test_what_was_delivered_is_not_sent_again(costly: None, tmp_path: Path, hook: Any) -> None:
    params, clock = settings(tmp_path), Clock()
    with receiving() as receiver:
        hook(receiver)
        assert len(sent(params, clock, NEWS)) == 1
        assert sent(params, clock.later(days=2), NEWS) == []
    assert len(receiver.received) == 1
    with open_record(params) as record:
        (message,) = outbox.everything(record)
    assert message.body == "", "what arrived is not kept"


def test_what_was_not_taken_is_tried_again_with_the_same_id(costly: None, tmp_path: Path, hook: Any) -> None:
    params, clock = settings(tmp_path), Clock()
    with receiving(500, 2.5, 302, 200) as receiver:
        hook(receiver)
        errors = [sent(params, clock, NEWS)[0].error]
        assert sent(params, clock, NEWS) == [], "not before its time"
        errors += [sent(params, clock.later(hours=1), NEWS)[0].error for _ in range(2)]
        last = sent(params, clock.later(hours=3), NEWS)[0]
    assert errors == ["answered 500", "nobody answered: TimeoutError", "answered 302 (redirects are not followed)"]
    assert (last.state, last.attempts) == (outbox.DELIVERED, 4)
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert len(receiver.received) == 4


def test_it_is_given_up_in_the_end_and_at_once_where_nobody_is_any_more(
    costly: None, tmp_path: Path, hook: Any
) -> None:
    params, clock = settings(tmp_path, give_up_hours=3), Clock()
    with receiving(410, 500, 500, 500) as receiver:
        hook(receiver)
        (gone,) = sent(params, clock, NEWS)
        states = [sent(params, clock.later(hours=2), FAILED_NIGHT)[0].state for _ in range(3)]
        assert sent(params, clock.later(days=30), NEWS, FAILED_NIGHT) == []
    assert gone.state == outbox.GIVEN_UP
    assert states == [outbox.WAITING, outbox.WAITING, outbox.GIVEN_UP]


@pytest.mark.parametrize(
    ("url", "allowed", "error"),
    [
        ("http://93.184.216.34/x", False, "without TLS"),
        ("https://127.0.0.1:1/x", False, "private network"),
        ("https://10.0.0.8/x", False, "private network"),
        ("https://169.254.169.254/latest", False, "private network"),
        ("https://[::1]/x", False, "private network"),
        ("https://[::ffff:127.0.0.1]/x", False, "private network"),
        ("https://localhost/x", False, "private network"),
        ("ftp://example.com", True, "not one of https"),
        ("https://user:pw@127.0.0.1/", True, "not one of https"),
        ("https://127.0.0.1:99999/", True, "cannot be read"),
        ("http://127.0.0.1:9/", True, "nobody answered: ConnectionRefusedError"),
    ],
)
def test_an_address_that_may_not_be_told_is_not_asked(url: str, allowed: bool, error: str) -> None:
    with pytest.raises(Undeliverable, match=error) as refusal:
        post(Door(url, allowed, 1.0), b"{}", {})
    assert "127.0.0.1" not in str(refusal.value), "no address in what is kept and shown"


def test_slack_and_teams_show_names_as_text(costly: None, tmp_path: Path, hook: Any) -> None:
    with receiving() as receiver:
        hook(receiver)
        sent(settings(tmp_path, "slack"), Clock(), NEWS)
        sent(settings(tmp_path / "two", "teams"), Clock(), NEWS)
    (_, slack), (headers, teams) = receiver.received
    assert json.loads(slack) == {"text": "NRR 105 %.\n&lt;!channel&gt; &amp; Co"}
    blocks = json.loads(teams)["attachments"][0]["content"]["body"]
    assert [block["inlines"][0]["text"] for block in blocks] == ["NRR 105 %.", "<!channel> & Co"]
    assert "webhook-signature" not in headers


def test_only_what_was_asked_for_is_told(tmp_path: Path) -> None:
    wanted = {"ops": {"kind": "slack", "url": "OPS", "events": ["run.failed"]}, "all": {"kind": "teams", "url": "ALL"}}
    params = load(None, [f"data_dir={tmp_path}", f"deliver.targets={json.dumps(wanted)}"])
    told = [(message.target, message.event) for message in messages_of([NEWS, FAILED_NIGHT], params)]
    assert told == [("all", "forecast.published"), ("ops", "run.failed"), ("all", "run.failed")]


def test_ids_follow_from_what_is_told_and_to_whom(tmp_path: Path) -> None:
    params = settings(tmp_path)
    first, again = messages_of([NEWS], params), messages_of([NEWS], params)
    assert first == again
    other = News(NEWS.event, "run-2", NEWS.occurred_at, NEWS.data, NEWS.text)
    assert messages_of([other], params)[0].message_id != first[0].message_id


def test_an_address_that_is_not_there_is_named_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "")
    monkeypatch.delenv("HOOK_URL", raising=False)
    with pytest.raises(SettingsError, match=r"HOOK_URL \(of crm\), HOOK_SECRET \(of crm\)"):
        require_addresses(settings(tmp_path))


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://10.0.0.8/x", r"crm \(HOOK_URL\): the address is on a private network"),
        ("https://[::ffff:127.0.0.1]/x", "private network"),
        ("http://example.com/x", "without TLS"),
        ("nonsense", "not one of https"),
    ],
)
def test_an_address_that_is_not_allowed_is_refused_before_anything_is_queued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, error: str
) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HOOK_URL", url)
    params = settings(tmp_path)
    private = params.model_copy(update={"deliver": params.deliver.model_copy(update={"allow_private": False})})
    with pytest.raises(SettingsError, match=error) as refusal:
        require_addresses(private)
    assert "10.0.0.8" not in str(refusal.value), "the address may be a secret"


SENDING = """
import sys
from params import load
from serving.ledger.record import open_record
from serving.outlets.deliveries import send_due
params = load(None, sys.argv[1:])
with open_record(params) as record:
    send_due(record, params)
"""


def test_however_often_it_is_killed_nothing_is_lost_and_no_id_changes(
    costly: None, tmp_path: Path, hook: Any, attack: Any
) -> None:
    params, clock, kills = settings(tmp_path), Clock(), attack.size(3, 20)
    many = [News(NEWS.event, f"run-{number}", NEWS.occurred_at, NEWS.data, NEWS.text) for number in range(4 * kills)]
    ids = {message.message_id for message in messages_of(many, params)}
    options = [f"data_dir={tmp_path}", "deliver.allow_private=true"]
    options.append(f"deliver.targets={params.deliver.model_dump_json(include={'targets'})[11:-1]}")
    with receiving() as receiver, open_record(params) as record:
        hook(receiver)
        outbox.put(record, messages_of(many, params), clock())
        for kill in range(kills):
            before = len(receiver.received)
            process = subprocess.Popen([sys.executable, "-c", SENDING, *options])
            while len(receiver.received) <= before and process.poll() is None:
                time.sleep(0.002)
            time.sleep(0.003 * kill)
            process.kill()
            process.wait()
        attack.count("kills of a delivery", kills)
        send_due(record, params)
        states = {post.state for post in outbox.everything(record)}
    assert states == {outbox.DELIVERED}
    assert {headers["webhook-id"] for headers, _ in receiver.received} == ids
