"""The part of the API that teams work with: the health of accounts."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from serving.access import sight
from serving.access.visit import caller_of
from serving.desk import queries
from serving.service.replies import FILES, FileKind, file_of, head, published_of, seen
from serving.wire.answers import answer
from serving.wire.schemas import Page
from serving.wire.team_schemas import HealthRow

team = APIRouter()


class Health(Page):
    """The health of accounts, worst first."""

    rule: dict[str, Any] = Field(description="The whole rule: measures, weights, targets, bands and caps")
    notes: list[str]
    rows: list[HealthRow]


@team.get("/api/health", response_model=Health, tags=["accounts"])
def health(request: Request, query: Annotated[queries.HealthQuery, Query()]) -> Response:
    """The health of accounts by rule, worst first: score, halves, band, what holds it down, trend. No probability."""
    published, caller = published_of(request), caller_of(request.scope)
    total, rows = queries.health_rows(published, query, caller)
    seen(request, rows)
    page = {"total": total, "offset": query.offset, "limit": query.limit}
    about = sight.health_for(published.about["health"], caller)
    return answer({**head(published), **page, **about, "rows": rows})


@team.get("/api/health.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_health(kind: FileKind, request: Request, query: Annotated[queries.HealthQuery, Query()]) -> Response:
    """The same as a file, all pages."""
    published, caller = published_of(request), caller_of(request.scope)
    return file_of(request, "health", kind, lambda: queries.health_rows(published, query, caller, all_rows=True)[1])
