"""Features of a company's own, declared in the settings: a measure of the rows of one table that fulfil a filter.

They become features like all others, of the kinds of `features.families.kinds`. What a source fills in later than the
row's day cannot be read, since it would show the future.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from features.families import kinds
from features.families.feature import ANY, Feature, Span
from features.families.kinds import Value
from features.families.own_checks import (
    FAMILY_OF,
    columns_read,
    completed,
    measure_of,
    require_fitting,
    require_sound,
    signal_of,
)
from features.families.parts import Measure, Stream
from features.families.row_filter import NUMBERS, cell_of, filter_sql, filter_words
from features.tables import contract
from features.tables.checked import Tables
from features.tables.contract import Column
from features.tables.sql import flag, plain
from params import OwnFeature

# What did not come to pass counts only where the filter asks for it: a day without use, an action planned or missed.
CAME_TO_PASS = {"usage": ("quantity", "quantity > 0"), "csm_actions": ("status", "status = 'done'")}
SCALE = 100  # sums are of whole hundredths


@dataclass(frozen=True)
class Rows:
    """The rows of one table that a declaration is about, and the column it measures."""

    setting: OwnFeature
    tables: Tables

    @property
    def days(self) -> int:
        """Length of the window."""
        return self.setting.window or 0

    def count(self) -> Value:
        """How many there are."""
        return kinds.count(self._stream(), self.days)

    def total(self) -> Value:
        """The column added up."""
        return kinds.amount(self._amount(), self.days)

    def different(self) -> Value:
        """How many values the column has, whatever their spelling."""
        column = self._column
        thing = plain(column.name) if column.keyed else cell_of(column)  # the key of a keyed one is that of its code
        stream = self._stream(f"{thing} AS thing")
        return replace(kinds.distinct_many(stream, "thing", self.days), needs=stream.needs)

    def active_days(self) -> Value:
        """On how many days there is one."""
        return kinds.active_days(self._stream(), self.days)

    def recency(self) -> Value:
        """How many days ago the last one was."""
        return kinds.days_since(self._stream(), self.days)

    def share(self) -> Value:
        """How many of all rows of the table they are."""
        among_all = self._stream(f"{flag(' AND '.join(self._conditions()))} AS fulfils", of_all=True)
        fulfilling = kinds.windowed_sum(Measure(among_all, "fulfil", "fulfils"), self.days)
        return kinds.ratio(fulfilling, kinds.count(among_all, self.days))

    def trend(self) -> Value:
        """The slope of their number, or of the column added up, from day to day."""
        return kinds.trend(self._amount() if self.setting.column else Measure(self._stream(), "rows"), self.days)

    def attribute(self) -> Value:
        """The column as it is: one of the account's attributes in force."""
        return kinds.spine_column(plain(f"attribute_{self.setting.column}"), f"accounts.{self.setting.column}")

    @property
    def _column(self) -> Column:
        return self.tables.column(self.setting.table, self.setting.column or "")

    def _amount(self) -> Measure:
        hundredths = f"CAST(ROUND({plain(self._column.name)} * {SCALE}) AS BIGINT) AS amount"
        return Measure(self._stream(hundredths, counted=False), "amount", "amount", scale=SCALE)

    def _stream(self, *columns: str, of_all: bool = False, counted: bool = True) -> Stream:
        """The rows as a stream: of the same rows and columns the same one, so that they are read once."""
        table = self.setting.table
        conditions = [*self._base(counted), *([] if of_all else self._conditions())]
        where = " AND ".join(conditions) or "TRUE"
        digest = sha256("\n".join([where, *columns]).encode()).hexdigest()[:8]
        needs = [f"{table}.{name}" for name in (contract.TABLES[table].event_day, *columns_read(self.setting))]
        return Stream(f"own_{table}_{digest}", table, tuple(needs), columns, where=where)

    def _conditions(self) -> list[str]:
        return list(filter_sql(self.setting.table, self.setting.filter, self.tables))

    def _base(self, counted: bool) -> list[str]:
        """The condition on rows that nobody filters: a sum needs none of use, since 0 adds nothing."""
        name, condition = CAME_TO_PASS.get(self.setting.table, ("", ""))
        is_needed = name and name not in self.setting.filter and (counted or name != self.setting.column)
        return [condition] if is_needed else []


@dataclass(frozen=True)
class Measured:
    """What becomes of a measure: its value and unit, and what a reason and the docs say of it.

    In the texts the declaration's own words stand in square brackets; `[rows]` are its table and filter.
    """

    value: Callable[[Rows], Value]
    unit: str
    sentence: str
    meaning: str
    span: Span | None = None


MEASURES = {
    "count": Measured(
        Rows.count,
        "rows",
        "{value} [signal] in the last [days] days",
        "Rows of [rows] in the last [days] days",
    ),
    "sum": Measured(
        Rows.total,
        "total",
        "[signal]: {value} in the last [days] days",
        "[column] added up over [rows] in the last [days] days",
        ANY,
    ),
    "distinct": Measured(
        Rows.different,
        "values",
        "[signal]: {value} different in the last [days] days",
        "Different values of [column] in [rows] in the last [days] days",
    ),
    "days": Measured(
        Rows.active_days,
        "days",
        "[signal] on {value} of the last [days] days",
        "Days of the last [days] with [rows]",
    ),
    "recency": Measured(
        Rows.recency,
        "days",
        "[signal]: last {value} days ago",
        "Days since the last of [rows]; missing if there was none in [days] days",
    ),
    "share": Measured(
        Rows.share,
        "share",
        "[signal]: {value} of all in the last [days] days",
        "Share of [rows] among all rows of the table in the last [days] days",
    ),
    "trend": Measured(
        Rows.trend,
        "ratio",
        "[signal]: a trend of {value} times the mean over [days] days",
        "Change along the straight line through [days] days of [column] of [rows], over their mean",
        ANY,
    ),
    "attribute": Measured(Rows.attribute, "number", "[signal]: {value}", "[column] of the account", ANY),
}


def own_features(settings: Mapping[str, OwnFeature], tables: Tables) -> tuple[Feature, ...]:
    """The features that the settings declare, of columns as the tables have them.

    Raises
    ------
    SettingsError
        Some cannot be; all that is wrong with all of them is named at once.
    """
    require_sound(settings)
    require_fitting(settings, tables)
    return tuple(_feature(name, completed(name, setting), tables) for name, setting in settings.items())


def meaning_of(name: str, setting: OwnFeature) -> str:
    """All that decides a feature's value, in words: other words, another feature."""
    return _filled(MEASURES[measure_of(setting)].meaning, name, completed(name, setting))


def _feature(name: str, setting: OwnFeature, tables: Tables) -> Feature:
    measure = MEASURES[measure_of(setting)]
    is_text = (
        measure_of(setting) == "attribute" and tables.column(setting.table, str(setting.column)).type not in NUMBERS
    )
    return Feature(
        name=name,
        family=FAMILY_OF[setting.table],
        value=measure.value(Rows(setting, tables)),
        unit="text" if is_text else measure.unit,
        meaning=meaning_of(name, setting),
        sentence=setting.sentence or _filled(measure.sentence, name, setting),
        signal=signal_of(name, setting),
        expected=setting.expected,
        kind="category" if is_text else "number",
        span=None if is_text else measure.span,
    )


def _filled(text: str, name: str, setting: OwnFeature) -> str:
    """A text of a measure with the words of a declaration."""
    where = f" where {filter_words(setting.filter)}" if setting.filter else ""
    words = {
        "[signal]": signal_of(name, setting),
        "[days]": str(setting.window),
        "[column]": setting.column or "the number",
        "[rows]": f"{setting.table}{where}",
    }
    for place, word in words.items():
        text = text.replace(place, word)
    return text
