"""Sums, active days, last days and few things in windows: rows added up to tiles, tiles to bands, bands to windows.

A tile is (account, slice of days, kv), since all days of a slice behave alike; only these few tiles are spread over the
snapshots that still see them, and windows are sums of bands, the days between two window edges that follow each other.
A tile keeps which days and which things (parts of the product, say) were active as bits of whole numbers, so that
distinct ones come out of the same pass.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from features.asof.view import AsOf
from features.families.parts import WINDOWED, ActiveDays, Few, LastDay, Part, Stream, Sum
from features.snapshots.streams import by_stream, edges, rows_in_windows, select_list
from features.tables.sql import BITS

WINDOWS_EACH = 2  # so many windows of each value make it worth while to add up bands first


def windows_table(part: Any) -> str:
    """The table with the column of a part."""
    return f"{_tiles_of(part)}_windows"


def windows(parts: Sequence[Part], asof: AsOf) -> Iterator[tuple[str, str]]:
    """The work tables of parts in windows: SELECTs by name, in the order to make them."""
    for _, stream_parts in by_stream(parts, *WINDOWED):
        for name, group in groupby(sorted(stream_parts, key=_tiles_of), key=_tiles_of):
            yield from _tables_of_tiles(name, list(group), asof)


def _tiles_of(part: Any) -> str:
    """Which tiles hold a part: its stream's or, for another column of few things than the stream's, some apart."""
    apart = isinstance(part, Few) and part.key != part.stream.few
    return f"{part.stream.name}_{part.key}" if apart else str(part.stream.name)


def _tables_of_tiles(name: str, parts: list[Any], asof: AsOf) -> Iterator[tuple[str, str]]:
    few = next((part for part in parts if isinstance(part, Few)), None)
    if few is not None:
        yield f"{name}_codes", _codes(parts, few, asof)
    yield f"{name}_tile", _tile(name, parts, asof, few)
    yield f"{name}_windows", _in_windows(_bands(f"{name}_tile", parts, asof, few), parts, asof, few)


def _codes(parts: Sequence[Any], few: Few, asof: AsOf) -> str:
    """A word and a bit for each distinct thing, and for no thing, which `_tile` does not count."""
    stream = few.stream
    column_sql = next(column for column in stream.columns if column.split(" AS ")[-1] == few.key)
    things = asof.things(stream.table, column_sql, day=stream.day, where=stream.where, since_days=max(edges(parts)))
    return f"""
        SELECT thing, CAST(FLOOR((place - 1) / {BITS}.0) AS INTEGER) AS word,
               CAST(1 AS BIGINT) << CAST(MOD(place - 1, {BITS}) AS INTEGER) AS bit
        FROM (SELECT thing, ROW_NUMBER() OVER (ORDER BY thing) AS place
              FROM (SELECT DISTINCT {_thing(few.key)} AS thing FROM ({things}) t) d) numbered"""


def _thing(key: str) -> str:
    """What tells a row's thing: never NULL, so that every row has a code and an inner join, the faster one, finds it.

    The literal takes the type of the column, which is text in a warehouse and its whole number where ids have keys.
    """
    return f"COALESCE({key}, '0')"


def _values(parts: Sequence[Any]) -> dict[str, str]:
    """The distinct measures of a stream's sums: SQL -> column of the tile."""
    measures = dict.fromkeys(part.sql for part in parts if isinstance(part, Sum))
    return {sql: f"v{place}" for place, sql in enumerate(measures)}


def _lasts(parts: Sequence[Any]) -> dict[str, str]:
    """The distinct conditions of a stream's last days: SQL -> column of the tile."""
    conditions = dict.fromkeys(part.where for part in parts if isinstance(part, LastDay))
    return {where: f"last{place}" for place, where in enumerate(conditions)}


def _tile(name: str, parts: Sequence[Any], asof: AsOf, few: Few | None) -> str:
    """What happened in each slice of days, by when it became known."""
    stream: Stream = parts[0].stream
    columns = [f"CAST(SUM({sql}) AS BIGINT) AS {sum_}" for sql, sum_ in _values(parts).items()]
    if _tells_days(parts):
        columns.append(f"BIT_OR(CASE WHEN {stream.active} THEN d.bit ELSE 0 END) AS days")
    columns += [f"MAX(CASE WHEN {where} THEN e.day END) AS {last}" for where, last in _lasts(parts).items()
                if not (_tells_days(parts) and where == stream.active)]  # fmt: skip
    events = rows_in_windows(parts, asof)
    group, codes = "e.account_id, d.slice_start, e.kv", ""
    if few is not None:
        is_active = f"({stream.active}) AND e.{few.key} IS NOT NULL"
        columns.append(f"BIT_OR(CASE WHEN {is_active} THEN c.bit ELSE 0 END) AS things")
        codes = f"JOIN {name}_codes c ON c.thing = {_thing(f'e.{few.key}')}"
        group += ", c.word"
    return f"""
        SELECT {group}, {", ".join(columns)}
        FROM ({events}) e JOIN day_slice d ON d.stream = '{stream.name}' AND d.on_day = e.day {codes}
        GROUP BY {group}"""


def _tells_days(parts: Sequence[Any]) -> bool:
    """Whether the tiles tell the active days of a slice one by one, as bits; the newest day is the lowest."""
    return any(isinstance(part, ActiveDays) for part in parts)


def _bands(tile: str, parts: Sequence[Any], asof: AsOf, few: Few | None) -> str:
    """The tiles that a snapshot sees, each with its band: the days between two window edges that follow each other.

    Where several windows share what the tiles hold, these are added up to bands, which are fewer, first.
    """
    stream, lasts = parts[0].stream, _lasts(parts)
    columns = {value: ("CAST(SUM({}) AS BIGINT)", f"s.{value}") for value in _values(parts).values()}
    columns |= {last: ("MAX({})", f"s.{last}") for last in lasts.values()}
    if _tells_days(parts):
        columns["days"] = "BIT_OR({})", "s.days >> CAST(p.shift AS INTEGER)"
        newest = f"CASE WHEN days <> 0 THEN slice_start + {BITS - 1} - BIT_COUNT((days & -days) - 1) END"
        last = lasts.get(stream.active)
        tile = f"(SELECT t.*, {newest} AS {last} FROM {tile} t)" if last else tile
    columns |= {"things": ("BIT_OR({})", "s.things")} if few else {}
    added_up = len(parts) >= WINDOWS_EACH * len(columns)
    items = select_list({name: sql.format(of) if added_up else of for name, (sql, of) in columns.items()})
    group = "s.account_id, p.k, p.band" + (", s.word" if few else "")
    return f"""
        SELECT {group}, {items}
        FROM {tile} s JOIN slice_span p ON p.stream = '{stream.name}' AND p.slice_start = s.slice_start AND p.k >= s.kv
                                         AND {asof.within(max(edges(parts)), stream=stream.name)}
        {f"GROUP BY {group}" if added_up else ""}"""


def _in_windows(bands: str, parts: Sequence[Any], asof: AsOf, few: Few | None) -> str:
    """The bands added up to windows: of each word of things, if there are some, and then of all words."""
    columns: dict[str, str] = {}
    for part in parts:
        columns |= (
            _days_of_bands(part, asof) if isinstance(part, ActiveDays) else {part.column: _column(part, parts, asof)}
        )
    bands_added = (
        f"SELECT account_id, k, {select_list(columns)} FROM ({bands}) b GROUP BY account_id, k{', word' if few else ''}"
    )
    if few is None and not _tells_days(parts):
        return bands_added
    merged = select_list({part.column: _merged(part, asof) for part in parts})
    return f"SELECT account_id, k, {merged} FROM ({bands_added}) w GROUP BY account_id, k"


def _column(part: Any, parts: Sequence[Any], asof: AsOf) -> str:
    """A part's column from those of the bands."""
    stream = part.stream.name
    inside = asof.within(part.window_days, ending_days_ago=getattr(part, "ago_days", 0), stream=stream)
    if isinstance(part, Sum):
        return f"SUM(CASE WHEN {inside} THEN {_values(parts)[part.sql]} ELSE 0 END)"
    if isinstance(part, LastDay):
        return f"MAX(CASE WHEN {inside} THEN {_lasts(parts)[part.where]} END)"
    things = f"BIT_OR(CASE WHEN {inside} THEN things ELSE 0 END)"
    if part.before_days:
        before = asof.within(part.before_days, ending_days_ago=part.window_days, stream=stream)
        things = f"{things} & ~BIT_OR(CASE WHEN {before} THEN things ELSE 0 END)"
    return f"BIT_COUNT({things})"


def _days_of_bands(part: ActiveDays, asof: AsOf) -> dict[str, str]:
    """The active days of each band of a window, as bits."""
    return {f"days_{band}": f"BIT_OR(CASE WHEN band = {band} THEN days ELSE 0 END)" for band in asof.bands(
        part.window_days, ending_days_ago=part.ago_days, stream=part.stream.name)}  # fmt: skip


def _merged(part: Any, asof: AsOf) -> str:
    """A part's column from those of the words; a day counts once, however many words it has things of."""
    if isinstance(part, ActiveDays):
        return " + ".join(f"CAST(BIT_COUNT(BIT_OR({days})) AS BIGINT)" for days in _days_of_bands(part, asof))
    return f"{'MAX' if isinstance(part, LastDay) else 'SUM'}({part.column})"
