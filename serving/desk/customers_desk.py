"""Facts about customers as they are asked for: who was lost and why."""

from typing import Annotated, Any

from pydantic import Field

from serving.access.tokens import Caller
from serving.desk.queries import Paged, Rows, require_book
from serving.kpis.loss_report import by_cause
from serving.publication.reader import Published
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


def loss_rows(
    published: Published, query: LossQuery, caller: Caller, *, all_rows: bool = False
) -> tuple[Rows, list[Row]]:
    """Accounts that left, most ARR first, how many there are, and all of them summed up by cause and quarter."""
    conditions = {"owner_department": query.department, "cause": query.cause, "quarter": query.quarter}
    rows = published.customers("losses", require_book(caller, query.csm), **conditions)
    page = rows if all_rows else rows[query.offset : query.offset + query.limit]
    return (len(rows), page), list(by_cause(rows))
