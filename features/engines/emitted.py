"""The snapshots' SQL as a script in the dialect of any warehouse, to be read or run by hand."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from features.engines import dialects
from features.engines.engine import Frames, as_arrow
from features.tables import contract
from features.tables.checked import keyed_columns, text_of
from features.tables.sql import named, plain, quoted

HEADS = {
    "postgres": "CREATE TEMPORARY TABLE {name} AS",
    "snowflake": "CREATE TEMPORARY TABLE {name} AS",
    "bigquery": "CREATE TEMP TABLE {name} AS",
    "spark": "CREATE OR REPLACE TEMPORARY VIEW {name} AS",
    "databricks": "CREATE OR REPLACE TEMPORARY VIEW {name} AS",
}
DROPS = {"spark": "DROP VIEW {name}", "databricks": "DROP VIEW {name}"}


def script(
    dialect: str, *, columns: Mapping[str, Sequence[str]], frames: Frames, statements: Sequence[str], assembly: str
) -> Iterator[str]:
    """The statements that make the snapshots in a dialect, in their order; the last one is the SELECT of the rows.

    The raw tables are read under the contract's names and columns, with text trimmed and moments in UTC; what an empty
    cell stands for is filled in as they are read.

    Parameters
    ----------
    dialect
        One of `features.engines.dialects.EMITTED`.
    columns
        The columns of each raw table that is there.
    frames
        The calendar, which becomes the first statements.
    statements, assembly
        What the snapshots are compiled to.
    """
    filled = {name: _filled(name, present) for name, present in columns.items() if _has_blanks(name)}
    for name, frame in frames.items():
        yield _head(dialect, name) + dialects.translate(dialects.own(_values(name, frame)), dialect)
    for text in statements:
        statement = dialects.parse(text)
        if statement.select is None:
            yield DROPS.get(dialect, "DROP TABLE {name}").format(name=statement.drops)
        else:
            yield _head(dialect, statement.makes) + dialects.translate(statement.select, dialect, raw="", filled=filled)
    yield dialects.translate(assembly, dialect, raw="", filled=filled)


def _has_blanks(table: str) -> bool:
    return any(column.blank for column in contract.TABLES[table])


def _filled(table: str, present: Sequence[str]) -> str:
    """A SELECT of a raw table in which cells say what they stand for where they are empty, or absent."""
    columns = contract.TABLES[table]
    cells = {name: plain(name) for name in present} | {text_of(name): name for name in keyed_columns(table, present)}
    cells |= {column.name: column.value() for column in columns if column.blank}
    cells |= {column.name: column.value(column.name) for column in columns if column.name in present}
    return f"SELECT {', '.join(f'{cell} AS {named(name)}' for name, cell in cells.items())} FROM raw.{table}"


def _head(dialect: str, name: str) -> str:
    return HEADS[dialect].format(name=name) + "\n"


def _values(name: str, frame: "pd.DataFrame") -> str:
    """A SELECT of the frame's rows of whole numbers and names."""
    table = as_arrow(frame)
    rows = ", ".join(f"({', '.join(map(_literal, row.values()))})" for row in table.to_pylist())
    columns = ", ".join(table.schema.names)
    return f"SELECT {columns} FROM (VALUES {rows}) AS {name}_rows({columns})"


def _literal(value: int | str) -> str:
    return quoted(value) if isinstance(value, str) else str(value)
