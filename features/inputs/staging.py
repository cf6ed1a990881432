"""Reads one table of a source into a staged table, and tells what is worth knowing of how it was read."""

from collections.abc import Mapping

import duckdb

from features.forgetting.rows import forget_staged
from features.forgetting.suppression import Suppressed, read_suppressed
from features.inputs.files.csv_files import empty_records, rejected
from features.inputs.files.locate import Opened
from features.inputs.files.source_reader import bring_rejects
from features.inputs.files.unreadable import unreadable
from features.inputs.reading.columns import (
    NULLED,
    Mapped,
    empty_spellings,
    extended,
    map_columns,
    raw,
    staged_select,
)
from features.inputs.reading.date_order import dates_read_both_ways
from features.inputs.reading.own_columns import Wanted, extra_columns
from features.inputs.reading.source_types import is_native
from features.inputs.staged import Staged, stage
from features.tables.contract import Table, Type
from features.tables.database import require_space
from features.tables.problems import Finding
from features.tables.sql import named, quoted
from params import Params, Source, TableSource

NUMBER = r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?"  # as a plain one is written
NUMBER_WITH_COMMA = r"[-+]?(0|[1-9][0-9]*)(,[0-9]+)?"


def stage_table(
    connection: duckdb.DuckDBPyConnection, table: Table, opened: Opened, params: Params, source: Source
) -> tuple[Staged | None, list[Finding]]:
    """Read one table into `stage_<table>`.

    Returns
    -------
    tuple
        The staged table, None where it cannot be read, and what is wrong with it.
    """
    setting = source.tables.get(table.name, TableSource())
    wanted = extra_columns(params, source)[table.name]
    mapped, problems = map_columns(table, opened, setting, wanted)
    if not mapped.columns:
        return None, problems
    opened = opened.only(connection, mapped.columns.values())
    try:
        table = _with_extra(connection, table, opened, mapped, wanted, source)
        connection.execute(f"CREATE TEMP TABLE {stage(table.name)} AS {staged_select(table, opened, mapped, source)}")
    except duckdb.Error as error:
        require_space(error)
        rows = opened.rows
        return None, [*problems, unreadable(table.name, error, opened.query, rows.connection if rows else None)]
    if opened.rows is not None:
        bring_rejects(opened.rows, connection, table.name)
    lines = rejected(connection, table.name)
    staged = Staged(table, tuple(mapped.columns), mapped.extra, lines, mapped.columns, opened.csv_files)
    if suppressed := read_suppressed(params):
        _forget(connection, staged, suppressed)
    notes = [*opened.notes, *_without_empty_records(connection, staged), *_null_texts(connection, staged)]
    notes += dates_read_both_ways(connection, staged, opened, source)
    return staged.with_notes(notes), problems


def _forget(connection: duckdb.DuckDBPyConnection, staged: Staged, suppressed: Suppressed) -> None:
    """Take out who was erased; what stood in lines that cannot be read is not kept, since it may be theirs."""
    texts = [name for name in staged.extra if name not in staged.extra_numbers]
    texts += [column.name for column in staged.declared if column.free_text]
    forget_staged(connection, staged.name, staged.table.name, staged.columns, texts, suppressed)
    connection.execute(f"UPDATE unread_{staged.table.name} SET reason = shown")


def _with_extra(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    opened: Opened,
    mapped: Mapped,
    wanted: Mapping[str, Wanted],
    source: Source,
) -> Table:
    """The table with its extra columns: of numbers, if the settings say so or their own type does, else of text.

    Of accounts, what no feature reads stays text, whatever its type: an owner's id is a label and no number. Text that
    a feature is holds numbers if all of it does.
    """
    kinds: dict[str, Type] = {}
    for name in mapped.extra:
        source_name, want = mapped.columns[name], wanted[name]
        if want.kind is not None:
            is_number = want.kind == "number"
        elif want.is_attribute and opened.types[source_name] == "VARCHAR":
            is_number = _is_all_numbers(connection, opened, source_name, source)
        else:
            is_label = table.name == "accounts" and not want.is_attribute
            is_number = is_native(Type.NUMBER, opened.types[source_name]) and not is_label
        kinds[name] = Type.NUMBER if is_number else Type.TEXT
    return extended(table, kinds)


def _is_all_numbers(connection: duckdb.DuckDBPyConnection, opened: Opened, source_name: str, source: Source) -> bool:
    """Whether all text of a column is plain numbers; what begins with a zero, such as a postal code, is none."""
    text, pattern = f"trim({named(source_name)})", NUMBER_WITH_COMMA if source.decimal_comma else NUMBER
    empty = ", ".join(map(quoted, ("", *empty_spellings(source))))
    row = connection.execute(
        f"SELECT bool_and(regexp_full_match({text}, {quoted(pattern)})) FROM {opened.relation} "
        f"WHERE lower({text}) NOT IN ({empty})"
    ).fetchone()
    return bool(row and row[0])


def _null_texts(connection: duckdb.DuckDBPyConnection, staged: Staged) -> list[Finding]:
    """A note of the cells of text that are read as empty, though something stands there."""
    total = f"SELECT sum(bit_count({NULLED})), bit_or({NULLED}) FROM {staged.name}"
    cells, bits = connection.execute(total).fetchone() or (0, 0)
    if not cells:
        return []
    names = [name for place, name in enumerate(staged.columns) if bits >> place & 1]
    what = f"holds {int(cells):,} cell{'s' if cells > 1 else ''} of {', '.join(names)} that say NULL, N/A or the like"
    return [Finding(staged.table.name, what, "They are read as empty; source.null_texts says which texts are.")]


def _without_empty_records(connection: duckdb.DuckDBPyConnection, staged: Staged) -> list[Finding]:
    """Leave out the lines that hold no value in any column of the file, mapped or not."""
    if not staged.csv_files:
        return []
    cells = [*map(named, staged.columns), *(raw(column.name) for column in staged.unread)]
    nothing = f"FROM {staged.name} WHERE {' AND '.join(f'{cell} IS NULL' for cell in cells)}"
    row = connection.execute(f"SELECT count(*) {nothing}").fetchone()
    rows = int(row[0]) if row else 0
    if not rows or empty_records(connection, staged.csv_files) != rows:
        return []
    of = connection.execute(f"SELECT count(*) FROM {staged.name}").fetchone() or (rows,)
    connection.execute(f"DELETE {nothing}")
    return [Finding(staged.table.name, "without any value", "Such lines are left out.", rows=rows, of=int(of[0]))]
