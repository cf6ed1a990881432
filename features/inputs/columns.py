"""Maps a source's columns to the contract's, and gives each its type in SQL, keeping what could not be read.

A staged table holds, for each column of the contract that the source has, the typed value and, as `raw:<column>`,
the text as it came wherever it was there but could not be read (or is none of the allowed values).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from features.families.own_checks import FAMILY_OF
from features.families.own_columns import Wanted
from features.inputs.locate import Opened, listed, near
from features.tables.contract import Column, Table, Type
from features.tables.problems import Finding
from features.tables.sql import named, quoted
from params import TableSource

WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
FLOATS = {"FLOAT", "DOUBLE"}
TIMES = {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
ZONED = "TIMESTAMP WITH TIME ZONE"

EMPTY_SPELLINGS = ("null", "none", "n/a", "na", "nat", "\\n")
TRUE_SPELLINGS = ("true", "t", "yes", "y", "1", "1.0", "on")
FALSE_SPELLINGS = ("false", "f", "no", "n", "0", "0.0", "off")

UNAMBIGUOUS = ("%Y%m%d", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
DAY_FIRST = ("%d-%m-%Y", "%d/%m/%Y")
MONTH_FIRST = ("%m-%d-%Y", "%m/%d/%Y")
TIMES_OF_DAY = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


NUMBER = r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?"  # as a plain one is written
YEARLY = " It is an amount a month: divide yearly ones by 12 in a query (source.tables.contracts.query)."


@dataclass(frozen=True)
class Mapped:
    """The columns of one table: ours to theirs, and the extra ones, which the contract does not declare."""

    columns: Mapping[str, str]
    extra: tuple[str, ...]


def raw(column: str) -> str:
    """The staged column with the text of what could not be read, as an SQL identifier."""
    return named(f"raw:{column}")


def map_columns(
    table: Table, opened: Opened, setting: TableSource, wanted: Mapping[str, Wanted]
) -> tuple[Mapped, list[Finding]]:
    """Find each of our columns, and the wanted ones, among theirs: as the settings map it, else by name in any case."""
    source_columns = list(opened.types)
    problems = _unknown_columns(table, setting, tuple(wanted))
    columns, any_case = (
        {},
        {name.lower(): name for name in reversed(source_columns)} | {name: name for name in source_columns},
    )
    for name in (*table.names, *wanted):
        source_name = setting.columns.get(name, name)
        column_name = any_case.get(source_name, any_case.get(source_name.lower()))
        if column_name is not None:
            columns[name] = column_name
        elif name in setting.columns:
            problems.append(_not_there(table, name, source_name, source_columns))
        elif name in wanted:
            problems.append(_wanted(table, name, wanted[name].named_in, source_columns))
        elif name in table.required_names:
            problems.append(_missing(table, name, source_columns))
    return Mapped(columns, tuple(name for name in wanted if name in columns)), problems


def staged_select(table: Table, opened: Opened, mapped: Mapped, *, day_first: bool) -> str:
    """SELECT of the staged table: typed columns and the texts that could not be read."""
    blanked, typed, selected = [], [], []
    for index, (name, source_name) in enumerate(mapped.columns.items()):
        column = table.column(name)
        source_type = opened.types[source_name]
        blanked.append(f"{_blanked(named(source_name), column, source_type)} AS b{index}")
        typed.append(f"b{index}, {_typed(f'b{index}', column, source_type, day_first=day_first)} AS v{index}")
        selected.append(f"v{index} AS {named(name)}")
        if column.type not in (Type.ID, Type.TEXT) or column.allowed:
            unread = f"CASE WHEN b{index} IS NOT NULL AND v{index} IS NULL THEN CAST(b{index} AS VARCHAR) END"
            selected.append(f"{unread} AS {raw(name)}")
    inner = f"SELECT {', '.join(typed)} FROM (SELECT {', '.join(blanked)} FROM {opened.relation})"
    return f"SELECT {', '.join(selected)} FROM ({inner})"


def with_extra(
    connection: duckdb.DuckDBPyConnection, table: Table, opened: Opened, mapped: Mapped, wanted: Mapping[str, Wanted]
) -> Table:
    """The table with its extra columns: of numbers, if the settings say so or their own type does, else of text.

    Of accounts, what no feature reads stays text, whatever its type: an owner's id is a label and no number.
    """
    kinds = {}
    for name in mapped.extra:
        is_label = table.name == "accounts" and not wanted[name].is_attribute and wanted[name].kind is None
        kinds[name] = Type.TEXT if is_label else _kind_of(connection, opened, mapped.columns[name], wanted[name])
    return extended(table, kinds)


def extended(table: Table, kinds: Mapping[str, Type]) -> Table:
    """The table with columns that the contract does not declare."""
    return replace(table, columns=(*table.columns, *(Column(name, kind, "") for name, kind in kinds.items())))


def _kind_of(connection: duckdb.DuckDBPyConnection, opened: Opened, source_name: str, wanted: Wanted) -> Type:
    """What an extra column holds; text that a feature is holds numbers if all of it does."""
    source_type = opened.types[source_name]
    if wanted.kind is None and wanted.is_attribute and source_type == "VARCHAR":
        return Type.NUMBER if _is_all_numbers(connection, opened, source_name) else Type.TEXT
    is_number = wanted.kind == "number" or (wanted.kind is None and _is_native(Type.NUMBER, source_type))
    return Type.NUMBER if is_number else Type.TEXT


def _is_all_numbers(connection: duckdb.DuckDBPyConnection, opened: Opened, source_name: str) -> bool:
    """Whether all text of a column is plain numbers; what begins with a zero, such as a postal code, is none."""
    text = f"trim({named(source_name)})"
    row = connection.execute(
        f"SELECT bool_and(regexp_full_match({text}, {quoted(NUMBER)})) FROM {opened.relation} "
        f"WHERE lower({text}) NOT IN {_tuple(('', *EMPTY_SPELLINGS))}"
    ).fetchone()
    return bool(row and row[0])


def _blanked(value: str, column: Column, source_type: str) -> str:
    """The value as it came, trimmed, and NULL where it says that there is none."""
    if _is_native(column.type, source_type):
        no_number = source_type in FLOATS and not column.required  # a data frame's way to leave a cell empty
        return f"CASE WHEN NOT isnan({value}) THEN {value} END" if no_number else value
    if column.type is Type.ID and source_type in FLOATS:  # whole ids that met a missing one in a data frame
        whole = f"CAST(CAST({value} AS BIGINT) AS VARCHAR)"
        return (
            f"CASE WHEN {value} = floor({value}) AND abs({value}) < 9e15 THEN {whole} ELSE CAST({value} AS VARCHAR) END"
        )
    text = f"NULLIF(trim(CAST({value} AS VARCHAR)), '')"
    if column.type in (Type.ID, Type.TEXT):
        return f"NULLIF({text}, '\\N')"
    spellings = (*EMPTY_SPELLINGS, "nan") if not column.required else EMPTY_SPELLINGS
    return f"CASE WHEN lower({text}) NOT IN {_tuple(spellings)} THEN {text} END"


def is_blank(text: str, column: Column) -> bool:
    """Whether a cell of a CSV file says that there is no value of a required column, as `staged_select` reads it."""
    content = text.strip(" ")
    return content in ("", "\\N") if column.type in (Type.ID, Type.TEXT) else content.lower() in ("", *EMPTY_SPELLINGS)


def _is_native(kind: Type, source_type: str) -> bool:
    """Whether the source's own type says what the value is, so that no text needs to be read."""
    number = source_type in WHOLE | FLOATS or source_type.startswith("DECIMAL")
    native = {
        Type.DATE: source_type in TIMES | {"DATE", ZONED},
        Type.TS: source_type in TIMES | {"DATE", ZONED},
        Type.MONEY: number,
        Type.NUMBER: number,
        Type.INTEGER: number,
        Type.BOOL: source_type == "BOOLEAN",
    }
    return native.get(kind, False)


def _typed(value: str, column: Column, source_type: str, *, day_first: bool) -> str:
    """The value in the contract's type; NULL where it cannot be read."""
    if column.type in (Type.ID, Type.TEXT):
        return _known_text(value, column)
    if column.type in (Type.DATE, Type.TS):
        return _typed_time(value, column.type, source_type, day_first=day_first)
    if column.type is Type.BOOL and source_type != "BOOLEAN":
        true, false = _tuple(TRUE_SPELLINGS), _tuple(FALSE_SPELLINGS)
        return f"CASE WHEN lower({value}) IN {true} THEN TRUE WHEN lower({value}) IN {false} THEN FALSE END"
    if column.type is Type.MONEY:
        return f"TRY_CAST({value} AS {column.type.sql})"
    number = f"TRY_CAST({value} AS DOUBLE)"
    if column.type is Type.INTEGER:
        return f"CASE WHEN {number} = floor({number}) THEN TRY_CAST({number} AS BIGINT) END"
    return value if column.type is Type.BOOL else f"CASE WHEN isfinite({number}) THEN {number} END"


def _known_text(value: str, column: Column) -> str:
    if column.name == "currency":
        return f"upper({value})"
    if not column.allowed:
        return value
    spelled = f"replace(replace(lower({value}), ' ', '_'), '-', '_')"
    return f"CASE WHEN {spelled} IN {_tuple(column.allowed)} THEN {spelled} END"


def _typed_time(value: str, kind: Type, source_type: str, *, day_first: bool) -> str:
    """A date, or a time in UTC without a zone."""
    if source_type == ZONED:
        return f"CAST({value} AT TIME ZONE 'UTC' AS {kind.sql})"
    if _is_native(kind, source_type):
        return f"CAST({value} AS {kind.sql})"
    utc = f"TRY_CAST({value} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
    dates = (*(DAY_FIRST if day_first else MONTH_FIRST), *UNAMBIGUOUS)
    formats = ", ".join(quoted(date + time) for time in TIMES_OF_DAY for date in dates)
    spelled = f"try_strptime({value}, [{formats}])"
    if kind is Type.TS:
        return f"COALESCE({utc}, {spelled})"
    short = f"CASE WHEN length({value}) <= 10 THEN TRY_CAST({value} AS DATE) END"
    return f"COALESCE({short}, CAST({utc} AS DATE), CAST({spelled} AS DATE))"


def _tuple(words: Sequence[str]) -> str:
    return f"({', '.join(quoted(word) for word in words)})"


def _unknown_columns(table: Table, setting: TableSource, extra: Sequence[str]) -> list[Finding]:
    column_names = (*table.names, *extra)
    where = f"source.tables.{table.name}.columns"
    problems = [
        Finding(
            where,
            f"maps {name}, which is no column of {table.name}",
            f"Its columns are {listed(column_names)}.{near(name, column_names)}",
        )
        for name in setting.columns
        if name not in column_names
    ]
    if setting.extra and table.name not in FAMILY_OF:
        todo = "Extra columns are kept of accounts and of tables of events only: remove it."
        place = f"source.tables.{table.name}.extra"
        problems.append(Finding(place, f"names {listed(list(setting.extra))}", todo))
    return problems


def _not_there(table: Table, name: str, source_name: str, source_columns: Sequence[str]) -> Finding:
    return Finding(
        table.name,
        f"is mapped to {source_name}, which the source lacks",
        f"Correct source.tables.{table.name}.columns.{name}. "
        f"The columns are {listed(source_columns)}.{near(source_name, source_columns)}",
        column=name,
    )


def _wanted(table: Table, name: str, named_in: str, source_columns: Sequence[str]) -> Finding:
    """A column that the settings name, and that neither the contract nor the source has."""
    hint = near(name, [*source_columns, *table.names])
    todo = f"Correct the name, or remove it. The columns are {listed(source_columns)}.{hint}"
    return Finding(table.name, f"is named in {named_in}, and the source lacks it", todo, column=name)


def _missing(table: Table, name: str, source_columns: Sequence[str]) -> Finding:
    hint = YEARLY if name == "mrr" else near(name, source_columns)  # the nearest name may be that of a yearly amount
    there = f"The columns are {listed(source_columns)}.{hint}"
    todo = f"Add it, or map it: source.tables.{table.name}.columns.{name}: THEIR_NAME. {there}"
    return Finding(table.name, "is missing, and the column is required", todo, column=name)
