"""A staged table: what was read of a source, typed, before any rule was held against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from features.inputs.files.csv_header import CsvFile
from features.tables.contract import Column, Table, Type
from features.tables.problems import Finding
from features.tables.sql import named

STRICT = ("accounts", "contracts", "fx_rates")
BROUGHT = (*STRICT, "people", "targets", "pay")  # what is read here wherever the tables are: few rows, or revenue


def stage(table: str) -> str:
    """Name of a staged table in the database."""
    return f"stage_{table}"


@dataclass(frozen=True)
class Staged:
    """A staged table: its declaration, the extra columns among it, and the columns that are there.

    `unread_lines` counts the lines of its CSV files that do not fit their header; `unread_<table>` holds them. `theirs`
    are the source's names of the columns, `csv_files` what it was read from, if from such files, and `notes` what to
    tell of how it was read.
    """

    table: Table
    columns: tuple[str, ...]
    extra: tuple[str, ...] = ()
    unread_lines: int = 0
    theirs: Mapping[str, str] = field(default_factory=dict)
    csv_files: tuple[CsvFile, ...] = ()
    notes: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        """Name of the staged table in the database."""
        return stage(self.table.name)

    @property
    def declared(self) -> list[Column]:
        """Declarations of the columns that are there."""
        return [column for column in self.table if column.name in self.columns]

    @property
    def extra_numbers(self) -> tuple[str, ...]:
        """The extra columns that hold numbers."""
        return tuple(name for name in self.extra if self.table.column(name).type is Type.NUMBER)

    @property
    def unread(self) -> list[Column]:
        """Declarations of the columns that also hold, as `raw:<column>`, the text that could not be read."""
        return [column for column in self.declared if may_be_unread(column)]

    def with_notes(self, notes: Sequence[Finding]) -> Self:
        """The same with notes of how it was read."""
        return replace(self, notes=tuple(notes))

    def has(self, *columns: str) -> bool:
        """Whether all these columns are there."""
        return set(columns) <= set(self.columns)


def may_be_unread(column: Column) -> bool:
    """Whether a cell of the column can hold text that is no value of it."""
    return column.type not in (Type.ID, Type.TEXT) or bool(column.allowed)


def key_columns(staged: Staged) -> tuple[str, ...]:
    """The columns that tell rows apart: key, version, and when a correction was recorded."""
    table = staged.table
    versions = (table.version, "recorded_at") if table.version else ()
    return table.key + tuple(dict.fromkeys(name for name in versions if name in staged.columns))


def whose(staged: Staged, column: str) -> str:
    """SQL of the text that says whose row it is, by a column other than `column`."""
    names = [*staged.table.key, "account_id", staged.table.event_day or ""]
    other = next((name for name in names if name != column and name in staged.columns), None)
    return f"COALESCE(CAST({named(other)} AS VARCHAR), '-')" if other else "'-'"


def with_key(staged: Staged, column: str, value: str) -> str:
    """SQL of an example: `id: value` in tables whose rows have an id, else the value alone."""
    has_key = staged.table.name in STRICT and staged.has(staged.table.key[0])
    return f"concat({whose(staged, column)}, ': ', {value})" if has_key else value


def is_lines(staged: Staged) -> bool:
    """Whether the table is contracts with all that it takes to tell lines apart."""
    return staged.table.name == "contracts" and staged.has("contract_id", "account_id", "starts_on")
