"""Rows without who was erased: whose they were go, and who was only named in others is not named any more."""

from collections.abc import Collection, Mapping

import duckdb
import pyarrow as pa

from features.forgetting.suppression import ACCOUNT, CONTACT, USER, Suppressed
from features.tables.contract import MEMBER, TABLES
from features.tables.sql import named

COLUMNS: Mapping[str, str] = {
    "account_id": ACCOUNT,
    MEMBER: ACCOUNT,
    "parent_account_id": ACCOUNT,
    "contact_id": CONTACT,
    "user_id": USER,
}


def is_whose(table: str, column: str) -> bool:
    """Whether a column says whose the row is, so that the row goes with them: a contact's own, all of an account."""
    return column in ("account_id", MEMBER) or (table, column) == ("contacts", "contact_id")


def forget_staged(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    table: str,
    columns: Collection[str],
    texts: Collection[str],
    suppressed: Suppressed,
) -> None:
    """Take who was erased out of a table that was just read, before anything is told or stored of it.

    Parameters
    ----------
    relation, table
        Its name in the database, and in the contract.
    columns
        Its columns.
    texts
        Columns of what people wrote, and of text that the contract does not declare: they are emptied where an id is,
        since they may tell whose it was.
    """
    for column in [name for name in COLUMNS if name in columns]:
        cell = named(column)
        names = [row[0] for row in connection.execute(f"SELECT DISTINCT {cell} FROM {relation}").fetchall()]
        if erased := suppressed.among(COLUMNS[column], names):
            change = f"UPDATE {relation} SET {', '.join(f'{named(name)} = NULL' for name in (column, *texts))}"
            change = f"DELETE FROM {relation}" if is_whose(table, column) else change
            connection.execute(f"{change} WHERE {cell} IN (SELECT unnest($erased))", {"erased": erased})


def without_erased(rows: pa.Table, table: str, suppressed: Suppressed) -> pa.Table:
    """The rows of a table that are not theirs, with cells that name them emptied; the same table if there are none."""
    for column in [name for name in COLUMNS if name in rows.column_names]:
        erased = suppressed.among(COLUMNS[column], pa.compute.unique(rows[column]).to_pylist())
        if not erased:
            continue
        theirs = pa.compute.is_in(rows[column], value_set=pa.array(erased, pa.string()).cast(rows[column].type))
        if is_whose(table, column):
            rows = rows.filter(pa.compute.invert(theirs))
        else:
            for name in [column, *_written(table, rows)]:
                rows = _emptied(rows, name, theirs)
    return rows


def _written(table: str, rows: pa.Table) -> list[str]:
    """The columns of what people wrote."""
    declared = TABLES[table].columns if table in TABLES else ()
    return [column.name for column in declared if column.free_text and column.name in rows.column_names]


def _emptied(rows: pa.Table, column: str, where: pa.ChunkedArray) -> pa.Table:
    """The rows with the cells of a column emptied where they are to be."""
    cells = pa.compute.if_else(where, pa.scalar(None, rows[column].type), rows[column])
    return rows.set_column(rows.column_names.index(column), rows.schema.field(column), cells)
