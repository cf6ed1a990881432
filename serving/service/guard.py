"""What every request passes before anything answers it: who asks, how often, how much, and what is kept of it.

It stands before all that is mounted: the API, the pages, metrics, the schema and BentoML's own routes. The question
asked most, published scores by id, it hands to the publication at once: routing it would cost more than the answer.
"""

import asyncio
import time
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access import audit, origins
from serving.access.identity import client
from serving.access.limits import RateLimit
from serving.access.tokens import LOCAL
from serving.access.visit import LIVE, VISIT, Visit, caller_of
from serving.desk import metrics, scoring
from serving.desk.desk import Desk
from serving.pages.error_page import problem
from serving.service.bodies import BODIES, MOST_OF_A_FORM, checked, read_body, replayed, require_kind
from serving.wire.answers import Refused, failure, log_failure, logger, raw
from serving.wire.schemas import ScoreRequest

OPEN = ("/livez", "/healthz", "/readyz", "/sign-in")
OWN = ("/readyz", "/schema.json")  # BentoML answers these itself unless it is not let
UNLOGGED = ("/livez", "/healthz", "/readyz", "/static/", "/metrics")
METHODS = ("GET", "HEAD", "POST")
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
SCRIPTED = "/accounts"  # searches as one types: there alone the service's own script may run, and ask the service alone
_POLICY = b"content-security-policy"
_SECURITY = [(name.encode(), value.encode()) for name, value in SECURITY.items()]
_WITH_SCRIPT = [
    (name, value + b"; script-src 'self'; connect-src 'self'" if name == _POLICY else value)
    for name, value in _SECURITY
]
LIVE_SECONDS = 55.0  # less than BentoML's own limit, whose answer is not ours
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
        self._base: str = desk.params.serving.base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        begun, visit = time.perf_counter(), Visit(base=self._base, method=scope["method"])
        scope = _below(self._base, scope, visit)
        send = self._marked(scope, receive, send, visit)
        try:
            await self._pass(scope, receive, send, visit)
        except Refused as refused:
            await problem(scope, refused)(scope, receive, send)
        except Exception as error:
            log_failure(error, f"{visit.method} {_route(scope)}")
            if not visit.started:
                await problem(scope, failure())(scope, receive, send)
        finally:
            metrics.SECONDS.labels(_route(scope), _method(visit), str(visit.status)).observe(
                time.perf_counter() - begun
            )

    async def _pass(self, scope: Scope, receive: Receive, send: Send, visit: Visit) -> None:
        self._let_in(scope, Headers(scope=scope), visit)
        app, wanted = self.own if visit.path in OWN else self.app, None
        if visit.method == "POST":
            body = await self._body(scope, receive, visit)
            wanted = checked(visit.path, body, visit, self.desk.params.serving.max_accounts)
            receive = replayed(body, receive)
        if isinstance(wanted, ScoreRequest):
            app = raw(scoring.by_id(self.desk.following.state, wanted, caller_of(scope)))
        await (_in_time(app, scope, receive, send) if visit.path == LIVE else app(scope, receive, send))

    def _let_in(self, scope: Scope, headers: Headers, visit: Visit) -> None:
        """Refuse whoever is not known, asks too much, or comes from another site's page."""
        identity, hosts = self.desk.identity, self.desk.params.serving.hosts
        identity.require_single(headers)
        is_open = visit.path in OPEN or visit.path.startswith("/static/")
        if not is_open:
            identity.find(scope, headers, visit)
        origins.require_host(headers, hosts, opened=visit.opened)
        if visit.caller is None:
            _require_rate(self.desk.anonymous, client(scope), 1.0)
            if not is_open:
                raise Refused(401, "This needs a token: send it as `Authorization: Bearer hf_...`, or sign in at "
                              f"{visit.base}/sign-in.", www_authenticate="Bearer")  # fmt: skip
        else:
            _require_rate(self.desk.limit, _who(scope, visit), 1.0)
        if visit.method not in METHODS:
            raise Refused(405, "There is no such method here.", allow=", ".join(METHODS))
        if visit.method == "POST":
            origins.require_own_origin(headers, hosts)
            require_kind(visit.path, headers)

    async def _body(self, scope: Scope, receive: Receive, visit: Visit) -> bytes:
        if visit.caller is None:
            return await read_body(receive, MOST_OF_A_FORM)
        body = await read_body(receive, self.desk.params.serving.max_body_kb * 1024)
        _require_rate(self.desk.limit, _who(scope, visit), len(body) / BYTES_A_REQUEST)
        return body

    def _marked(self, scope: Scope, receive: Receive, send: Send, visit: Visit) -> Send:
        """Answers with the headers that every answer has, once it is written down who gets them."""
        dropped = False

        async def marked(message: Message) -> None:
            nonlocal dropped
            if dropped:
                return
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                if not self._is_recorded(scope, visit):
                    dropped, visit.status = True, 503
                    await problem(scope, _unrecorded())(scope, receive, _with_headers(send, scope))
                    return
            await with_headers(message)

        with_headers = _with_headers(send, scope)
        return marked

    def _is_recorded(self, scope: Scope, visit: Visit) -> bool:
        """Write down who sees what; false if that failed and must not."""
        if visit.path.startswith(UNLOGGED):
            return True
        try:
            self._record(scope, visit)
        except OSError:
            self.desk.count("unaudited")
            logger.error("The audit log cannot be written: %s", self.desk.audit.trouble)
            return not self.desk.audit_required
        return True

    def _record(self, scope: Scope, visit: Visit) -> None:
        caller, what = visit.caller, f"{_method(visit)} {audit.without_secrets(visit.path)}"
        if caller is None:
            self.desk.strangers.write(what, client(scope), visit.status)
            return
        more: dict[str, Any] = {"role": caller.role, "from": client(scope), "status": visit.status}
        if visit.accounts:
            more |= audit.seen(visit.accounts)
        self.desk.audit.write(caller.name, what, **more)


def _below(base: str, scope: Scope, visit: Visit) -> Scope:
    """A request as the application sees it: without the path that a proxy has it below, and with GET for HEAD."""
    visit.path = scope["path"]
    if base and (visit.path == base or visit.path.startswith(f"{base}/")):
        visit.path = visit.path[len(base) :] or "/"
    method = "GET" if visit.method == "HEAD" else visit.method
    return {**scope, "path": visit.path, "method": method, VISIT: visit}


def _with_headers(send: Send, scope: Scope) -> Send:
    """Answers with the headers that every answer has, and without a body where only they were asked for."""
    visit: Visit = scope[VISIT]

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [pair for pair in message["headers"] if pair[0] != b"server"]
            stored = [] if visit.path.startswith("/static/") else [(b"cache-control", b"no-store")]
            security = _WITH_SCRIPT if visit.path == SCRIPTED else _SECURITY
            message = {**message, "headers": [*headers, *security, *stored]}
        elif visit.method == "HEAD" and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return marked


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


def _unrecorded() -> Refused:
    why = "The audit log cannot be written, and serving.audit requires it: nothing is shown until it can be."
    return Refused(503, why, retry_after="10")


def _require_rate(limit: RateLimit, who: str, cost: float) -> None:
    wait = limit.wait_seconds(who, cost)
    if wait:
        raise Refused(429, "Too many requests: see Retry-After for when to go on.", retry_after=str(int(wait) + 1))


def _who(scope: Scope, visit: Visit) -> str:
    return visit.caller.name if visit.caller and visit.caller is not LOCAL else f"address {client(scope)}"


def _method(visit: Visit) -> str:
    """The method, if it is one; whoever asks cannot make labels up."""
    return visit.method if visit.method in METHODS else "other"


def _route(scope: Scope) -> str:
    """The route's pattern, so that ids are neither labels nor logged."""
    path = scope["path"]
    if path in BODIES or path in UNLOGGED:
        return str(path)
    return str(getattr(scope.get("route"), "path", "other"))
