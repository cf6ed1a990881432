"""How tests are shared out among workers, and which of them are quick.

A test is marked `unit` unless it, or a fixture it asks for, asks for `costly`, as whatever takes long does. `make fast`
runs the unit tests alone. `slow` is said of whole files, whose tests take seconds each.
"""

import dataclasses
import importlib.util
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

TESTS = Path(__file__).parent
TRIED = "tried: "  # begins the names of a test's properties that are counts of the attack
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
TOGETHER = (
    "serving/service",  # one published company, one running server
    "holdfast",  # one demo
    "training",  # one company, its snapshots, and what is learned from them
)
# What takes longest, by the seconds it takes a worker: the two workers begin with the first two.
LONGEST = (
    *TOGETHER,
    "features/engines/test_engines.py",
    "models/outcomes/test_outcome.py",
    "test_killed.py",
    "models/outcomes/test_shared_luck.py",
    "test_notebooks.py",
    "features/snapshots/test_snapshot_files.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the files of kept SQL anew (`make golden`)")
    parser.addoption("--attack", action="store_true", help="attack in full and say what was tried (`make attack`)")


@dataclasses.dataclass(frozen=True)
class Attack:
    """How hard a test attacks; what it has tried is told at the end, from whichever worker."""

    node: pytest.Item

    def size(self, few: int, many: int) -> int:
        """A few with every run of the tests, many with `--attack`."""
        return many if self.node.config.getoption("--attack") else few

    def count(self, what: str, number: int = 1) -> None:
        self.node.user_properties.append((TRIED + what, number))


@pytest.fixture
def attack(request: pytest.FixtureRequest) -> Attack:
    return Attack(request.node)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What the attack has tried, where its tests passed; of those that failed nothing counts."""
    if not config.getoption("--attack"):
        return
    tried = Counter[str]()
    for report in terminalreporter.stats.get("passed", ()):
        for name, number in report.user_properties:
            if name.startswith(TRIED):
                tried[name.removeprefix(TRIED)] += number
    terminalreporter.section("the attack: what was tried and did no harm")
    for what, number in sorted(tried.items()):
        terminalreporter.write_line(f"{number:>7,}  {what}")


PUBLISHED = ("serving/service", "security")  # folders that share the fixtures of serving/published.py


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> None:
    """Fixtures of several folders: made once for all of them, and imported where they are asked for."""
    name, plugins = "published", parent.config.pluginmanager
    if plugins.has_plugin(name) or not any(module_path.is_relative_to(TESTS / folder) for folder in PUBLISHED):
        return
    spec = importlib.util.spec_from_file_location(name, TESTS / "serving" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    plugins.register(module, name)


@pytest.fixture(scope="session")
def costly() -> None:
    """Asked for by what fits a model, starts a process, publishes, or stores the tables of a company."""


@pytest.fixture
def scored() -> Any:
    """A score from columns: scored(probability=[...], base=[...], event=[...]), an account a row unless given.

    The rates by segment and term end are the base rate unless given as `segments`.
    """

    import pandas as pd

    from models.scores.evaluation import AccountScore, score_accounts

    def score(
        outcome: str = "churn", horizon_months: int = 3, *, accounts: Any = None, **columns: list[float]
    ) -> AccountScore:
        columns = {"segments": columns["base"]} | columns
        arrays = {name: pd.Series(values, dtype=float).to_numpy() for name, values in columns.items()}
        names = accounts or [f"account {number}" for number in range(len(arrays["event"]))]
        return score_accounts(outcome, horizon_months, account_id=pd.Series(names), **arrays)

    return score


@pytest.fixture
def months() -> Any:
    """As many month starts in a row as asked for."""
    import pandas as pd

    return lambda number: [day.date() for day in pd.date_range(date(2020, 1, 1), periods=number, freq="MS")]


@pytest.fixture
def traces() -> Any:
    """Where a folder's files say something: traces(folder, "a01") reads bytes, and what is packed in them."""
    return lambda folder, *words: sorted(
        {
            f"{file.relative_to(folder)}: {word}"
            for file in folder.rglob("*")
            if file.is_file() and not file.is_symlink()
            for text in _texts(file)
            for word in words
            if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)
        }
    )


def _texts(file: Path) -> Iterator[str]:
    """All that a file says: its bytes, cells of Parquet, DuckDB and SQLite with Parquet in them, parts of workbooks."""
    content = file.read_bytes()
    if content.startswith(b"PAR1"):  # of what is compressed only the footer says anything by itself
        footer = int.from_bytes(content[-8:-4], "little") + 8
        yield content[-footer:].decode("utf-8", "replace")
        yield from _of_parquet(content)
        return
    if content.startswith(b"PK"):
        with zipfile.ZipFile(file) as book:
            yield from (book.read(name).decode("utf-8", "replace") for name in book.namelist())
        return
    yield content.decode("utf-8", "replace")
    if content.startswith(b"SQLite format 3"):
        yield from _of_sqlite(file)
    elif file.suffix == ".duckdb":
        yield from _of_duckdb(file)


def _of_parquet(content: bytes) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.read_table(pa.BufferReader(content))
    yield from ("\n".join(map(str, rows[name].unique().to_pylist())) for name in rows.column_names)


def _of_sqlite(file: Path) -> Iterator[str]:
    with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for cell in (cell for row in connection.execute(f'SELECT * FROM "{name}"') for cell in row):
                if isinstance(cell, bytes) and cell.startswith(b"PAR1"):
                    yield from _of_parquet(cell)
                else:
                    yield cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


def _of_duckdb(file: Path) -> Iterator[str]:
    import duckdb

    with duckdb.connect(str(file), read_only=True) as connection:
        for table, column in connection.execute("SELECT table_name, column_name FROM duckdb_columns()").fetchall():
            if connection.execute("FROM duckdb_tables() WHERE table_name = $1", [table]).fetchone():
                cells = connection.execute(f'SELECT DISTINCT "{column}" FROM "{table}"').fetchall()
                yield "\n".join(str(cell) for (cell,) in cells)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left alone with it; otherwise the order is random."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
        if "costly" not in getattr(item, "fixturenames", ()) and not item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.unit)
    items.sort(key=lambda item: LONGEST.index(_group(item)) if _group(item) in LONGEST else len(LONGEST))


def _group(item: pytest.Item) -> str:
    """Files that share a costly fixture stay with one worker; so does any other file."""
    if "place" in getattr(item, "fixturenames", ()):
        return TOGETHER[0]
    file = item.path.relative_to(TESTS)
    return next((folder for folder in TOGETHER if file.is_relative_to(folder)), str(file))


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """URL of a PostgreSQL of the tests' own, on loopback."""
    if not POSTGRES:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    pytest.importorskip("psycopg")
    with tempfile.TemporaryDirectory(prefix="holdfast-postgres-", ignore_cleanup_errors=True) as home:
        port, data, binaries = free_port(), f"{home}/data", POSTGRES[-1].parent
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off"
        owner = owner_of(Path(home))
        run(*owner, str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8",
            "--locale=C.UTF-8")  # fmt: skip
        run(*owner, str(binaries / "pg_ctl"), "-D", data, "-o", options, "-l", f"{home}/log", "-w", "start")
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            run(*owner, str(binaries / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")


@pytest.fixture(name="free_port")
def _free_port() -> Any:
    """Finds a port that nothing listens on."""
    return free_port


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def owner_of(home: Path) -> list[str]:
    """What runs a command as a user that PostgreSQL accepts: it refuses root."""
    if subprocess.run(["id", "-u"], capture_output=True, text=True, check=True).stdout.strip() != "0":
        return []
    shutil.chown(home, "postgres")
    return ["runuser", "-u", "postgres", "--"]


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


LIGHT_SPARK = """
spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
"""


@pytest.fixture(scope="module")
def light_spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings that start Spark sooner; they change how it compiles, not what it computes."""
    conf = tmp_path_factory.mktemp("spark")
    (conf / "spark-defaults.conf").write_text(LIGHT_SPARK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(conf))
        yield
