"""The addresses of the pages about the business, and of the watch over the model."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from serving.access.tokens import Caller
from serving.access.visit import caller_of, visit_of
from serving.desk import escalation_desk
from serving.desk.customers_desk import LossQuery, WhitespaceQuery
from serving.desk.desk import Desk
from serving.desk.impact_sheet import impact_sheet
from serving.desk.queries import ReviewQuery, require_book
from serving.desk.scoring import require_published
from serving.pages.business import business_pages, customer_pages, lead_pages, pay_page
from serving.pages.render import page
from serving.publication.reader import Published
from serving.wire.answers import Refused, invalid
from serving.wire.plain_values import small_number

Wanted = TypeVar("Wanted", bound=BaseModel)
router = APIRouter(include_in_schema=False, default_response_class=Response)


@router.get("/kpis")
def kpis(request: Request) -> Response:
    """KPIs with definition, n, target and how they went."""
    content = business_pages.kpis(*_asked(request))
    return page("kpis.html", visit_of(request.scope), here="kpis", **content)


@router.get("/cohorts")
def cohorts(request: Request) -> Response:
    """The retention triangle."""
    content = business_pages.cohorts(*_asked(request), request.query_params.get("figure", "nrr"))
    return page("cohorts.html", visit_of(request.scope), here="cohorts", **content)


@router.get("/scorecards")
def scorecards(request: Request) -> Response:
    """Books beside what they were expected to do."""
    by = request.query_params.get("by")
    content = business_pages.scorecards(*_asked(request), "seller" if by == "seller" else "csm")
    return page("scorecards.html", visit_of(request.scope), here="scorecards", **content)


@router.get("/pay")
def pay(request: Request) -> Response:
    """Pay under the plans of the settings."""
    content = pay_page.pay(*_asked(request), request.query_params.get("plan", ""))
    return page("pay.html", visit_of(request.scope), here="pay", **content)


@router.get("/behaviours")
def behaviours(request: Request) -> Response:
    """What goes with staying, and the ideal customer."""
    content = business_pages.behaviours(*_asked(request))
    visit_of(request.scope).accounts = list(dict.fromkeys(row["account_id"] for row in content["told"]["behind"]))
    return page("behaviours.html", visit_of(request.scope), here="behaviours", **content)


@router.get("/scenarios")
def scenarios(request: Request) -> Response:
    """What NRR would be if things were otherwise."""
    content = business_pages.scenarios(*_asked(request))
    return page("scenarios.html", visit_of(request.scope), here="scenarios", **content)


@router.get("/losses")
def losses(request: Request) -> Response:
    """Why revenue was lost."""
    published, caller = _asked(request)
    content = customer_pages.losses(published, caller, _query(LossQuery, request))
    _seen(request, content["rows"])
    return page("losses.html", visit_of(request.scope), here="losses", **content)


@router.get("/whitespace")
def whitespace(request: Request) -> Response:
    """Where customers can grow."""
    published, caller = _asked(request)
    content = customer_pages.whitespace(published, caller, _query(WhitespaceQuery, request))
    _seen(request, content["rows"])
    return page("whitespace.html", visit_of(request.scope), here="whitespace", **content)


@router.get("/sheets/{account_id:path}")
def sheet(account_id: str, request: Request) -> Response:
    """The impact review sheet of an account, to print and hand to the customer."""
    published, caller = _asked(request)
    account_id = account_id or request.query_params.get("id", "")
    visit_of(request.scope).accounts = [account_id[:200]]
    content = customer_pages.sheet(impact_sheet(published, account_id, caller))
    return page("sheet.html", visit_of(request.scope), here="accounts", inline_style="", **content)


@router.get("/escalations")
def escalations(request: Request) -> Response:
    """What was passed up to leadership and stands; the page says so where the record cannot be read."""
    published, caller = _asked(request)
    try:
        rows = escalation_desk.escalation_rows(_desk(request).params, published, caller)
    except Refused:
        rows = None
    number = small_number(request.query_params.get("page", "")) or 1
    content = lead_pages.escalations(published, rows, number)
    return page("escalations.html", visit_of(request.scope), here="escalations", **content)


@router.get("/review")
def review(request: Request) -> Response:
    """The review of accounts at risk; the page says so where the record cannot be read."""
    published, caller = _asked(request)
    csm = require_book(caller, _query(ReviewQuery, request, "page").csm)
    try:
        found = escalation_desk.review_of(_desk(request).params, published, caller, csm)
    except Refused:
        found = None
    number = small_number(request.query_params.get("page", "")) or 1
    content = lead_pages.review(published, found, csm, caller, number)
    _seen(request, [*content["rows"], *content["outcomes"]])
    return page("review.html", visit_of(request.scope), here="review", **content)


@router.get("/watch")
def watch(request: Request) -> Response:
    """Whether data, inputs and calibration are as they were."""
    content = business_pages.watch(*_asked(request))
    return page("watch.html", visit_of(request.scope), here="watch", **content)


def _asked(request: Request) -> tuple[Published, Caller]:
    return require_published(_desk(request).following.state), caller_of(request.scope)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _query(kind: type[Wanted], request: Request, *but: str) -> Wanted:
    """What the address asks for but some fields; empty ones ask for nothing."""
    fields = {name: value for name, value in request.query_params.items() if value and name not in but}
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise invalid(error) from None


def _seen(request: Request, rows: Iterable[Mapping[str, Any]]) -> None:
    """For the audit log: whose figures the page holds."""
    visit_of(request.scope).accounts = list(dict.fromkeys(row["account_id"] for row in rows))
