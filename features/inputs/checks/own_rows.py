"""What the settings count that is not there: features of one's own, and parts of the product that a journey names."""

from collections.abc import Iterator

import duckdb

from features.families.declared.journey import uses_of
from features.families.row_filter import cell_of, filter_sql, filter_words
from features.tables.checked import Tables, text_of
from features.tables.problems import EXAMPLES, Finding
from features.tables.sql import plain
from params import OwnFeature, Params


def without_rows(tables: Tables, params: Params) -> tuple[Finding, ...]:
    """A warning for each place of the settings that has nothing to count: its table is not there, or no row fits.

    Tables that stay in a warehouse are not looked at.
    """
    features = [(f"features.{name}", f"features.{name}.filter", own) for name, own in params.features.items()]
    uses = [(place, place, use) for place, use in uses_of(params.journey)]
    with tables.connect(budget=params.budget) as connection:
        return tuple(finding for counted in (*features, *uses) for finding in _warnings(connection, tables, *counted))


def _warnings(
    connection: duckdb.DuckDBPyConnection, tables: Tables, place: str, corrected: str, setting: OwnFeature
) -> Iterator[Finding]:
    """What is wrong at a place of the settings, where `corrected` is what has to be."""
    table = setting.table
    if table not in tables.columns:
        todo = f"Give the table, or remove {place}."
        what = f"is made from {table}, which the source lacks, so that no account has a value"
        yield Finding(place, what, todo, rule="feature_without_table")
    elif setting.filter and table in tables.kept and not _count(connection, tables, setting):
        of = connection.execute(f"SELECT count(*) FROM raw.{table}").fetchone() or (0,)
        what = f"counts nothing: {filter_words(setting.filter)} in none of {of[0]:,} rows of {table}"
        todo = f"Correct {corrected}. There is {_there(connection, tables, setting)}."
        yield Finding(place, what, todo, rule="feature_without_rows")


def _rows(tables: Tables, setting: OwnFeature) -> str:
    """What to select from: the rows, with the words of keyed columns as the engine has them."""
    keyed = [name for name in setting.filter if tables.column(setting.table, name).keyed]
    texts = "".join(f", {plain(name)} AS {plain(text_of(name))}" for name in keyed)
    return f"(SELECT *{texts} FROM raw.{setting.table})"


def _count(connection: duckdb.DuckDBPyConnection, tables: Tables, setting: OwnFeature) -> int:
    where = " AND ".join(filter_sql(setting.table, setting.filter, tables)) or "TRUE"
    row = connection.execute(f"SELECT count(*) FROM {_rows(tables, setting)} WHERE {where}").fetchone()
    return int(row[0]) if row else 0


def _there(connection: duckdb.DuckDBPyConnection, tables: Tables, setting: OwnFeature) -> str:
    """The commonest values of each column of the filter."""
    return "; ".join(f"{name}: {_commonest(connection, tables, setting, name)}" for name in setting.filter)


def _commonest(connection: duckdb.DuckDBPyConnection, tables: Tables, setting: OwnFeature, name: str) -> str:
    cell = cell_of(tables.column(setting.table, name))
    rows = connection.execute(
        f"SELECT any_value({plain(name)}) FROM {_rows(tables, setting)} WHERE {cell} IS NOT NULL "
        f"GROUP BY {cell} ORDER BY count(*) DESC, {cell} LIMIT {EXAMPLES}"
    ).fetchall()
    return ", ".join(str(row[0])[:60] for row in rows) or "no value"
