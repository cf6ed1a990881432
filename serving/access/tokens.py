"""Who may see what: tokens with roles, stored hashed; what a caller sees follows from the role alone.

Tokens hold 256 random bits, so that a plain SHA-256 of them cannot be searched; the file holds no token.
"""

import fcntl
import functools
import hashlib
import ipaddress
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

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
        self._stamp: tuple[int, int, int] | None = None
        self._by_digest: Mapping[str, Token] = {}

    def __iter__(self) -> Iterator[Token]:
        """All tokens ever issued, oldest first."""
        self._reload()
        return iter(self._by_digest.values())

    def caller(self, token: str) -> Caller | None:
        """Whom a token stands for; None if nobody."""
        self._reload()
        token_record = self._by_digest.get(_digest(token))
        return token_record.caller(datetime.now(tz=UTC)) if token_record else None

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
        token = Token(secrets.token_hex(4), name, role, csm, _digest(secret), now.isoformat("T", "seconds"), expires)
        with self._changing() as tokens:
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
        with self._changing() as tokens:
            for place, token in enumerate(tokens):
                if token.id == token_id:
                    tokens[place] = replace(token, revoked_at=token.revoked_at or now)
                    return tokens[place]
        raise BadRequest(f"There is no token {token_id!r}. `holdfast tokens list` shows their ids.")

    def _reload(self) -> None:
        try:
            state = self.file.stat()
        except FileNotFoundError:
            self._stamp, self._by_digest = None, {}
            return
        stamp = (state.st_mtime_ns, state.st_ino, state.st_size)
        if stamp != self._stamp:
            self._by_digest = {token.digest: token for token in _read(self.file)}
            self._stamp = stamp

    @contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        """The tokens as a list; whatever is made of it is written in one step, one process at a time."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with (self.file.parent / ".tokens.lock").open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            tokens = _read(self.file) if self.file.exists() else []
            yield tokens
            handle, name = tempfile.mkstemp(prefix=".tokens-", dir=self.file.parent)  # readable by the owner only
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump([asdict(token) for token in tokens], stream, indent=1)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(self.file)


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


def _read(file: Path) -> list[Token]:
    return [Token(**content) for content in json.loads(file.read_text(encoding="utf-8"))]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
