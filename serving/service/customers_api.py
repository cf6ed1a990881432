"""The HTTP API of facts about customers."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from serving.access import sight
from serving.access.visit import caller_of
from serving.desk import customers_desk as desk
from serving.desk.impact_sheet import impact_sheet
from serving.service.replies import ERRORS, FILES, FileKind, file_of, head, published_of, seen
from serving.wire import customer_schemas as schemas
from serving.wire.answers import answer

router = APIRouter(responses=ERRORS, tags=["customers"])


@router.get("/api/losses", response_model=schemas.Losses)
def losses(request: Request, query: Annotated[desk.LossQuery, Query()]) -> Response:
    """Why revenue was lost: accounts that left, by cause and quarter, what showed before, and who owns the cause."""
    published, caller = published_of(request), caller_of(request.scope)
    (total, rows), sums = desk.loss_rows(published, query, caller)
    seen(request, rows)
    page = {"total": total, "offset": query.offset, "limit": query.limit, **sums, "rows": rows}
    return answer({**head(published), **sight.losses_for(published.about["customers"], caller), **page})


@router.get("/api/losses.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_losses(kind: FileKind, request: Request, query: Annotated[desk.LossQuery, Query()]) -> Response:
    """The accounts that left as a file, all pages; with `department`, what that department owns."""
    published, caller = published_of(request), caller_of(request.scope)
    return file_of(request, "losses", kind, lambda: desk.loss_rows(published, query, caller, all_rows=True)[0][1])


@router.get("/api/whitespace", response_model=schemas.Whitespace)
def whitespace(request: Request, query: Annotated[desk.WhitespaceQuery, Query()]) -> Response:
    """Where customers can grow: products that similar ones own and seats they could use, and whose it is to sell."""
    published, caller = published_of(request), caller_of(request.scope)
    total, rows = desk.whitespace_rows(published, query, caller)
    seen(request, rows)
    page = {"total": total, "offset": query.offset, "limit": query.limit, "rows": rows}
    return answer({**head(published), **sight.whitespace_for(published.about["customers"], caller), **page})


@router.get("/api/whitespace.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_whitespace(kind: FileKind, request: Request, query: Annotated[desk.WhitespaceQuery, Query()]) -> Response:
    """The same as a file, all pages."""
    published, caller = published_of(request), caller_of(request.scope)
    return file_of(
        request, "whitespace", kind, lambda: desk.whitespace_rows(published, query, caller, all_rows=True)[1]
    )


@router.get("/api/voice", response_model=schemas.Voice)
def voice(request: Request) -> Response:
    """What customers say: scores by role and moment, response, themes and tickets; not for role csm."""
    return _of_company(request, "voice")


@router.get("/api/behaviours", response_model=schemas.Behaviours)
def behaviours(request: Request) -> Response:
    """What customers who stay did when they were young, by part of the product; not for role csm."""
    return _of_company(request, "behaviours")


@router.get("/api/icp", response_model=schemas.IdealCustomer)
def icp(request: Request) -> Response:
    """Which customers to win: what was known at signing, against what they came to in a year; not for role csm."""
    return _of_company(request, "icp")


@router.get("/api/sheets/{account_id:path}", response_model=schemas.ImpactSheet)
def sheet(
    account_id: str,
    request: Request,
    awkward_id: Annotated[str, Query(alias="id", description="One that no address holds: /api/sheets/?id=..")] = "",
) -> Response:
    """The impact review sheet of an account, to be handed to the customer: goals, tasks, use, next steps."""
    content = impact_sheet(published_of(request), account_id or awkward_id, caller_of(request.scope))
    seen(request, [content])
    return answer(content)


def _of_company(request: Request, name: str) -> Response:
    published = published_of(request)
    return answer({**head(published), **desk.fact_of_company(published, name, caller_of(request.scope))})
