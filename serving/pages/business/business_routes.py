"""The addresses of the pages about the business, and of the watch over the model."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.access.tokens import Caller
from serving.access.visit import caller_of, visit_of
from serving.desk.desk import Desk
from serving.desk.scoring import require_published
from serving.pages.business import business_pages
from serving.pages.render import page
from serving.publication.reader import Published

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


@router.get("/watch")
def watch(request: Request) -> Response:
    """Whether data, inputs and calibration are as they were."""
    content = business_pages.watch(*_asked(request))
    return page("watch.html", visit_of(request.scope), here="watch", **content)


def _asked(request: Request) -> tuple[Published, Caller]:
    desk: Desk = request.app.state.desk
    return require_published(desk.following.state), caller_of(request.scope)
