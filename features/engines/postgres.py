"""PostgreSQL, where the raw tables live: work tables are temporary, and only the result comes back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from pyarrow import csv

from features.engines import dialects
from features.engines.engine import Frames, as_arrow, by_date_and_account, driver, plain
from features.tables.problems import BadInput, Finding
from features.tables.sql import named, quoted
from params import Budget

SHARE_OF_MEMORY = 8  # one sort or hash may take this part of the memory: a query holds several
TYPES = {16: pa.bool_(), 20: pa.int64(), 21: pa.int64(), 23: pa.int64(), 700: pa.float64(), 701: pa.float64(),
         1082: pa.date32(), 1114: pa.timestamp("us"), 1184: pa.timestamp("us", "UTC"), 1700: pa.int64()}  # fmt: skip


class Postgres:
    """A session of PostgreSQL that sees one state of the raw tables and writes temporary tables only.

    Parameters
    ----------
    url
        Of the database, such as `postgresql://reader@host/crm`. The password comes from the environment
        (`PGPASSWORD`, `PGPASSFILE`), never from the URL.
    budget
        What the session may use.
    """

    dialect = "postgres"

    def __init__(self, url: str, *, budget: Budget) -> None:
        self._url = url
        self._memory_mb = max(int(budget.memory_gb * 1024 / SHARE_OF_MEMORY), 4)

    def __enter__(self) -> Self:
        psycopg = driver("psycopg", extra="postgres")
        self._error = psycopg.Error
        try:
            self._connection = psycopg.connect(self._url)
        except psycopg.Error as error:
            raise BadInput([_unreachable(error)]) from None
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for setting in (
            f"temp_buffers = '{self._memory_mb}MB'",
            f"work_mem = '{self._memory_mb}MB'",
            "TimeZone = 'UTC'",
            "DateStyle = 'ISO'",
            "jit = off",  # it takes longer to compile these long expressions than to run them
        ):
            self._execute(f"SET LOCAL {setting}", "the session's settings")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.rollback()  # and with it every temporary table
        self._connection.close()

    def load(self, frames: Frames) -> None:
        """Make temporary tables of small tables, in place of any of the same name."""
        for name, frame in frames.items():
            table = as_arrow(frame)
            columns = ", ".join(f"{named(field.name)} {_declared(field.type)}" for field in table.schema)
            self._execute(f"DROP TABLE IF EXISTS pg_temp.{named(name)}", name)
            self._execute(f"CREATE TEMP TABLE {named(name)} ({columns})", name)
            sink = pa.BufferOutputStream()
            csv.write_csv(table, sink, csv.WriteOptions(include_header=False))
            with (
                self._failing(name),
                self._connection.cursor() as cursor,
                cursor.copy(f"COPY {named(name)} FROM STDIN (FORMAT csv)") as copy,
            ):
                copy.write(sink.getvalue().to_pybytes())
            self._execute(f"ANALYZE {named(name)}", name)

    def ranges(self, snapshots: int) -> Iterator[None]:
        """All accounts at once."""
        del snapshots
        yield

    def make(self, statements: Sequence[str]) -> None:
        """Run statements that make and drop temporary tables."""
        for text in statements:
            statement = dialects.parse(text)
            if statement.select is None:
                self._execute(f"DROP TABLE {statement.drops}", statement.drops)
                continue
            select = dialects.translate(statement.select, self.dialect)
            self._execute(f"CREATE TEMP TABLE {statement.makes} AS {select}", statement.makes)
            self._execute(f"ANALYZE {statement.makes}", statement.makes)  # else plans go by guesses

    def fetch(self, select: str) -> pa.Table:
        """The rows of a SELECT of the core."""
        return self.rows(dialects.translate(select, self.dialect))

    def snapshots(self, select: str) -> pa.Table:
        """The rows of a SELECT of the core, sorted by `k` and account."""
        return by_date_and_account(self.fetch(select))

    def view(self, name: str, select: str) -> None:
        """Make a temporary view of a SELECT in PostgreSQL's own SQL."""
        self._execute(f"CREATE TEMP VIEW {named(name)} AS {select}", name)

    def rows(self, select: str, *, as_text: bool = False) -> pa.Table:
        """The rows of a SELECT in PostgreSQL's own SQL; `as_text` as it writes them out."""
        described = self._execute(f"SELECT * FROM ({select}) described LIMIT 0", "the result").description or ()
        types = {
            column.name: pa.string() if as_text else TYPES.get(column.type_code, pa.string()) for column in described
        }
        with (
            self._failing("the result"),
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY ({select}) TO STDOUT (FORMAT csv)") as copy,
        ):
            content = b"".join(copy)
        return plain(_read(content, types))

    def types(self, relation: str) -> dict[str, str]:
        """Names and types of the columns of a table or of a query in parentheses."""
        with self._connection.transaction():  # a query that fails must not end the session
            described = self._execute(f"SELECT * FROM {relation} described LIMIT 0", relation).description or ()
        return {column.name: column.type_display for column in described}

    def find(self, name: str, path: Path | None) -> str | None:
        """What to select a table of that name from: the first of the search path."""
        del path
        row = self._execute(f"SELECT to_regclass({quoted(name)})::text", name).fetchone()
        return None if row is None or row[0] is None else str(row[0])

    def _execute(self, sql: str, what: str) -> Any:
        """Run one statement."""
        with self._failing(what):
            return self._connection.execute(sql)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """Tell what failed and PostgreSQL's code for it, never a value."""
        try:
            yield
        except self._error as error:
            raise RuntimeError(f"PostgreSQL could not make {what}: {type(error).__name__} ({error.sqlstate})") from None


def _unreachable(error: Exception) -> Finding:
    reason = str(error).strip().splitlines()[-1].strip()
    todo = "Correct the URL; the password comes from PGPASSWORD or a password file, and the server must be reachable."
    return Finding("source.url", f"PostgreSQL cannot be opened: {reason}", todo)


def _declared(kind: pa.DataType) -> str:
    """The column type for values of an Arrow type; text compares byte by byte, as it does in DuckDB."""
    if pa.types.is_decimal(kind):
        return f"NUMERIC({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP"
    names = {
        "int64": "BIGINT",
        "int32": "BIGINT",
        "double": "DOUBLE PRECISION",
        "bool": "BOOLEAN",
        "date32[day]": "DATE",
    }
    return names.get(str(kind), 'TEXT COLLATE "C"')


def _read(content: bytes, types: Mapping[str, pa.DataType]) -> pa.Table:
    """CSV as PostgreSQL writes it: NULL is an empty field, and an empty text a quoted one."""
    schema = pa.schema(list(types.items()))
    if not content:
        return schema.empty_table()
    convert = csv.ConvertOptions(
        column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
        true_values=["t"], false_values=["f"],
    )  # fmt: skip
    return csv.read_csv(
        pa.BufferReader(content),
        read_options=csv.ReadOptions(column_names=schema.names),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=convert,
    )
