"""Days and moments as SQL: read from types or from texts, and told in the time zone of the settings.

Without `source.timezone` moments are kept in UTC. With it they are kept in the local time of that zone, so that the day
on which something happened or became known is the local day wherever a day is taken of it, on every engine. The hour
that a clock is put back over comes twice in local time: moments within it may swap, and two versions of one row that
are exactly an hour apart there become one.

A moment without a zone is one in UTC. But at midnight sharp it is a plain day, as exports of dates are full of, and
stays as it is.
"""

from features.inputs.reading.source_types import TIMES, ZONED
from features.tables.contract import Type
from features.tables.sql import quoted
from params import Source

UNAMBIGUOUS = ("%Y%m%d", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
DAY_FIRST = ("%d-%m-%Y", "%d/%m/%Y")
MONTH_FIRST = ("%m-%d-%Y", "%m/%d/%Y")
TIMES_OF_DAY = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
MONTHS = ("%Y-%m", "%Y/%m", "%Y.%m", "%m/%Y", "%m.%Y", "%b %y", "%b-%y", "%b %Y", "%B %Y", "%b-%Y")
HAS_ZONE = r":\d\d(:\d\d([.,]\d+)?)? ?(z|utc|gmt|[+-]\d\d(:?\d\d)?|[a-z_]+/[a-z_/+-]+\d*)$"


def typed_time(value: str, kind: Type, source_type: str, source: Source) -> str:
    """SQL of a date, or of a moment without a zone, in the contract's type; NULL where it cannot be read."""
    zone = quoted(source.timezone or "UTC")
    if source_type == ZONED:
        return f"CAST({value} AT TIME ZONE {zone} AS {kind.sql})"
    if source_type == "DATE":
        return f"CAST({value} AS {kind.sql})"
    if source_type in TIMES:
        return f"CAST({_local(value, source)} AS {kind.sql})"
    moment = _read_moment(value, source)
    if kind is Type.TS:
        return moment
    short = f"CASE WHEN length({value}) <= 10 THEN TRY_CAST({value} AS DATE) END"
    return f"COALESCE({short}, CAST({moment} AS DATE))"


def typed_month(value: str, day: str) -> str:
    """SQL of a text's day or, where it names a month only, of the first day of that."""
    formats = ", ".join(map(quoted, MONTHS))
    return f"COALESCE({day}, CAST(try_strptime({value}, [{formats}]) AS DATE))"


def _read_moment(value: str, source: Source) -> str:
    """SQL of the moment that a text names."""
    dates = (*(DAY_FIRST if source.day_first else MONTH_FIRST), *UNAMBIGUOUS)
    formats = ", ".join(quoted(date + time) for time in TIMES_OF_DAY for date in dates)
    instant = f"TRY_CAST({value} AS TIMESTAMPTZ)"
    spelled = f"COALESCE({instant} AT TIME ZONE 'UTC', try_strptime({value}, [{formats}]))"
    if source.timezone is None:
        return spelled
    has_zone = f"regexp_matches({value}, {quoted(HAS_ZONE)}, 'i')"
    there = f"{instant} AT TIME ZONE {quoted(source.timezone)}"
    return f"CASE WHEN {has_zone} THEN {there} ELSE {_local(spelled, source)} END"


def _local(moment: str, source: Source) -> str:
    """SQL of a moment without a zone, which is one in UTC, in the zone of the settings; a plain day stays."""
    if source.timezone is None:
        return moment
    there = f"CAST({moment} AS TIMESTAMP) AT TIME ZONE 'UTC' AT TIME ZONE {quoted(source.timezone)}"
    return f"CASE WHEN {moment} = date_trunc('day', {moment}) THEN {moment} ELSE {there} END"
