"""Where runs and models are recorded: the store's address, whether it answers, and its records and files once open.

The store is an SQLite file in the data folder, its artifacts beside it, unless `tracking.uri` names another.
"""

import os
import re
import shlex
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from params import Params
from training.tracking.artifacts import Artifacts
from training.tracking.errors import StoreUnreachable
from training.tracking.locations import ARTIFACTS, make_relative, resolve

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

T = TypeVar("T")

CONNECT_SECONDS = 5.0
AT_ONCE = 100  # settings, tags or metrics in one call of MLflow
_USER = re.compile(r"(?<=\w://)(?!/)\S*@")  # of an address that has a host, which a file has not
_PARAMETER = re.compile(r"\b((?:user|password|passwd|pwd|token)=)[^&\s'\"]*", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


def embedded_store(params: Params) -> Path:
    """The file of the tracking store in the data folder."""
    return (params.data_dir / "mlflow.db").resolve()


def store_uri(params: Params) -> str:
    """Where runs and models are recorded: `tracking.uri`, else the embedded store."""
    return params.tracking.uri or f"sqlite:///{embedded_store(params)}"


def store_name(params: Params) -> str:
    """The store's address as it may be printed: without the user and the password."""
    return without_password(store_uri(params))


def without_password(text: str) -> str:
    """A text without what stands before the host of an address in it, and without passwords among its parameters.

    Parameters
    ----------
    text
        An address, or a message that quotes one. A password may hold any sign but a blank.
    """
    return _PARAMETER.sub(r"\1...", _USER.sub("", text))


def is_there(params: Params) -> bool:
    """Whether there is anything to ask: an embedded store is made by the first run that is recorded."""
    return params.tracking.uri is not None or embedded_store(params).exists()


def ui_command(params: Params) -> str:
    """How to open the embedded store in MLflow: from within the data folder, which its locations are relative to."""
    file = embedded_store(params)
    return f"cd {shlex.quote(str(file.parent))} && mlflow ui --backend-store-uri sqlite:///{file.name}"


@dataclass(frozen=True)
class Store:
    """An open store: MLflow's client of what is recorded, and the files of its runs and versions."""

    client: "MlflowClient"
    uri: str
    data_dir: Path | None  # what locations are relative to; None where the store is another than the embedded one

    def files_of_run(self, run: "Run") -> Artifacts:
        """What a run left."""
        return self._files(run.info.artifact_uri)

    def files_of_version(self, version: "ModelVersion") -> Artifacts:
        """What was registered as a version."""
        return self._files(self.client.get_model_version_download_uri(version.name, version.version))

    def experiment(self, name: str) -> str:
        """The id of an experiment, which is made where there is none."""
        experiment = self.client.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        if self.data_dir is None:
            return str(self.client.create_experiment(name))
        place = (self.data_dir / ARTIFACTS).resolve().as_uri()
        number = str(self.client.create_experiment(name, artifact_location=place))
        make_relative(self.data_dir / "mlflow.db")
        return number

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Record of a run as many at once as MLflow takes: each call of its client is a transaction by itself."""
        from mlflow.entities import Metric, Param, RunTag

        now = time.time_ns() // 1_000_000
        for some in _parts(params):
            self.client.log_batch(run_id, params=[Param(name, value) for name, value in some])
        for some in _parts(tags):
            self.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in some])
        for figures in _parts(metrics):
            self.client.log_batch(run_id, metrics=[Metric(name, value, now, 0) for name, value in figures])

    def newest_runs(self, experiment_id: str, *, most: int, name: str = "") -> "Sequence[Run]":
        """Finished runs of an experiment, the newest first; of one name where it is given."""
        called = f" and tags.mlflow.runName = '{name}'" if name else ""
        query, order = f"attributes.status = 'FINISHED'{called}", ["attributes.start_time DESC"]
        runs: Sequence[Run] = self.client.search_runs([experiment_id], query, max_results=most, order_by=order)
        return runs

    def _files(self, location: str) -> Artifacts:
        return Artifacts(location if self.data_dir is None else resolve(location, self.data_dir), self.uri)


def _parts(values: Mapping[str, T] | None) -> Iterator[list[tuple[str, T]]]:
    """As many at a time as MLflow takes in one call."""
    items = list((values or {}).items())
    yield from (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))


@contextmanager
def open_store(params: Params) -> Iterator[Store]:
    """Work with the tracking store, and say in words if it does not answer, at the start or later.

    Raises
    ------
    StoreUnreachable
        Which address, and why.
    """
    require_answer(params)
    try:
        yield _opened(params)
    except Exception as error:
        if params.tracking.uri and _is_of_connection(error):
            raise _unreachable(params, "the connection broke or timed out") from error
        if params.tracking.uri and str(error).startswith("API request to "):  # what no server of MLflow's has said
            raise _unreachable(
                params, f"it is no MLflow server ({without_password(str(error).splitlines()[0])})"
            ) from error
        raise


def _opened(params: Params) -> Store:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow.tracking import MlflowClient

    uri = store_uri(params)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    if params.tracking.uri:
        return Store(client, uri, None)
    make_relative(embedded_store(params))
    return Store(client, uri, params.data_dir)


def require_answer(params: Params) -> None:
    """Open and close a connection to the store's host; a store without one, or behind a proxy, is not asked.

    Raises
    ------
    StoreUnreachable
        Which address, and why.
    """
    if params.tracking.uri is None:
        return
    try:
        address = urlsplit(params.tracking.uri)
        if not address.hostname:
            return
        scheme = address.scheme.partition("+")[0]
        port = address.port or _PORTS.get(scheme)
        if port is None or (scheme in getproxies() and not proxy_bypass(address.hostname)):
            return
        socket.create_connection((address.hostname, port), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:  # ValueError: a port that is no port
        raise _unreachable(params, getattr(error, "strerror", None) or str(error)) from None


def _is_of_connection(error: BaseException | None) -> bool:
    """Whether a connection over HTTP that failed or timed out is among the causes of an error."""
    while error is not None:
        kinds = {(kind.__module__, kind.__name__) for kind in type(error).__mro__}
        if kinds & {("requests.exceptions", "ConnectionError"), ("requests.exceptions", "Timeout")}:
            return True
        error = error.__cause__ or error.__context__
    return False


def _unreachable(params: Params, why: str) -> StoreUnreachable:
    return StoreUnreachable(
        f"The tracking store {store_name(params)} of tracking.uri does not answer: {why}. Start it, or correct "
        "tracking.uri, or set it to null to use the store in data_dir."
    )
