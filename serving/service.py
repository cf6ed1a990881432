"""The BentoML service: scores as BentoML's own endpoints, everything else mounted beside them, one guard before all."""

import logging
import os
import traceback
from typing import Any

# BentoML reads these when it is imported or starts; its value for "do not send anything" is `true` alone.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import bentoml  # noqa: E402
from starlette.responses import Response  # noqa: E402
from starlette.types import Receive, Scope, Send  # noqa: E402

from serving import metrics, scoring  # noqa: E402
from serving.answers import Refused, log_failure, raw  # noqa: E402
from serving.api import create_app  # noqa: E402
from serving.desk import Desk, settings  # noqa: E402
from serving.guard import Guard  # noqa: E402
from serving.pages.problem import problem  # noqa: E402
from serving.schemas import LiveRequest, ScoreRequest, Scores  # noqa: E402
from serving.visit import LIVE, SCORE, caller_of  # noqa: E402

DESK = Desk(settings())
APP = create_app(DESK)
NO_PROXY = "none"  # uvicorn must not believe who says whom it asks for; the guard decides that
SECONDS = 60


async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    """API and pages. A bare function, so that BentoML passes on every path that is not its own."""
    await APP(scope, receive, send)


@bentoml.service(
    name="holdfast",
    workers=DESK.params.serving.workers,
    threads=1,
    traffic={"timeout": SECONDS},
    metrics={"enabled": False},  # its middleware costs more than the lookup; see serving.metrics
    logging={"access": {"enabled": False}},  # the audit log says who asked for what
    tracing={"excluded_urls": ".*"},
    monitoring={"enabled": False},
    http={"host": str(DESK.params.serving.host), "port": DESK.params.serving.port or 3000},
    envs=[
        {"name": "BENTOML_DO_NOT_TRACK", "value": "true"},
        {"name": "MLFLOW_DISABLE_TELEMETRY", "value": "true"},
        {"name": "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "value": "false"},
        {"name": "OMP_WAIT_POLICY", "value": "PASSIVE"},
        {"name": "FORWARDED_ALLOW_IPS", "value": NO_PROXY},
    ],
)
class Holdfast:
    """Churn, expansion and NRR, as published and scored live."""

    def __init__(self) -> None:
        _hide_values()
        DESK.following.start()

    @bentoml.on_shutdown
    def stop(self) -> None:
        """Stop following the champion and the publications."""
        DESK.following.stop()

    @bentoml.api(route=SCORE, output_spec=Scores)
    async def score(self, wanted: ScoreRequest, /, ctx: bentoml.Context) -> Any:
        """Score accounts by id: probabilities by horizon, expected ARR with quantiles, and the strongest reasons."""
        return _answered(ctx, lambda caller: scoring.by_id(DESK.following.state, wanted, caller))

    @bentoml.api(route=LIVE, output_spec=Scores)
    def live(self, wanted: LiveRequest, /, ctx: bentoml.Context) -> Any:
        """Score accounts now by the champion, with inputs changed or for accounts that do not exist yet."""
        metrics.LIVE_ACCOUNTS.inc(len(wanted.accounts))
        return _answered(ctx, lambda caller: scoring.now(DESK.following.state, wanted, caller))


def _answered(ctx: bentoml.Context, work: Any) -> Response:
    """The answer, or the error as every part of the service answers it."""
    scope = ctx.request.scope
    try:
        return raw(work(caller_of(scope)))
    except Refused as refused:
        found = problem(scope, refused)
    except Exception as error:
        log_failure(error, f"POST {scope['path']}")
        found = problem(scope, Refused(500, "Something went wrong here; the server's log says where."))
    ctx.response.status_code = found.status_code
    return found


class _NoValues(logging.Filter):
    """Tracebacks without messages and arguments: those may hold customers' values."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[0] is not None:
            frames = traceback.extract_tb(record.exc_info[2])[-3:]
            where = " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in reversed(frames))
            record.msg = f"{record.getMessage()}: {record.exc_info[0].__name__} at {where}"
            record.args, record.exc_info, record.exc_text = (), None, None
        return True


def _hide_values() -> None:
    """No log of this worker quotes what came."""
    loggers = [logging.getLogger(name) for name in ("", "bentoml", "uvicorn", "uvicorn.error", "starlette")]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        handler.addFilter(_NoValues())
    logging.getLogger("holdfast").setLevel(logging.INFO)


Holdfast.add_asgi_middleware(Guard, desk=DESK, own=APP)
Holdfast.mount_asgi_app(mounted, path="/", name="pages")
