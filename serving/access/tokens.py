"""Who may see what: tokens with roles, stored as digests; what a caller sees follows from the role alone."""

import functools
import ipaddress
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from serving.access.digest_file import DigestFile, digest_of
from serving.forecast.refusals import BadRequest

Role = Literal["admin", "revops", "csm"]
ROLES: tuple[Role, ...] = get_args(Role)
FILE = "tokens.json"
PREFIX = "hf_"


@dataclass(frozen=True)
class Caller:
    """Who asks. `csm` names the book that a CSM sees; None sees all."""

    name: str
    role: Role
    csm: str | None = None


LOCAL = Caller("local", "admin")


@dataclass(frozen=True)
class Token:
    """An issued token, as it is stored: its digest, never itself."""

    id: str
    name: str
    role: Role
    csm: str | None
    digest: str
    issued_at: str
    expires_at: str | None = None
    revoked_at: str | None = None

    def caller(self, now: datetime) -> Caller | None:
        """Whom it stands for; None once it was revoked or has expired."""
        expired = self.expires_at is not None and datetime.fromisoformat(self.expires_at) <= now
        return None if self.revoked_at or expired else Caller(self.name, self.role, self.csm)


class Tokens:
    """The tokens of a data folder; what another process issues or revokes counts at once."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self._records = DigestFile(self.file, Token)

    def __iter__(self) -> Iterator[Token]:
        """All tokens ever issued, oldest first."""
        return iter(self._records.by_digest().values())

    def valid(self, token: str) -> Token | None:
        """The record of a token that can be used; None if it is none."""
        token_record = self._records.by_digest().get(digest_of(token))
        return token_record if token_record and token_record.caller(datetime.now(tz=UTC)) else None

    def caller(self, token: str) -> Caller | None:
        """Whom a token stands for; None if nobody."""
        token_record = self._records.by_digest().get(digest_of(token))
        return token_record.caller(datetime.now(tz=UTC)) if token_record else None

    def with_id(self, token_id: str) -> Caller | None:
        """Whom the token of an id stands for; None if nobody."""
        now = datetime.now(tz=UTC)
        return next((token.caller(now) for token in self if token.id == token_id), None)

    @property
    def any_valid(self) -> bool:
        """Whether anybody has a token that can be used: then one is asked of everybody."""
        now = datetime.now(tz=UTC)
        return any(token.caller(now) for token in self)

    def any_issued_since(self, moment: datetime) -> bool:
        """Whether a token was issued at a moment or after it, whatever has become of it."""
        return any(datetime.fromisoformat(token.issued_at) >= moment for token in self)

    def named(self, name: str) -> Caller | None:
        """Whom a name stands for that a trusted proxy vouches for; None if nobody."""
        now = datetime.now(tz=UTC)
        callers = [token.caller(now) for token in self if token.name == name]
        return next((caller for caller in reversed(callers) if caller), None)

    def issue(self, name: str, role: Role, csm: str | None = None, days: int | None = None) -> tuple[Token, str]:
        """A new token: what is stored of it, and itself, which is shown once.

        Raises
        ------
        BadRequest
            A name that cannot be written in a header, or a CSM without a book.
        """
        _check(name, role, csm)
        secret = PREFIX + secrets.token_urlsafe(32)
        now = datetime.now(tz=UTC)
        expires = (now + timedelta(days=days)).isoformat("T", "seconds") if days else None
        token = Token(secrets.token_hex(4), name, role, csm, digest_of(secret), now.isoformat("T", "seconds"), expires)
        with self._records.changing() as tokens:
            tokens.append(token)
        return token, secret

    def revoke(self, token_id: str) -> Token:
        """End a token.

        Raises
        ------
        BadRequest
            There is none of that id.
        """
        now = datetime.now(tz=UTC).isoformat("T", "seconds")
        with self._records.changing() as tokens:
            for place, token in enumerate(tokens):
                if token.id == token_id:
                    tokens[place] = replace(token, revoked_at=token.revoked_at or now)
                    return tokens[place]
        raise BadRequest(f"There is no token {token_id!r}. `holdfast tokens list` shows their ids.")


@functools.lru_cache(maxsize=1024)
def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _check(name: str, role: Role, csm: str | None) -> None:
    if not name.isprintable() or not name.strip() or len(name) > 100:
        raise BadRequest(f"A token's name is 1 to 100 printable characters, got {name!r}.")
    if (role == "csm") != (csm is not None):
        raise BadRequest(
            "A token of role csm names its book, as in --role csm --csm 'Ada A.'; the other roles see all books."
        )
