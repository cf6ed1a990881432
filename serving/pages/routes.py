"""The addresses of the pages."""

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import FileResponse, RedirectResponse, Response

from serving.access.tokens import Caller
from serving.access.visit import COOKIE, caller_of, visit_of
from serving.desk.desk import Desk
from serving.desk.queries import AccountQuery
from serving.desk.scoring import require_published
from serving.pages import views
from serving.pages.render import ICON, STYLE, page
from serving.publication.reader import Published, scope
from serving.wire.answers import Refused, invalid
from training.tracking.model_card import describe
from training.tracking.store import ui_command

router = APIRouter(include_in_schema=False, default_response_class=Response)
KEPT_SECONDS = 31_536_000


@router.get("/")
def portfolio(request: Request, horizon: str = "") -> Response:
    """The portfolio, or a CSM's book of it."""
    published, caller = _published(request), _caller(request)
    chosen = (
        int(horizon) if horizon.isdigit() and int(horizon) in views.horizons(published) else published.horizon_months
    )
    if not published.nrr(**scope(caller.csm), horizon_months=chosen):
        raise Refused(
            404, "No figures are published for your book: it holds no account, or csm is not in forecast.cuts."
        )
    content = views.portfolio(published, caller, chosen)
    _seen(request, [row["account_id"] for row in content["at_risk"]])
    return page("portfolio.html", caller, here="portfolio", **content)


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
    return page("accounts.html", caller, here="accounts", **content)


@router.get("/accounts/{account_id:path}")
def account(account_id: str, request: Request) -> Response:
    """One account."""
    published, caller = _published(request), _caller(request)
    _seen(request, [account_id[:200]])
    detail = published.account(account_id, caller.csm)
    if detail is None:
        book = "your book" if caller.csm is not None else f"the customers as of {published.about['as_of']}"
        raise Refused(404, f"There is no account {account_id[:200]!r} among {book}.")
    return page("account.html", caller, here="accounts", **views.account(published, detail))


@router.get("/model")
def model(request: Request) -> Response:
    """The model."""
    published, desk = _published(request), _desk(request)
    state, serving = desk.following.state, desk.params.serving
    live = describe(state.champion) if state.champion else None
    caller = _caller(request)
    embedded = desk.params.tracking.uri is None and caller.role == "admin"  # others need no path of this machine
    command = ui_command(desk.params) if embedded else ""
    content = views.model(published, live, serving.mlflow_url, command)
    return page("model.html", caller, here="model", **content)


@router.get("/sign-in")
def sign_in(request: Request) -> Response:
    """The form that takes a token."""
    return page("sign_in.html", None, title="Sign in", said="")


@router.post("/sign-in")
async def signed_in(request: Request) -> Response:
    """Take a token, and keep it in a cookie that no script and no other site can use."""
    fields = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    token = fields.get("token", "").strip()
    if _desk(request).tokens.caller(token) is None:
        wait = _desk(request).failed.wait_seconds(str(request.client.host if request.client else ""))
        if wait:
            raise Refused(429, "Too many failed sign-ins: wait a minute.", retry_after=str(int(wait) + 1))
        return page("sign_in.html", None, status=401, title="Sign in", said="The token is unknown, revoked or expired.")
    answer = RedirectResponse("/", 303)
    # a proxy's word for the scheme is not believed; where one is trusted, it is there to speak TLS
    secure = request.url.scheme == "https" or bool(_desk(request).params.serving.proxies)
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure, path="/")
    return answer


@router.post("/sign-out")
def signed_out(request: Request) -> Response:
    """Forget the token."""
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, path="/")
    return answer


@router.get("/static/style.css")
def style() -> Response:
    """The style sheet; its address changes with its content."""
    return FileResponse(STYLE, media_type="text/css", headers={"cache-control": f"public, max-age={KEPT_SECONDS}"})


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
