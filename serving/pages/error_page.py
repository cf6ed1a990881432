"""An error as whoever asked reads it: a page for a browser, JSON for everyone else."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response

from serving.pages.render import page
from serving.wire.answers import Refused

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
    visit = scope.get("holdfast")
    caller = visit.caller if visit else None
    headers = {name: value for name, value in refused.headers.items() if name.lower() != "content-length"}
    if refused.status == 401:
        message = "" if path in ("/", "/sign-in") else refused.message
        return page("sign_in.html", None, status=401, headers=headers, title="Sign in", said=message)
    title = TITLES.get(refused.status, "Something went wrong")
    return page("problem.html", caller, status=refused.status, headers=headers, title=title, said=refused.message)
