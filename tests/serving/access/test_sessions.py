"""Sessions: what a cookie stands for, for how long, and one-time addresses."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.access import sessions as module
from serving.access import tokens as tokens_module
from serving.access.sessions import Sessions
from serving.access.tokens import LOCAL, Caller, Tokens


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path)


@pytest.fixture
def sessions(tmp_path: Path, tokens: Tokens) -> Sessions:
    return Sessions(tmp_path, tokens)


def test_a_session_is_its_token_s_until_it_ends_for_all_workers(sessions: Sessions, tokens: Tokens) -> None:
    token, secret = tokens.issue("ada", "csm", "Ada A.")
    other = Sessions(sessions.file.parent, tokens)
    cookie = sessions.begin(token)
    assert other.caller(cookie) == Caller("ada", "csm", "Ada A.")
    assert other.caller(secret) is None, "the token itself is no session"
    assert tokens.caller(cookie) is None, "and the session is no token"
    assert cookie not in sessions.file.read_text()
    assert stat.S_IMODE(sessions.file.stat().st_mode) == 0o600
    other.end(cookie)
    assert sessions.caller(cookie) is None


def test_a_session_ends_with_its_token_and_after_a_month(
    sessions: Sessions, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = tokens.issue("ada", "admin")
    first, second = sessions.begin(token), sessions.begin(token)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz=UTC) + timedelta(days=31)

    monkeypatch.setattr(module, "datetime", Later)
    assert sessions.caller(first) is None
    sessions.begin(token)
    assert len(json.loads(sessions.file.read_text())) == 1, "what is over is forgotten"
    monkeypatch.undo()
    third = sessions.begin(token)
    tokens.revoke(token.id)
    assert [sessions.caller(cookie) for cookie in (second, third)] == [None, None]


def test_a_one_time_address_works_once_and_the_newest_alone(sessions: Sessions) -> None:
    older, newer = sessions.invite(), sessions.invite()
    assert sessions.accept(older) is None
    assert sessions.caller(newer) is None, "it is no session itself"
    cookie = sessions.accept(newer)
    assert cookie is not None
    assert sessions.caller(cookie) == LOCAL
    assert sessions.accept(newer) is None
    assert sessions.accept(cookie) is None
    assert sessions.accept("ho_guess") is None


def test_as_soon_as_there_is_a_token_it_is_required(sessions: Sessions, tokens: Tokens) -> None:
    cookie, left = sessions.accept(sessions.invite()), sessions.invite()
    token, _ = tokens.issue("ada", "csm", "Ada A.")
    assert cookie is not None
    assert sessions.caller(cookie) is None
    assert sessions.accept(left) is None
    tokens.revoke(token.id)
    assert sessions.caller(cookie) is None, "nobody becomes an administrator by the end of another's token"


def test_who_signed_in_before_there_was_a_token_is_not_let_in_again_when_the_last_one_expires(
    sessions: Sessions, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = sessions.accept(sessions.invite())
    assert cookie is not None
    tokens.issue("ada", "csm", "Ada A.", days=1)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz=UTC) + timedelta(days=2)

    monkeypatch.setattr(module, "datetime", Later)
    monkeypatch.setattr(tokens_module, "datetime", Later)
    assert not tokens.any_valid
    assert sessions.caller(cookie) is None
    anew = sessions.accept(sessions.invite())
    assert anew is not None
    assert sessions.caller(anew) == LOCAL, "whoever starts the service again is asked in anew"


def test_sessions_do_not_pile_up(sessions: Sessions, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    token, _ = tokens.issue("ada", "admin")
    cookies = [sessions.begin(token) for _ in range(5)]
    assert [sessions.caller(cookie) is not None for cookie in cookies] == [False, False, True, True, True]
