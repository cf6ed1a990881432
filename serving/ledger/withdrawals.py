"""Runs that were withdrawn, such as one on broken data: they stay on record with the reason, and count no more."""

from datetime import UTC, datetime

import sqlalchemy as sa

from serving.forecast.refusals import BadRequest
from serving.ledger.chain.entries import WITHDRAWAL as CHAINED
from serving.ledger.chain.entries import append, next_number
from serving.ledger.chain.head import note_head
from serving.ledger.record import Record
from serving.ledger.record_tables import OFFICIAL, RUN, WITHDRAWAL

WITHDRAWN = sa.select(WITHDRAWAL.c.run_number)


def withdraw(record: Record, run_id: str, reason: str) -> list[int]:
    """Withdraw a run, in all versions that are on record; gives the numbers of those that were not withdrawn before.

    The place of an official one is free again: the next run of its month start, made at its time, is official.

    Raises
    ------
    BadRequest
        There is no such run, it was withdrawn already, or no reason is given.
    """
    if not reason.strip():
        raise BadRequest("A forecast is withdrawn with a reason, which stays on record: give --reason TEXT.")
    with record.writing() as connection:
        rows = connection.execute(sa.select(RUN.c.number).where(RUN.c.run_id == run_id)).scalars().all()
        numbers = sorted(number for number in rows if not is_withdrawn(connection, number))
        if not numbers:
            why = "was withdrawn already" if rows else "is not on record"
            raise BadRequest(f"The run {run_id!r} {why}: `holdfast ledger list` shows those that are there.")
        at = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        entry = next_number(connection)
        for number in numbers:
            row = {"run_number": number, "entry_number": entry, "withdrawn_at": at, "reason": reason.strip()}
            connection.execute(sa.insert(WITHDRAWAL), [row])
        append(connection, CHAINED)
    note_head(record)
    return numbers


def is_withdrawn(connection: sa.Connection, number: int) -> bool:
    """Whether a run was withdrawn."""
    return connection.execute(WITHDRAWN.where(WITHDRAWAL.c.run_number == number)).first() is not None


def official_of(connection: sa.Connection, as_of: str) -> int | None:
    """The number of the official run of a date, None if there is none that counts."""
    query = sa.select(RUN.c.number).where(RUN.c.as_of == as_of, RUN.c.kind == OFFICIAL, RUN.c.number.not_in(WITHDRAWN))
    return connection.execute(query).scalar()


def withdrawn_official(connection: sa.Connection, as_of: str) -> int | None:
    """The number of the last official run of a date that was withdrawn, None if none was."""
    query = sa.select(sa.func.max(RUN.c.number)).where(
        RUN.c.as_of == as_of, RUN.c.kind == OFFICIAL, RUN.c.number.in_(WITHDRAWN)
    )
    return connection.execute(query).scalar()


def withdrawal_notes(connection: sa.Connection, run_id: str) -> tuple[str, ...]:
    """That a run which is made again was withdrawn: the same inputs give the same figures, and they do not count."""
    query = (
        sa.select(WITHDRAWAL.c.reason)
        .join(RUN, RUN.c.number == WITHDRAWAL.c.run_number)
        .where(RUN.c.run_id == run_id)
        .order_by(RUN.c.number.desc())
    )
    reason = connection.execute(query).scalar()
    if reason is None:
        return ()
    return (f"This run, {run_id}, was withdrawn ({reason}). Made from the same inputs again, it stays withdrawn.",)
