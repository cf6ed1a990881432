"""Issuing, listing and revoking tokens, as the command line does it."""

import difflib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from params import Params
from serving.access.audit import Audit, user_of_this_machine
from serving.access.tokens import ROLES, Role, Token, Tokens
from serving.forecast.refusals import BadRequest, NoPublication
from serving.publication import publication_file
from serving.publication.reader import open_newest

ACTIONS = ("issue", "list", "revoke")
Result = tuple[dict[str, Any], list[str]]


def work(params: Params, action: str, name: str, *, role: str, csm: str | None, days: int | None) -> Result:
    """Do one thing with the tokens; returns the result as plain data and as lines to print.

    Raises
    ------
    BadRequest
        No such action or role, or what it needs is missing.
    """
    folder = publication_file.folder_of(params.data_dir)
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
    audit.write(
        user_of_this_machine(),
        "token issued",
        token=token.id,
        name=name,
        role=role,
        csm=csm,
        expires_at=token.expires_at,
    )
    warnings = [*_of_no_book(token, tokens.file.parent), *_of_other_rights(token, tokens)]
    lines = [
        f"Token {token.id} for {name} ({_rights(token)}). It is shown this once and stored only as a digest:",
        secret,
        "Send it as `Authorization: Bearer TOKEN`, or paste it at /sign-in.",
        *(f"Warning: {warning}" for warning in warnings),
    ]
    return {**_shown(token), "token": secret, "warnings": warnings}, lines


def _of_no_book(token: Token, folder: Path) -> list[str]:
    """That no published account is in the token's book; nothing where all is seen or none is published."""
    if token.csm is None:
        return []
    try:
        with open_newest(folder) as published:
            books = published.labels("csm", None)
    except NoPublication:
        return []
    if token.csm in books:
        return []
    near = difflib.get_close_matches(token.csm, books, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else " The column csm of accounts names the books."
    return [f"no published account is in the book {token.csm!r}, so that the token sees none.{hint}"]


def _of_other_rights(token: Token, tokens: Tokens) -> list[str]:
    """That the name has tokens with other rights which are still valid."""
    now = datetime.now(tz=UTC)
    rights = token.caller(now)
    others = [t for t in tokens if t.name == token.name and t.caller(now) not in (None, rights)]
    if not others:
        return []
    listed = "; ".join(f"{other.id} ({_rights(other)}, {_validity(other)})" for other in others)
    return [
        f"{token.name} also has {listed}. Each token keeps its own rights. Where a proxy names {token.name}, the "
        "newest valid token counts: this one, and the one before once it is revoked or has expired. "
        "`holdfast tokens revoke ID` ends one."
    ]


def _revoke(tokens: Tokens, audit: Audit, token_id: str) -> Result:
    token = tokens.revoke(token_id)
    audit.write(user_of_this_machine(), "token revoked", token=token.id, name=token.name)
    return _shown(token), [f"Token {token.id} of {token.name} is revoked, from now on."]


def _list(tokens: Tokens) -> Result:
    rows = [_shown(token) for token in tokens]
    lines = [f"{t.id}  {t.name}, {_rights(t)}, issued {t.issued_at[:10]}, {_validity(t)}" for t in tokens]
    return {"tokens": rows}, lines or ["No token has been issued: `holdfast tokens issue NAME --role revops`."]


def _rights(token: Token) -> str:
    return f"role csm, book of {token.csm}" if token.csm is not None else f"role {token.role}"


def _validity(token: Token) -> str:
    if token.revoked_at:
        return f"revoked {token.revoked_at[:10]}"
    return f"valid until {token.expires_at[:10]}" if token.expires_at else "valid until revoked"


def _shown(token: Token) -> dict[str, Any]:
    names = ("id", "name", "role", "csm", "issued_at", "expires_at", "revoked_at")
    return {name: getattr(token, name) for name in names}
