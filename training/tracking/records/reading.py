"""What is recorded of versions and runs, for whoever only reads: by SQL from the embedded store, else through MLflow.

Importing MLflow takes ten times as long as asking for a few rows. So they are read from its tables as they were at one
revision of its schema; a database of another one is MLflow's own to read.
"""

import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from params import Params
from training.tracking.store import Store, embedded_store, open_store

if TYPE_CHECKING:
    from mlflow.entities import Run

REVISION = "dc11669786a5"  # of MLflow's schema, as its table alembic_version says
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class StoredRun:
    """A run: what it is called, when it began (milliseconds since 1970), its tags and its newest metrics."""

    name: str
    started_ms: int
    tags: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class StoredVersion:
    """A registered version: its number, the run that made it, its tags."""

    version: str
    run_id: str
    tags: Mapping[str, str]


class Records(Protocol):
    """Versions and runs of a store."""

    def versions(self, model: str) -> Sequence[StoredVersion]:
        """The versions of a model, in any order; empty where there is no such model."""

    def aliases(self, model: str) -> Mapping[str, str]:
        """Which version each alias of a registered model stands for."""

    def run(self, run_id: str) -> StoredRun:
        """A run by its id."""

    def newest_runs(self, experiment: str, *, most: int) -> Sequence[StoredRun]:
        """Finished runs of an experiment by name, the newest first; empty where there is no such experiment."""


@contextmanager
def open_records(params: Params) -> Iterator[Records]:
    """What is recorded, for reading.

    Raises
    ------
    StoreUnreachable
        The tracking store does not answer.
    """
    file = embedded_store(params)
    if params.tracking.uri is None and _has_known_schema(file):
        with closing(sqlite3.connect(file, timeout=_PATIENCE_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN")  # all of it as it was at one moment
            yield SqlRecords(connection)
        return
    with open_store(params) as store:
        yield ClientRecords(store)


def _has_known_schema(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(file, timeout=_PATIENCE_SECONDS)) as connection:
            return connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]
    except sqlite3.Error:  # MLflow says what is wrong with it
        return False


class SqlRecords:
    """Records of the embedded store, by its tables."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def versions(self, model: str) -> Sequence[StoredVersion]:
        """As `Records`."""
        rows = self._rows(
            "SELECT version, run_id FROM model_versions WHERE name = ? AND current_stage <> 'Deleted_Internal'", model
        )
        return [StoredVersion(str(number), str(run_id), self._version_tags(model, number)) for number, run_id in rows]

    def aliases(self, model: str) -> Mapping[str, str]:
        """As `Records`."""
        rows = self._rows("SELECT alias, version FROM registered_model_aliases WHERE name = ?", model)
        return {alias: str(version) for alias, version in rows}

    def run(self, run_id: str) -> StoredRun:
        """As `Records`."""
        rows = self._rows("SELECT run_uuid, name, start_time FROM runs WHERE run_uuid = ?", run_id)
        if not rows:
            raise LookupError(f"The run {run_id} is not in the store any more.")
        return self._run(*rows[0])

    def newest_runs(self, experiment: str, *, most: int) -> Sequence[StoredRun]:
        """As `Records`."""
        rows = self._rows(
            """SELECT run_uuid, runs.name, start_time FROM runs JOIN experiments USING (experiment_id)
            WHERE experiments.name = ? AND runs.lifecycle_stage = 'active' AND status = 'FINISHED'
            ORDER BY start_time DESC, run_uuid LIMIT ?""",
            experiment,
            most,
        )
        return [self._run(*row) for row in rows]

    def _run(self, run_id: str, name: str, started_ms: int) -> StoredRun:
        tags = self._rows("SELECT key, value FROM tags WHERE run_uuid = ?", run_id)
        metrics = self._rows("SELECT key, value, is_nan FROM latest_metrics WHERE run_uuid = ?", run_id)
        return StoredRun(
            name, started_ms, dict(tags), {key: math.nan if is_nan else value for key, value, is_nan in metrics}
        )

    def _version_tags(self, model: str, version: int) -> dict[str, str]:
        rows = self._rows("SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?", model, version)
        return dict(rows)

    def _rows(self, query: str, *values: object) -> list[Any]:
        return self._connection.execute(query, values).fetchall()


class ClientRecords:
    """Records of any store, as MLflow's client gives them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def versions(self, model: str) -> Sequence[StoredVersion]:
        """As `Records`."""
        items = self._store.client.search_model_versions(f"name = '{model}'")
        return [StoredVersion(str(item.version), str(item.run_id), item.tags) for item in items]

    def aliases(self, model: str) -> Mapping[str, str]:
        """As `Records`."""
        aliases = self._store.client.get_registered_model(model).aliases
        return {alias: str(version) for alias, version in aliases.items()}

    def run(self, run_id: str) -> StoredRun:
        """As `Records`."""
        return _recorded(self._store.client.get_run(run_id))

    def newest_runs(self, experiment: str, *, most: int) -> Sequence[StoredRun]:
        """As `Records`."""
        place = self._store.client.get_experiment_by_name(experiment)
        return (
            [] if place is None else [_recorded(run) for run in self._store.newest_runs(place.experiment_id, most=most)]
        )


def _recorded(run: "Run") -> StoredRun:
    return StoredRun(run.info.run_name, run.info.start_time, run.data.tags, run.data.metrics)
