"""A request that the service asks of itself: through the guard, as whoever asked, so that nothing is let in twice."""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Scope

from serving.assistant.tools import Question

Header = tuple[bytes, bytes]
_OF_A_BODY = (b"content-length", b"content-type", b"transfer-encoding", b"accept-encoding", b"expect")
_OF_THE_PROTOCOL = (b"accept", b"mcp-")


def scope_of(question: Question, headers: Iterable[Header], outer: Mapping[str, Any]) -> Scope:
    """The request of a question.

    Parameters
    ----------
    question
        What is asked.
    headers
        Those of whoever asks; what they say of a body or of the protocol is left out.
    outer
        The connection it came by: `client`, `server` and `scheme`.
    """
    kept = [pair for pair in headers if not pair[0].lower().startswith((*_OF_A_BODY, *_OF_THE_PROTOCOL))]
    if question.body:
        kept += [(b"content-type", b"application/json"), (b"content-length", str(len(question.body)).encode())]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": question.method,
        "scheme": outer.get("scheme", "http"),
        "path": question.path,
        "raw_path": question.path.encode(),
        "query_string": question.query.encode(),
        "root_path": "",
        "headers": [*kept, (b"accept", b"application/json")],
        "client": outer.get("client"),
        "server": outer.get("server"),
        "state": {},
    }


async def ask(app: ASGIApp, scope: Scope, body: bytes) -> tuple[int, bytes]:
    """The status and the body that an application answers with."""
    status, parts = 0, []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, b"".join(parts)
