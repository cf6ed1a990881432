"""Where a request comes from, as browsers say: pages of other sites change nothing here, and read no cookie."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from serving.access.tokens import is_loopback
from serving.wire.answers import Refused

PORTS = {"http": 80, "https": 443}
OURS = ("same-origin", "none")


def require_host(headers: Headers, hosts: Collection[str], *, opened: bool) -> None:
    """Refuse names this service is not called by, so that a page elsewhere cannot reach it under its own name.

    Raises
    ------
    Refused
        421: it is not called by that name.
    """
    if not (opened or hosts):
        return
    host = hostname(headers)
    if not (host in hosts or is_this_machine(host)):
        raise Refused(421, "This service is not called by that name: add it to serving.hosts.")


def require_own_origin(headers: Headers, hosts: Collection[str]) -> None:
    """Refuse what a page of another site sends; a program that is no browser says nothing of the kind.

    Raises
    ------
    Refused
        403: from another site.
    """
    origin = headers.get("origin")
    if origin is None:
        if headers.get("sec-fetch-site", "none").lower() not in OURS:
            raise Refused(403, "This was sent by a page of another site.")
        return
    scheme, host, port = _parts(origin)
    default = PORTS.get(scheme, 0)
    if not host or not (host in hosts or (host, port or default) == _named(headers, default)):
        raise Refused(
            403,
            f"This was sent by a page of {origin[:100]!r}, and this service is not called by that. Behind a proxy: let "
            "it pass the header Host on unchanged, or add the name to serving.hosts.",
        )


def needs_secure_cookie(headers: Headers) -> bool:
    """Whether a browser must keep a cookie for encrypted connections: always but on this machine itself.

    A browser says in Origin by which address a page was opened, whatever a proxy makes of Host.
    """
    scheme, host, _ = _parts(headers.get("origin", "http://localhost"))
    return not (scheme == "http" and is_this_machine(host) and is_this_machine(hostname(headers)))


def is_unencrypted(headers: Headers) -> bool:
    """Whether a browser says that the page it sends from came over the network in the clear."""
    scheme, host, _ = _parts(headers.get("origin", "https://"))
    return scheme == "http" and not is_this_machine(host)


def hostname(headers: Headers) -> str:
    """The name this service was called by."""
    return _named(headers, 0)[0]


def is_this_machine(host: str) -> bool:
    """Whether a name is this machine's own."""
    return host == "localhost" or is_loopback(host)


def _named(headers: Headers, default: int) -> tuple[str, int]:
    """Name and port that the service was called by."""
    _, host, port = _parts(f"//{headers.get('host', '')}")
    return host, port or default


def _parts(address: str) -> tuple[str, str, int]:
    """Scheme, name and port of an address; all empty if it is none."""
    try:
        parts = urlsplit(address)
        return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or 0
    except ValueError:
        return "", "", 0
