"""Slow senders: however slowly the bytes of a header or a body come, there is an end to it."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from serving.service import bodies, deadlines

SECONDS = 0.5


@pytest.fixture
def port(service: Any, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]) -> Iterator[int]:
    """The guarded application behind the server's own protocol, with short deadlines."""
    monkeypatch.setattr(deadlines, "HEADER_SECONDS", SECONDS)
    monkeypatch.setattr(bodies, "BODY_SECONDS", SECONDS)
    number = free_port()
    config = uvicorn.Config(
        service.guarded, host="127.0.0.1", port=number, http=deadlines.PROTOCOL, lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield number
    server.should_exit = True
    thread.join(timeout=10)


def trickle(port: int, beginning: bytes, drop: bytes) -> tuple[float, bytes]:
    """Send a beginning, then a drop each tenth of a second; how long that is let, and what comes back."""
    begun, answer = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port), timeout=0.1) as connection:
        connection.sendall(beginning)
        while time.monotonic() - begun < 20 * SECONDS:
            try:
                part = connection.recv(65536)
                answer += part
                if not part:
                    break
            except TimeoutError:
                pass
            except OSError:
                break
            try:
                if drop:
                    connection.sendall(drop)
            except OSError:
                break
    return time.monotonic() - begun, answer


SIGN_IN = (
    b"POST /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-www-form-urlencoded\r\n"
    b"content-length: 8000\r\n\r\n"
)
SLOW: dict[str, tuple[bytes, bytes]] = {
    "nothing at all": (b"", b""),
    "a request line": (b"GET /", b"a"),
    "headers without end": (b"GET / HTTP/1.1\r\nhost: a\r\n", b"x: y\r\n"),
    "a body": (SIGN_IN, b"a"),
    "a body that nobody reads": (SIGN_IN.replace(b"/sign-in", b"/api/score"), b"a"),
    "a second request": (b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\nGET /", b"a"),
}


@pytest.mark.parametrize("what", SLOW)
def test_slow_senders_are_hung_up_on(port: int, what: str) -> None:
    seconds, answer = trickle(port, *SLOW[what])
    assert SECONDS * 0.8 < seconds < SECONDS * 8, answer
    if what == "a body":
        assert b" 400 " in answer.splitlines()[0]
        assert b"did not come in time" in answer


def test_whoever_is_in_time_is_not_hung_up_on(port: int) -> None:
    """Several requests on one connection, with pauses shorter than the deadline."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for _ in range(4):
            connection.sendall(b"GET /static/style.css HTTP/1.1\r\nhost: 127.0.0.1\r\n")
            time.sleep(SECONDS * 0.6)
            connection.sendall(b"\r\n")
            received = b""
            while b"</" not in received and not received.endswith(b"}\n"):
                received += connection.recv(65536)
            assert received.startswith(b"HTTP/1.1 200 ")
