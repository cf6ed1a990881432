"""Who asks: by a token, a session, a trusted proxy's word, or, where the settings say so, anybody at all."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

from params import Serving
from serving.access.limits import RateLimit
from serving.access.sessions import Sessions
from serving.access.tokens import LOCAL, Caller, Tokens, is_loopback
from serving.access.visit import Visit
from serving.wire.answers import Refused

COOKIE = "holdfast_session"
SINGLE = ("authorization", "cookie", "host", "origin", "referer", "sec-fetch-site", "content-type")
FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-real-ip", "via")


class Identity:
    """Tells who asks.

    Parameters
    ----------
    serving
        The settings of the service.
    tokens, sessions
        What has been issued, and who is signed in.
    failed
        Slows down whoever tries secrets.
    """

    def __init__(self, serving: Serving, tokens: Tokens, sessions: Sessions, failed: RateLimit) -> None:
        self.serving, self.tokens, self.sessions, self.failed = serving, tokens, sessions, failed
        self._proxies = {str(proxy) for proxy in serving.proxies}
        proxy_header = [serving.proxy_header.lower()] if serving.proxy_header else []
        self._single = {name.encode("ascii") for name in (*SINGLE, *proxy_header)}

    def require_single(self, headers: Headers) -> None:
        """Refuse two of a header that says who asks: one program would read the first and another the last.

        Raises
        ------
        Refused
            400.
        """
        names = [name for name, _ in headers.raw if name in self._single]
        if len(names) > len(set(names)):
            twice = next(name for name in names if names.count(name) > 1)
            raise Refused(400, f"The header {twice.decode('latin-1')} came more than once.")

    def find(self, scope: Scope, headers: Headers, visit: Visit) -> None:
        """Say in `visit` who asks, if anybody known.

        Raises
        ------
        Refused
            401 for a token that is none; 403 for a name that a proxy vouches for and that has no role; 429 for too many
            secrets that are none.
        """
        token = bearer(headers)
        if token:
            visit.caller = self._with_token(token, scope)
            return
        secret = cookie(headers, cookie_name(self.serving.base_path))
        if secret:
            visit.caller = self.sessions.caller(secret)
            if visit.caller is not None:
                visit.session = secret
                return
            self.count_failure(scope)
        if self.serving.proxy_header and client(scope) in self._proxies:
            visit.caller = self._vouched_for(headers.get(self.serving.proxy_header, ""))
        elif self._is_open(scope, headers):
            visit.caller, visit.opened = LOCAL, True

    def count_failure(self, scope: Scope) -> None:
        """Slow down whoever tries secrets.

        Raises
        ------
        Refused
            429: too many.
        """
        wait = self.failed.wait_seconds(client(scope))
        if wait:
            raise Refused(429, "Too many failed sign-ins: wait a minute.", retry_after=str(int(wait) + 1))

    def _with_token(self, token: str, scope: Scope) -> Caller:
        caller = self.tokens.caller(token)
        if caller is None:
            self.count_failure(scope)
            raise Refused(401, "The token is unknown, revoked or expired.", www_authenticate="Bearer")
        return caller

    def _vouched_for(self, name: str) -> Caller | None:
        if not name:
            return None
        caller = self.tokens.named(name)
        if caller is None:
            raise Refused(
                403, "You are signed in, but have no role here: ask for `holdfast tokens issue NAME --role ...`."
            )
        return caller

    def _is_open(self, scope: Scope, headers: Headers) -> bool:
        """Whether the settings let anybody in and nobody has a token.

        A proxy need not say that it is one, so what is seen here of a connection never lets anybody in by itself; what
        is plainly from elsewhere is kept out even so.
        """
        if self.serving.access != "anyone_is_admin" or self.serving.proxies:
            return False
        here = is_loopback(client(scope)) and is_loopback((scope.get("server") or ("", 0))[0])
        return here and not any(name in headers for name in FORWARDED) and not self.tokens.any_valid


def bearer(headers: Headers) -> str:
    """The token sent; empty if there is none."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def cookie(headers: Headers, name: str) -> str:
    """The value of a cookie; empty if there is none.

    Raises
    ------
    Refused
        400: there are several, of which somebody else may have set one.
    """
    pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
    values: Sequence[str] = [value.strip('"') for key, _, value in pairs if key == name]
    if len(values) > 1:
        raise Refused(400, f"The cookie {name} came more than once: delete the cookies of this address.")
    return values[0] if values else ""


def cookie_name(base_path: str) -> str:
    """The session's cookie: services below other paths of the same name have others."""
    return COOKIE + base_path.replace("/", "_")


def client(scope: Scope) -> str:
    """The address that a request comes from."""
    return str((scope.get("client") or ("", 0))[0])
