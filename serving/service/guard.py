"""What every request passes before anything answers it: who asks, how often, how much, and what is kept of it.

It stands before all that is mounted: the API, the pages, metrics, the schema and BentoML's own routes. The question
asked most, published scores by id, it hands to the publication at once: routing it would cost more than the answer.
"""

import asyncio
import time
from collections.abc import Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access import audit
from serving.access.tokens import LOCAL, Caller, is_loopback
from serving.access.visit import COOKIE, LIVE, SCORE, VISIT, Visit, caller_of, visit_of
from serving.desk import metrics, scoring
from serving.desk.desk import Desk
from serving.pages.error_page import problem
from serving.wire.answers import Refused, failure, invalid, log_failure, raw
from serving.wire.schemas import LiveRequest, ScoreRequest

BODIES: Mapping[str, type[BaseModel]] = {SCORE: ScoreRequest, LIVE: LiveRequest}
OPEN = ("/livez", "/healthz", "/readyz", "/sign-in")
OWN = ("/readyz", "/schema.json")  # BentoML answers these itself unless it is not let
UNLOGGED = ("/livez", "/healthz", "/readyz", "/static/", "/metrics")
FORWARDED = frozenset(
    {b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded", b"x-real-ip", b"via"}
)
SECURITY = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_SECURITY = [(name.encode(), value.encode()) for name, value in SECURITY.items()]
BODY_SECONDS = 20.0
LIVE_SECONDS = 55.0  # less than BentoML's own limit, whose answer is not ours
MOST_DRAINED = 128 << 20
BYTES_A_REQUEST = 20_000  # of a body weigh as much as one more request


class Guard:
    """ASGI middleware.

    Parameters
    ----------
    app
        What answers.
    desk
        What the worker has at hand.
    own
        The application of API and pages; it answers paths that BentoML would otherwise.
    """

    def __init__(self, app: ASGIApp, desk: Desk, own: ASGIApp) -> None:
        self.app, self.desk, self.own = app, desk, own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        begun, visit = time.perf_counter(), Visit()
        scope[VISIT] = visit
        send = _marked(send, visit, scope)
        try:
            await self._pass(scope, receive, send, visit)
        except Refused as refused:
            await problem(scope, refused)(scope, receive, send)
        except Exception as error:
            log_failure(error, f"{scope['method']} {_route(scope)}")
            if not visit.started:
                await problem(scope, failure())(scope, receive, send)
        finally:
            self._remember(scope, visit, time.perf_counter() - begun)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, visit: Visit) -> None:
        headers = Headers(scope=scope)
        visit.caller = self._caller(scope, headers)
        _require_host(scope, headers, self.desk)
        path = scope["path"]
        if visit.caller is None and path not in OPEN and not path.startswith("/static/"):
            raise Refused(401, "This needs a token: send it as `Authorization: Bearer hf_...`, or sign in at /sign-in.",
                          www_authenticate="Bearer")  # fmt: skip
        self._require_rate(_who(scope, visit), 1.0)
        app, wanted = self.own if path in OWN else self.app, None
        if scope["method"] not in ("GET", "HEAD"):
            body = await self._body(receive)
            self._require_rate(_who(scope, visit), len(body) / BYTES_A_REQUEST)
            wanted = _valid(path, body, headers, visit, self.desk)
            receive = _replayed(body, receive)
        if isinstance(wanted, ScoreRequest):
            app = raw(scoring.by_id(self.desk.following.state, wanted, caller_of(scope)))
        await (_in_time(app, scope, receive, send) if path == LIVE else app(scope, receive, send))

    def _caller(self, scope: Scope, headers: Headers) -> Caller | None:
        """Who asks: by token, by a trusted proxy's word, or, where access is open, this machine's user."""
        token, shown = _token(headers)
        if token:
            caller = self.desk.tokens.caller(token)
            if caller is None and shown:
                self._count_failure(scope)
                raise Refused(401, "The token is unknown, revoked or expired.", www_authenticate="Bearer")
            if caller is not None:
                return caller
        serving, client = self.desk.params.serving, _client(scope)
        if serving.proxy_header and client in {str(proxy) for proxy in serving.proxies}:
            return self._vouched_for(headers.get(serving.proxy_header, ""))
        here = is_loopback(client) and is_loopback((scope.get("server") or ("", 0))[0])
        # proxies that say nothing of themselves mostly speak HTTP/1.0 to what is behind them
        forwarded = scope.get("http_version") == "1.0" or any(name in FORWARDED for name, _ in headers.raw)
        return LOCAL if here and not forwarded and serving.access == "auto" and not serving.proxies else None

    def _vouched_for(self, name: str) -> Caller | None:
        if not name:
            return None
        caller = self.desk.tokens.named(name)
        if caller is None:
            raise Refused(
                403, "You are signed in, but have no role here: ask for `holdfast tokens issue NAME --role ...`."
            )
        return caller

    def _count_failure(self, scope: Scope) -> None:
        """Slow down whoever tries tokens."""
        wait = self.desk.failed.wait_seconds(_client(scope))
        if wait:
            raise Refused(429, "Too many failed sign-ins: wait a minute.", retry_after=str(int(wait) + 1))

    def _require_rate(self, who: str, cost: float) -> None:
        wait = self.desk.limit.wait_seconds(who, cost)
        if wait:
            raise Refused(429, "Too many requests: see Retry-After for when to go on.", retry_after=str(int(wait) + 1))

    async def _body(self, receive: Receive) -> bytes:
        """The whole body.

        Raises
        ------
        Refused
            413 for one that is too large: the rest is read and dropped, so that the answer reaches the sender.
        """
        most = self.desk.params.serving.max_body_kb * 1024
        parts: list[bytes] = []
        size, more = 0, True
        while more and size < MOST_DRAINED:
            message = await _message(receive)
            size += len(message.get("body", b""))
            if size <= most:
                parts.append(message.get("body", b""))
            else:
                parts.clear()
            more = message.get("more_body", False)
        if size > most:
            raise Refused(413, f"A body may hold {most:,} bytes: send fewer accounts at a time.", connection="close")
        return b"".join(parts)

    def _remember(self, scope: Scope, visit: Visit, seconds: float) -> None:
        """Count the request, and write down who saw what."""
        path = scope["path"]
        metrics.SECONDS.labels(_route(scope), _method(scope), str(visit.status)).observe(seconds)
        if path.startswith(UNLOGGED):
            return
        caller = visit.caller
        more: dict[str, Any] = {"role": caller.role if caller else None, "from": _client(scope), "status": visit.status}
        if scope["query_string"]:
            more["query"] = scope["query_string"].decode("latin-1")[:500]
        if visit.accounts:
            more |= audit.seen(visit.accounts)
        self.desk.audit.write(caller.name if caller else "", f"{_method(scope)} {path[:300]}", **more)


def _require_host(scope: Scope, headers: Headers, desk: Desk) -> None:
    """Refuse names this service is not called by, so that a page elsewhere cannot reach it under its own name."""
    host = headers.get("host", "").rsplit(":", 1)[0].strip("[]").lower()
    hosts = desk.params.serving.hosts
    opened = visit_of(scope).caller is LOCAL
    if (opened or hosts) and not (host in hosts or host == "localhost" or is_loopback(host)):
        raise Refused(421, "This service is not called by that name: add it to serving.hosts.")


def _valid(path: str, body: bytes, headers: Headers, visit: Visit, desk: Desk) -> BaseModel | None:
    """What a body asks for, on paths that take one; refused if it is not what the path takes."""
    schema = BODIES.get(path)
    if schema is None:
        return None
    if headers.get("content-type", "application/json").split(";")[0].strip().lower() != "application/json":
        raise Refused(415, "Send JSON, with Content-Type: application/json.")
    try:
        body_model = schema.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None
    if isinstance(body_model, ScoreRequest):
        visit.accounts = list(body_model.account_ids)
    elif isinstance(body_model, LiveRequest):
        visit.accounts = [account.account_id for account in body_model.accounts]
    most = desk.params.serving.max_accounts
    if len(visit.accounts) > most:
        raise Refused(
            422, f"A request may ask for {most:,} accounts (serving.max_accounts), got {len(visit.accounts):,}."
        )
    return body_model


async def _in_time(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let an answer take so long and no longer; a thread that works on it cannot be stopped, and is not waited for.

    Raises
    ------
    Refused
        504: it took longer.
    """
    late = False

    async def unless_late(message: Message) -> None:
        if not late:
            await send(message)

    answering = asyncio.ensure_future(app(scope, receive, unless_late))
    done, _ = await asyncio.wait([answering], timeout=LIVE_SECONDS)
    if not done:
        late = answering.cancel()
        raise Refused(504, f"It took longer than {LIVE_SECONDS:g} seconds: send fewer accounts at a time.")
    await answering


def _token(headers: Headers) -> tuple[str, bool]:
    """The token sent, and whether it was sent on purpose rather than as a cookie."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip(), True
    cookies = headers.get("cookie")
    if not cookies:
        return "", False
    try:
        morsel = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return "", False
    return (morsel.value, False) if morsel else ("", False)


async def _message(receive: Receive) -> MutableMapping[str, Any]:
    """The next part of a body."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            message = await receive()
    except TimeoutError:
        raise Refused(400, "The body did not come.", connection="close") from None
    if message["type"] == "http.disconnect":
        raise Refused(400, "The body was cut off.")
    return message


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, for whoever reads it next."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _marked(send: Send, visit: Visit, scope: Scope) -> Send:
    """Answers with the headers that every answer has."""

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            visit.status = message["status"]
            headers = [pair for pair in message["headers"] if pair[0] != b"server"]
            stored = [] if scope["path"].startswith("/static/") else [(b"cache-control", b"no-store")]
            message = {**message, "headers": [*headers, *_SECURITY, *stored]}
        await send(message)

    return marked


def _who(scope: Scope, visit: Visit) -> str:
    return visit.caller.name if visit.caller and visit.caller is not LOCAL else f"address {_client(scope)}"


def _client(scope: Scope) -> str:
    return str((scope.get("client") or ("", 0))[0])


def _method(scope: Scope) -> str:
    """The method, if it is one; whoever asks cannot make labels up."""
    return scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"


def _route(scope: Scope) -> str:
    """The route's pattern, so that ids are neither labels nor logged."""
    path = scope["path"]
    if path in BODIES or path in UNLOGGED:
        return str(path)
    return str(getattr(scope.get("route"), "path", "other"))
