"""The HTTP API: each handler takes a request apart, calls, and answers."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from serving.access import sight
from serving.access.visit import LIVE, MCP, SCORE, caller_of, visit_of
from serving.assistant.server import OverHttp, is_installed
from serving.desk import metrics, queries, scoring
from serving.desk.desk import Desk
from serving.pages.error_page import problem
from serving.pages.routes import router as pages
from serving.publication.account_filter import AccountFilter
from serving.service.acting_api import router as acting
from serving.service.customers_api import router as customers
from serving.service.guard import Guard
from serving.service.journal_api import router as journal_router
from serving.service.replies import (
    BODY_ERRORS,
    ERRORS,
    FILES,
    LIVE_ERRORS,
    FileKind,
    desk_of,
    file_of,
    head,
    page_of,
    published_of,
    seen,
)
from serving.service.team_api import team
from serving.wire import schemas
from serving.wire.answers import Refused, answer, failure, invalid, raw
from serving.wire.schemas import LiveRequest, ScoreRequest
from training.tracking.model_card import describe

DESCRIPTION = """\
Churn, expansion and NRR of a subscription business, as published by `holdfast publish` and scored live by the
champion model. Every answer says as of when it is, by which model version and run, and what its figures mean. Dates are
half-open windows; money is ARR, a year, in the reporting currency. Errors have one body, with a stable `code`.
"""
router = APIRouter(responses=ERRORS)
router.include_router(journal_router, responses=BODY_ERRORS)
router.include_router(team)
router.include_router(acting)
router.include_router(customers)


def create_app(desk: Desk) -> FastAPI:
    """The application of API and pages, and of assistants' tools; a `Guard` must stand before it."""
    app = FastAPI(title="Holdfast", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.desk = desk
    app.include_router(router)
    app.include_router(pages)
    if is_installed():  # a tool's question passes the guard once more, as whoever asked
        tools = OverHttp(Guard(app, desk, app), lambda: specification(app))
        app.router.routes.append(Route(MCP, tools, methods=["POST"], include_in_schema=False))
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(Exception, _failed)
    return app


@router.get("/api", response_model=schemas.About, tags=["portfolio"])
def about(request: Request) -> Response:
    """What is published: as of when, by which model, which cuts, and notes that must be read with it."""
    published, caller = published_of(request), caller_of(request.scope)
    book = None
    if caller.csm is not None:
        book = published.accounts(AccountFilter(published.horizon_months, csm=caller.csm, limit=1))[0]
    return answer(sight.publication_for(published.about, caller, book))


@router.post(SCORE, response_model=schemas.Scores, responses=BODY_ERRORS, tags=["accounts"])
def score(request: Request, wanted: ScoreRequest) -> Response:
    """Score accounts by id: probabilities by horizon, expected ARR with quantiles, and the strongest reasons."""
    # behind the guard, which answers this by the same call, it is the description that counts
    return raw(scoring.by_id(desk_of(request).following.state, wanted, caller_of(request.scope)))


@router.post(LIVE, response_model=schemas.Scores, responses=LIVE_ERRORS, tags=["accounts"])
def live(request: Request, wanted: LiveRequest) -> Response:
    """Score accounts now by the champion, with inputs changed or for accounts that do not exist yet.

    Inputs are replaced one by one: what is computed from several, such as a ratio, is not computed again. The answer is
    what the model would say of such an account, not what an action would change.
    """
    metrics.LIVE_ACCOUNTS.inc(len(wanted.accounts))
    return raw(scoring.now(desk_of(request).following.state, wanted, caller_of(request.scope)))


@router.get("/api/accounts", response_model=schemas.Accounts, tags=["accounts"])
def accounts(request: Request, query: Annotated[queries.AccountQuery, Query()]) -> Response:
    """List accounts: filtered, sorted, a page at a time."""
    published = published_of(request)
    total, rows = published.accounts(queries.account_filter(published, query, caller_of(request.scope)))
    seen(request, rows)
    return answer(page_of(published, query, total, rows, "account_definition"))


@router.get("/api/accounts.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_accounts(kind: FileKind, request: Request, query: Annotated[queries.AccountQuery, Query()]) -> Response:
    """The accounts that a filter lets through, all pages, as a file."""
    published = published_of(request)
    filters = queries.account_filter(published, query, caller_of(request.scope))
    return file_of(request, "accounts", kind, lambda: published.rows(replace(filters, limit=None, offset=0)))


@router.get("/api/accounts/{account_id:path}", response_model=schemas.AccountDetail, tags=["accounts"])
def account(
    account_id: str,
    request: Request,
    awkward_id: Annotated[str, Query(alias="id", description="One that no address holds: /api/accounts/?id=..")] = "",
) -> Response:
    """One account: probabilities, reasons, activity by month, contract events, and what its score was before."""
    published, caller, account_id = published_of(request), caller_of(request.scope), account_id or awkward_id
    visit_of(request.scope).accounts = [account_id[:200]]
    detail = published.account(account_id, caller.csm)
    if detail is None:
        scoring.require_all([account_id[:200]], caller)
    definition, months = published.about["account_definition"], published.about["months"]
    return answer({**head(published), "definition": definition, "months": months, **(detail or {})})


@router.get("/api/nrr", response_model=schemas.Nrr, tags=["portfolio"])
def nrr(request: Request, query: Annotated[queries.NrrQuery, Query()]) -> Response:
    """NRR, GRR and what they are made of, for any published cut and horizon, with quantiles and definitions."""
    published, caller = published_of(request), caller_of(request.scope)
    rows, flags = queries.nrr_rows(published, query, caller), queries.red_flags(published, query, caller)
    return answer({**head(published), "red_flags": flags, "rows": rows})


@router.get("/api/nrr.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_nrr(kind: FileKind, request: Request, query: Annotated[queries.NrrQuery, Query()]) -> Response:
    """The same as a file."""
    published = published_of(request)
    return file_of(request, "nrr", kind, lambda: queries.nrr_rows(published, query, caller_of(request.scope)))


@router.get("/api/renewals", response_model=schemas.Renewals, tags=["portfolio"])
def renewals(request: Request, query: Annotated[queries.RenewalQuery, Query()]) -> Response:
    """What is up for renewal by month, and how much of it is expected to be kept."""
    published = published_of(request)
    rows = queries.renewal_rows(published, query, caller_of(request.scope))
    return answer({**head(published), "definition": published.about["renewal_definition"], "rows": rows})


@router.get("/api/renewals.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_renewals(kind: FileKind, request: Request, query: Annotated[queries.RenewalQuery, Query()]) -> Response:
    """The same as a file."""
    published = published_of(request)
    return file_of(request, "renewals", kind, lambda: queries.renewal_rows(published, query, caller_of(request.scope)))


@router.get("/api/movements", response_model=schemas.Movements, tags=["portfolio"])
def movements(request: Request, query: Annotated[queries.MovementQuery, Query()]) -> Response:
    """Movements of ARR in the last twelve months: the bridge, and the accounts behind it."""
    published, caller = published_of(request), caller_of(request.scope)
    total, rows = queries.movement_rows(published, query, caller)
    seen(request, rows)
    bridge = published.bridge(queries.require_book(caller, query.csm))
    return answer({**page_of(published, query, total, rows, "movement_definition"), "bridge": bridge})


@router.get("/api/movements.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_movements(kind: FileKind, request: Request, query: Annotated[queries.MovementQuery, Query()]) -> Response:
    """The movements by account as a file, all pages."""
    published, caller = published_of(request), caller_of(request.scope)
    return file_of(
        request, "movements", kind, lambda: queries.movement_rows(published, query, caller, all_rows=True)[1]
    )


@router.get("/api/bridge", response_model=schemas.ForecastBridge, tags=["portfolio"])
def bridge(request: Request, query: Annotated[queries.BridgeQuery, Query()]) -> Response:
    """Why the forecast changed since the last official one: steps that add up to the cent, and the accounts behind."""
    published, caller = published_of(request), caller_of(request.scope)
    total, rows = queries.bridge_rows(published, query, caller)
    seen(request, rows)
    page = {"total": total, "offset": query.offset, "limit": query.limit, **published.about["bridge"]}
    return answer({**head(published), **page, **queries.bridge_steps(published, query, caller), "rows": rows})


@router.get("/api/bridge.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_bridge(kind: FileKind, request: Request, query: Annotated[queries.BridgeQuery, Query()]) -> Response:
    """The bridge by account as a file, all pages."""
    published, caller = published_of(request), caller_of(request.scope)
    return file_of(request, "bridge", kind, lambda: queries.bridge_rows(published, query, caller, all_rows=True)[1])


@router.get("/api/history", response_model=schemas.History, tags=["accounts"])
def history(request: Request, query: Annotated[queries.HistoryQuery, Query()]) -> Response:
    """Past churn probabilities: as published then, and as today's model says from what was known then."""
    published = published_of(request)
    total, rows = queries.history_rows(published, query, caller_of(request.scope))
    seen(request, rows)
    return answer(page_of(published, query, total, rows, "account_definition"))


@router.get("/api/history.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_history(kind: FileKind, request: Request, query: Annotated[queries.HistoryQuery, Query()]) -> Response:
    """The same as a file, all pages."""
    published, caller = published_of(request), caller_of(request.scope)
    return file_of(request, "history", kind, lambda: queries.history_rows(published, query, caller, all_rows=True)[1])


@router.get("/api/forecasts", response_model=schemas.PublishedForecasts, tags=["portfolio"])
def forecasts(request: Request, query: Annotated[queries.RenewalQuery, Query()]) -> Response:
    """NRR and GRR as this and earlier publications forecast them."""
    published = published_of(request)
    rows = queries.forecast_rows(published, query, caller_of(request.scope))
    return answer({**head(published), "rows": rows})


@router.get("/api/forecasts.{kind}", response_class=Response, responses=FILES, tags=["downloads"])
def download_forecasts(kind: FileKind, request: Request, query: Annotated[queries.RenewalQuery, Query()]) -> Response:
    """The same as a file."""
    published = published_of(request)
    return file_of(
        request, "forecasts", kind, lambda: queries.forecast_rows(published, query, caller_of(request.scope))
    )


@router.get("/api/track-record", response_model=schemas.TrackRecord, tags=["portfolio"])
def track_record(request: Request) -> Response:
    """How official forecasts did, once the actuals were known; of one book for role csm."""
    published = published_of(request)
    content = published.about.get("track_record")
    if content is None:
        raise Refused(404, "No track record is published yet: run `holdfast publish`.")
    track = sight.track_for(content, caller_of(request.scope)) | {"head": published.record_head}
    seen(request, track["misses"])
    return answer({**head(published), **track})


@router.get("/api/model", response_model=schemas.ModelCard, tags=["model"])
def model(request: Request) -> Response:
    """The model card: version, when and on what it was trained, how it did out of time, and its inputs."""
    published, state = published_of(request), desk_of(request).following.state
    caller = caller_of(request.scope)
    return answer(
        {
            **head(published),
            "published_model": sight.card_for(published.about["model"], caller),
            "live_model": sight.card_for(describe(state.champion), caller) if state.champion else None,
            "inputs": sight.inputs_for(scoring.inputs_of(state.scorer) if state.scorer else [], caller),
        }
    )


@router.get("/metrics", response_class=Response, tags=["operation"], responses={200: {"content": {"text/plain": {}}}})
def prometheus(request: Request) -> Response:
    """Metrics for Prometheus; not for role csm."""
    if caller_of(request.scope).csm is not None:
        raise Refused(403, "Metrics are of the whole service: ask with a token of role revops or admin.")
    return Response(metrics.render(desk_of(request).following.state), media_type=metrics.CONTENT_TYPE)


@router.get("/readyz", tags=["operation"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def ready(request: Request) -> Response:
    """Whether this worker has a model to score with, and can write down who sees what."""
    desk = desk_of(request)
    if not desk.following.state.ready:
        raise Refused(503, desk.following.state.no_model, retry_after="2")
    unaudited = f"The audit log cannot be written: {desk.audit.trouble}." if desk.audit.trouble else ""
    if unaudited and desk.audit_required:
        raise Refused(503, unaudited, retry_after="2")
    return Response("\n".join(["ready", *([unaudited] if unaudited else []), ""]), media_type="text/plain")


@router.get("/openapi.json", include_in_schema=False)
@router.get("/docs.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """This API, as OpenAPI."""
    return answer(specification(request.app))


def specification(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once an application."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version="1", description=DESCRIPTION, routes=app.routes)
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        base_path = app.state.desk.params.serving.base_path
        document |= {"servers": [{"url": base_path}]} if base_path else {}
        app.openapi_schema = document
    return app.openapi_schema


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(request.scope, error)


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem(request.scope, invalid(error.errors()))


async def _failed(request: Request, error: Exception) -> Response:
    """The answer to a failure of ours; it is raised on, and the guard logs it."""
    return problem(request.scope, failure())


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    messages = {404: "There is nothing here.", 405: f"{request.method} is not what this address takes."}
    refused = Refused(error.status_code, messages.get(error.status_code, "This cannot be answered."))
    refused.headers = dict(error.headers or {})
    return problem(request.scope, refused)
