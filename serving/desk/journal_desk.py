"""What people write through the service: into the journal of the record, of accounts that they may see."""

import logging
from typing import Any

from params import Params
from serving.access.tokens import Caller
from serving.desk.queries import CallQuery
from serving.forecast.refusals import BadRequest, NoRecord
from serving.journal.calls import Call, call_rows, note_of
from serving.journal.entries import CALL, Note, read, write
from serving.publication.reader import Published
from serving.wire.answers import Refused, kind_and_place
from serving.wire.schemas import CallRequest

logger = logging.getLogger("holdfast.serving")


def author_of(caller: Caller) -> str:
    """By which name somebody writes: that of their book, or of their token."""
    return caller.csm or caller.name


def add_call(params: Params, published: Published, caller: Caller, wanted: CallRequest) -> int:
    """Write a call down; gives its number in the journal.

    Raises
    ------
    Refused
        404: no such account in what the caller sees; 422: it replaces what it may not; 503: the record is unusable.
    """
    require_seen(published, caller, wanted.account_id)
    names = ("outcome", "amount", "for_date", "category", "probability", "reason", "is_final")
    call = Call(**{name: getattr(wanted, name) for name in names})
    note = note_of(
        call,
        author=author_of(caller),
        account_id=wanted.account_id,
        seen_model=wanted.seen_model,
        replaces=wanted.replaces,
    )
    return write_down(params, note)


def write_down(params: Params, note: Note) -> int:
    """Add a note to the journal; gives its number.

    Raises
    ------
    Refused
        422: it is not what the journal takes; 503: the record cannot be used.
    """
    from serving.ledger.record import open_record

    try:
        with open_record(params) as record:
            return write(record, [note])[0]
    except BadRequest as refusal:
        raise Refused(422, str(refusal)) from None
    except NoRecord as error:
        raise refuse_unusable(error) from None


def require_seen(published: Published, caller: Caller, account_id: str) -> None:
    """Refuse to write about an account that the caller does not see.

    Raises
    ------
    Refused
        404.
    """
    if published.score(account_id, caller.csm) is None:
        raise Refused(404, f"There is no account {account_id[:200]!r} among those you see: nothing was written down.")


def calls_about(params: Params, published: Published, caller: Caller, query: CallQuery) -> tuple[int, list[Any]]:
    """A page of the calls in the journal, newest first, and how many there are: of one book for role csm.

    Raises
    ------
    Refused
        503: the record cannot be used.
    """
    from serving.ledger.record import DATABASE, open_record

    if params.record.url is None and not (params.data_dir / DATABASE).exists():
        return 0, []
    try:
        with open_record(params) as record:
            rows = call_rows(read(record, CALL, account_ids=None if query.account_id is None else [query.account_id]))
    except NoRecord as error:
        raise refuse_unusable(error) from None
    if caller.csm is not None:
        book = {account for account in {r["account_id"] for r in rows} if published.score(account, caller.csm)}
        rows = [row for row in rows if row["account_id"] in book]
    return len(rows), rows[query.offset : query.offset + query.limit]


def refuse_unusable(error: NoRecord) -> Refused:
    """Where the record lies, and why it cannot be used, is for the log."""
    logger.error("The record cannot be used: %s", kind_and_place(error))
    return Refused(503, "The record cannot be used just now: nothing was written down. Try again.", retry_after="5")
