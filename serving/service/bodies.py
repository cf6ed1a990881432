"""The body of a request: read whole within a time and a size, and checked, before anything answers it."""

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.types import Message, Receive

from serving.access.visit import (
    ALERTS,
    ANSWER_ACTION,
    CALLS,
    ESCALATIONS,
    HEALTH,
    LIVE,
    MCP,
    REVIEW,
    SCORE,
    Visit,
)
from serving.wire.acting_schemas import ActionAnswer
from serving.wire.answers import Refused, invalid
from serving.wire.schemas import CallRequest, LiveRequest, ScoreRequest
from serving.wire.team_schemas import AnswerRequest, DecisionRequest, EscalationAnswer, OverrideRequest

BODIES: Mapping[str, type[BaseModel]] = {
    SCORE: ScoreRequest,
    LIVE: LiveRequest,
    CALLS: CallRequest,
    ANSWER_ACTION: ActionAnswer,
    ALERTS: AnswerRequest,
    HEALTH: OverrideRequest,
    ESCALATIONS: EscalationAnswer,
    REVIEW: DecisionRequest,
}
TAKES_JSON = (*BODIES, MCP)
FORM = "application/x-www-form-urlencoded"
FORMS = ("/sign-in", "/calls", "/actions", "/alerts", "/escalations", "/review")
MOST_OF_A_FORM = 8 << 10
BODY_SECONDS = 20.0  # for all of it
MOST_DRAINED = 128 << 20


def require_kind(path: str, headers: Headers) -> None:
    """Refuse a body of a kind that its path does not take; a page elsewhere cannot send JSON without being asked first.

    Raises
    ------
    Refused
        415.
    """
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if path in TAKES_JSON and kind != "application/json":
        raise Refused(415, "Send JSON, with Content-Type: application/json.")
    if path in FORMS and kind != FORM:
        raise Refused(415, f"Send a form, with Content-Type: {FORM}.")


async def read_body(receive: Receive, most: int) -> bytes:
    """The whole body.

    Raises
    ------
    Refused
        400 for one that does not come in time; 413 for one that is too large: the rest is read and dropped, so that the
        answer reaches the sender.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            parts, size = await _parts(receive, most)
    except TimeoutError:
        raise Refused(400, "The body did not come in time.", connection="close") from None
    if size > most:
        raise Refused(413, f"A body may hold {most:,} bytes: send fewer accounts at a time.", connection="close")
    return b"".join(parts)


async def _parts(receive: Receive, most: int) -> tuple[list[bytes], int]:
    """The parts of a body and their size; none of one that is too large."""
    parts: list[bytes] = []
    size, more = 0, True
    while more and size < MOST_DRAINED:
        message: MutableMapping[str, Any] = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "The body was cut off.")
        size += len(message.get("body", b""))
        if size <= most:
            parts.append(message.get("body", b""))
        else:
            parts.clear()
        more = message.get("more_body", False)
    return parts, size


def checked(path: str, body: bytes, visit: Visit, most_accounts: int) -> BaseModel | None:
    """What a body asks for, on paths that take one.

    Raises
    ------
    Refused
        422: it is not what the path takes.
    """
    schema = BODIES.get(path)
    if schema is None:
        return None
    try:
        body_model = schema.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None
    if isinstance(body_model, ScoreRequest):
        visit.accounts = list(body_model.account_ids)
    elif isinstance(body_model, LiveRequest):
        visit.accounts = [account.account_id for account in body_model.accounts]
    elif isinstance(body_model, CallRequest | ActionAnswer):
        visit.accounts = [body_model.account_id]
    if len(visit.accounts) > most_accounts:
        count = len(visit.accounts)
        raise Refused(422, f"A request may ask for {most_accounts:,} accounts (serving.max_accounts), got {count:,}.")
    return body_model


def replayed(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, for whoever reads it next."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
