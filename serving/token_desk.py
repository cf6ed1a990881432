"""Issuing, listing and revoking tokens, as the command line does it."""

import difflib
import getpass
from typing import Any

from params import Params
from serving import store
from serving.access import ROLES, Role, Token, Tokens
from serving.audit import Audit
from serving.problems import BadRequest

ACTIONS = ("issue", "list", "revoke")
Result = tuple[dict[str, Any], list[str]]


def work(params: Params, action: str, name: str, *, role: str, csm: str | None, days: int | None) -> Result:
    """Do one thing with the tokens; returns the result as plain data and as lines to print.

    Raises
    ------
    BadRequest
        No such action or role, or what it needs is missing.
    """
    folder = store.folder_of(params.data_dir)
    tokens, audit = Tokens(folder), Audit(folder)
    if action not in ACTIONS:
        near = difflib.get_close_matches(action, ACTIONS, n=1)
        raise BadRequest(
            f"tokens {action}: there is issue, list and revoke{f'; did you mean {near[0]}?' if near else '.'}"
        )
    if action == "list":
        return _list(tokens)
    if not name:
        raise BadRequest(
            "tokens issue NAME: for whom?"
            if action == "issue"
            else "tokens revoke ID: which? `holdfast tokens list` shows them."
        )
    if action == "revoke":
        return _revoke(tokens, audit, name)
    if role not in ROLES:
        raise BadRequest(f"--role {role}: there is {', '.join(ROLES)}.")
    return _issue(tokens, audit, name, role, csm, days)


def _issue(tokens: Tokens, audit: Audit, name: str, role: Role, csm: str | None, days: int | None) -> Result:
    token, secret = tokens.issue(name, role, csm, days)
    audit.write(_user(), "token issued", token=token.id, name=name, role=role, csm=csm, expires_at=token.expires_at)
    lines = [
        f"Token {token.id} for {name}, {_rights(token)}. It is shown this once and stored only as a digest:",
        secret,
        "Send it as `Authorization: Bearer TOKEN`, or paste it at /sign-in.",
    ]
    return {**_shown(token), "token": secret}, lines


def _revoke(tokens: Tokens, audit: Audit, token_id: str) -> Result:
    token = tokens.revoke(token_id)
    audit.write(_user(), "token revoked", token=token.id, name=token.name)
    return _shown(token), [f"Token {token.id} of {token.name} is revoked, from now on."]


def _list(tokens: Tokens) -> Result:
    shown = [_shown(token) for token in tokens]
    lines = [f"{t.id}  {t.name}, {_rights(t)}, issued {t.issued_at[:10]}, {_validity(t)}" for t in tokens]
    return {"tokens": shown}, lines or ["No token has been issued: `holdfast tokens issue NAME --role revops`."]


def _rights(token: Token) -> str:
    return f"role csm, book of {token.csm}" if token.csm is not None else f"role {token.role}"


def _validity(token: Token) -> str:
    if token.revoked_at:
        return f"revoked {token.revoked_at[:10]}"
    return f"valid until {token.expires_at[:10]}" if token.expires_at else "valid until revoked"


def _shown(token: Token) -> dict[str, Any]:
    names = ("id", "name", "role", "csm", "issued_at", "expires_at", "revoked_at")
    return {name: getattr(token, name) for name in names}


def _user() -> str:
    """Who works at this machine."""
    try:
        return f"shell {getpass.getuser()}"
    except (KeyError, OSError):
        return "shell"
