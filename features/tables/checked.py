"""Checked tables: one DuckDB file in the contract's names and types, with what is known about them.

Every table but `fx_rates` also holds `account_key`, the account's place among the sorted ids, and is sorted by blocks
of accounts and, within a block, by month, so that a range of accounts or the newest months are read without the rest.
Columns that the contract calls keyed have a whole number beside them in the same way (`user_id` has `user_id_key`), and
`recorded_at` has its day where only that counts (`recorded_at_day`: a sixth of the bytes). The engine works on these;
ids come back at the end. What a keyed column says in words is beside it for it (`user_id_text`), so that a condition on
text is the same on every engine.
"""

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Self

import duckdb

from features.tables import contract
from features.tables.database import open_duckdb
from features.tables.sql import code, named, quoted
from params import Budget

if TYPE_CHECKING:
    from features.tables.opened import Make, Opened

MANIFEST = "holdfast_manifest"
KEYS = "holdfast_keys"  # account_id, account_key
UNHELPFUL = "join_order,build_side_probe_side,join_filter_pushdown,partitioned_execution"  # see `connect_keyed`
RECORDED = "recorded_at"
RECORDED_DAY = f"{RECORDED}_day"  # beside it
BLOCK = 256  # accounts whose rows lie together, month by month; fewer make the newest month dearer, more all dates


@dataclass(frozen=True)
class Warehouse:
    """Where the tables are that are not kept here.

    `engine` and `url` say how to reach them; `selects` gives for each such table the SELECT, in that engine's SQL, of
    the contract's columns in the contract's types; `first_days` the first day (ISO) that something happened in it;
    `digests` a digest of its content.
    """

    engine: str
    url: str
    selects: Mapping[str, str]
    first_days: Mapping[str, str]
    digests: Mapping[str, str]


@dataclass(frozen=True)
class Tables:
    """Input tables that passed the check.

    `columns` lists, for each table that is there, the columns that are there; `lag_days` how long after its
    event a row without `recorded_at` became known; `data_until` the first day the data do not cover;
    `digest` identifies the content; `fingerprint` identifies the files and settings it was read from;
    `warehouse` tells where the tables are that are not in `database`, if some are not; `numbers` names, for each
    table, those of its columns that the contract does not declare and that hold numbers. The others hold text. Where
    accounts are rolled up by parents and these changed, `database` has the newest hierarchy, and `hierarchies` the last
    day (ISO) and the file beside it of each before that. `opened` holds the open databases where a caller keeps these
    tables open, see `features.tables.opened`.
    """

    database: Path
    columns: Mapping[str, tuple[str, ...]]
    lag_days: Mapping[str, int]
    data_until: date
    digest: str
    fingerprint: str
    warehouse: Warehouse | None = None
    numbers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hierarchies: tuple[tuple[str, str], ...] = ()
    opened: "Opened | None" = field(default=None, compare=False, repr=False)

    @property
    def files(self) -> list[Path]:
        """The files of all hierarchies, the oldest first."""
        return [*(self.database.with_name(file) for _, file in self.hierarchies), self.database]

    def at(self, day: date) -> Self:
        """The tables rolled up by the hierarchy that was known before a day, if they are rolled up; else the same.

        It is the hierarchy of all dates that are asked of what this gives.
        """
        if not self.hierarchies:
            return self
        file = next((file for last_day, file in self.hierarchies if day.isoformat() <= last_day), self.database.name)
        return replace(self, database=self.database.with_name(file), hierarchies=())

    def by_hierarchy(self, days: Iterable[date]) -> list[tuple[Self, tuple[date, ...]]]:
        """The tables `at` different days, with the days of each, in ascending order."""
        tables = {day: self.at(day) for day in sorted(set(days))}
        groups = groupby(tables, key=lambda day: tables[day].database)
        return [(tables[group[0]], group) for group in (tuple(group) for _, group in groups)]

    def has(self, table: str, *columns: str) -> bool:
        """Whether the table is there with all these columns."""
        return table in self.columns and set(columns) <= set(self.columns[table])

    @property
    def attribute_columns(self) -> tuple[str, ...]:
        """The columns of `accounts` that describe the account."""
        hidden = ("account_id", "valid_from", RECORDED, contract.MEMBER)
        return tuple(name for name in self.columns["accounts"] if name not in hidden)

    def column(self, table: str, name: str) -> contract.Column:
        """What a column of a table is, whether or not it is there: as the contract declares it, else text or number."""
        declared = {column.name: column for column in contract.TABLES[table]}
        number = name in self.numbers.get(table, ())
        extra = contract.Column(name, contract.Type.NUMBER if number else contract.Type.TEXT, "A column of your own")
        return declared.get(name, extra)

    @property
    def kept(self) -> list[str]:
        """The tables that are in `database`."""
        return [name for name in self.columns if self.warehouse is None or name not in self.warehouse.selects]

    def connect(self, *, budget: Budget) -> duckdb.DuckDBPyConnection:
        """An in-memory database with these tables, read-only, as schema `raw`.

        Columns that the contract declares and the source lacks are there as NULLs.
        """
        if self.opened is not None:
            return self.opened.connect(self)
        connection = self._attached(budget=budget)
        for name in self.kept:
            connection.execute(f"CREATE VIEW raw.{name} AS SELECT {self._shown(name, keyed=False)} FROM stored.{name}")
        return connection

    @contextmanager
    def prepared(self, key: Hashable, make: "Make", *, budget: Budget) -> Iterator[duckdb.DuckDBPyConnection]:
        """The same with the temp tables that `make` makes: where these tables are kept open, once for all with a key.

        The key must tell all that the temp tables depend on beside these tables.
        """
        if self.opened is not None:
            with self.opened.prepared(self, key, make) as connection:
                yield connection
            return
        with self.connect(budget=budget) as connection:
            make(connection)
            yield connection

    def connect_keyed(self, *, budget: Budget) -> duckdb.DuckDBPyConnection:
        """The same for the engine: ids are whole numbers; `show_accounts` must be called before `raw` is read.

        `recorded_at` is a date in tables of which only its day counts; `raw.keys_<column>` has the distinct values of a
        keyed column.

        Joins are taken as written, the small table on the right: DuckDB's guesses about the size of calendars made
        the engine three times slower. Nor are their days looked for while the rows are read: nearly all have one. Nor
        are sums cut into ranges of accounts: each range would read all the rows anew.
        """
        connection = self._attached(budget=budget)
        connection.execute(f"SET disabled_optimizers = '{UNHELPFUL}'")
        for keys in self._keys:
            connection.execute(f"CREATE VIEW raw.{keys} AS {self.rows(keys, '')}")
        return connection

    def show_accounts(self, connection: duckdb.DuckDBPyConnection, first: int, last: int) -> None:
        """Let `raw` show the accounts with keys from `first` to `last` only."""
        for name in self.columns:
            select = f"SELECT {self._shown(name, keyed=True)} FROM stored.{name}"
            if self.has(name, "account_id"):
                select += f" WHERE account_key BETWEEN {first} AND {last}"
            connection.execute(f"CREATE OR REPLACE VIEW raw.{name} AS {select}")

    def lists(self, table: str, column: str) -> bool:
        """Whether all distinct values of a column are there as a table of their own, `raw.keys_<column>`."""
        return self.warehouse is None and column in keyed_columns(table, self.columns[table])

    def elsewhere(self) -> Self:
        """The same tables as they would be in a warehouse that nothing is known of."""
        return replace(self, warehouse=Warehouse("", "", dict.fromkeys(self.columns, ""), {}, {}))

    def rows(self, table: str, key: str) -> str:
        """SELECT of the rows of the account with a key, as `raw` would show them; of all rows where none has one."""
        if table in self._keys:
            column = self._keys[table]
            return f"SELECT {key_of(column)} AS {column} FROM stored.{table}"
        where = f" WHERE account_key = {key}" if self.has(table, "account_id") else ""
        return f"SELECT {self._shown(table, keyed=True)} FROM stored.{table}{where}"

    def account_keys(self, connection: duckdb.DuckDBPyConnection, account_id: str | None = None) -> tuple[int, int]:
        """First and last key of all accounts, or the key of one twice; (0, -1) where there is none."""
        chosen = f"WHERE account_id = {quoted(account_id)}" if account_id is not None else ""
        select = f"SELECT MIN(account_key), MAX(account_key) FROM stored.{KEYS} {chosen}"
        ((first, last),) = connection.execute(select).fetchall()
        return (0, -1) if first is None else (first, last)

    @property
    def _keys(self) -> dict[str, str]:
        """The tables of keys that are in `database`, and the column of each."""
        columns = (column for table in self.kept for column in keyed_columns(table, self.columns[table]))
        return {keys_of(column): column for column in columns}

    def _attached(self, *, budget: Budget) -> duckdb.DuckDBPyConnection:
        connection = open_duckdb(budget, spill=self.database.with_suffix(".spill"))
        connection.execute(f"ATTACH {quoted(str(self.database))} AS stored (READ_ONLY)")
        connection.execute("CREATE SCHEMA raw")
        return connection

    def _shown(self, table: str, *, keyed: bool) -> str:
        """The columns of a table as `raw` shows them."""
        present = self.columns[table]
        keys = {"account_id": "account_key"} | {name: key_of(name) for name in keyed_columns(table, present)}
        keys |= {RECORDED: RECORDED_DAY} if has_recorded_day(table, present) else {}
        cells = {name: named(name) for name in present}
        cells |= {c.name: c.value(cells.get(c.name, "")) for c in contract.TABLES[table]}
        if keyed:
            cells |= {text_of(name): named(name) for name in keyed_columns(table, present)}
            cells |= {name: key for name, key in keys.items() if name in present}
        return ", ".join(f"{sql} AS {named(name)}" for name, sql in cells.items())


def keyed_columns(table: str, present: Sequence[str]) -> list[str]:
    """The columns of a table that have a key beside them."""
    return [column.name for column in contract.TABLES[table] if column.keyed and column.name in present]


def keys_of(column: str) -> str:
    """Name of the table of a column's keys."""
    return f"keys_{column}"


def key_of(column: str) -> str:
    """Name of the key beside a column."""
    return f"{column}_key"


def text_of(column: str) -> str:
    """Name of what a keyed column says, in words, beside the key that the engine shows in its place."""
    return f"{column}_text"


def has_recorded_day(table: str, present: Sequence[str]) -> bool:
    """Whether a table has `RECORDED_DAY`: it has `recorded_at`, and no versions that its time of day tells apart."""
    declared = contract.TABLES[table]
    return RECORDED in present and declared.event_day is not None and declared.version is None


def write_table(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], select: str) -> None:
    """Store the rows of a SELECT of these columns as a checked table of the attached database `made`.

    `accounts` must be the first. Rows are sorted by block of accounts, month and all columns, so that the same rows
    give the same table.
    """
    if "account_id" not in columns:
        connection.execute(f"CREATE TABLE made.{table} AS {select} ORDER BY ALL")
        return
    if table == "accounts":
        connection.execute(_keys(KEYS, "account_id", "account_key", f"SELECT account_id FROM ({select})"))
    joins, keys = f"JOIN made.{KEYS} a ON a.account_id = s.account_id", ["a.account_key"]
    for name in keyed_columns(table, columns):
        text = (
            code(f"s.{named(name)}") if contract.TABLES[table].column(name).type is contract.Type.TEXT else f"s.{name}"
        )
        connection.execute(_keys(keys_of(name), name, key_of(name), f"SELECT {text} AS {name} FROM ({select}) s"))
        joins += f" LEFT JOIN made.{keys_of(name)} {name}_keys ON {name}_keys.{name} = {text}"
        keys.append(f"{name}_keys.{key_of(name)}")
    if has_recorded_day(table, columns):
        keys.append(f"CAST(s.{RECORDED} AS DATE) AS {RECORDED_DAY}")
    places = ", ".join(str(place) for place in range(1, len(keys) + len(columns) + 1))
    connection.execute(f"""
        CREATE TABLE made.{table} AS SELECT {", ".join(keys)}, s.* FROM ({select}) s {joins}
        ORDER BY a.account_key // {BLOCK}, {_month(table, columns)}{places}""")


def _month(table: str, columns: Sequence[str]) -> str:
    """What rows are sorted by within a block of accounts, if their table tells when something happened."""
    day = contract.TABLES[table].event_day
    return f"date_trunc('month', CAST(s.{day} AS DATE)), " if day in columns else ""


def _keys(name: str, column: str, key: str, select: str) -> str:
    """A table of the distinct values of a column, each with its place in order."""
    return f"""
        CREATE TABLE made.{name} AS
        SELECT {column}, CAST(ROW_NUMBER() OVER (ORDER BY {column}) AS INTEGER) AS {key}
        FROM (SELECT DISTINCT {column} FROM ({select}) t WHERE {column} IS NOT NULL) ORDER BY {column}"""


def write_manifest(connection: duckdb.DuckDBPyConnection, tables: Tables) -> None:
    """Store what is known about the tables in the same database."""
    content = asdict(replace(tables, opened=None))
    del content["opened"]
    content |= {"database": "", "data_until": tables.data_until.isoformat()}
    connection.execute(f"CREATE OR REPLACE TABLE {MANIFEST} (content VARCHAR)")
    connection.execute(f"INSERT INTO {MANIFEST} VALUES (?)", [json.dumps(content, sort_keys=True)])


def open_tables(database: Path) -> Tables:
    """The tables stored in a database file written by `write_manifest`."""
    with duckdb.connect(str(database), read_only=True) as connection:
        row = connection.execute(f"SELECT content FROM {MANIFEST}").fetchone()
    if row is None:
        raise ValueError(f"{database} holds no manifest")
    content = json.loads(row[0])
    return Tables(
        database=database,
        columns={table: tuple(columns) for table, columns in content["columns"].items()},
        lag_days=content["lag_days"],
        data_until=date.fromisoformat(content["data_until"]),
        digest=content["digest"],
        fingerprint=content["fingerprint"],
        warehouse=Warehouse(**content["warehouse"]) if content.get("warehouse") else None,
        hierarchies=tuple((last_day, file) for last_day, file in content.get("hierarchies", ())),
        numbers={table: tuple(columns) for table, columns in content.get("numbers", {}).items()},
    )
