"""What to do next as it is asked for and answered: the published plays, and what people did with them."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from params import Params
from serving.access.sight import sees_whole
from serving.access.tokens import Caller
from serving.actions.effects_told import effects_told
from serving.actions.followed_up import followed_rows, followed_summary
from serving.actions.on_record import answer_rows, record_answer
from serving.desk.queries import Paged, Rows, require_book
from serving.forecast.declared.acting_tables import DO
from serving.forecast.refusals import NoRecord
from serving.journal.entries import ANSWER, ENROLMENT, read
from serving.ledger.record import Record, open_record
from serving.publication.reader import Published
from serving.wire.acting_schemas import ActionAnswer, ScenarioQuery
from serving.wire.answers import Refused
from serving.wire.schemas import Text


class ActionQuery(Paged):
    """Whose plays, and which answers."""

    csm: Annotated[Text | None, Field(description="Only the book of this CSM")] = None
    answer: Annotated[
        Literal["do", "no hour left", "nothing", "leave alone", "all"],
        Field(description="Only accounts that get this answer"),
    ] = "do"


class AnswerQuery(Paged):
    """Whose answers."""

    csm: Annotated[Text | None, Field(description="Only the book of this CSM")] = None


def action_rows(
    published: Published, query: ActionQuery, caller: Caller, *, all_rows: bool = False, by_worth: bool = False
) -> Rows:
    """What to do next, by whose hours it takes and rank; or by worth, whosever hours it takes."""
    limit, offset = (None, 0) if all_rows else (query.limit, query.offset)
    answer = None if query.answer == "all" else query.answer
    return published.actions(require_book(caller, query.csm), answer, limit, offset, by_worth=by_worth)


def preset_scenario(published: Published, query: ScenarioQuery, caller: Caller) -> dict[str, Any]:
    """A preset as it was published.

    Raises
    ------
    Refused
        403: whoever sees one book; 404: it was not published.
    """
    if not sees_whole(caller):
        raise Refused(403, "Scenarios are of the whole company: ask with a token of role revops or admin.")
    content = published.about["scenarios"].get(query.preset)
    if content is None:
        raise Refused(404, f"There is no scenario {query.preset}: the notes of the publication say why.")
    return dict(content)


def known_effects(published: Published, caller: Caller) -> dict[str, Any]:
    """What past actions changed, as it was published.

    Raises
    ------
    Refused
        403: whoever sees one book.
    """
    if not sees_whole(caller):
        raise Refused(403, "Effects are of the whole company: ask with a token of role revops or admin.")
    return dict(published.about.get("effects") or effects_told(None, date.min))


def quarterly_review(published: Published, caller: Caller) -> dict[str, Any]:
    """The quarterly review of the team's processes, as it was published.

    Raises
    ------
    Refused
        403: whoever sees one book; 404: there is none.
    """
    if not sees_whole(caller):
        raise Refused(403, "The review is of the whole company: ask with a token of role revops or admin.")
    content = published.about.get("process")
    if content is None:
        raise Refused(404, "There is no quarterly review: nothing that the team did could be reviewed.")
    return dict(content)


def known_holdout(published: Published, caller: Caller, params: Params) -> dict[str, Any]:
    """The holdout as it was published, with the accounts that are in it this quarter, as the record has them.

    Raises
    ------
    Refused
        403: whoever sees one book, since a CSM who knows who is withheld spoils the trial; 503: the record cannot be
        read.
    """
    if not sees_whole(caller):
        raise Refused(403, "The holdout is of the whole company: ask with a token of role revops or admin.")
    told = published.about.get("holdout")
    if told is None:
        empty = {"status": "", "note": "", "quarter": "", "enrolled": 0, "withheld": 0, "plan": None, "results": None}
        return {"lacking": NO_HOLDOUT, **empty, "assignments": []}
    rows = _assignments(published, told["quarter"], params) if told["enrolled"] else []
    return {"lacking": "", **told, "assignments": rows}


NO_HOLDOUT = "Nothing was recommended, or this was published before holdouts were: run `holdfast publish` again."


def _assignments(published: Published, quarter: str, params: Params) -> list[dict[str, Any]]:
    """Who is in a quarter's holdout, with arm and play, those withheld first; accounts that are customers now."""
    try:
        with open_record(params) as record:
            entries = [entry for entry in read(record, ENROLMENT) if entry.payload["quarter"] == quarter]
    except NoRecord:
        raise _no_record() from None
    names = published.named((entry.account_id for entry in entries if entry.account_id), None)
    rows = [
        {
            **names[entry.account_id],
            "action": str(entry.payload["action"]),
            "is_withheld": bool(entry.payload["is_withheld"]),
            "probability_of_assignment": int(entry.payload["probability_millionths"] or 0) / 1_000_000,
            "since": str(entry.payload["as_of"]),
        }
        for entry in entries
        if entry.account_id in names
    ]
    return sorted(rows, key=lambda row: (not row["is_withheld"], row["name"]))


def answer_action(published: Published, wanted: ActionAnswer, caller: Caller, params: Params) -> dict[str, Any]:
    """Put on record what somebody did with a play that is published.

    Raises
    ------
    Refused
        404: no such account, or not in the caller's book; 422: the play is not what is recommended for it; 503: the
        record cannot be written to.
    """
    row = published.action_of(wanted.account_id, caller.csm)
    if row is None:
        raise Refused(404, "There is no such account among those that plays are weighed for.")
    if row["answer"] != DO or row["action"] != wanted.action:
        now = f"it is {row['action']} now" if row["answer"] == DO else "nothing is recommended for it now"
        raise Refused(422, f"action: that is not what is recommended for this account; {now}.")
    answered = {name: getattr(wanted, name) for name in ("account_id", "action", "answer", "reason")}
    try:
        with open_record(params) as record:
            number = record_answer(record, **answered, author=_author(caller), run_id=published.about["run_id"])
    except NoRecord:
        raise _no_record() from None
    return {**answered, "answered_by": _author(caller), "entry": number}


def recorded_answers(published: Published, query: AnswerQuery, caller: Caller, params: Params) -> Rows:
    """What people answered, the newest first; of accounts that plays are weighed for now."""
    book = {row["account_id"] for row in published.actions(require_book(caller, query.csm), None, None, 0)[1]}
    try:
        with open_record(params) as record:
            rows = _answers(record, book)
    except NoRecord:
        raise _no_record() from None
    return len(rows), rows[query.offset : query.offset + query.limit]


def followed_plays(published: Published, query: AnswerQuery, caller: Caller, params: Params) -> dict[str, Any]:
    """What came of the plays on record, the newest first; whoever sees one book sees those of its accounts now."""
    csm = require_book(caller, query.csm)
    book = None if csm is None else {row["account_id"] for row in published.actions(csm, None, None, 0)[1]}
    try:
        with open_record(params) as record:
            rows = followed_rows(record, book)
    except NoRecord:
        raise _no_record() from None
    page = {"total": len(rows), "offset": query.offset, "limit": query.limit}
    return {**page, "summary": followed_summary(rows), "rows": rows[query.offset : query.offset + query.limit]}


def _answers(record: Record, accounts: Iterable[str]) -> list[dict[str, Any]]:
    return answer_rows(read(record, ANSWER, account_ids=accounts))


def _author(caller: Caller) -> str:
    """By which name somebody is on record: that of the book, where there is one."""
    return caller.csm if caller.csm is not None else caller.name


def _no_record() -> Refused:
    return Refused(503, "The record cannot be written to now: try again later.", retry_after="10")
