"""Delivering: what is news is put into the outbox, and what waits there is sent, signed, with the id it always had."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from params import Params, SettingsError
from params_outlets import Target
from serving.ledger.record import Record
from serving.outlets import outbox
from serving.outlets.messages import Message, News, message
from serving.outlets.outbox import Post
from serving.outlets.transport import Door, Undeliverable, post, require_allowed

GONE = 410
Clock = Callable[[], datetime]


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(tz=UTC)


@dataclass(frozen=True)
class Delivery:
    """What came of one message: `state` as in the outbox, and why it is not delivered yet."""

    message_id: str
    target: str
    event: str
    state: str
    attempts: int
    error: str

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


def messages_of(news: Iterable[News], params: Params) -> list[Message]:
    """Each piece of news to each target that asked for it."""
    targets = params.deliver.targets
    return [
        message(piece, name, target)
        for piece in news
        for name, target in targets.items()
        if piece.event in target.events
    ]


def require_addresses(params: Params) -> None:
    """Refuse targets whose address or secret is not there, or whose address is not allowed, before anything is sent.

    A name that leads to a private network is found out when it is looked up, at each try.

    Raises
    ------
    SettingsError
        Environment variables that are empty, all of them at once; or what is wrong with which addresses.
    """
    targets = params.deliver.targets
    wanted = [
        (name, variable)
        for name, target in targets.items()
        for variable in (target.url, target.secret)
        if variable is not None and not os.environ.get(variable)
    ]
    if wanted:
        told = ", ".join(f"{variable} (of {name})" for name, variable in wanted)
        raise SettingsError(f"deliver.targets: these environment variables are empty: {told}. Nothing was sent.")
    refused = [
        f"{name} ({target.url}): {why}" for name, target in targets.items() if (why := _why_refused(target, params))
    ]
    if refused:
        raise SettingsError(f"deliver.targets: {'; '.join(refused)}. Nothing was sent.")


def _why_refused(target: Target, params: Params) -> str:
    """Why an address is refused by itself; empty if it is not. It is not repeated: that of a channel is a secret."""
    try:
        require_allowed(Door(os.environ[target.url], params.deliver.allow_private, params.deliver.timeout_seconds))
    except Undeliverable as error:
        return str(error)
    return ""


def send_due(record: Record, params: Params, clock: Clock = now) -> list[Delivery]:
    """Send what is due, one message after the other; each is tried once.

    Parameters
    ----------
    record
        The open record, with the outbox in it.
    params
        The settings; targets that they no longer have are given up.
    clock
        The time, in UTC.
    """
    return [_sent(record, waiting, params, clock) for waiting in outbox.due(record, clock())]


def _sent(record: Record, waiting: Post, params: Params, clock: Clock) -> Delivery:
    target = params.deliver.targets.get(waiting.target)
    error = "it is no target any more" if target is None else _try(waiting, target, params, clock())
    if not error:
        outbox.delivered(record, waiting.message_id)
        return _delivery(waiting, outbox.DELIVERED, waiting.attempts + 1, "")
    if target is None or error == _answer(GONE):
        outbox.give_up(record, waiting, error)
        return _delivery(waiting, outbox.GIVEN_UP, waiting.attempts + 1, error)
    patience = timedelta(hours=params.deliver.give_up_hours)
    state = outbox.failed(record, waiting, error, clock(), patience)
    return _delivery(waiting, state, waiting.attempts + 1, error)


def _try(waiting: Post, target: Target, params: Params, sent_at: datetime) -> str:
    """Post one message; why it was not taken, or nothing."""
    settings = params.deliver
    door = Door(os.environ[target.url], settings.allow_private, settings.timeout_seconds)
    try:
        status = post(door, waiting.body.encode(), _headers(waiting, target, sent_at))
    except Undeliverable as error:
        return str(error)
    return "" if 200 <= status < 300 else _answer(status)


def _answer(status: int) -> str:
    told = " (redirects are not followed)" if 300 <= status < 400 else ""
    return f"answered {status}{told}"


def _headers(waiting: Post, target: Target, sent_at: datetime) -> Mapping[str, str]:
    """Of a webhook, what Standard Webhooks asks for: the id, when it is sent, and a signature of both and the body."""
    headers = {"content-type": "application/json", "user-agent": "holdfast"}
    if target.kind != "webhook":
        return headers
    headers |= {"webhook-id": waiting.message_id, "webhook-timestamp": str(int(sent_at.timestamp()))}
    if target.secret is None:
        return headers
    return headers | {"webhook-signature": _signature(target.secret, waiting, sent_at)}


def _signature(variable: str, waiting: Post, sent_at: datetime) -> str:
    """One signature a secret: while one is changed the variable holds the new and the old, a space between."""
    from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

    try:
        signers = [Webhook(secret) for secret in os.environ[variable].split()]
    except (ValueError, RuntimeError, EmptyWebhookSecretError):
        raise SettingsError(f"{variable} is no secret of Standard Webhooks: whsec_ and base64.") from None
    return " ".join(signer.sign(waiting.message_id, sent_at, waiting.body) for signer in signers)


def _delivery(waiting: Post, state: str, attempts: int, error: str) -> Delivery:
    return Delivery(waiting.message_id, waiting.target, waiting.event, state, attempts, error)
