"""One POST to an address that was looked at first: no private one unless allowed, no redirect followed, in time."""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

ANSWER_BYTES = 4096  # of an answer that are read
_PRIVATE = "the address is on a private network; deliver.allow_private allows it"


class Undeliverable(Exception):
    """Why nothing was sent, or why it was not taken; names no address and no secret."""


@dataclass(frozen=True)
class Door:
    """An address to post to.

    Attributes
    ----------
    url
        It.
    allow_private
        Whether it may be on a private network, and without TLS.
    timeout_seconds
        For connecting, and for each wait after that.
    """

    url: str
    allow_private: bool
    timeout_seconds: float


def post(door: Door, body: bytes, headers: Mapping[str, str]) -> int:
    """Post a body; gives the status of the answer.

    The connection is made to the address that was looked at, so that a name that is looked up twice cannot lead
    elsewhere the second time.

    Raises
    ------
    Undeliverable
        The address is none or is not allowed, or nobody answered in time.
    """
    parts = _parts(door)
    connection = _connection(parts, door)
    try:
        path = parts.path or "/"
        connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body, dict(headers))
        answer = connection.getresponse()
        answer.read(ANSWER_BYTES)
        return answer.status
    except (OSError, http.client.HTTPException) as error:
        raise Undeliverable(f"nobody answered: {type(error).__name__}") from None
    finally:
        connection.close()


def require_allowed(door: Door) -> None:
    """Refuse an address that needs no looking up to be refused: an unreadable one, one without TLS, a private number.

    Raises
    ------
    Undeliverable
        It is none or is not allowed.
    """
    host = str(_parts(door).hostname)
    if not door.allow_private and _is_number(host) and not _is_public(host):
        raise Undeliverable(_PRIVATE)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _parts(door: Door) -> SplitResult:
    try:
        parts = urlsplit(door.url)
        _ = parts.port
    except ValueError:
        raise Undeliverable("the address cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise Undeliverable("the address is not one of https://host/path")
    if parts.scheme == "http" and not door.allow_private:
        raise Undeliverable("the address is without TLS; deliver.allow_private allows it")
    return parts


def _connection(parts: SplitResult, door: Door) -> http.client.HTTPConnection:
    host = str(parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = http.client.HTTPConnection(host, port, timeout=door.timeout_seconds)
    try:
        plain = socket.create_connection((_looked_up(host, port, door), port), timeout=door.timeout_seconds)
        secure = parts.scheme == "https"
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
    except OSError as error:
        raise Undeliverable(f"nobody answered: {type(error).__name__}") from None
    return connection


def _looked_up(host: str, port: int, door: Door) -> str:
    """The address of a host; every one that it has must be public, unless private ones are allowed."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not door.allow_private and not all(_is_public(address) for address in found):
        raise Undeliverable(_PRIVATE)
    return found[0]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global and not ip.is_multicast
