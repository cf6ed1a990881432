"""The HTTP API of what people write: their own calls."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from serving.access.visit import CALLS, caller_of, visit_of
from serving.desk import journal_desk
from serving.desk.desk import Desk
from serving.desk.queries import CallQuery
from serving.desk.scoring import require_published
from serving.wire import schemas
from serving.wire.answers import answer
from serving.wire.schemas import CallRequest

router = APIRouter(tags=["journal"])


@router.post(CALLS, response_model=schemas.Written)
def add_call(request: Request, wanted: CallRequest) -> Response:
    """Write down what you expect of an account; it stands beside the model's figure and changes none."""
    desk: Desk = request.app.state.desk
    published, caller = require_published(desk.following.state), caller_of(request.scope)
    return answer({"number": journal_desk.add_call(desk.params, published, caller, wanted)})


@router.get(CALLS, response_model=schemas.Calls)
def calls(request: Request, query: Annotated[CallQuery, Query()]) -> Response:
    """The calls that people wrote down here, newest first, those replaced since among them."""
    desk: Desk = request.app.state.desk
    published = require_published(desk.following.state)
    total, rows = journal_desk.calls_about(desk.params, published, caller_of(request.scope), query)
    visit_of(request.scope).accounts = list(dict.fromkeys(row["account_id"] for row in rows))
    return answer({"total": total, "offset": query.offset, "limit": query.limit, "rows": rows})
