"""Facts about customers as they are asked for: who was lost and why, what is not owned, what was said."""

from typing import Annotated, Any, Literal

from pydantic import Field

from serving.access.sight import sees_whole
from serving.access.tokens import Caller
from serving.desk.queries import Paged, Rows, require_book
from serving.kpis.avoidable_losses import BEYOND_US as BEYOND_US
from serving.kpis.avoidable_losses import UNKNOWN as UNKNOWN
from serving.kpis.avoidable_losses import UNWARNED as UNWARNED
from serving.kpis.avoidable_losses import WARNED as WARNED
from serving.kpis.avoidable_losses import by_avoidability
from serving.kpis.loss_report import ALL as ALL
from serving.kpis.loss_report import by_cause
from serving.publication.reader import Published
from serving.wire.answers import Refused
from serving.wire.schemas import Text

Row = dict[str, Any]


class LossQuery(Paged):
    """Which losses."""

    csm: Annotated[Text | None, Field(description="Only the book of this CSM")] = None
    department: Annotated[
        Text | None, Field(description="Only losses that this department owns", examples=["product"])
    ] = None
    cause: Annotated[Text | None, Field(description="Only this cause; unknown is one", examples=["price"])] = None
    quarter: Annotated[Text | None, Field(description="Only this quarter", examples=["2025-Q3"])] = None


class WhitespaceQuery(Paged):
    """Which of what is not owned."""

    csm: Annotated[Text | None, Field(description="Only the book of this CSM")] = None
    owner_role: Annotated[Literal["csm", "seller"] | None, Field(description="Only what is theirs to sell")] = None
    what: Annotated[Text | None, Field(description="Only this product; seats is one", examples=["seats"])] = None


def whitespace_rows(published: Published, query: WhitespaceQuery, caller: Caller, *, all_rows: bool = False) -> Rows:
    """What customers do not own, most ARR at the attach rate first, and how many rows there are."""
    conditions = {"owner_role": query.owner_role, "what": query.what}
    limit, offset = (None, 0) if all_rows else (query.limit, query.offset)
    rows = published.customers("whitespace", require_book(caller, query.csm), conditions, limit, offset)
    return whitespace_sums(published, query, caller)["rows"], rows


def whitespace_sums(published: Published, query: WhitespaceQuery, caller: Caller) -> Row:
    """What all rows that are asked for come to, see `Published.whitespace_sums`."""
    conditions = {"owner_role": query.owner_role, "what": query.what}
    return published.whitespace_sums(require_book(caller, query.csm), conditions)


def fact_of_company(published: Published, name: str, caller: Caller) -> Row:
    """A fact of the whole company.

    Raises
    ------
    Refused
        403: whoever sees one book.
    """
    if not sees_whole(caller):
        raise Refused(403, "This is of the whole company: ask with a token of role revops or admin.")
    return dict(published.about["customers"].get(name, {}))


def loss_rows(
    published: Published, query: LossQuery, caller: Caller, *, all_rows: bool = False
) -> tuple[Rows, dict[str, list[Row]]]:
    """Accounts that left, most ARR first, how many there are, and all of them summed up.

    `causes` are by cause and quarter, `avoidable` by whether somebody could have done something.
    """
    conditions = {"owner_department": query.department, "cause": query.cause, "quarter": query.quarter}
    rows = published.customers("losses", require_book(caller, query.csm), conditions, None)
    page = rows if all_rows else rows[query.offset : query.offset + query.limit]
    beyond_us = published.about["customers"].get("losses", {}).get("beyond_us", [])
    return (len(rows), page), {"causes": list(by_cause(rows)), "avoidable": by_avoidability(rows, beyond_us)}
