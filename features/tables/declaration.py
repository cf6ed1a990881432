"""What a table of the contract is: its columns, their types, and how its rows are told apart and dated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from features.tables.sql import quoted


class Type(StrEnum):
    """What a column holds."""

    ID = "id"
    TEXT = "text"
    DATE = "date"
    TS = "ts"
    MONEY = "money"
    NUMBER = "number"
    INTEGER = "integer"
    BOOL = "bool"

    @property
    def sql(self) -> str:
        """The type a checked table stores (DuckDB's name)."""
        return _SQL_TYPES[self]


_SQL_TYPES = {
    Type.ID: "VARCHAR",
    Type.TEXT: "VARCHAR",
    Type.DATE: "DATE",
    Type.TS: "TIMESTAMP",
    Type.MONEY: "DECIMAL(18,6)",
    Type.NUMBER: "DOUBLE",
    Type.INTEGER: "BIGINT",
    Type.BOOL: "BOOLEAN",
}


@dataclass(frozen=True)
class Column:
    """A column of an input table.

    `blank` is what an empty cell stands for, where it stands for something: an unreadable or unknown value of
    such a column must not be emptied, since that would change what the row says. `filled_later` says that the source
    fills the cell in on a row it already holds, so that its value is known only from its own day on. `keyed` columns
    have so many values on so many rows that the engine works on a whole number for each. `free_text` is what people
    wrote: it may name somebody, so that it goes with those who are erased and is in no snapshot. `formerly` is a name
    that the column had, by which it is still read.
    """

    name: str
    type: Type
    meaning: str
    required: bool = False
    allowed: tuple[str, ...] = ()
    blank: str = ""
    filled_later: bool = False
    keyed: bool = False
    free_text: bool = False
    formerly: str = ""

    def value(self, cell: str = "") -> str:
        """SQL of what a cell says: `blank` where it is empty, or where the column is absent and there is no cell."""
        empty = f"CAST({quoted(self.blank) if self.blank else 'NULL'} AS {self.type.sql})"
        if not cell:
            return empty
        return f"COALESCE({cell}, {empty})" if self.blank else cell


@dataclass(frozen=True)
class Table:
    """An input table.

    `event_day` is the column whose day, plus the table's `lag_days`, tells when a row became known where
    `recorded_at` is absent or empty. A row is identified by `key` together with `version`: rows that share
    the key are versions of one thing, told apart by the version column. `came_to_pass` names a column and its value
    on rows whose event day was no plan. `opened_by` names the column with the day on which a row was opened that its
    source may fill in later with its event: then the columns of `answer` are filled in, all at once, or never.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    event_day: str | None = None
    key: tuple[str, ...] = ()
    version: str | None = None
    required: bool = False
    came_to_pass: tuple[str, str] | None = None
    opened_by: str | None = None
    answer: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError if the table declares none."""
        return {column.name: column for column in self.columns}[name]

    def happened(self, present: Sequence[str]) -> str:
        """Condition on a row as its source has it, with the columns that are `present`: its event day was no plan."""
        if self.came_to_pass is None or self.came_to_pass[0] not in present:
            return "TRUE"
        name, value = self.came_to_pass
        return f"{self.column(name).value(name)} = {quoted(value)}"

    def is_open(self, cells: Mapping[str, str]) -> str:
        """Condition on a row, by the SQL of its cells: it was opened and has no event, which may come or not."""
        if self.opened_by is None or self.opened_by not in cells:
            return "FALSE"
        empty = [f"{cells[name]} IS NULL" for name in self.answer if self.column(name).required and name in cells]
        return " AND ".join([f"{cells[self.opened_by]} IS NOT NULL", *empty])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all declared columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def required_names(self) -> tuple[str, ...]:
        """Names of the columns a source must have."""
        return tuple(column.name for column in self.columns if column.required)


ACCOUNT = Column("account_id", Type.ID, "The account the row belongs to", required=True)
RECORDED = Column("recorded_at", Type.TS, "When the row became known to the business")


def table(name: str, meaning: str, *columns: Column, **more: object) -> Table:
    """A table of these columns and `recorded_at`, which every one may have."""
    return Table(name, meaning, (*columns, RECORDED), **more)  # type: ignore[arg-type]
