"""Errors as every part of the service answers them, and answers as bytes."""

import json
import logging
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

logger = logging.getLogger("holdfast.serving")
CODES: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    421: "wrong_host",
    422: "invalid",
    429: "too_many_requests",
    500: "internal",
    503: "not_ready",
    504: "timeout",
}
MOST_DETAILS = 5


class Refused(Exception):
    """Ends a request with a status and a message that may be shown to whoever asked."""

    def __init__(self, status: int, message: str, details: Sequence[Mapping[str, Any]] = (), **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.details = status, message, list(details)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> Response:
        """The answer."""
        return error(self.status, self.message, self.details, self.headers)


def error(
    status: int, message: str, details: Sequence[Mapping[str, Any]] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """An error body."""
    code = CODES.get(status, "error")
    return answer({"error": {"code": code, "message": message, "details": list(details)}}, status, headers)


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Plain data as JSON; a number that is none is a mistake of ours, not an answer."""
    return raw(
        json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode(), status, headers
    )


def raw(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON that is already bytes."""
    return Response(body, status, headers, media_type="application/json")


def invalid(problems: ValidationError | Sequence[Mapping[str, Any]]) -> Refused:
    """What a body or a query got wrong: where and why, but not what came, which may be a customer's."""
    if isinstance(problems, ValidationError):
        problems = problems.errors(include_url=False, include_context=False, include_input=False)
    details = [{"where": _where(problem["loc"]), "message": _why(problem)} for problem in problems]
    first = details[0] if details else {"where": "", "message": "not valid"}
    more = f" ({len(details) - 1} more)" if len(details) > 1 else ""
    message = f"{first['where'] or 'The body'}: {first['message']}{more}. See /openapi.json for what is allowed."
    return Refused(422, message, details[:MOST_DETAILS])


def _where(place: Sequence[Any]) -> str:
    """Where, without keys that the request made up."""
    parts = [str(part) for part in place if part not in ("body", "query", "path")]
    return ".".join(part if part.isascii() and len(part) < 40 else "..." for part in parts)


def _why(problem: Mapping[str, Any]) -> str:
    """Why; messages of JSON errors quote the input only by position."""
    return str(problem["msg"]).removeprefix("Value error, ")


def failure() -> Refused:
    """A failure of ours, of which nothing is told."""
    return Refused(500, "Something went wrong here; the server's log says where.")


def log_failure(error: BaseException, what: str) -> None:
    """Log where something failed and its kind."""
    logger.error("%s failed: %s", what, kind_and_place(error))


def kind_and_place(error: BaseException) -> str:
    """An error's kind and where it was raised, but not its message: that may hold customers' values or passwords."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {where}"
