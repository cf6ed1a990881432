"""What an output column is: name, type, unit, meaning, and where it is shown.

A figure is declared once as one of these, in `output_tables` or `published_lists`; files, the published store, the API,
downloads, terminal, pages and docs follow.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import NamedTuple

import pandas as pd


class Kind(StrEnum):
    """What an output column holds."""

    TEXT = "text"
    INTEGER = "integer"
    MONEY = "money"
    SHARE = "share"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"

    @property
    def dtype(self) -> str:
        """The pandas type of the column."""
        return _DTYPES[self]

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, which people read right-aligned."""
        return self in (Kind.INTEGER, Kind.MONEY, Kind.SHARE, Kind.NUMBER)


_DTYPES = {
    Kind.TEXT: "str",
    Kind.INTEGER: "int64",
    Kind.MONEY: "float64",
    Kind.SHARE: "float64",
    Kind.NUMBER: "float64",
    Kind.DATE: "datetime64[s]",
    Kind.TIME: "datetime64[s, UTC]",
}


class Place(StrEnum):
    """Where a column is shown, beside the files of a forecast and docs/outputs.md, which hold every one.

    `PAGE` and `TERMINAL` are the table's own: an account's probabilities, and the renewals. What a place takes from the
    API or from a command's data must be there too.
    """

    API = "fields of the API, and the published store"
    DOWNLOAD = "lists as CSV and XLSX"
    DATA = "what `holdfast explain` (accounts) or `holdfast forecast` (the rest) gives with --json"
    TERMINAL = "a column of what the command prints"
    PAGE = "a column of the account's page, or of the renewals on the portfolio's"
    BOOK = "a column of the page of accounts"
    AT_RISK = "a column of the accounts with the most ARR at risk, on the portfolio's page and in the terminal"


_NEEDED = {
    Place.DOWNLOAD: Place.API,
    Place.PAGE: Place.API,
    Place.BOOK: Place.API,
    Place.AT_RISK: Place.API,
    Place.TERMINAL: Place.DATA,
}


class Form(StrEnum):
    """How pages show a value, where its kind does not say it all."""

    PLAIN = "as the kind"
    ACCOUNT = "the account's name, which leads to its page"
    CHANGE = "an arrow and signed points"
    TERM_END = "a date and how far it lies ahead; evergreen where there is none"
    REASON = "a sentence, or that there is none"
    MONTH = "the calendar month"


class Interval(NamedTuple):
    """The columns between which a mean's 80 % interval lies; `brief`: pages shorten them to k and M."""

    low: str
    high: str
    brief: bool = False


@dataclass(frozen=True)
class OutColumn:
    """A column of an output table.

    Attributes
    ----------
    places
        Where it is shown, beside the files.
    head
        How people's tables head it; the name, made readable, if empty.
    form
        How pages show it.
    interval
        Of a mean: the 80 % interval that people's tables show after it.
    optional
        Whether it may be empty.
    values
        All values there can be; any if empty.
    sortable
        Whether lists can be sorted by it.
    definition
        What the definition that goes with each row says of it.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    _: KW_ONLY
    places: Collection[Place] = ()
    head: str = ""
    form: Form = Form.PLAIN
    interval: Interval | None = None
    optional: bool = False
    values: tuple[str, ...] = ()
    sortable: bool = False
    definition: str = ""

    def __post_init__(self) -> None:
        absent = [f"{place.name} needs {_NEEDED[place].name}" for place in self.places if self._lacks_for(place)]
        if absent:
            raise ValueError(f"{self.name} is shown where it is not known: {', '.join(absent)}.")

    def _lacks_for(self, place: Place) -> bool:
        return place in _NEEDED and _NEEDED[place] not in self.places

    @property
    def heading(self) -> str:
        """How people's tables head it."""
        return self.head or self.name.replace("_", " ").capitalize()

    @property
    def description(self) -> str:
        """Its meaning with the unit."""
        return f"{self.meaning} ({self.unit})" if self.unit else self.meaning


def names_of(columns: Sequence[OutColumn]) -> list[str]:
    """The names of columns, in order."""
    return [column.name for column in columns]


@dataclass(frozen=True)
class OutTable:
    """An output table.

    Attributes
    ----------
    key
        The columns that tell its rows apart within one forecast.
    lead, trail
        With which columns people's tables begin and end; what else is shown comes between, in the order declared.
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[OutColumn, ...]
    lead: tuple[str, ...] = ()
    trail: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[OutColumn]:
        """The columns, in order."""
        return iter(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(names_of(self.columns))

    def at(self, place: Place) -> tuple[OutColumn, ...]:
        """The columns shown somewhere, in the order declared."""
        return tuple(column for column in self if place in column.places)

    def laid_out(self, place: Place) -> tuple[OutColumn, ...]:
        """The columns shown somewhere, in the order in which people read them."""
        rank = {name: place for place, name in enumerate(self.lead, start=-len(self.lead))}
        rank |= {name: place for place, name in enumerate(self.trail, start=1)}
        return tuple(sorted(self.at(place), key=lambda column: rank.get(column.name, 0)))

    def shape(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with exactly these columns, in this order and of these types, sorted by the key.

        Raises
        ------
        ValueError
            A declared column is absent.
        """
        absent = [name for name in self.names if name not in frame.columns]
        if absent:
            raise ValueError(f"{self.name} lacks {', '.join(absent)}; every declared column must be given.")
        typed = frame[list(self.names)].astype({column.name: column.kind.dtype for column in self})
        return typed.sort_values(list(self.key), ignore_index=True)
