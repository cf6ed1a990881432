"""What all handlers of the API share: what is published, heads and pages of answers, files, possible errors."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from fastapi import Request
from starlette.responses import Response

from serving.access.visit import visit_of
from serving.desk import queries
from serving.desk.desk import Desk
from serving.desk.scoring import require_published
from serving.forecast.declared.book_tables import BUSINESS_LISTS
from serving.forecast.declared.customer_tables import CUSTOMER_LISTS
from serving.publication.reader import Published
from serving.wire.downloads import TYPES, render
from serving.wire.schemas import ErrorBody

FileKind = Literal["csv", "xlsx"]
_MEANINGS = {
    400: "A header that says who asks came more than once",
    401: "No token, or one that is unknown, revoked or expired",
    403: "Not yours to see",
    404: "No such account, cut or value",
    421: "Called by a name that is not this service's",
    422: "Not valid: the details say where and why",
    429: "Too many requests: see Retry-After",
    500: "A failure here; the server's log says where",
    503: "Nothing is published, or no model could be loaded: the message says why",
}
_BODY = {
    400: "The body did not come whole, or a header that says who asks came more than once",
    413: "The body is too large",
    415: "Not JSON",
}
Responses = dict[int | str, dict[str, Any]]


def _errors(meanings: Mapping[int, str]) -> Responses:
    return {status: {"model": ErrorBody, "description": text} for status, text in meanings.items()}


ERRORS = _errors(_MEANINGS)
BODY_ERRORS = _errors(_MEANINGS | _BODY)
LIVE_ERRORS = _errors(_MEANINGS | _BODY | {504: "It took too long: send fewer accounts at a time"})
FILES: Responses = {
    **ERRORS,
    200: {"content": {kind: {} for kind in TYPES.values()}, "description": "The list as a file"},
}


def desk_of(request: Request) -> Desk:
    """What this worker has at hand."""
    desk: Desk = request.app.state.desk
    return desk


def published_of(request: Request) -> Published:
    """What is published, or an error that says that nothing is."""
    return require_published(desk_of(request).following.state)


def head(published: Published) -> dict[str, Any]:
    """What every answer begins with."""
    return {name: published.about[name] for name in ("run_id", "as_of", "model_version", "made_at", "currency")}


def page_of(
    published: Published, query: queries.Paged, total: int, rows: list[dict[str, Any]], definition: str
) -> dict[str, Any]:
    """A page of a list."""
    page = {"definition": published.about[definition], "total": total, "offset": query.offset, "limit": query.limit}
    return {**head(published), **page, "rows": rows}


def seen(request: Request, rows: list[dict[str, Any]]) -> None:
    """For the audit log: whose rows the answer holds."""
    visit_of(request.scope).accounts = list(dict.fromkeys(row["account_id"] for row in rows))


def file_of(request: Request, name: str, kind: FileKind, rows: Callable[[], list[dict[str, Any]]]) -> Response:
    """A list as a file."""
    published, content = published_of(request), rows()
    if content and "account_id" in content[0]:
        seen(request, content)
    about = {"as_of": published.about["as_of"], "model_version": published.about["model_version"]}
    about |= {"run_id": published.about["run_id"], "definition": _definition(published, name)}
    disposition = f'attachment; filename="holdfast-{name}-{published.about["as_of"]}.{kind}"'
    return Response(
        render(name, content, kind, about), media_type=TYPES[kind], headers={"content-disposition": disposition}
    )


def _definition(published: Published, name: str) -> str:
    """What a list's figures mean."""
    if name in BUSINESS_LISTS:
        return str(published.insight(name).get("definition", ""))
    if name in CUSTOMER_LISTS:
        return str(published.about["customers"].get(name, {}).get("definition", ""))
    about = published.about["health"] if name == "health" else published.about
    return str(about[_DEFINITIONS.get(name, "definition")])


_DEFINITIONS = {
    "accounts": "account_definition",
    "history": "account_definition",
    "renewals": "renewal_definition",
    "movements": "movement_definition",
    "actions": "action_definition",
}
