"""The HTTP API of facts about customers."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from serving.access import sight
from serving.access.visit import caller_of
from serving.desk import customers_desk as desk
from serving.service.replies import ERRORS, FILES, FileKind, file_of, head, published_of, seen
from serving.wire import customer_schemas as schemas
from serving.wire.answers import answer

router = APIRouter(responses=ERRORS, tags=["customers"])


@router.get("/api/losses", response_model=schemas.Losses)
def losses(request: Request, query: Annotated[desk.LossQuery, Query()]) -> Response:
    """Why revenue was lost: accounts that left, by cause and quarter, what showed before, and who owns the cause."""
    published, caller = published_of(request), caller_of(request.scope)
    (total, rows), causes = desk.loss_rows(published, query, caller)
    seen(request, rows)
    page = {"total": total, "offset": query.offset, "limit": query.limit, "causes": causes, "rows": rows}
    return answer({**head(published), **sight.losses_for(published.about["customers"], caller), **page})


@router.get("/api/losses.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_losses(kind: FileKind, request: Request, query: Annotated[desk.LossQuery, Query()]) -> Response:
    """The accounts that left as a file, all pages; with `department`, what that department owns."""
    published, caller = published_of(request), caller_of(request.scope)
    return file_of(request, "losses", kind, lambda: desk.loss_rows(published, query, caller, all_rows=True)[0][1])
