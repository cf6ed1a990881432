"""The outbox: messages wait in the record's database until they are taken, each with one id for good."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from serving.ledger.record import Record
from serving.ledger.record_tables import OUTBOX
from serving.outlets.messages import Message

WAITING, DELIVERED, GIVEN_UP = "waiting", "delivered", "given up"
WAITS = tuple(timedelta(seconds=seconds) for seconds in (0, 5, 60, 300, 1800, 7200, 18_000, 36_000))


@dataclass(frozen=True)
class Post:
    """A message as it stands."""

    message_id: str
    target: str
    event: str
    occurred_at: str
    queued_at: str
    state: str
    attempts: int
    error: str
    body: str


def put(record: Record, messages: Iterable[Message], now: datetime) -> int:
    """Add messages that are not there yet; gives how many were not."""
    begun = {"state": WAITING, "attempts": 0, "queued_at": _text(now), "next_at": _text(now), "error": ""}
    with record.writing() as connection:
        held = set(connection.execute(sa.select(OUTBOX.c.message_id)).scalars())
        rows = [{**vars(message), **begun} for message in messages if message.message_id not in held]
        if rows:
            connection.execute(sa.insert(OUTBOX), rows)
    return len(rows)


def due(record: Record, now: datetime) -> list[Post]:
    """The messages to send now, oldest first."""
    query = sa.select(OUTBOX).where(OUTBOX.c.state == WAITING, OUTBOX.c.next_at <= _text(now))
    return _posts(record, query)


def everything(record: Record) -> list[Post]:
    """All messages that were ever put in; the bodies of those that ended are gone."""
    return _posts(record, sa.select(OUTBOX))


def delivered(record: Record, message_id: str) -> None:
    """Note that a message was taken, and let go of its body."""
    _change(record, message_id, {"state": DELIVERED, "error": "", "body": ""})


def failed(record: Record, post: Post, error: str, now: datetime, give_up_after: timedelta) -> str:
    """Note that a message was not taken: it waits, longer each time, or is given up; gives its state."""
    attempts = post.attempts + 1
    ends_at = datetime.fromisoformat(post.queued_at) + give_up_after
    next_at = now + WAITS[min(attempts, len(WAITS) - 1)]
    if next_at > ends_at and attempts > 1:
        give_up(record, post, error)
        return GIVEN_UP
    _change(record, post.message_id, {"attempts": attempts, "error": error, "next_at": _text(next_at)})
    return WAITING


def give_up(record: Record, post: Post, error: str) -> None:
    """Note that a message will not be sent any more, and let go of its body."""
    gone = {"state": GIVEN_UP, "attempts": post.attempts + 1, "error": error, "body": ""}
    _change(record, post.message_id, gone)


def _posts(record: Record, query: "sa.Select[tuple[object, ...]]") -> list[Post]:
    with record.reading() as connection:
        rows = connection.execute(query.order_by(OUTBOX.c.queued_at, OUTBOX.c.message_id)).mappings().all()
    return [Post(**{name: row[name] for name in Post.__dataclass_fields__}) for row in rows]


def _change(record: Record, message_id: str, values: dict[str, object]) -> None:
    with record.writing() as connection:
        connection.execute(sa.update(OUTBOX).where(OUTBOX.c.message_id == message_id).values(values))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
