"""An error as whoever asked reads it: a page for a browser, JSON for everyone else."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import Response

from serving.access.visit import visit_of
from serving.pages.render import page
from serving.wire.answers import Refused

MOST_OF_AN_ADDRESS = 2000
TITLES = {
    401: "Sign in",
    403: "Not yours to see",
    404: "Not found",
    422: "That cannot be shown",
    429: "Too many requests",
    503: "Nothing to show yet",
}


def problem(scope: Mapping[str, Any], refused: Refused) -> Response:
    """The answer to a request that was refused."""
    path, wants = scope["path"], Headers(raw=scope["headers"]).get("accept", "")
    for_people = "text/html" in wants and not path.startswith(("/api", "/metrics", "/openapi"))
    if not for_people:
        return refused.response()
    visit = visit_of(scope)
    headers = {name: value for name, value in refused.headers.items() if name.lower() != "content-length"}
    if refused.status == 401:
        message = "" if path in ("/", "/sign-in") else refused.message
        asked = address_asked_for(scope) if visit.method == "GET" else "/"
        return page("sign_in.html", visit, status=401, headers=headers, title="Sign in", said=message, next=asked)
    title = TITLES.get(refused.status, "Something went wrong")
    return page("problem.html", visit, status=refused.status, headers=headers, title=title, said=refused.message)


def address_asked_for(scope: Mapping[str, Any]) -> str:
    """The page that somebody must sign in for, as an address below the service's own."""
    query = scope["query_string"].decode("latin-1")
    address = quote(scope["path"]) + (f"?{query}" if query else "")
    return address if is_page(address) else "/"


def is_page(address: str) -> bool:
    """Whether a browser may be sent on to an address: one that cannot be read as another site's."""
    plain = address.isascii() and address.isprintable() and "\\" not in address and len(address) <= MOST_OF_AN_ADDRESS
    return plain and address.startswith("/") and not address.startswith("//")
