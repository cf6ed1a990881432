"""What people write down through the forms of the pages: calls, what became of plays, answers to alerts, decisions."""

from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from params import Params
from serving.access.tokens import Caller
from serving.access.visit import caller_of, visit_of
from serving.desk import acting, escalation_desk, journal_desk, team_desk
from serving.desk.desk import Desk
from serving.desk.scoring import require_published
from serving.pages.formats import account_address
from serving.publication.reader import Published
from serving.wire.acting_schemas import ActionAnswer
from serving.wire.answers import invalid
from serving.wire.plain_values import small_number
from serving.wire.schemas import CallRequest
from serving.wire.team_schemas import AnswerRequest, DecisionRequest, EscalationAnswer

Wanted = TypeVar("Wanted", bound=BaseModel)
router = APIRouter(include_in_schema=False, default_response_class=Response)
BACK = "back"  # the form's field that says on which page it stands
_WEEK = "week"  # the first page


@router.post("/calls")
async def add_call(request: Request) -> Response:
    """Take a call from the form of an account's page, which shows the model's figure; and back to it."""
    wanted = _valid(CallRequest, await _fields(request) | {"seen_model": True})
    params, published, caller = _asked(request, wanted.account_id)
    await run_in_threadpool(journal_desk.add_call, params, published, caller, wanted)
    return _back(request, account_address(wanted.account_id) + "#calls")


@router.post("/actions")
async def answer_action(request: Request) -> Response:
    """Take what somebody did with a play, from the form of an account's page or of the first page; and back to it."""
    fields = await _fields(request)
    back = fields.pop(BACK, "")
    wanted = _valid(ActionAnswer, fields)
    params, published, caller = _asked(request, wanted.account_id)
    await run_in_threadpool(acting.answer_action, published, wanted, caller, params)
    return _back(request, "/#plays" if back == _WEEK else account_address(wanted.account_id) + "#next")


@router.post("/alerts")
async def answer_alert(request: Request) -> Response:
    """Take an alert up, or snooze it, from the form of the page of alerts; and back to it."""
    wanted = _valid(AnswerRequest, await _fields(request))
    params, published, caller = _asked(request, wanted.account_id)
    await run_in_threadpool(team_desk.answer_alert, params, published, caller, wanted)
    return _back(request, "/alerts")


@router.post("/escalations")
async def acknowledge_escalation(request: Request) -> Response:
    """Take an escalation up by name, from the form of its page; and back to it."""
    fields = await _fields(request)
    number = small_number(str(fields.get("number", "")))
    wanted = _valid(EscalationAnswer, fields | {"number": number})
    params, published, caller = _asked(request)
    await run_in_threadpool(escalation_desk.acknowledge_escalation, params, published, caller, wanted)
    return _back(request, "/escalations")


@router.post("/review")
async def decide(request: Request) -> Response:
    """Take what comes next for an account at risk, from the form of the review; and back to it."""
    fields = await _fields(request)
    book = str(fields.pop(BACK, ""))
    wanted = _valid(DecisionRequest, fields)
    params, published, caller = _asked(request, wanted.account_id)
    await run_in_threadpool(escalation_desk.decide, params, published, caller, wanted)
    return _back(request, "/review" + (f"?{urlencode({'csm': book})}" if book else ""))


async def _fields(request: Request) -> dict[str, object]:
    """The fields of a form that are not empty."""
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def _valid(kind: type[Wanted], fields: dict[str, object]) -> Wanted:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise invalid(error) from None


def _asked(request: Request, *account_ids: str) -> tuple[Params, Published, Caller]:
    """What is answered from and who asks; for the audit log, of which account."""
    desk: Desk = request.app.state.desk
    visit_of(request.scope).accounts = list(account_ids)
    return desk.params, require_published(desk.following.state), caller_of(request.scope)


def _back(request: Request, address: str) -> Response:
    return RedirectResponse(visit_of(request.scope).base + address, 303)
