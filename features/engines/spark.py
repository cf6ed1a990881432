"""Apache Spark, where the raw tables live: work tables are views of the session, and only the result comes back."""

import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from features.engines import dialects
from features.engines.engine import PANDAS_WARNING, Frames, as_arrow, by_date_and_account, driver, plain
from features.tables.problems import BadInput, Finding
from params import Budget

LOOPBACK = "127.0.0.1"
PAGE = "2m"  # what a sort takes at the least; of the default, 64 MB, the thirty sorts of the last step take 4 GB
JAVA_CONDITION = re.compile(r"\[([A-Z][A-Z_.]+)\]")  # how the text of an error in Java tells its condition
LOG = """
rootLogger.level = fatal
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1}: %m%n
"""


class Spark:
    """A session of Spark with views of its own, on a running Spark of this process or one it starts.

    Every work table is computed once and kept until it is dropped or the session ends: one plan over all of them
    takes the optimiser longer than the work itself.

    Parameters
    ----------
    master
        Such as `local[2]` or `spark://host:7077`; not used where this process already runs Spark.
    budget
        For a Spark that is started here.
    setting
        Which setting names the master, for what cannot be.
    """

    dialect = "spark"

    def __init__(self, master: str, *, budget: Budget, setting: str = "source.url") -> None:
        self._settings, self._setting = _settings(master, budget), setting

    def __enter__(self) -> Self:
        sql = driver("pyspark.sql", extra="spark", setting=self._setting.replace("source.url", "source.engine"))
        self._error = driver("pyspark.errors", extra="spark").PySparkException
        self._java_error = driver("py4j.protocol", extra="spark").Py4JJavaError  # of what fails while rows come over
        running = sql.SparkSession.getActiveSession()
        self._own = running is None
        try:
            self._session = running.newSession() if running is not None else _start(sql, self._settings)
        except Exception as error:  # the gateway's errors have no common base
            raise BadInput([_cannot_start(error, self._setting)]) from None
        for name, value in _session_settings(self._settings).items():
            self._session.conf.set(name, value)
        self._kept: dict[str, Any] = {}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for name in list(self._kept):
            self._drop(name)
        if self._own:
            self._session.stop()

    @property
    def session(self) -> Any:
        """Spark's own session, for work that is no SQL."""
        return self._session

    @property
    def is_started_here(self) -> bool:
        """Whether this process started it for this session, and stops it with it."""
        return self._own

    def load(self, frames: Frames) -> None:
        """Make views of small tables, in place of any of the same name."""
        for name, frame in frames.items():
            self._keep(name, self._session.createDataFrame(plain(as_arrow(frame))))

    def ranges(self, snapshots: int) -> Iterator[None]:
        """All accounts at once."""
        del snapshots
        yield

    def make(self, statements: Sequence[str]) -> None:
        """Make and drop views of computed rows."""
        for text in statements:
            statement = dialects.parse(text)
            if statement.select is None:
                self._drop(statement.drops)
                continue
            select = dialects.translate(statement.select, self.dialect)
            with self.failing(statement.makes):
                self._keep(statement.makes, self._session.sql(select).localCheckpoint())

    def fetch(self, select: str) -> pa.Table:
        """The rows of a SELECT of the core."""
        return self.rows(dialects.translate(select, self.dialect))

    def snapshots(self, select: str) -> pa.Table:
        """The rows of a SELECT of the core, sorted by `k` and account."""
        return by_date_and_account(self.fetch(select))

    def view(self, name: str, select: str) -> None:
        """Make a view of a SELECT in Spark's own SQL."""
        with self.failing(name):
            self._keep(name, self._session.sql(select))

    def rows(self, select: str, *, as_text: bool = False) -> pa.Table:
        """The rows of a SELECT in Spark's own SQL; all its plain types are Arrow's."""
        del as_text
        with self.failing("the result"):
            return plain(self._session.sql(select).toArrow())

    def types(self, relation: str) -> dict[str, str]:
        """Names and types of the columns of a table or of a query in parentheses."""
        with self.failing(relation):
            return dict(self._session.sql(f"SELECT * FROM {relation}").dtypes)

    def find(self, name: str, path: Path | None) -> str | None:
        """What to select a table of that name from: Parquet in a folder, else a table of the catalogue."""
        if path is None:
            return name if self._session.catalog.tableExists(name) else None
        place = next((place for place in (path / name, path / f"{name}.parquet") if place.exists()), None)
        return None if place is None else f"parquet.`{place.resolve()}`"

    @contextmanager
    def failing(self, what: str) -> Iterator[None]:
        """Tell what failed and Spark's name for why, never a value."""
        try:
            with warnings.catch_warnings():  # of pandas 3, of which only what Arrow hands over is used
                warnings.filterwarnings("ignore", message=PANDAS_WARNING)
                yield
        except self._error as error:
            raise RuntimeError(f"Spark could not make {what}: {error.getCondition() or type(error).__name__}") from None
        except self._java_error as error:
            conditions = JAVA_CONDITION.findall(str(error))
            raise RuntimeError(f"Spark could not make {what}: {conditions[-1] if conditions else 'Java'}") from None

    def _keep(self, name: str, frame: Any) -> None:
        frame.createOrReplaceTempView(name)
        self._kept[name] = frame

    def _drop(self, name: str) -> None:
        self._session.catalog.dropTempView(name)
        del self._kept[name]


def _settings(master: str, budget: Budget) -> dict[str, str]:
    """How a Spark that is started here runs: quietly, and on this machine reachable from this machine only."""
    settings = {
        "spark.master": master,
        "spark.app.name": "holdfast",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "FATAL",
        "spark.buffer.pageSize": PAGE,
        "spark.driver.memory": f"{max(int(budget.memory_gb * 1024), 512)}m",
        "spark.sql.shuffle.partitions": str(2 * budget.threads if master.startswith("local") else 200),
    }
    if master.startswith("local"):
        settings |= {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}
    return settings


def _session_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings of this session alone, whoever started Spark; what overflows is an error, never another number."""
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.shuffle.partitions": settings["spark.sql.shuffle.partitions"],
    }


def _start(sql: Any, settings: Mapping[str, str]) -> Any:
    """Start Spark without its log, from the first line on: it would show values; what fails is raised."""
    for name in ("py4j", "SQLQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    builder = sql.SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    with tempfile.NamedTemporaryFile("w", suffix=".properties") as file:
        file.write(LOG)
        file.flush()
        wanted = {"LOG4J_CONFIGURATION_FILE": file.name}
        if settings["spark.master"].startswith("local"):
            wanted |= {"PYSPARK_PYTHON": sys.executable}  # else workers are whatever python3 is first on the path
        started_with = {name: value for name, value in wanted.items() if name not in os.environ}
        os.environ.update(started_with)
        try:
            return builder.getOrCreate()
        finally:
            for name in started_with:
                del os.environ[name]


def _cannot_start(error: Exception, setting: str) -> Finding:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
    todo = f"Install Java 17 or later (Debian: default-jre-headless) and correct {setting}, such as local[2]."
    return Finding(setting, f"Spark cannot be started: {reason}", todo)
