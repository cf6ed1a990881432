"""The HTTP API of facts about the business, and of the watch over the model."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from serving.access.visit import caller_of
from serving.desk import business
from serving.service.replies import ERRORS, head, published_of
from serving.wire import business_schemas as schemas
from serving.wire.answers import answer

router = APIRouter(responses=ERRORS, tags=["business"])


@router.get("/api/kpis", response_model=schemas.Kpis)
def kpis(request: Request) -> Response:
    """KPIs with definition, n and target, now and at the starts of past quarters; of one book for role csm."""
    published = published_of(request)
    return answer({**head(published), **business.kpis(published, caller_of(request.scope))})


@router.get("/api/cohorts", response_model=schemas.Cohorts)
def cohorts(request: Request) -> Response:
    """Logos kept, GRR and NRR by the quarter in which accounts began and by their age; not for role csm."""
    published = published_of(request)
    return answer({**head(published), **business.cohorts(published, caller_of(request.scope))})


@router.get("/api/scorecards", response_model=schemas.Scorecards)
def scorecards(request: Request, query: Annotated[schemas.ScorecardQuery, Query()]) -> Response:
    """Each book beside what it was expected to do, with a word where luck does not explain it; the own for role csm."""
    published = published_of(request)
    return answer({**head(published), **business.scorecards(published, caller_of(request.scope), query.by)})


@router.get("/api/watch", response_model=schemas.ModelWatch)
def watch(request: Request) -> Response:
    """Whether data, inputs and calibration are as they were, and what to do if not; not for role csm."""
    published = published_of(request)
    return answer({**head(published), **business.watch(published, caller_of(request.scope))})
