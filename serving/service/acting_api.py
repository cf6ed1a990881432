"""The HTTP API of what to do next."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from serving.access import sight
from serving.access.visit import ANSWER_ACTION, caller_of
from serving.desk import acting
from serving.service.replies import (
    BODY_ERRORS,
    ERRORS,
    FILES,
    FileKind,
    desk_of,
    file_of,
    head,
    page_of,
    published_of,
    seen,
)
from serving.wire import acting_schemas as schemas
from serving.wire.answers import answer

router = APIRouter(responses=ERRORS, tags=["actions"])


@router.get("/api/actions", response_model=schemas.Actions)
def actions(request: Request, query: Annotated[acting.ActionQuery, Query()]) -> Response:
    """What to do next within the hours there are: plays by CSM and rank, what they save, and what an hour is worth."""
    published, caller = published_of(request), caller_of(request.scope)
    total, rows = acting.action_rows(published, query, caller)
    seen(request, rows)
    page = page_of(published, query, total, rows, "action_definition")
    return answer({**page, **sight.capacity_for(published.about["actions"], caller)})


@router.get("/api/actions.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_actions(kind: FileKind, request: Request, query: Annotated[acting.ActionQuery, Query()]) -> Response:
    """The plays as a file, all pages."""
    published, caller = published_of(request), caller_of(request.scope)
    return file_of(request, "actions", kind, lambda: acting.action_rows(published, query, caller, all_rows=True)[1])


@router.get("/api/actions/answers", response_model=schemas.Answers)
def answers(request: Request, query: Annotated[acting.AnswerQuery, Query()]) -> Response:
    """What people did with what was recommended, the newest first."""
    published = published_of(request)
    total, rows = acting.recorded_answers(published, query, caller_of(request.scope), desk_of(request).params)
    seen(request, rows)
    return answer(page_of(published, query, total, rows, "action_definition"))


@router.get("/api/actions/record", response_model=schemas.FollowedPlays)
def followed(request: Request, query: Annotated[acting.AnswerQuery, Query()]) -> Response:
    """What came of the plays on record, the newest first: answered, done, and what the account did. No effects."""
    published = published_of(request)
    content = acting.followed_plays(published, query, caller_of(request.scope), desk_of(request).params)
    seen(request, content["rows"])
    return answer({**head(published), **content})


@router.get("/api/scenario", response_model=schemas.ScenarioForecast)
def scenario(request: Request, query: Annotated[schemas.ScenarioQuery, Query()]) -> Response:
    """What NRR would be if things were otherwise, by a preset; not for role csm."""
    published = published_of(request)
    return answer({**head(published), **acting.preset_scenario(published, query, caller_of(request.scope))})


@router.get("/api/effects", response_model=schemas.Effects)
def effects(request: Request) -> Response:
    """What past actions changed, by kind: effect with interval, verdict, what tried to refute it; not for role csm."""
    published = published_of(request)
    return answer({**head(published), **acting.known_effects(published, caller_of(request.scope))})


@router.get("/api/process", response_model=schemas.ProcessReview)
def process(request: Request) -> Response:
    """The quarterly review: what the team's processes were, their effects, what follows for NRR; not for role csm."""
    published = published_of(request)
    return answer({**head(published), **acting.quarterly_review(published, caller_of(request.scope))})


@router.get("/api/holdout", response_model=schemas.Holdout)
def holdout(request: Request) -> Response:
    """The holdout of recommendations: whether it is on, who is in it, its cost, what it can show and what it showed.

    Not for role csm.
    """
    published = published_of(request)
    content = acting.known_holdout(published, caller_of(request.scope), desk_of(request).params)
    seen(request, content["assignments"])
    return answer({**head(published), **content})


@router.post(ANSWER_ACTION, response_model=schemas.AnswerTaken, responses=BODY_ERRORS)
def answer_an_action(request: Request, wanted: schemas.ActionAnswer) -> Response:
    """Say what you did with a play that is recommended: done, not now, or disagree with a reason.

    It stays on record. What was done counts from today; what was declined is not recommended again for a while.
    """
    published, caller = published_of(request), caller_of(request.scope)
    return answer(acting.answer_action(published, wanted, caller, desk_of(request).params))
