"""The addresses of the pages."""

from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import FileResponse, RedirectResponse, Response

from serving.access.identity import cookie_name
from serving.access.origins import is_unencrypted, needs_secure_cookie
from serving.access.tokens import Caller
from serving.access.visit import caller_of, visit_of
from serving.desk import journal_desk
from serving.desk.desk import Desk
from serving.desk.queries import AccountQuery, AlertQuery, CallQuery
from serving.desk.scoring import require_published
from serving.desk.team_desk import alert_rows
from serving.pages import account_page, acting_pages, team_pages, views
from serving.pages.business.business_routes import router as business
from serving.pages.business.role_homes import DATA, MANAGER, data_home, manager_home, week
from serving.pages.error_page import is_page
from serving.pages.form_routes import router as forms
from serving.pages.home import LISTED, home
from serving.pages.render import ICON, SCRIPT, STYLE, page, version_of
from serving.publication.reader import Published, scope
from serving.wire.answers import Refused, invalid
from serving.wire.plain_values import small_number
from training.tracking.model_card import describe
from training.tracking.store import ui_command

router = APIRouter(include_in_schema=False, default_response_class=Response)
router.include_router(business)
router.include_router(forms)
KEPT_SECONDS = 31_536_000
CALLS_SHOWN = 20


@router.get("/")
def first_page(request: Request) -> Response:
    """The portfolio, a manager's teams or the data scientist's desk; for a CSM the own book."""
    published, caller, asked = _published(request), _caller(request), request.query_params
    if caller.csm is None and asked.get("for") in (MANAGER, DATA):
        return _home_of(request, published, caller)
    months = small_number(asked.get("horizon", ""))
    chosen = months if months in views.horizons(published) else published.horizon_months
    if not published.nrr(**scope(caller.csm), horizon_months=chosen):
        raise Refused(
            404, "No figures are published for your book: it holds no account, or csm is not in forecast.cuts."
        )
    content = home(published, caller, chosen) | week(_desk(request).params, published, caller)
    _seen(request, list(dict.fromkeys(row["account_id"] for name in LISTED for row in content[name])))
    return page("home.html", visit_of(request.scope), here="home", **content)


def _home_of(request: Request, published: Published, caller: Caller) -> Response:
    """The first page of a manager or of a data scientist, who both see all books."""
    desk = _desk(request)
    if request.query_params["for"] == DATA:
        command = ui_command(desk.params) if desk.params.tracking.uri is None else ""
        content = data_home(published, caller, desk.params.serving.mlflow_url, command)
        return page("home_data.html", visit_of(request.scope), here="home", **content)
    content = manager_home(desk.params, published, caller, request.query_params.get("manager", ""))
    _seen(request, list(dict.fromkeys(row["account_id"] for row in content["waiting"])))
    return page("home_manager.html", visit_of(request.scope), here="home", **content)


@router.get("/accounts")
def accounts(request: Request) -> Response:
    """A book of accounts."""
    published, caller = _published(request), _caller(request)
    parameters = dict(request.query_params)
    try:
        query = AccountQuery.model_validate(views.account_query(parameters, published.about["as_of"]))
    except ValidationError as error:
        raise invalid(error) from None
    content = views.accounts(published, caller, query, parameters)
    _seen(request, [row["account_id"] for row in content["rows"]])
    return page("accounts.html", visit_of(request.scope), here="accounts", script=version_of(SCRIPT), **content)


@router.get("/accounts/{account_id:path}")
def account(account_id: str, request: Request) -> Response:
    """One account."""
    published, caller = _published(request), _caller(request)
    account_id = account_id or request.query_params.get("id", "")
    _seen(request, [account_id[:200]])
    detail = published.account(account_id, caller.csm)
    if detail is None:
        book = "your book" if caller.csm is not None else f"the customers as of {published.about['as_of']}"
        raise Refused(404, f"There is no account {account_id[:200]!r} among {book}.")
    calls = _calls_about(request, account_id)
    content = account_page.account(published, detail, calls) | {"play": published.action_of(account_id, caller.csm)}
    return page("account.html", visit_of(request.scope), here="accounts", **content)


def _calls_about(request: Request, account_id: str) -> list[dict[str, Any]] | None:
    """The newest calls about an account; None where the record cannot be read, which stops no page."""
    query = CallQuery.model_construct(account_id=account_id, limit=CALLS_SHOWN, offset=0)
    try:
        return journal_desk.calls_about(_desk(request).params, _published(request), _caller(request), query)[1]
    except Refused:
        return None


@router.get("/health")
def health(request: Request) -> Response:
    """The health of accounts by rule, worst first."""
    content = team_pages.health(_published(request), _caller(request))
    _seen(request, [row["account_id"] for row in content["rows"]])
    return page("health.html", visit_of(request.scope), here="health", **content)


@router.get("/alerts")
def alerts(request: Request) -> Response:
    """The open alerts."""
    published, number = _published(request), small_number(request.query_params.get("page", "")) or 1
    query = AlertQuery(limit=team_pages.ALERTS_A_PAGE, offset=(max(1, number) - 1) * team_pages.ALERTS_A_PAGE)
    try:
        total, rows = alert_rows(_desk(request).params, published, _caller(request), query)
    except Refused:  # the record cannot be used: said on the page, which shows the rest
        return page("alerts.html", visit_of(request.scope), here="alerts", **team_pages.alerts(published, None, 0, 1))
    _seen(request, [row["account_id"] for row in rows])
    content = team_pages.alerts(published, rows, total, max(1, number))
    return page("alerts.html", visit_of(request.scope), here="alerts", **content)


@router.get("/actions")
def actions(request: Request) -> Response:
    """What to do next, in a book or in all of them."""
    published, caller = _published(request), _caller(request)
    number = small_number(request.query_params.get("page", "")) or 1
    content = views.actions(published, caller, max(1, number))
    _seen(request, [row["account_id"] for row in content["rows"]])
    return page("actions.html", visit_of(request.scope), here="actions", **content)


@router.get("/effects")
def effects(request: Request) -> Response:
    """What past actions changed; not for role csm."""
    content = acting_pages.effects(_published(request), _caller(request))
    return page("effects.html", visit_of(request.scope), here="effects", **content)


@router.get("/process")
def process(request: Request) -> Response:
    """The quarterly review of the team's processes; not for role csm."""
    content = acting_pages.process(_published(request), _caller(request))
    return page("process.html", visit_of(request.scope), here="process", **content)


@router.get("/holdout")
def holdout(request: Request) -> Response:
    """The holdout of recommendations; not for role csm."""
    content = acting_pages.holdout(_published(request), _caller(request), _desk(request).params)
    _seen(request, [row["account_id"] for row in content["holdout"]["assignments"]])
    return page("holdout.html", visit_of(request.scope), here="holdout", **content)


@router.get("/track-record")
def track(request: Request) -> Response:
    """How earlier forecasts did."""
    content = views.track(_published(request), _caller(request))
    misses = content["track"]["misses"] if content["track"] else []
    _seen(request, list(dict.fromkeys(row["account_id"] for row in misses)))
    return page("track_record.html", visit_of(request.scope), here="track record", **content)


@router.get("/model")
def model(request: Request) -> Response:
    """The model."""
    published, desk = _published(request), _desk(request)
    state, serving = desk.following.state, desk.params.serving
    live = describe(state.champion) if state.champion else None
    caller = _caller(request)
    command = ui_command(desk.params) if desk.params.tracking.uri is None else ""
    content = views.model(published, live, serving.mlflow_url, command, caller)
    return page("model.html", visit_of(request.scope), here="model", **content)


@router.get("/sign-in")
def sign_in(request: Request) -> Response:
    """The form that takes a token; or the one-time address that `holdfast serve` prints, which needs none."""
    once = request.query_params.get("once")
    if once is None or visit_of(request.scope).method != "GET":
        return _form(request, "")
    session = _desk(request).sessions.accept(once)
    if session is None:
        _desk(request).identity.count_failure(request.scope)
        return _form(request, "This address was used, or a token is needed by now: start `holdfast serve` again for "
                     "a new one, or paste a token.", status=401)  # fmt: skip
    return _signed_in(request, session, "/")


@router.post("/sign-in")
async def take_token(request: Request) -> Response:
    """Take a token, and begin a session, kept in a cookie that no script and no other site can use."""
    if is_unencrypted(request.headers):
        raise Refused(403, "This page came over the network in the clear, and so would the token: use https.")
    fields = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    desk, asked = _desk(request), fields.get("next", "/")
    token = desk.tokens.valid(fields.get("token", "").strip())
    if token is None:
        desk.identity.count_failure(request.scope)
        return _form(request, "The token is unknown, revoked or expired.", status=401, asked=asked)
    return _signed_in(request, desk.sessions.begin(token), asked)


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the session, for whoever else has its cookie too."""
    visit = visit_of(request.scope)
    if visit.session:
        _desk(request).sessions.end(visit.session)
    answer = RedirectResponse(f"{visit.base}/sign-in", 303)
    answer.delete_cookie(cookie_name(visit.base), path=visit.base or "/")
    return answer


def _form(request: Request, said: str, *, status: int = 200, asked: str = "/") -> Response:
    visit, asked = visit_of(request.scope), asked if is_page(asked) else "/"
    return page("sign_in.html", visit, status=status, title="Sign in", said=said, next=asked)


def _signed_in(request: Request, session: str, asked: str) -> Response:
    """On to the page asked for, with the session's cookie."""
    base, secure = visit_of(request.scope).base, needs_secure_cookie(request.headers)
    answer = RedirectResponse(base + (asked if is_page(asked) else "/"), 303)
    answer.set_cookie(cookie_name(base), session, httponly=True, samesite="strict", secure=secure, path=base or "/")
    return answer


@router.get("/static/style.css")
def style() -> Response:
    """The style sheet; its address changes with its content."""
    return FileResponse(STYLE, media_type="text/css", headers={"cache-control": f"public, max-age={KEPT_SECONDS}"})


@router.get("/static/search.js")
def script() -> Response:
    """The script that searches as one types."""
    headers = {"cache-control": f"public, max-age={KEPT_SECONDS}"}
    return FileResponse(SCRIPT, media_type="text/javascript", headers=headers)


@router.get("/static/icon.svg")
@router.get("/favicon.ico")
def icon() -> Response:
    """The icon."""
    return FileResponse(ICON, media_type="image/svg+xml", headers={"cache-control": f"public, max-age={KEPT_SECONDS}"})


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _published(request: Request) -> Published:
    return require_published(_desk(request).following.state)


def _caller(request: Request) -> Caller:
    return caller_of(request.scope)


def _seen(request: Request, account_ids: list[str]) -> None:
    """For the audit log: whose figures the page holds."""
    visit_of(request.scope).accounts = account_ids
