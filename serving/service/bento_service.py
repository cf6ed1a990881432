"""The BentoML service: live scores as its own endpoint, what is published mounted beside it, one guard before all."""

import logging
import os
from typing import Any

# BentoML reads these when it is imported or starts; its value for "do not send anything" is `true` alone.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import bentoml
import uvicorn.config
from bentoml import Service
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.access.visit import LIVE
from serving.service.worker_settings import ADDRESS, settings
from serving.wire.schemas import LiveRequest, Scores

SERVING = settings().serving
# BentoML says localhost for 0.0.0.0, and too early; the first worker that can answer says where.
if ADDRESS in os.environ:
    logging.getLogger("bentoml.serve").addFilter(lambda record: "listening on" not in str(record.msg))
NO_PROXY = "none"  # uvicorn must not believe who says whom it asks for; the guard decides that
SECONDS = 60
ENVIRONMENT = {
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "OMP_WAIT_POLICY": "PASSIVE",
    "FORWARDED_ALLOW_IPS": NO_PROXY,
}


@bentoml.service(
    name="holdfast",
    workers=SERVING.workers,
    threads=1,
    traffic={"timeout": SECONDS},
    metrics={"enabled": False},  # its middleware costs more than the lookup; see serving.desk.metrics
    logging={"access": {"enabled": False}},  # the audit log says who asked for what
    tracing={"excluded_urls": ".*"},
    monitoring={"enabled": False},
    http={"host": str(SERVING.host), "port": SERVING.port or 3000},
    envs=[{"name": name, "value": value} for name, value in ENVIRONMENT.items()],
)
class Holdfast:
    """Churn, expansion and NRR, as published and scored live."""

    def __init__(self) -> None:
        from serving.service.worker import worker

        self._worker = worker()
        self._worker.start()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Stop following the champion and the publications."""
        self._worker.stop()

    @bentoml.api(route=LIVE, output_spec=Scores)  # type: ignore[untyped-decorator]
    def live(self, wanted: LiveRequest, /, ctx: bentoml.Context) -> Any:
        """Score accounts now by the champion, with inputs changed or for accounts that do not exist yet."""
        answer = self._worker.live(wanted, ctx.request.scope)
        ctx.response.status_code = answer.status_code  # else BentoML sets it back
        return answer


class Door:
    """The guard, there before the worker is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._guard: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the guard answer."""
        if self._guard is None:
            from serving.service.worker import worker

            self._guard = worker().guard(self._app)
        await self._guard(scope, receive, send)


async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    """API and pages. A bare function, so that BentoML passes on every path that is not its own."""
    from serving.service.worker import worker

    await worker()(scope, receive, send)


class Guarded(Service[Any]):  # type: ignore[misc]
    """A service behind its guard: middleware added to it would stand behind BentoML's tracing and time limit."""

    __slots__ = ()

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """The application that the server runs, by a protocol with deadlines: BentoML lets nobody choose it."""
        from serving.service.deadlines import PROTOCOL

        uvicorn.config.HTTP_PROTOCOLS["auto"] = PROTOCOL
        return Door(super().to_asgi(is_main))


service: Any = Holdfast  # the decorator makes a service of the class
service.__class__ = Guarded
service.mount_asgi_app(mounted, path="/", name="pages")
