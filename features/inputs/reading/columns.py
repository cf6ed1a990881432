"""Maps a source's columns to the contract's, and gives each its type in SQL, keeping what could not be read.

A staged table holds, for each column of the contract that the source has, the typed value and, as `raw:<column>`,
the text as it came wherever it was there but could not be read (or is none of the allowed values).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from features.families.own_checks import FAMILY_OF
from features.inputs.files.locate import Opened
from features.inputs.files.suggestions import listed, near
from features.inputs.reading.own_columns import Wanted
from features.inputs.reading.source_types import FLOATS, is_native
from features.inputs.reading.typed_times import typed_month, typed_time
from features.inputs.reading.written_numbers import with_decimal_point
from features.tables.contract import Column, Table, Type
from features.tables.problems import Finding
from features.tables.sql import BITS, named, quoted
from params import Source, TableSource

EMPTY_SPELLINGS = ("null", "none", "n/a", "na", "nat", "nan", "\\n")  # of what is no text, in any case
TRUE_SPELLINGS = ("true", "t", "yes", "y", "1", "1.0", "on")
FALSE_SPELLINGS = ("false", "f", "no", "n", "0", "0.0", "off")

NULLED = "null_texts"  # in a staged table; no column of the contract
ENDS = ("ends_on", "ended_on")
YEARLY = (
    " It is an amount a month: divide yearly ones by 12 in a query (source.tables.contracts.query). Columns of CSV "
    "files are text there: CAST(amount AS DOUBLE) / 12 AS mrr."
)


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
        if column_name is None and name not in setting.columns:
            column_name = any_case.get(_former_name(table, name))
        if column_name is not None:
            columns[name] = column_name
        elif name in setting.columns:
            problems.append(_not_there(table, name, source_name, source_columns))
        elif name in wanted:
            problems.append(_wanted(table, name, wanted[name].named_in, source_columns))
        elif name in table.required_names:
            problems.append(_missing(table, name, source_columns))
    return Mapped(columns, tuple(name for name in wanted if name in columns)), problems


def staged_select(table: Table, opened: Opened, mapped: Mapped, source: Source) -> str:
    """SELECT of the staged table: typed columns and the texts that could not be read.

    In `NULLED` each row has a bit for each column of text, by its place, whose cell is read as empty since it holds one
    of `source.null_texts`.
    """
    trimmed, blanked, typed, selected, nulled = [], [], [], [], ["0"]
    for index, (name, source_name) in enumerate(mapped.columns.items()):
        column = table.column(name)
        source_type = opened.types[source_name]
        trimmed.append(f"{_trimmed(named(source_name), column, source_type)} AS t{index}")
        blanked.append(f"{_blanked(f't{index}', column, source_type, source)} AS b{index}")
        if column.type in (Type.ID, Type.TEXT) and not is_native(column.type, source_type) and index < BITS:
            nulled.append(_nulled(f"t{index}", index, source))
        typed.append(f"b{index}, {_typed(f'b{index}', table, column, source_type, source)} AS v{index}")
        selected.append(f"v{index} AS {named(name)}")
        if column.type not in (Type.ID, Type.TEXT) or column.allowed:
            unread = f"CASE WHEN b{index} IS NOT NULL AND v{index} IS NULL THEN CAST(b{index} AS VARCHAR) END"
            selected.append(f"{unread} AS {raw(name)}")
    blanked.append(f"{' + '.join(nulled)} AS {NULLED}")
    typed.append(NULLED)
    selected.append(NULLED)
    select = opened.relation
    for columns in (trimmed, blanked, typed):
        select = f"(SELECT {', '.join(columns)} FROM {select})"
    return f"SELECT {', '.join(selected)} FROM {select}"


def extended(table: Table, kinds: Mapping[str, Type]) -> Table:
    """The table with columns that the contract does not declare."""
    return replace(table, columns=(*table.columns, *(Column(name, kind, "") for name, kind in kinds.items())))


def _trimmed(value: str, column: Column, source_type: str) -> str:
    """The value as it came, without blanks around it; NULL where it is empty or a data frame's NaN."""
    if source_type in FLOATS:  # not `NOT isnan`, which statistics that know no NaN fold away
        value = f"CASE WHEN isfinite({value}) OR abs({value}) = 'Infinity'::DOUBLE THEN {value} END"
    if is_native(column.type, source_type):
        return value
    if column.type is Type.ID and source_type in FLOATS:  # whole ids that met a missing one in a data frame
        whole = f"CAST(CAST({value} AS BIGINT) AS VARCHAR)"
        return (
            f"CASE WHEN {value} = floor({value}) AND abs({value}) < 9e15 THEN {whole} ELSE CAST({value} AS VARCHAR) END"
        )
    return f"NULLIF(trim(CAST({value} AS VARCHAR)), '')"


def _blanked(text: str, column: Column, source_type: str, source: Source) -> str:
    """The same, and NULL where it says that there is none."""
    if is_native(column.type, source_type):
        return text
    if column.type in (Type.ID, Type.TEXT):
        return _without_null_texts(text, source.null_texts)
    return f"CASE WHEN lower({text}) NOT IN {_tuple(empty_spellings(source))} THEN {text} END"


def _without_null_texts(text: str, null_texts: Sequence[str]) -> str:
    """SQL of a text; NULL where it stands for no value, be it as the settings spell it, or in small or capitals."""
    spellings = null_spellings(null_texts)
    longest = max(len(spelling.encode()) for spelling in spellings)  # nearly all texts are told by their length
    return f"CASE WHEN strlen({text}) > {longest} OR {text} NOT IN {_tuple(spellings)} THEN {text} END"


def _nulled(text: str, place: int, source: Source) -> str:
    """SQL of the bit of a column where its cell says in so many words that there is no value, else 0."""
    spellings = [spelling for spelling in null_spellings(source.null_texts) if spelling != "\\N"] or [""]
    longest = max(len(spelling.encode()) for spelling in spellings)
    return f"CASE WHEN strlen({text}) <= {longest} AND {text} IN {_tuple(spellings)} THEN {1 << place} ELSE 0 END"


def null_spellings(null_texts: Sequence[str]) -> tuple[str, ...]:
    """The spellings of what stands for no value in a column of text: as given, and in small letters and capitals."""
    spelled = ["\\N", *(way for text in null_texts for way in (text, text.lower(), text.upper()))]
    return tuple(dict.fromkeys(spelled))


def empty_spellings(source: Source) -> tuple[str, ...]:
    """What stands for no value in a column that is no text, in small letters."""
    return tuple(dict.fromkeys([*EMPTY_SPELLINGS, *(text.lower() for text in source.null_texts)]))


def is_blank(text: str, column: Column, source: Source) -> bool:
    """Whether a cell of a CSV file says that there is no value, as `staged_select` reads it."""
    content = text.strip(" ")
    if column.type in (Type.ID, Type.TEXT):
        return content in ("", *null_spellings(source.null_texts))
    return content.lower() in ("", *empty_spellings(source))


def _typed(value: str, table: Table, column: Column, source_type: str, source: Source) -> str:
    """The value in the contract's type; NULL where it cannot be read."""
    if column.type in (Type.ID, Type.TEXT):
        return _known_text(value, column)
    if column.type in (Type.DATE, Type.TS):
        return _typed_day(value, table, column, source_type, source)
    if column.type is Type.BOOL and source_type != "BOOLEAN":
        true, false = _tuple(TRUE_SPELLINGS), _tuple(FALSE_SPELLINGS)
        return f"CASE WHEN lower({value}) IN {true} THEN TRUE WHEN lower({value}) IN {false} THEN FALSE END"
    if source.decimal_comma and not is_native(column.type, source_type):
        value = with_decimal_point(value)
    if column.type is Type.MONEY:
        return f"TRY_CAST({value} AS {column.type.sql})"
    number = f"TRY_CAST({value} AS DOUBLE)"
    if column.type is Type.INTEGER:
        return f"CASE WHEN {number} = floor({number}) THEN TRY_CAST({number} AS BIGINT) END"
    return value if column.type is Type.BOOL else f"CASE WHEN isfinite({number}) THEN {number} END"


def _typed_day(value: str, table: Table, column: Column, source_type: str, source: Source) -> str:
    day = typed_time(value, column.type, source_type, source)
    if (table.name, column.name) == ("fx_rates", "month") and not is_native(column.type, source_type):
        return typed_month(value, day)
    if table.name == "contracts" and column.name in ENDS and _setting(source, table).end_is_last_day:
        last = f"DATE '{source.latest}' - 1"  # what stands for an open end stays within the limits
        return f"CAST({day} + CASE WHEN {day} < {last} THEN 1 ELSE 0 END AS DATE)"
    return day


def _setting(source: Source, table: Table) -> TableSource:
    return source.tables.get(table.name, TableSource())


def _known_text(value: str, column: Column) -> str:
    if column.name == "currency":
        return f"upper({value})"
    if not column.allowed:
        return value
    spelled = f"replace(replace(lower({value}), ' ', '_'), '-', '_')"
    return f"CASE WHEN {spelled} IN {_tuple(column.allowed)} THEN {spelled} END"


def _tuple(words: Sequence[str]) -> str:
    return f"({', '.join(quoted(word) for word in words)})"


def _former_name(table: Table, name: str) -> str:
    """By which other name a column is still read; empty if by none."""
    return next((column.formerly for column in table if column.name == name), "")


def _unknown_columns(table: Table, setting: TableSource, extra: Sequence[str]) -> list[Finding]:
    column_names = (*table.names, *extra)
    where = f"source.tables.{table.name}.columns"
    now = {column.formerly: f" It is {column.name} now." for column in table if column.formerly}
    problems = [
        Finding(
            where,
            f"maps {name}, which is no column of {table.name}",
            f"Its columns are {listed(column_names)}.{now.get(name, near(name, column_names))}",
        )
        for name in setting.columns
        if name not in column_names
    ]
    if setting.extra and table.name not in FAMILY_OF:
        todo = "Extra columns are kept of accounts and of tables of events only: remove it."
        place = f"source.tables.{table.name}.extra"
        problems.append(Finding(place, f"names {listed(list(setting.extra))}", todo))
    if setting.end_is_last_day and table.name != "contracts":
        todo = "It says of contracts that ends_on and ended_on are the last day covered: remove it."
        problems.append(Finding(f"source.tables.{table.name}.end_is_last_day", "is set", todo))
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
