"""One request on its way through the service: who asks, and whose figures the answer holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serving.access.tokens import Caller
from serving.wire.answers import Refused

VISIT = "holdfast"
SCORE, LIVE, CALLS, MCP = "/api/score", "/api/live", "/api/calls", "/mcp"
ALERTS, HEALTH = "/api/alerts", "/api/health"
ESCALATIONS, REVIEW = "/api/escalations", "/api/review"
ANSWER_ACTION = "/api/actions/answer"


@dataclass
class Visit:
    """One request, as handlers and the log see it.

    `base` stands before each link; `method` and `path` are as asked for, the path without `base`; `session` is the
    secret of the session that asks, if one does; `opened` says that nobody had to sign in.
    """

    caller: Caller | None = None
    base: str = ""
    method: str = "GET"
    path: str = "/"
    session: str = ""
    opened: bool = False
    accounts: list[str] = field(default_factory=list)
    status: int = 0

    @property
    def started(self) -> bool:
        """Whether an answer has begun."""
        return self.status > 0


def visit_of(scope: Mapping[str, Any]) -> Visit:
    """The visit a request belongs to."""
    visit: Visit = scope[VISIT]
    return visit


def caller_of(scope: Mapping[str, Any]) -> Caller:
    """Who asks.

    Raises
    ------
    Refused
        401: nobody known.
    """
    caller = visit_of(scope).caller
    if caller is None:
        raise Refused(401, "Sign in first.", www_authenticate="Bearer")
    return caller
