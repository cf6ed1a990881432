"""When a row counts, and when a cell that its source fills in later does: one rule, for the views and the digests.

A row has two days: the one it happened on and the one it became known on, which is that of its `recorded_at` or, where
that is absent or empty, the day it happened plus the table's lag. It counts from the day after both. A cell filled in
later has a day of its own, and counts from the day after that and the row's.
"""

from dataclasses import dataclass

from features.tables import contract
from features.tables.checked import Tables

NEVER = 2_000_000  # a day number beyond all dates
_TOLD_BY = {
    ("contracts", "ended_on"): ("ended_on", "notice_on"),
    ("goals", "current_value"): ("updated_on",),
}


@dataclass(frozen=True)
class Clock:
    """SQL of the day numbers on which something happened and became known; it counts from the day after both."""

    happened: str
    known: str

    @property
    def counts_after(self) -> str:
        """SQL of the later of the two."""
        return f"GREATEST({self.happened}, {self.known})"


@dataclass(frozen=True)
class Clocks:
    """The clocks of all tables, over the columns that the source has."""

    tables: Tables

    def of_row(self, table: str) -> Clock:
        """When the rows of a table happened and became known."""
        if table == "fx_rates":  # a month's rate is set before the month begins
            ahead = f"{day_of('month')} + {self._lag(table)} - 1"
            return Clock(ahead, self._recorded(table, ahead))
        if table == "contracts":
            return self._of_contract()
        event = str(contract.TABLES[table].event_day or contract.TABLES[table].version)
        if not self.tables.has(table, event):
            return self._on(table, f"(-{NEVER})")
        opened = contract.TABLES[table].opened_by
        absent = f"-{NEVER}"
        if opened is not None and self.tables.has(table, opened):  # what waits for its event has not happened
            absent = f"CASE WHEN {opened} IS NULL THEN -{NEVER} ELSE {NEVER} END"
        return self._on(table, f"COALESCE({day_of(event)}, {absent})")

    def of_event(self, table: str, day: str) -> Clock:
        """When rows that have a day happened and became known; `day` is the table's event day, or is filled in later.

        Raises
        ------
        ValueError
            The table has no event day.
        """
        declared = contract.TABLES[table].event_day
        if declared is None:
            raise ValueError(f"{table} has no event day")
        if day in (declared, contract.TABLES[table].opened_by):
            return self._on(table, day_of(day))
        return Clock(day_of(day), self._known_of_cell(table, day, declared))

    def of_cell(self, table: str, column: str) -> Clock:
        """When the cells of a column that is filled in later happened and became known; NULL where they are empty."""
        if table != "contracts":
            (day,) = told_by(table, column)
            clock = self.of_event(table, day) if self.tables.has(table, day) else self.of_row(table)
            known = f"CASE WHEN {column} IS NOT NULL THEN {clock.known} END"
            return Clock(f"CASE WHEN {column} IS NOT NULL THEN {clock.happened} END", known)
        days = [name for name in told_by(table, column) if self.tables.has(table, name)]
        told = f"LEAST({', '.join(f'COALESCE({day_of(day)}, {day_of(column)})' for day in days)})"
        row = self.of_row(table).known
        known = f"CASE WHEN {column} IS NOT NULL THEN GREATEST({row}, {told} + {self._lag(table)}) END"
        return Clock(f"CASE WHEN {column} IS NOT NULL THEN {told} END", known)

    def of_opening(self, table: str) -> Clock:
        """When rows were opened that their source may fill in later; NULL of those that do not say when."""
        opened = str(contract.TABLES[table].opened_by)
        clock = self.of_event(table, opened)
        return Clock(*(f"CASE WHEN {opened} IS NOT NULL THEN {sql} END" for sql in (clock.happened, clock.known)))

    def _on(self, table: str, happened: str) -> Clock:
        """Rows that happened on a day become known on it, after the lag, unless their record says when."""
        return Clock(happened, self._recorded(table, f"{happened} + {self._lag(table)}"))

    def _of_contract(self) -> Clock:
        """A line is known once it is recorded, but never before it was signed."""
        signed = day_of("signed_on") if self.tables.has("contracts", "signed_on") else "CAST(NULL AS BIGINT)"
        happened = f"COALESCE({signed}, {day_of('starts_on')})"
        fallback = f"{happened} + {self._lag('contracts')}"
        if not self.tables.has("contracts", "recorded_at"):
            return Clock(happened, fallback)
        recorded = day_of("recorded_at")
        return Clock(happened, f"COALESCE(GREATEST({recorded}, COALESCE({signed}, {recorded})), {fallback})")

    def _known_of_cell(self, table: str, day: str, declared: str) -> str:
        """A cell filled in later is known from its own day on, never before its row."""
        lag, cell_day = self._lag(table), day_of(day)
        fallback = f"{cell_day} + {lag}"
        if self.tables.has(table, declared):
            later = f"CASE WHEN {cell_day} > {day_of(declared)} THEN {cell_day} ELSE {day_of(declared)} END"
            fallback = f"COALESCE({later} + {lag}, {fallback})"
        known = self._recorded(table, fallback)
        # the row's own record says nothing of the cell: that waits for the lag from its own day on
        return f"GREATEST({known}, {cell_day} + {lag})" if known != fallback and lag else known

    def _recorded(self, table: str, fallback: str) -> str:
        if not self.tables.has(table, "recorded_at"):
            return fallback
        return f"COALESCE({day_of('recorded_at')}, {fallback})"

    def _lag(self, table: str) -> int:
        return self.tables.lag_days.get(table, 0)


def told_by(table: str, column: str) -> tuple[str, ...]:
    """The columns whose days tell what a cell filled in later says: its own and, of an end, that of the notice."""
    return _TOLD_BY.get((table, column), (column,))


def day_of(column: str) -> str:
    """SQL of a date's or timestamp's day number, in days since 1970-01-01."""
    return f"(CAST({column} AS DATE) - DATE '1970-01-01')"
