"""Cells of exported tables as SQL: days and moments as each column writes them, amounts, flags."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from features.inputs.recipes.shape import Match
from features.inputs.recipes.survey import plain, values
from features.tables.sql import named, quoted

ZERO_DECIMAL = (
    *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG"),
    *("RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
)
THREE_DECIMALS = ("BHD", "JOD", "KWD", "OMR", "TND")
FORMS = {
    "iso": r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(Z| ?UTC|\+00:?00)?",
    "zoned": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?[+-]\d\d:?\d\d",
    "seconds": r"\d{9,10}(\.\d+)?",
    "milliseconds": r"\d{12,13}",
    "slashed": r"\d{1,2}/\d{1,2}/\d{4}( .*)?",
    "dotted": r"\d{1,2}\.\d{1,2}\.\d{4}( .*)?",
}
RESERVED = {"GROUP", "END", "ORDER", "WHEN", "FROM", "TO", "DESC", "TABLE", "CASE", "ELSE", "THEN", "AS", "IN"}
UNSET = ("NULL", "None", "nan", "NaT", "null", "-", "--")


@dataclass(frozen=True)
class Cells:
    """The columns of a matched sheet as SQL; NULL where the sheet lacks one.

    What is asked for is added to `columns`, of which the part `name` is made: so queries read plain names.
    """

    match: Match
    connection: duckdb.DuckDBPyConnection
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
        """A column as a number; thousands may be told apart by commas."""
        if not self.has(role):
            return "CAST(NULL AS DOUBLE)"
        return self._put(f"{role}_number", f"CAST(REPLACE({self._filled(role)}, ',', '') AS DOUBLE)")

    def true(self, role: str) -> str:
        """Whether a flag is set; an empty or absent one is not."""
        if not self.has(role):
            return "FALSE"
        return f"COALESCE(LOWER({self.text(role)}) IN ('true', 't', 'yes', 'y', '1', '1.0'), FALSE)"

    def said(self, role: str, *texts: str) -> str:
        """Whether a text is one of these, in any case."""
        return f"COALESCE(LOWER({self.text(role)}) IN ({', '.join(map(quoted, texts))}), FALSE)"

    def seen(self, role: str) -> list[str]:
        """Values of a column."""
        return values(self.connection, self.match.sheet, self.match.columns[role]) if self.has(role) else []

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
        return _read_as(form_of(self.seen(role)), self._filled(role))


def _first(cells: list[str], absent: str) -> str:
    """SQL of the first cell that is filled in."""
    return cells[0] if len(cells) == 1 else f"COALESCE({', '.join(cells)})" if cells else absent


def form_of(texts: list[str]) -> str:
    """How a column writes its days: the form that all its values have; `other` where they have none in common."""
    texts = [text for text in texts if text not in UNSET]
    form = next((name for name, form in FORMS.items() if all(re.fullmatch(form, text) for text in texts)), "other")
    if form not in ("slashed", "dotted") or form == "dotted":
        return "iso or zoned" if form == "other" and _mixed(texts) else form
    firsts = {int(text.split("/")[0]) for text in texts}
    return "day/month" if any(first > 12 for first in firsts) else "month/day"


def _mixed(texts: list[str]) -> bool:
    return all(re.fullmatch(FORMS["iso"], text) or re.fullmatch(FORMS["zoned"], text) for text in texts)


def _read_as(form: str, text: str) -> str:
    """SQL of a text as a moment in UTC."""
    readers: Mapping[str, str] = {
        "seconds": f"make_timestamp(CAST(CAST({text} AS DOUBLE) * 1000000 AS BIGINT))",
        "milliseconds": f"make_timestamp(CAST({text} AS BIGINT) * 1000)",
        "zoned": f"(CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')",
        "iso or zoned": f"(CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')",
        "day/month": f"strptime(split_part({text}, ' ', 1), '%d/%m/%Y')",
        "month/day": f"strptime(split_part({text}, ' ', 1), '%m/%d/%Y')",
        "dotted": f"strptime(split_part({text}, ' ', 1), '%d.%m.%Y')",
    }
    return readers.get(form, f"CAST({text} AS TIMESTAMP)")


def major(amount: str, currency: str) -> str:
    """SQL of an amount in minor units (cents) as one in the currency's own unit."""
    return (
        f"{amount} / CASE WHEN UPPER({currency}) IN ({', '.join(map(quoted, ZERO_DECIMAL))}) THEN 1 "
        f"WHEN UPPER({currency}) IN ({', '.join(map(quoted, THREE_DECIMALS))}) THEN 1000 ELSE 100 END"
    )


def in_cents(texts: list[str]) -> bool:
    """Whether amounts are written in minor units: whole numbers, all of them."""
    return bool(texts) and all(re.fullmatch(r"-?\d+(\.0+)?", text) and "." not in text for text in texts)
