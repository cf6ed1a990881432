"""Who is signed in: what a browser's cookie stands for, until it signs out, and one-time addresses that sign in.

A session is not the token: whoever has read a cookie can do nothing with it once its owner has signed out.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from serving.access.digest_file import DigestFile, digest_of
from serving.access.tokens import LOCAL, Caller, Token, Tokens

FILE = "sessions.json"
SESSION, ONCE = "hs_", "ho_"
DAYS = 30
MOST = 10_000


@dataclass(frozen=True)
class Session:
    """A session, or a one-time address that begins one (`once`), as it is stored: its digest, never itself.

    `token_id` is the token that it was begun with; none for the user of this machine, who is asked for a token as soon
    as there is one, and from then on: no session comes back when the last token is revoked or has expired.
    """

    digest: str
    expires_at: str
    token_id: str | None = None
    once: bool = False


class Sessions:
    """The sessions of a data folder, for all workers."""

    def __init__(self, folder: Path, tokens: Tokens) -> None:
        self.file = folder / FILE
        self._tokens = tokens
        self._records = DigestFile(self.file, Session)

    def begin(self, token: Token) -> str:
        """A new session of whoever has shown a token."""
        return self._add(SESSION, Session("", "", token.id))

    def invite(self) -> str:
        """The secret of a new one-time address; those before it end."""
        return self._add(ONCE, Session("", "", once=True))

    def accept(self, secret: str) -> str | None:
        """A session in exchange for the secret of a one-time address; None if it is none, or was used."""
        digest = digest_of(secret)
        if self._tokens.any_valid or digest not in self._records.by_digest():
            return None
        now = datetime.now(tz=UTC)
        with self._records.changing() as sessions:
            used = [session for session in sessions if _is_open(session, now) and session.once]
            if digest not in {session.digest for session in used}:
                return None
            sessions[:] = [session for session in sessions if session not in used]
        return self._add(SESSION, Session("", ""))

    def caller(self, secret: str) -> Caller | None:
        """Whom a session stands for; None if nobody."""
        session = self._records.by_digest().get(digest_of(secret))
        if session is None or session.once or not _is_open(session, datetime.now(tz=UTC)):
            return None
        if session.token_id is None:
            return LOCAL if self._is_before_all_tokens(session) else None
        return self._tokens.with_id(session.token_id)

    def _is_before_all_tokens(self, session: Session) -> bool:
        """Whether no token was issued since a session of this machine's user began, and none can be used."""
        begun_at = datetime.fromisoformat(session.expires_at) - timedelta(days=DAYS)
        return not self._tokens.any_valid and not self._tokens.any_issued_since(begun_at)

    def end(self, secret: str) -> None:
        """End a session."""
        digest = digest_of(secret)
        with self._records.changing() as sessions:
            sessions[:] = [session for session in sessions if session.digest != digest]

    def _add(self, prefix: str, session: Session) -> str:
        """Keep a record of a new secret; what is over is forgotten."""
        secret, now = prefix + secrets.token_urlsafe(32), datetime.now(tz=UTC)
        expires_at = (now + timedelta(days=DAYS)).isoformat("T", "seconds")
        with self._records.changing() as sessions:
            left = [s for s in sessions if _is_open(s, now) and not (s.once and session.once)]
            sessions[:] = [*left[-MOST + 1 :], replace(session, digest=digest_of(secret), expires_at=expires_at)]
        return secret


def _is_open(session: Session, now: datetime) -> bool:
    return datetime.fromisoformat(session.expires_at) > now
