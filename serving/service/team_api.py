"""The part of the API that teams work with: health, alerts, facts about the business, and the model watch."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from serving.access import sight
from serving.access.visit import ALERTS, ESCALATIONS, HEALTH, REVIEW, caller_of, visit_of
from serving.desk import business, escalation_desk, queries, team_desk
from serving.service.replies import BODY_ERRORS, FILES, FileKind, desk_of, file_of, head, published_of, seen
from serving.wire import business_schemas
from serving.wire.answers import answer
from serving.wire.schemas import Head, Page, Written
from serving.wire.team_schemas import (
    AlertRow,
    AnswerRequest,
    DecisionRequest,
    EscalationAnswer,
    EscalationRow,
    HealthRow,
    OverrideRequest,
    ReviewOutcome,
    ReviewRow,
)

team = APIRouter()


class Alerts(Head):
    """The open alerts, new ones first, most ARR first."""

    total: int
    offset: int
    limit: int
    rows: list[AlertRow]


class Health(Page):
    """The health of accounts, worst first."""

    rule: dict[str, Any] = Field(description="The whole rule: measures, weights, targets, bands and caps")
    notes: list[str]
    rows: list[HealthRow]


class Escalations(Head):
    """What stands before leadership, what nobody has acknowledged first."""

    rows: list[EscalationRow]


class Review(Head):
    """The accounts at risk, most ARR at risk first, and what came of earlier decisions."""

    rows: list[ReviewRow]
    outcomes: list[ReviewOutcome]


@team.get(HEALTH, response_model=Health, tags=["accounts"])
def health(request: Request, query: Annotated[queries.HealthQuery, Query()]) -> Response:
    """The health of accounts by rule, worst first: score, halves, band, what holds it down, trend. No probability."""
    published, caller = published_of(request), caller_of(request.scope)
    total, rows = queries.health_rows(published, query, caller)
    seen(request, rows)
    page = {"total": total, "offset": query.offset, "limit": query.limit}
    about = sight.health_for(published.about["health"], caller)
    rows = team_desk.with_overrides(desk_of(request).params, published, rows)
    return answer({**head(published), **page, **about, "rows": rows})


@team.post(HEALTH, response_model=Written, responses=BODY_ERRORS, tags=["accounts"])
def override(request: Request, wanted: OverrideRequest) -> Response:
    """Put your own judgement beside an account's health, with a reason and an end; the computed score stays."""
    published, caller = published_of(request), caller_of(request.scope)
    visit_of(request.scope).accounts = [wanted.account_id]
    return answer({"number": team_desk.override_health(desk_of(request).params, published, caller, wanted)})


@team.get("/api/health.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_health(kind: FileKind, request: Request, query: Annotated[queries.HealthQuery, Query()]) -> Response:
    """The same as a file, all pages."""
    published, caller = published_of(request), caller_of(request.scope)
    return file_of(request, "health", kind, lambda: queries.health_rows(published, query, caller, all_rows=True)[1])


@team.get(ALERTS, response_model=Alerts, tags=["accounts"])
def alerts(request: Request, query: Annotated[queries.AlertQuery, Query()]) -> Response:
    """The open alerts: which account, what happened, the steps of the playbook, and who has taken it up."""
    published, caller = published_of(request), caller_of(request.scope)
    total, rows = team_desk.alert_rows(desk_of(request).params, published, caller, query)
    seen(request, rows)
    page = {"total": total, "offset": query.offset, "limit": query.limit}
    return answer({**head(published), **page, "rows": rows})


@team.post(ALERTS, response_model=Written, responses=BODY_ERRORS, tags=["accounts"])
def answer_alert(request: Request, wanted: AnswerRequest) -> Response:
    """Say that you have taken an open alert up, or snooze it with a reason and an end."""
    published, caller = published_of(request), caller_of(request.scope)
    visit_of(request.scope).accounts = [wanted.account_id]
    return answer({"number": team_desk.answer_alert(desk_of(request).params, published, caller, wanted)})


@team.get("/api/kpis", response_model=business_schemas.Kpis, tags=["business"])
def kpis(request: Request) -> Response:
    """KPIs with definition, n and target, now and at the starts of past quarters; of one book for role csm."""
    published = published_of(request)
    return answer({**head(published), **business.kpis(published, caller_of(request.scope))})


@team.get("/api/cohorts", response_model=business_schemas.Cohorts, tags=["business"])
def cohorts(request: Request) -> Response:
    """Logos kept, GRR and NRR by the quarter in which accounts began and by their age; not for role csm."""
    published = published_of(request)
    return answer({**head(published), **business.cohorts(published, caller_of(request.scope))})


@team.get("/api/cohorts.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_cohorts(kind: FileKind, request: Request) -> Response:
    """The triangles as a file, with the cells that are forecast; not for role csm."""
    published, caller = published_of(request), caller_of(request.scope)
    return file_of(request, "cohorts", kind, lambda: business.cohort_rows(published, caller))


@team.get("/api/pay", response_model=business_schemas.Pay, tags=["business"])
def pay(request: Request) -> Response:
    """Pay under the plans of the settings over past quarters, cost, and the share of the differences that is luck.

    Admins and leaders see everybody, managers their people, role csm the own pay under the plan in force.
    """
    published = published_of(request)
    return answer({**head(published), **business.pay(published, caller_of(request.scope))})


@team.get("/api/pay.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_pay(kind: FileKind, request: Request) -> Response:
    """The same as a file, a row a plan and person."""
    published, caller = published_of(request), caller_of(request.scope)
    return file_of(request, "pay", kind, lambda: business.pay_rows(published, caller))


@team.get("/api/scorecards", response_model=business_schemas.Scorecards, tags=["business"])
def scorecards(request: Request, query: Annotated[business_schemas.ScorecardQuery, Query()]) -> Response:
    """Each book beside what it was expected to do, with a word where luck does not explain it; the own for role csm."""
    published = published_of(request)
    return answer({**head(published), **business.scorecards(published, caller_of(request.scope), query.by)})


@team.get("/api/watch", response_model=business_schemas.ModelWatch, tags=["business"])
def watch(request: Request) -> Response:
    """Whether data, inputs and calibration are as they were, and what to do if not; not for role csm."""
    published = published_of(request)
    return answer({**head(published), **business.watch(published, caller_of(request.scope))})


@team.get(ESCALATIONS, response_model=Escalations, tags=["portfolio"])
def escalations(request: Request) -> Response:
    """What was passed up to leadership and stands: the figure and its limit, the shared cause, who has taken it up."""
    published, caller = published_of(request), caller_of(request.scope)
    rows = escalation_desk.escalation_rows(desk_of(request).params, published, caller)
    return answer({**head(published), "rows": rows})


@team.post(ESCALATIONS, response_model=Written, responses=BODY_ERRORS, tags=["portfolio"])
def acknowledge(request: Request, wanted: EscalationAnswer) -> Response:
    """Say by name that you have taken an escalation up."""
    published, caller = published_of(request), caller_of(request.scope)
    number = escalation_desk.acknowledge_escalation(desk_of(request).params, published, caller, wanted)
    return answer({"number": number})


@team.get(REVIEW, response_model=Review, tags=["accounts"])
def review(request: Request, query: Annotated[queries.ReviewQuery, Query()]) -> Response:
    """The review of accounts at risk: whose each is, what comes next and by when, and what came of decisions."""
    published, caller = published_of(request), caller_of(request.scope)
    content = escalation_desk.review_of(desk_of(request).params, published, caller, query.csm)
    seen(request, [*content["rows"], *content["outcomes"]])
    return answer({**head(published), **content})


@team.post(REVIEW, response_model=Written, responses=BODY_ERRORS, tags=["accounts"])
def decide(request: Request, wanted: DecisionRequest) -> Response:
    """Write down what comes next for an account at risk, who does it and by when."""
    published, caller = published_of(request), caller_of(request.scope)
    visit_of(request.scope).accounts = [wanted.account_id]
    return answer({"number": escalation_desk.decide(desk_of(request).params, published, caller, wanted)})
