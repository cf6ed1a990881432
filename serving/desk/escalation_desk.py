"""Escalations and the review of accounts at risk through the service: what stands, and what people write down of it."""

from datetime import date
from typing import Any

from params import Params
from serving.access import sight
from serving.access.tokens import Caller
from serving.alerts.escalating import EXPECTED_LOSS_ROSE as EXPECTED_LOSS_ROSE
from serving.alerts.escalating import LOST_BEYOND_LUCK as LOST_BEYOND_LUCK
from serving.alerts.escalating import OPEN as OPEN
from serving.alerts.escalating import SHARED_CAUSE as SHARED_CAUSE
from serving.alerts.escalating import TOTAL as TOTAL
from serving.alerts.escalating import WORDS as WORDS
from serving.alerts.escalating import acknowledge, escalations_of
from serving.alerts.review import COLUMNS, Decision, accounts_decided, note_of, of_book, review
from serving.alerts.review import NOTHING as NOTHING
from serving.desk.journal_desk import author_of, require_seen, write_down
from serving.desk.queries import require_book
from serving.desk.team_desk import reading
from serving.publication.account_filter import AccountFilter
from serving.publication.reader import Published
from serving.wire.answers import Refused
from serving.wire.team_schemas import DecisionRequest, EscalationAnswer

Row = dict[str, Any]


def escalation_rows(params: Params, published: Published, caller: Caller) -> list[Row]:
    """What stands before leadership, as far as the caller may know of it.

    Raises
    ------
    Refused
        503: the record cannot be used.
    """
    with reading(params) as record:
        rows = [] if record is None else escalations_of(record, _day(published), params)
    return sight.escalations_for(rows, caller)


def acknowledge_escalation(params: Params, published: Published, caller: Caller, wanted: EscalationAnswer) -> int:
    """Take an escalation up by name; gives its number in the journal.

    Raises
    ------
    Refused
        404: none of that number stands that the caller may know of; 503: the record cannot be used.
    """
    if wanted.number not in {row["number"] for row in escalation_rows(params, published, caller)}:
        raise Refused(404, f"There is no escalation {wanted.number} among those that stand.")
    return write_down(params, acknowledge(wanted.number, author_of(caller), wanted.note))


def review_of(params: Params, published: Published, caller: Caller, csm: str | None) -> dict[str, list[Row]]:
    """The review of the accounts that the caller sees.

    Raises
    ------
    Refused
        403: another's book; 503: the record cannot be used.
    """
    book = require_book(caller, csm)
    likely = params.alerts.escalate.churn_probability
    with reading(params) as record:
        decided = set() if record is None else accounts_decided(record)
        conditions = AccountFilter(published.horizon_months, csm=book, least_churn=likely, or_among=decided, limit=None)
        accounts = published.rows(conditions, COLUMNS)
        if record is None:
            return {"rows": [], "outcomes": []}
        content = review(record, params, _day(published), accounts)
    return content if book is None else of_book(content, [row["account_id"] for row in accounts])


def decide(params: Params, published: Published, caller: Caller, wanted: DecisionRequest) -> int:
    """Write down what comes next for an account at risk; gives its number in the journal.

    Raises
    ------
    Refused
        404: no such account in what the caller sees; 503: the record cannot be used.
    """
    require_seen(published, caller, wanted.account_id)
    _, _, arr = published.directory(caller.csm)[wanted.account_id]
    decision = Decision(wanted.step, wanted.owner, wanted.due_on, wanted.department, wanted.state)
    return write_down(params, note_of(decision, wanted.account_id, arr, _day(published), author_of(caller)))


def _day(published: Published) -> date:
    return date.fromisoformat(published.about["as_of"])
