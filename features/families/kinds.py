"""The kinds of features: what is counted, over which rows, in which window, as data that the compiler reads.

A feature's value is an expression over the parts of `features.families.parts`. A feature of a known kind is one call of
a function below; a new kind is one more function.

Values are whole numbers until one last division, so that they do not depend on the order of the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal

from features.families.parts import (
    ActiveDays,
    Balance,
    Few,
    LastDay,
    Line,
    Many,
    Measure,
    Newest,
    OfEach,
    Part,
    State,
    Step,
    Stream,
    Sum,
)
from features.tables.sql import BITS

_LARGEST_AND_ALL: tuple[Literal["largest"], Literal["all"]] = ("largest", "all")


@dataclass(frozen=True)
class Value:
    """What a feature is: SQL over the columns of its parts and of the spine, and what it is made from."""

    sql: str
    parts: tuple[Part, ...] = ()
    needs: tuple[str, ...] = ("contracts.starts_on",)
    window_days: int | None = None
    peers: bool = field(default=False)  # ranked among the accounts of its segment once all are there

    def __str__(self) -> str:
        """Its SQL, so that values can stand inside others."""
        return self.sql


def value(template: str, *values: Value, needs: Sequence[str] = ()) -> Value:
    """SQL with `{}` for each of `values`; it needs all that they need, and `needs`."""
    needed = tuple(dict.fromkeys(chain(needs, *(v.needs for v in values)))) or Value("").needs
    windows = [v.window_days for v in values if v.window_days]
    parts = tuple(dict.fromkeys(chain(*(v.parts for v in values))))
    return Value(template.format(*values), parts, needed, max(windows, default=None))


def needing(item: Value, *needs: str) -> Value:
    """A value that also needs other columns than those it is counted in."""
    return replace(item, needs=(*needs, *item.needs))


def _of(part: Part, needs: tuple[str, ...], window_days: int | None = None) -> Value:
    return Value(part.column, (part,), needs, window_days)


def _counted(part: Sum | ActiveDays | Few | Many, needs: tuple[str, ...], window_days: int) -> Value:
    """A count or sum: 0 where nothing is known."""
    return value("COALESCE({}, 0)", _of(part, needs, window_days))


def spine_column(column: str, *needs: str) -> Value:
    """A column of the spine, as it is; an attribute of the account as `attribute_<name>`."""
    return Value(column, needs=needs or Value("").needs)


def windowed_sum(measure: Measure, days: int, *, ago: int = 0) -> Value:
    """A measure added up over a window, in whole numbers of 1 / scale."""
    part = Sum(measure.stream, measure.name, measure.sql, days, ago)
    return _counted(part, measure.stream.needs, days + ago)


def amount(measure: Measure, days: int) -> Value:
    """The same in the measure's unit."""
    return ratio(windowed_sum(measure, days), measure.scale) if measure.scale != 1 else windowed_sum(measure, days)


def count(stream: Stream, days: int, *, ago: int = 0) -> Value:
    """Rows in a window."""
    return windowed_sum(Measure(stream, "rows"), days, ago=ago)


def active_days(stream: Stream, days: int, *, ago: int = 0) -> Value:
    """Days of a window with an active row."""
    return _counted(ActiveDays(stream, days, ago), stream.needs, days + ago)


def days_since(stream: Stream, days: int, *, name: str = "active", where: str = "") -> Value:
    """Days since the newest active row, or the newest that fulfils a condition; missing if none in the window."""
    return value("t - {}", _of(LastDay(stream, days, name, where or stream.active), stream.needs, days))


def distinct(stream: Stream, key: str, days: int) -> Value:
    """Distinct values of a column with few of them in a window."""
    return _counted(Few(stream, key, days), (*stream.needs, f"{stream.table}.{key}"), days)


def adopted(stream: Stream, key: str, days: int, *, before: int) -> Value:
    """Those of a window that were not there in so many days before it."""
    return _counted(Few(stream, key, days, before), (*stream.needs, f"{stream.table}.{key}"), days + before)


def distinct_many(stream: Stream, key: str, days: int) -> Value:
    """Distinct values of a column with many of them in a window."""
    return _counted(Many(stream, key, days), (*stream.needs, f"{stream.table}.{key}"), days)


def beside_the_largest(measure: Measure, key: str, days: int) -> Value:
    """The share of a window's sum that is not of the value of a column which has most of it; missing without any."""
    stream = measure.stream
    needs = (*stream.needs, f"{stream.table}.{key}")
    largest, all_ = (
        _of(OfEach(stream, key, measure.name, measure.sql, days, counted), needs, days) for counted in _LARGEST_AND_ALL
    )
    return ratio(value("({} - {})", all_, largest), all_)


def days_of_each(stream: Stream, key: str, days: int) -> Value:
    """Active days of each distinct value, added up over all values."""
    _require_flags(days)
    return _counted(Many(stream, key, days, "days"), (*stream.needs, f"{stream.table}.{key}"), days)


def often(stream: Stream, key: str, days: int, *, on_days: int) -> Value:
    """Distinct values that were active on at least so many days of a window."""
    _require_flags(days)
    part = Many(stream, key, days, "often", on_days)
    return _counted(part, (*stream.needs, f"{stream.table}.{key}"), days)


def _require_flags(days: int) -> None:
    if days > BITS:
        raise ValueError(f"a window of {days} days is too long to tell its days apart: {BITS} at most")


def running(stream: Stream, name: str, aggregate: Literal["MAX", "MIN", "SUM"], sql: str) -> Value:
    """A running aggregate over all rows known so far."""
    return _of(State(stream, name, aggregate, sql), stream.needs)


def balance(opened: Stream, closed: Stream | None, name: str, sql: str = "1") -> Value:
    """What was opened and not yet closed."""
    needs = (*opened.needs, *(closed.needs if closed else ()))
    return value("COALESCE({}, 0)", _of(Balance(opened, closed, name, sql), needs))


def newest(
    stream: Stream, name: str, sql: str, days: int, *, place: int = 1, per: str = "", per_sql: str = "''"
) -> Value:
    """A value of the newest row of a window, or of the one before it."""
    return _of(Newest(stream, name, sql, days, place, per, per_sql), stream.needs, days)


def of_lines(name: str, sql: str, *needs: str, window_days: int | None = None) -> Value:
    """An aggregate over the account's contract lines as known."""
    return _of(Line(name, sql), ("contracts.starts_on", *needs), window_days)


def of_steps(name: str, sql: str, *needs: str, window_days: int | None = None) -> Value:
    """An aggregate over the lines so far, each beside the one of its product before it; 0 where there is none."""
    return value("COALESCE({}, 0)", _of(Step(name, sql), ("contracts.starts_on", *needs), window_days))


def level(days: int) -> Value:
    """Mean ARR over a window, each amount weighted by the days it was in force, by what is known now; in cents.

    Of a window that began before the first line, only the days since count.
    """
    overlap = f"(LEAST(active_until, t) - GREATEST(starts, t - {days}))"
    sql = f"SUM(CASE WHEN starts < t AND active_until > t - {days} THEN arr_cents * {overlap} ELSE 0 END)"
    since = "MAX(CASE WHEN starts < t THEN t - starts END)"
    days_there = of_lines(f"days_of_{days}", f"CASE WHEN {since} > {days} THEN {days} ELSE {since} END")
    return ratio(of_lines(f"level_{days}", sql, window_days=days), days_there)


def once_aged(days: int, of: Value) -> Value:
    """A value that looks so many days back; missing for an account that was no customer then."""
    return value(f"CASE WHEN t - customer_from >= {days} THEN {{}} END", of)


def ratio(numerator: Value | str, denominator: Value | str | int, *, scale: str | int = 1) -> Value:
    """One last division, `numerator / (denominator * scale)`; missing where the denominator is 0 or missing."""
    over, under = (item if isinstance(item, Value) else Value(str(item), needs=()) for item in (numerator, denominator))
    if isinstance(denominator, int):
        return value(f"CAST({{}} AS DOUBLE) / {denominator}", over)
    scaled = f" * {scale}" if str(scale) != "1" else ""
    return value(f"CAST({{}} AS DOUBLE) / NULLIF(CAST({{}} AS DOUBLE){scaled}, 0)", over, under)


def before_ratio(measure: Measure, days: int) -> Value:
    """A window over the one of the same length before it; missing for an account that is younger than both."""
    return once_aged(2 * days, ratio(windowed_sum(measure, days), windowed_sum(measure, days, ago=days)))


def baseline_ratio(measure: Measure, days: int, baseline_days: int) -> Value:
    """A window's daily mean over that of the account's own longer past, or as much of it as there was.

    Missing for an account that has no past before the window.
    """
    past_days = f"CASE WHEN t - customer_from < {baseline_days} THEN t - customer_from ELSE {baseline_days} END"
    part = value(f"{{}} * ({past_days})", windowed_sum(measure, days))
    return once_aged(days + 1, ratio(part, windowed_sum(measure, baseline_days), scale=days))


def trend(measure: Measure, days: int) -> Value:
    """Least-squares slope of the daily sums, as the change from the window's start to its end over their mean.

    With x = day - t from -W to -1, slope = (W Sxq - Sx Sq) / (W Sxx - Sx^2); whole numbers until the one division.
    Missing for an account that is younger than the window.
    """
    dated = Measure(measure.stream, f"{measure.name}_dated", f"({measure.sql}) * day")
    used, used_day = windowed_sum(measure, days), windowed_sum(dated, days)
    sx, sxx = -days * (days + 1) // 2, days * (days + 1) * (2 * days + 1) // 6
    rise = value(f"({days * days}) * ({days} * ({{}} - t * {{}}) - ({sx}) * {{}})", used_day, used, used)
    return once_aged(days, ratio(rise, used, scale=days * sxx - sx * sx))


def volatility(measure: Measure, weeks: int) -> Value:
    """Coefficient of variation of the newest weekly sums: their standard deviation over their mean.

    Missing for an account that is younger than these weeks.
    """
    sums = [windowed_sum(measure, 7, ago=7 * week) for week in range(weeks)]
    total = value(f"({' + '.join(['{}'] * weeks)})", *sums)
    squares = value(f"({' + '.join(['CAST({0} AS DOUBLE) * {0}'.replace('0', str(i)) for i in range(weeks)])})", *sums)
    spread = value(f"{weeks} * {{}} / NULLIF(CAST({{}} AS DOUBLE) * {{}}, 0) - 1", squares, total, total)
    return once_aged(7 * weeks, value("SQRT(CASE WHEN {0} > 0 THEN {0} WHEN {0} IS NOT NULL THEN 0 END)", spread))


def share(part: Value, rest: Value) -> Value:
    """A part over itself and the rest, such as actions delivered over those delivered or missed."""
    return ratio(part, value("({} + {})", part, rest))


def mean_hours(seconds: Measure, days: int) -> Value:
    """Mean of a number of seconds over the rows of a window, in hours."""
    return ratio(windowed_sum(seconds, days), count(seconds.stream, days), scale=3600)


def flag_of(condition: str, *values: Value) -> Value:
    """1 where a condition holds, else 0."""
    return value(f"CASE WHEN {condition} THEN 1 ELSE 0 END", *values)


def rank_among_peers(of: Value) -> Value:
    """The share of the other accounts of the same segment, at the same snapshot, that have less of a value."""
    return Value(of.sql, of.parts, (*of.needs, "accounts.segment"), of.window_days, peers=True)


def columns_of(values: Sequence[Value]) -> tuple[Part, ...]:
    """The parts of some values, each once."""
    return tuple(dict.fromkeys(chain(*(item.parts for item in values))))
