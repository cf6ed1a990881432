"""What a worker process holds: made once it serves, so that the process that starts workers need not load it all."""

import contextlib
import functools
import logging
import os
from pathlib import Path

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.access.visit import caller_of
from serving.desk import metrics, scoring
from serving.desk.desk import Desk
from serving.pages.error_page import problem
from serving.pages.render import environment
from serving.service.api import create_app
from serving.service.arbiter import die_with_arbiter
from serving.service.guard import Guard
from serving.service.worker_settings import ADDRESS, settings
from serving.wire.answers import Refused, failure, kind_and_place, log_failure, raw
from serving.wire.schemas import LiveRequest

logger = logging.getLogger("holdfast.serving")


class Worker:
    """One worker: its desk, its application, and what stands before it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.app = create_app(desk)

    def start(self) -> None:
        """Begin to follow the champion and the publications; the first worker that can answer says where."""
        die_with_arbiter()
        os.umask(0o077)
        hide_values()
        environment()
        self.desk.following.start()
        address = take_address()
        if address:
            logger.info("Holdfast listens on %s", address)

    def stop(self) -> None:
        """Stop following."""
        self.desk.following.stop()
        with contextlib.suppress(OSError):
            self.desk.strangers.flush()

    def guard(self, app: ASGIApp) -> Guard:
        """What every request to `app` passes first."""
        return Guard(app, self.desk, self.app)

    def live(self, wanted: LiveRequest, scope: Scope) -> Response:
        """Scores made now, or the error as every part of the service answers it."""
        metrics.LIVE_ACCOUNTS.inc(len(wanted.accounts))
        try:
            return raw(scoring.now(self.desk.following.state, wanted, caller_of(scope)))
        except Refused as refused:
            return problem(scope, refused)
        except Exception as error:
            log_failure(error, f"POST {scope['path']}")
            return problem(scope, failure())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """API and pages."""
        await self.app(scope, receive, send)


@functools.cache
def worker() -> Worker:
    """This process's worker."""
    return Worker(Desk(settings()))


def take_address() -> str:
    """The address of the service, told to the first worker that asks; empty for all others and where none was given."""
    file = os.environ.get(ADDRESS)
    if not file:
        return ""
    try:
        return Path(file).rename(f"{file}.taken").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


class NoValues(logging.Filter):
    """Tracebacks without messages and arguments: those may hold customers' values."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a record pass, its traceback replaced by where it was raised."""
        if record.exc_info and record.exc_info[1] is not None:
            record.msg = f"{record.getMessage()}: {kind_and_place(record.exc_info[1])}"
            record.args, record.exc_info, record.exc_text = (), None, None
        return True


def hide_values() -> None:
    """No log of this process quotes what came."""
    loggers = [logging.getLogger(name) for name in ("", "bentoml", "uvicorn", "uvicorn.error", "starlette")]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        handler.addFilter(NoValues())
    logging.getLogger("holdfast").setLevel(logging.INFO)
