"""What an operator watches: how fast, how often wrong, which model, how old the model and the data are."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from serving.desk.following import State
from serving.publication.last_night import warning_in
from serving.publication.last_watch import last_watch

REGISTRY = CollectorRegistry()
SECONDS = Histogram(
    "holdfast_request_seconds",
    "Time from a request's arrival to the end of its answer",
    ["route", "method", "status"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
    registry=REGISTRY,
)
LIVE_ACCOUNTS = Counter("holdfast_live_accounts", "Accounts scored on request", registry=REGISTRY)
EVENTS = Counter(
    "holdfast_events",
    "What a worker met: champion or publication swapped, a publication refused, the registry unreachable, the audit "
    "log not written",
    ["what"],
    registry=REGISTRY,
)
MODEL_VERSION = Gauge(
    "holdfast_worker_model_version",
    "Model version each worker scores with",
    registry=REGISTRY,
    multiprocess_mode="liveall",
)
AS_OF = Gauge(
    "holdfast_worker_as_of_timestamp_seconds",
    "Date of the publication each worker answers from",
    registry=REGISTRY,
    multiprocess_mode="liveall",
)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def remember(state: State) -> None:
    """What this worker answers from, for whichever worker is asked for metrics."""
    if state.champion is not None and state.champion.version.isdigit():
        MODEL_VERSION.set(int(state.champion.version))
    if state.published is not None:
        AS_OF.set(_seconds(state.published.about["as_of"]))


def render(state: State) -> bytes:
    """All metrics, of all workers."""
    registry = CollectorRegistry()
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder:
        _forget_dead(Path(folder))
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(_Ages(state))
    registry_text = b"" if folder else generate_latest(REGISTRY)
    return registry_text + generate_latest(registry)


class _Ages(Collector):
    """Ages as of the moment they are asked for."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now, state = time.time(), self._state
        yield GaugeMetricFamily("holdfast_ready", "1 once a model is loaded", value=float(state.ready))
        if state.published is not None:
            about = state.published.about
            made_at = datetime.fromisoformat(about["made_at"]).timestamp()
            yield GaugeMetricFamily(
                "holdfast_data_age_seconds", "Since the first day not known", now - _seconds(about["as_of"])
            )
            yield GaugeMetricFamily("holdfast_publication_age_seconds", "Since the forecast was made", now - made_at)
            yield GaugeMetricFamily("holdfast_accounts", "Accounts published", about["accounts"])
            yield from _of_the_watch(state.published.file.parent)
        if state.champion is not None:
            info = GaugeMetricFamily("holdfast_model_info", "The model that scores", labels=["version", "digest"])
            info.add_metric([state.champion.version, state.champion.digest], 1)
            yield info
            trained = _seconds(state.champion.trained_as_of.isoformat())
            yield GaugeMetricFamily(
                "holdfast_model_age_seconds", "Since the first day the model did not see", now - trained
            )


def _of_the_watch(folder: Path) -> Iterator[GaugeMetricFamily]:
    """What the last night's watch found, and whether that night ended well."""
    yield GaugeMetricFamily(
        "holdfast_night_failed", "1 where the last nightly run did not finish", float(bool(warning_in(folder)))
    )
    content = last_watch(folder)
    if not content:
        return
    yield GaugeMetricFamily(
        "holdfast_watch_as_of_timestamp_seconds", "Date of the last watch", _seconds(content["as_of"])
    )
    yield GaugeMetricFamily(
        "holdfast_inputs_moved_share", "Of what the model looks at, what has moved", content["inputs"]["moved_share"]
    )
    verdict = GaugeMetricFamily("holdfast_watch_verdict", "What the watch says: 1 for its verdict", labels=["verdict"])
    verdict.add_metric([content["verdict"]], 1)
    yield verdict
    reach = GaugeMetricFamily(
        "holdfast_watch_chart_reach", "Statistic of a chart over its limit: above 1 it alarms", labels=["chart"]
    )
    for chart in content["calibration"]["charts"]:
        reach.add_metric([chart["name"]], abs(chart["statistic"]) / chart["limit"])
    yield reach


def _seconds(day: str) -> float:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=UTC).timestamp()


def _forget_dead(folder: Path) -> None:
    """Gauges of workers that have died would else be told for ever."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rsplit("_", 1)[-1])
        if not Path(f"/proc/{pid}").exists():
            multiprocess.mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
