"""Writing a forecast's tables back into a catalogue of Spark, which knows no transaction over several tables.

Each making of a run lies in partitions of its own, which nothing shows until a row of `holdfast_run`, written last,
says that all of them are there. A making that was cut short is never seen, and is written anew.
"""

import os
from typing import Any

import pandas as pd
import pyarrow as pa

from features.engines.spark import Spark
from features.tables.sql import quoted
from params import Budget, SettingsError
from params_outlets import SparkOutlet
from serving.forecast.declared.column import Kind, OutTable
from serving.forecast.refusals import BadRequest
from serving.outlets.write_back import CURRENT, RUN_COLUMNS, RUNS, Tables

WRITTEN = "written"  # a partition: when the run was made whose rows these are
_TYPES = {
    Kind.TEXT: ("STRING", pa.string()),
    Kind.INTEGER: ("BIGINT", pa.int64()),
    Kind.MONEY: ("DOUBLE", pa.float64()),
    Kind.SHARE: ("DOUBLE", pa.float64()),
    Kind.NUMBER: ("DOUBLE", pa.float64()),
    Kind.DATE: ("DATE", pa.date32()),
    Kind.TIME: ("TIMESTAMP", pa.timestamp("us", "UTC")),
}


def write_to_spark(
    outlet: SparkOutlet, name: str, tables: Tables, budget: Budget, *, dry_run: bool = False
) -> list[dict[str, Any]]:
    """Write the tables of a run, as `write_back.write_back` does it, into a catalogue of Spark.

    Raises
    ------
    SettingsError
        Its environment variable is empty.
    BadRequest
        Spark refuses, or would forget its catalogue when it stops; nothing of the run is shown.
    """
    master = os.environ.get(outlet.url, "")
    if not master:
        raise SettingsError(f"write_back.{name}: the environment variable {outlet.url} is empty. Nothing was written.")
    with Spark(master, budget=budget, setting=f"write_back.{name}.url") as spark:
        _require_lasting(spark, name)
        try:
            state = _Catalogue(spark, outlet, tables).state(dry_run=dry_run)
        except RuntimeError as error:
            raise BadRequest(f"write_back.{name}: {error}. Nothing of this run is shown.") from None
    return [
        {"target": name, "table": table, "rows": len(frame), "state": state} for table, frame in tables.frames.items()
    ]


def _require_lasting(spark: Spark, name: str) -> None:
    """Refuse a Spark that is started here and keeps its catalogue in memory: with it the tables would be gone."""
    if spark.is_started_here and spark.session.conf.get("spark.sql.catalogImplementation", "") == "in-memory":
        raise BadRequest(
            f"write_back.{name}: this Spark would forget its tables when it stops. Give it a metastore, such as "
            "spark.sql.catalogImplementation hive in spark-defaults.conf. Nothing was written."
        )


def _as_arrow(declared: OutTable, frame: pd.DataFrame) -> pa.Table:
    """The rows as Arrow; moments as those of UTC, an empty cell as null."""
    schema = pa.schema([(column.name, _TYPES[column.kind][1]) for column in declared])
    times = {column.name: frame[column.name].dt.tz_convert(None) for column in declared if column.kind is Kind.TIME}
    return pa.Table.from_pandas(frame.assign(**times)[schema.names], schema=schema, preserve_index=False)


class _Catalogue:
    """The database of an outlet, and a run to be written into it."""

    def __init__(self, spark: Spark, outlet: SparkOutlet, tables: Tables) -> None:
        self._spark, self._session, self._tables = spark, spark.session, tables
        self._database, self._location = outlet.schema_name, outlet.location
        self._run_id, self._made_at = (quoted(tables.run[name]) for name in ("run_id", "made_at"))

    def state(self, *, dry_run: bool) -> str:
        """Write the run unless it is there; says which it was."""
        with self._spark.failing(self._database):
            if self._is_there():
                return "there already"
            if dry_run:
                return "would be written"
        self._write()
        return "written"

    def _is_there(self) -> bool:
        if not self._session.catalog.tableExists(self._at(RUNS)):
            return False
        query = f"SELECT max(made_at) = {self._made_at} FROM {self._at(RUNS)} WHERE run_id = {self._run_id}"
        return bool(self._session.sql(query).first()[0])

    def _write(self) -> None:
        place = f" LOCATION {quoted(self._location)}" if self._location else ""
        runs = ", ".join(f"{column} STRING" for column in RUN_COLUMNS)
        with self._spark.failing(self._database):
            self._session.sql(f"CREATE DATABASE IF NOT EXISTS `{self._database}`{place}")
            self._session.sql(f"CREATE TABLE IF NOT EXISTS {self._at(RUNS)} ({runs}) USING parquet")
        for name, frame in self._tables.frames.items():
            with self._spark.failing(name):
                self._write_table(self._tables.declared[name], frame)
        row = pd.DataFrame([{name: self._tables.run[name] for name in RUN_COLUMNS}])
        with self._spark.failing(RUNS):
            self._session.createDataFrame(row).select(*RUN_COLUMNS).write.insertInto(self._at(RUNS))
            for name in self._tables.frames:
                self._clear_earlier(name)

    def _write_table(self, declared: OutTable, frame: pd.DataFrame) -> None:
        table = self._at(declared.name)
        types = {column.name: _TYPES[column.kind][0] for column in declared}
        columns = ", ".join(f"`{name}` {kind}" for name, kind in types.items())
        self._session.sql(
            f"CREATE TABLE IF NOT EXISTS {table} ({columns}, `{WRITTEN}` STRING) USING parquet "
            f"PARTITIONED BY (run_id, `{WRITTEN}`)"
        )
        there = set(self._session.table(table).columns)
        added = ", ".join(f"`{name}` {kind}" for name, kind in types.items() if name not in there)
        if added:  # figures that were declared since
            self._session.sql(f"ALTER TABLE {table} ADD COLUMNS ({added})")
        self._drop_partition(table, self._made_at)  # of a making that was cut short
        self._insert(table, declared, frame)
        self._show_newest(table, declared)

    def _insert(self, table: str, declared: OutTable, frame: pd.DataFrame) -> None:
        """Add the rows in the table's own order of columns; one that is not declared any more is left empty."""
        given = _as_arrow(declared, frame)
        values = dict.fromkeys(self._session.table(table).columns, "NULL")
        values |= {name: f"`{name}`" for name in declared.names} | {WRITTEN: self._made_at}
        rows = self._session.createDataFrame(given)
        rows.selectExpr(*(f"{value} AS `{name}`" for name, value in values.items())).write.insertInto(table)

    def _show_newest(self, table: str, declared: OutTable) -> None:
        newest = {
            column: f"(SELECT max_by({what}, struct(as_of, made_at)) FROM {self._at(RUNS)})"
            for column, what in (("run_id", "run_id"), (WRITTEN, "made_at"))
        }
        chosen = " AND ".join(f"`{column}` = {which}" for column, which in newest.items())
        names = ", ".join(f"`{name}`" for name in declared.names)
        view = self._at(declared.name + CURRENT)
        self._session.sql(f"CREATE OR REPLACE VIEW {view} AS SELECT {names} FROM {table} WHERE {chosen}")

    def _clear_earlier(self, name: str) -> None:
        """Drop the rows of earlier makings of the run."""
        table = self._at(name)
        earlier = f"SELECT DISTINCT `{WRITTEN}` FROM {table} WHERE run_id = {self._run_id}"
        for (made_at,) in self._session.sql(f"{earlier} AND `{WRITTEN}` <> {self._made_at}").collect():
            self._drop_partition(table, quoted(made_at))

    def _drop_partition(self, table: str, made_at: str) -> None:
        partition = f"run_id = {self._run_id}, `{WRITTEN}` = {made_at}"
        self._session.sql(f"ALTER TABLE {table} DROP IF EXISTS PARTITION ({partition})")

    def _at(self, name: str) -> str:
        return f"`{self._database}`.`{name}`"
