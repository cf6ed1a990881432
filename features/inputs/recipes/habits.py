"""How sheets write days and numbers: told by a column, else by the settings or by the sheet's others, else asked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import duckdb

from features.inputs.reading import written_days
from features.inputs.reading.date_order import day_order
from features.inputs.reading.written_numbers import comma_as_point, decimal_marks, is_whole
from features.inputs.recipes.survey import Sheet, values

UNSET = ("NULL", "None", "nan", "NaT", "null", "-", "--")
FEWEST_CENTS = 100  # whole numbers below it are no prices in cents
UNSURE = 0.6
AGAIN = "run init again with --set"


@dataclass
class Habits:
    """What the settings say of how days and numbers are written, and what had to be asked.

    `unsure` names the sheets whose amounts are a guess.
    """

    connection: duckdb.DuckDBPyConnection
    day_first: bool | None = None
    decimal_comma: bool = False
    questions: list[str] = field(default_factory=list)
    unsure: set[str] = field(default_factory=set)
    _texts: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def texts(self, sheet: Sheet, column: str) -> list[str]:
        """The values of a column as text, without those that say that there is nothing."""
        if (sheet.name, column) not in self._texts:
            texts = values(self.connection, sheet, column)
            self._texts[sheet.name, column] = [text for text in texts if text not in UNSET]
        return self._texts[sheet.name, column]

    def moment(self, sheet: Sheet, column: str, text: str) -> str:
        """SQL of a column's text as a moment in UTC."""
        form = written_days.form_of(self.texts(sheet, column))
        day_first = form in written_days.BOTH_WAYS and self._days_come_first(sheet, column)
        return written_days.moment(form, text, day_first=day_first)

    def number(self, sheet: Sheet, column: str, text: str) -> str:
        """SQL of a column's text as a number."""
        if self._has_decimal_comma(sheet, column):
            return f"CAST({comma_as_point(text)} AS DOUBLE)"
        return f"CAST(REPLACE({text}, ',', '') AS DOUBLE)"

    def in_minor_units(self, sheet: Sheet, columns: Sequence[str], meaning: str) -> bool:
        """Whether the amounts of the first of these columns are in cents.

        Parameters
        ----------
        columns
            The column, and others of amounts that are in the same unit.
        meaning
            What the tool says of the column: `minor` units, `units` of the currency, or `unsure`.
        """
        column, texts = columns[0], self.texts(sheet, columns[0])
        if re.search(r"(?i)(cents|minor)$", column):
            return True
        if meaning == "units" or not texts:
            return False
        if meaning == "minor":
            return "decimal" in column.lower() or self._is_as_documented(sheet, column, texts)
        if any(not is_whole(text) for other in columns for text in self.texts(sheet, other)):
            return False
        return self._guessed(sheet, column, texts)

    def _is_as_documented(self, sheet: Sheet, column: str, texts: list[str]) -> bool:
        """Whether amounts that should be whole cents are: whole, whatever zeros they are written with."""
        fractions = [text for text in texts if not re.fullmatch(r"[+-]?[0-9]+([.,]0*)?", text)]
        if fractions:
            self.unsure.add(sheet.name)
            self._ask(
                f"{sheet.name}: {column} holds cents where the tool writes it, but here it has fractions such as "
                f"{fractions[0]}, and is read in whole units of its currency: is that so?"
            )
        return not fractions

    def _guessed(self, sheet: Sheet, column: str, texts: list[str]) -> bool:
        """Whether whole numbers are cents: not where they would be prices of less than one unit."""
        in_cents = median(abs(float(text.replace(",", "."))) for text in texts) >= FEWEST_CENTS
        self.unsure.add(sheet.name)
        unit = "cents (yen and the like are not divided)" if in_cents else "whole units of its currency, not cents"
        self._ask(
            f"{sheet.name}: {column} holds whole numbers alone, which are read as {unit}: is that so? "
            "`holdfast check` warns (cents_as_units) where amounts look like cents."
        )
        return in_cents

    def _days_come_first(self, sheet: Sheet, column: str) -> bool:
        order = day_order(self.connection, sheet.sample, column)
        if order.days_come_first is not None:
            return order.days_come_first
        if self.day_first is not None:
            return self.day_first
        others = [day_order(self.connection, sheet.sample, other) for other in self._texts_of(sheet) if other != column]
        told = {other.days_come_first for other in others} - {None}
        if len(told) == 1:
            return bool(told.pop())
        differing = [one.examples[0] for one in (order, *others) if one.differing]
        if differing:
            self._ask(
                f"{sheet.name} holds days such as {min(differing)}, and no value of the file tells whether the day or "
                f"the month comes first; the month is taken. If days do, {AGAIN} source.day_first=true; if months do, "
                "with false."
            )
        return False

    def _has_decimal_comma(self, sheet: Sheet, column: str) -> bool:
        if sheet.types[column] != "VARCHAR":
            return False
        texts = self.texts(sheet, column)
        marks = decimal_marks(texts)
        if marks & {",", "."}:
            if {",", "."} <= marks:
                self._ask(f"{sheet.name}: {column} writes decimals by commas and by points: correct it.")
            return "." not in marks
        if self.decimal_comma or not marks:
            return self.decimal_comma
        told = {
            mark for other in self._texts_of(sheet) for mark in decimal_marks(self.texts(sheet, other)) if mark != "?"
        }
        if len(told) == 1:
            return told == {","}
        example = next(text for text in texts if "," in text)
        self._ask(
            f"{sheet.name}: {column} holds numbers such as {example}, and no value of the file tells whether the comma "
            f"parts thousands or decimals; thousands are taken. If decimals, {AGAIN} source.decimal_comma=true."
        )
        return False

    @staticmethod
    def _texts_of(sheet: Sheet) -> list[str]:
        return [column for column, kind in sheet.types.items() if kind == "VARCHAR"]

    def _ask(self, question: str) -> None:
        if question not in self.questions:
            self.questions.append(question)
