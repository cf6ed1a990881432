"""Cells of exported tables as SQL: days and moments as each column writes them, amounts, flags."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from features.inputs.recipes.habits import UNSET, Habits
from features.inputs.recipes.shape import Match
from features.inputs.recipes.survey import plain, values
from features.tables.currencies import NO_MINOR_UNIT, THREE_DECIMALS
from features.tables.sql import named, quoted

THREE = 3
RESERVED = {"GROUP", "END", "ORDER", "WHEN", "FROM", "TO", "DESC", "TABLE", "CASE", "ELSE", "THEN", "AS", "IN"}
MONEY = ("amount", "unit_price", "price", "mrr")  # roles of amounts, in one unit within a sheet


@dataclass(frozen=True)
class Cells:
    """The columns of a matched sheet as SQL; NULL where the sheet lacks one.

    What is asked for is added to `columns`, of which the part `name` is made: so queries read plain names.
    """

    match: Match
    habits: Habits
    alias: str
    columns: dict[str, str]

    @property
    def name(self) -> str:
        """The part that reads the sheet."""
        return f"{self.match.shape.source}_{self.match.shape.name}"

    @property
    def rows(self) -> str:
        """What a query selects from."""
        return f"{{{self.name}}} AS {self.alias}"

    def part(self) -> str:
        """The query that reads what was asked for."""
        columns = ",\n       ".join(f"{text} AS {named(name)}" for name, text in self.columns.items())
        return f"SELECT {columns or '*'}\nFROM {self.match.sheet.relation}"

    def has(self, *roles: str) -> bool:
        """Whether the sheet has all of these columns."""
        return all(role in self.match.columns for role in roles)

    def text(self, *roles: str) -> str:
        """The first of these that is filled in, as text."""
        return _first([self._put(role, self._filled(role)) for role in roles if self.has(role)], "NULL")

    def first_of_list(self, role: str) -> str:
        """The first of the ids that a cell lists, as `1;2` or `[1, 2]`; the cell where it lists none."""
        if any(";" in text or text.startswith("[") for text in self.seen(role)):
            return f"regexp_extract({self.text(role)}, '[^;,\\[\\]\" ]+')"
        return self.text(role)

    def moment(self, *roles: str) -> str:
        """The first of these that is filled in, as a moment."""
        cells = [self._put(f"{role}_time", self._moment(role)) for role in roles if self.has(role)]
        return _first(cells, "CAST(NULL AS TIMESTAMP)")

    def day(self, *roles: str) -> str:
        """The first of these that is filled in, as a day."""
        cells = [self._put(f"{role}_day", f"CAST({self._moment(role)} AS DATE)") for role in roles if self.has(role)]
        return _first(cells, "CAST(NULL AS DATE)")

    def number(self, role: str) -> str:
        """A column as a number, written with decimal points or commas."""
        if not self.has(role):
            return "CAST(NULL AS DOUBLE)"
        sheet, column = self.match.sheet, self.match.columns[role]
        return self._put(f"{role}_number", self.habits.number(sheet, column, self._filled(role)))

    def money(self, role: str, currency: str, meaning: str, decimals: Mapping[str, int] = MappingProxyType({})) -> str:
        """A column as an amount in the currency's own unit.

        Parameters
        ----------
        meaning
            What the tool says of the column: `minor` units (cents), `units` of the currency, or `unsure`.
        decimals
            Currencies that the tool writes with another number of decimals than ISO 4217 has.
        """
        amount = self.number(role)
        if not self.has(role):
            return amount
        columns = [self.match.columns[other] for other in dict.fromkeys((role, *MONEY)) if self.has(other)]
        in_minor_units = self.habits.in_minor_units(self.match.sheet, columns, meaning)
        return major(amount, currency, decimals) if in_minor_units else amount

    def true(self, role: str) -> str:
        """Whether a flag is set; an empty or absent one is not."""
        if not self.has(role):
            return "FALSE"
        return f"COALESCE(LOWER({self.text(role)}) IN ('true', 't', 'yes', 'y', '1', '1.0'), FALSE)"

    def is_one_of(self, role: str, *texts: str) -> str:
        """Whether a text is one of these, in any case."""
        return f"COALESCE(LOWER({self.text(role)}) IN ({', '.join(map(quoted, texts))}), FALSE)"

    def seen(self, role: str) -> list[str]:
        """Values of a column."""
        return values(self.habits.connection, self.match.sheet, self.match.columns[role]) if self.has(role) else []

    def column(self, name: str) -> str:
        """A column by its name in the sheet, as text."""
        return self._put(plain(name), f"NULLIF(TRIM(CAST({named(name)} AS VARCHAR)), '')")

    def metadata_keys(self) -> list[str]:
        """Keys of the column of metadata that may hold ids."""
        texts = [text for text in self.seen("metadata")[:200] if text.startswith("{")]
        keys = {key for text in texts for key in re.findall(r'"(\w+)"\s*:', text)}
        return sorted(key for key in keys if re.search(r"(?i)(id|key|code|account|company)$", key))[:5]

    def _put(self, name: str, text: str) -> str:
        """Have the part read this under a name; the name as queries write it."""
        self.columns[name] = text
        return f"{self.alias}.{named(name) if name.upper() in RESERVED else name}"

    def _filled(self, role: str) -> str:
        """A cell as text, NULL where it says that there is nothing."""
        column = self.match.columns[role]
        is_text = self.match.sheet.types[column] == "VARCHAR"
        text = f"NULLIF(TRIM({named(column) if is_text else f'CAST({named(column)} AS VARCHAR)'}), '')"
        for word in sorted(set(UNSET) & set(self.seen(role))):
            text = f"NULLIF({text}, {quoted(word)})"
        return text

    def _moment(self, role: str) -> str:
        column = self.match.columns[role]
        kind = self.match.sheet.types[column]
        if kind == "TIMESTAMP WITH TIME ZONE":
            return f"{named(column)} AT TIME ZONE 'UTC'"
        if kind.startswith("TIMESTAMP") or kind == "DATE":
            return f"CAST({named(column)} AS TIMESTAMP)"
        return self.habits.moment(self.match.sheet, column, self._filled(role))


def _first(cells: list[str], absent: str) -> str:
    """SQL of the first cell that is filled in."""
    return cells[0] if len(cells) == 1 else f"COALESCE({', '.join(cells)})" if cells else absent


def major(amount: str, currency: str, decimals: Mapping[str, int]) -> str:
    """SQL of an amount in minor units (cents) as one in the currency's own unit.

    Parameters
    ----------
    decimals
        Currencies that the tool writes with another number of decimals than ISO 4217 has.
    """
    powers = dict.fromkeys(NO_MINOR_UNIT, 0) | dict.fromkeys(THREE_DECIMALS, 3) | dict(decimals)
    whole = ", ".join(quoted(name) for name, power in powers.items() if power == 0)
    mills = ", ".join(quoted(name) for name, power in powers.items() if power == THREE)
    kinds = f"WHEN UPPER({currency}) IN ({whole}) THEN 1 WHEN UPPER({currency}) IN ({mills}) THEN 1000"
    return f"{amount} / CASE {kinds} ELSE 100 END"
