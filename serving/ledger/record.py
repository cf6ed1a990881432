"""Opening the record: where it lies, its schema brought up to date, one writer at a time.

SQLite in the data folder by default, or PostgreSQL where several machines publish. Files that the rows name lie beside.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from params import Params, SettingsError
from serving.forecast.refusals import NoRecord
from serving.ledger.record_files import RecordFiles

DATABASE = "record.sqlite"
FOLDER = "record"
VERSION_TABLE = "record_version"
WAIT_SECONDS = 60  # for another writer
CONNECT_SECONDS = 10
_MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 0x486F6C6466617374  # of PostgreSQL, for whoever writes; any number that no one else takes
_WRITES = "record_writes"


@dataclass(frozen=True)
class Record:
    """An open record.

    Attributes
    ----------
    engine
        Of the database.
    files
        What its rows name by digest.
    """

    engine: sa.Engine
    files: RecordFiles

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that reads, and sees throughout what was there when it began."""
        with self.engine.connect() as plain:
            postgresql = plain.dialect.name == "postgresql"
            connection = plain.execution_options(isolation_level="REPEATABLE READ") if postgresql else plain
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes, the only one at a time: all of it stays, or nothing."""
        with self.engine.connect() as unmarked:
            connection = unmarked.execution_options(**{_WRITES: True})
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                yield connection


def has_record(params: Params) -> bool:
    """Whether there is a record to open, so that one who only reads need not make it."""
    return params.record.url is not None or (params.data_dir / DATABASE).exists()


@contextmanager
def open_record(params: Params) -> Iterator[Record]:
    """The record of a data folder, or the one that `record.url` names; made where there is none.

    Raises
    ------
    NoRecord
        It cannot be reached or written to, or a newer Holdfast has written it.
    SettingsError
        `record.url` is no address.
    """
    engine = _sqlite(params.data_dir / DATABASE) if params.record.url is None else _postgresql(params.record.url)
    record = Record(engine, RecordFiles(params.record.folder or params.data_dir / FOLDER))
    try:
        _bring_up_to_date(record)
        yield record
    except sa.exc.DBAPIError as error:
        raise _unusable(error, params) from None
    finally:
        engine.dispose()


def _sqlite(file: Path) -> sa.Engine:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise NoRecord(
            f"The record {file} cannot be written to: {error.strerror}. Make it writable for who runs Holdfast, or set "
            "another data_dir."
        ) from None
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(file)),
        connect_args={"timeout": WAIT_SECONDS, "isolation_level": None},  # transactions begin below, not in the driver
        poolclass=sa.NullPool,
    )

    @sa.event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: object) -> None:
        _write_ahead(connection)
        for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log; SQLite does not wait by itself for others that open the database just then."""
    last = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > last:
                raise
        time.sleep(0.02)


def _postgresql(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url).set(drivername="postgresql+psycopg")
    except (ValueError, sa.exc.ArgumentError):  # whose text may hold a password
        raise SettingsError(
            "record.url is not the address of a database: write it as postgresql://user@host:5432/name."
        ) from None
    if "connect_timeout" not in address.query:
        address = address.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    try:
        return sa.create_engine(address, poolclass=sa.NullPool)
    except ModuleNotFoundError:
        raise NoRecord(
            "record.url: PostgreSQL needs the package psycopg, which is not installed. "
            "Install it: pip install 'holdfast[postgres]'."
        ) from None


def _bring_up_to_date(record: Record) -> None:
    """Run the migrations that the database lacks, in one transaction and under the lock."""
    script = ScriptDirectory(str(_MIGRATIONS), version_locations=[str(_MIGRATIONS)])
    with record.reading() as connection:
        if _version(connection, script) == script.get_current_head():
            return
    with record.writing() as connection:
        _version(connection, script)
        with EnvironmentContext(Config(), script, fn=lambda here, _: script._upgrade_revs("head", here)) as steps:
            steps.configure(connection=connection, version_table=VERSION_TABLE, transactional_ddl=True)
            steps.run_migrations()


def _version(connection: sa.Connection, script: ScriptDirectory) -> str | None:
    """The revision that the database is of, None for a new one.

    Raises
    ------
    NoRecord
        It is none of those that this version of Holdfast knows.
    """
    revision = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    if revision is not None and revision not in {step.revision for step in script.walk_revisions()}:
        raise NoRecord(
            f"The record has schema {revision}, and this Holdfast knows it up to {script.get_current_head()}: a newer "
            "Holdfast has written to it. Use that version; nothing was changed."
        )
    return revision


def _unusable(error: sa.exc.DBAPIError, params: Params) -> NoRecord:
    """What failed, without the statement and its values."""
    place = "of record.url" if params.record.url else str(params.data_dir / DATABASE)
    reason = next(iter(str(error.orig).strip().splitlines()), "no reason given")
    return NoRecord(f"The record {place} cannot be used: {reason}. Nothing was published; run it again once it can.")
