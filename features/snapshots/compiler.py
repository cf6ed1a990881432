"""Compiles the parts of all features together into the portable SQL core: one pass a stream of rows.

Every SELECT that is joined to the spine has a row an `account_id` and snapshot `k`. Events come from `AsOf.events` and
carry `day` and `kv`, the first snapshot that may see them: a row counts at snapshot `k` if and only if `kv <= k` and
its day lies in the window, so late rows land where they became known, never earlier.

- Windows: rows are added up to tiles of (account, segment of days, kv), since all days of a segment behave alike; only
  these few tiles are spread over the snapshots that still see them, and windows are sums of bands, the days between two
  window edges that follow each other. A tile keeps which days and which things (parts of the product, say) were active
  as bits of whole numbers, so that distinct ones come out of the same pass.
- Many things (users): of each (account, thing) only the newest day known at a snapshot matters, so that each thing
  counts once a snapshot, in all windows at once.
- Running states: a running maximum or sum over the snapshots.

The SQL holds to what DuckDB, PostgreSQL and Spark share: CREATE TABLE AS, equi-joins, GROUP BY, CASE, window functions,
integers and their bits.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from features.asof.view import BITS, AsOf
from features.families.kinds import (
    WINDOWED,
    ActiveDays,
    Balance,
    Few,
    LastDay,
    Line,
    Many,
    Newest,
    Part,
    State,
    Step,
    Sum,
)
from features.families.kinds import Stream as Rows

WINDOWS_EACH = 2  # so many windows of each value make it worth while to add up bands first


def edges(parts: Sequence[Part]) -> tuple[int, ...]:
    """All window edges of the parts, in days back, ascending; days told apart lie less than `BITS` from the next."""
    found = {0}
    for part in parts:
        if isinstance(part, State | Balance | Line | Step):
            continue
        ago = getattr(part, "ago_days", 0)
        found |= {ago, ago + part.window_days, part.window_days + getattr(part, "before_days", 0)}
    told_apart = max((part.ago_days + part.window_days for part in parts if isinstance(part, ActiveDays)), default=0)
    for edge, later in pairwise(sorted(found)):
        if edge < told_apart:
            found |= set(range(edge + BITS, later, BITS))
    return tuple(sorted(found - {0}))


def edge_sets(parts: Sequence[Part]) -> dict[str, tuple[int, ...]]:
    """The window edges of each stream that is cut into segments."""
    return {name: edges(own) for name, own in _by_stream(parts, *WINDOWED)}


def compile_parts(parts: Sequence[Part], asof: AsOf) -> dict[str, str]:
    """The work tables and the per-snapshot columns of all parts: SELECTs by name, in the order to make them."""
    made: dict[str, str] = {}
    for own in (_windows, _many, _states, _newest, _lines, _steps):
        made |= dict(own(parts, asof))
    return made


def table_of(part: Part) -> str:
    """The table, among those of `compile_parts`, that holds the column of a part."""
    if isinstance(part, Line | Step):
        return "line_columns" if isinstance(part, Line) else "step_columns"
    if isinstance(part, State | Balance):
        return "states"
    name = part.stream.name
    if isinstance(part, Many):
        kind = "seen" if part.counted == "seen" else f"days_{part.window_days}"
        return f"{name}_{part.key}_{kind}"
    if isinstance(part, Newest):
        apart = "_each" if part.per else ""
        return f"{name}_{part.name}_{part.window_days}{apart}_newest"
    return f"{_tiled(part, name)}_windows"


def _by_stream(parts: Iterable[Part], *kinds: type) -> Iterator[tuple[str, list[Any]]]:
    """Parts of some kinds, stream by stream, in the order of their columns."""
    chosen: list[Any] = [part for part in parts if isinstance(part, kinds)]
    chosen.sort(key=lambda part: (part.stream.name, part.column))
    for name, own in groupby(chosen, key=lambda part: str(part.stream.name)):
        yield name, list(own)


# Windows ------------------------------------------------------------------------------------------------------------


def _windows(parts: Sequence[Part], asof: AsOf) -> Iterator[tuple[str, str]]:
    for stream, all_parts in _by_stream(parts, *WINDOWED):
        chosen = sorted(all_parts, key=lambda part: _tiled(part, stream))
        for name, group in groupby(chosen, key=lambda part: _tiled(part, stream)):
            yield from _window(name, list(group), asof)


def _tiled(part: Any, stream: str) -> str:
    """Which tiles hold a part: those of its stream or, for things beside the stream's own few, some of their own."""
    apart = isinstance(part, Few) and part.key != part.stream.few
    return f"{stream}_{part.key}" if apart else stream


def _window(name: str, own: list[Any], asof: AsOf) -> Iterator[tuple[str, str]]:
    few = next((part for part in own if isinstance(part, Few)), None)
    if few is not None:
        yield f"{name}_codes", _codes(own, few, asof)
    yield f"{name}_tile", _tile(name, own, asof, few)
    yield f"{name}_windows", _in_windows(_bands(f"{name}_tile", own, asof, few), own, asof, few)


def _codes(own: Sequence[Any], few: Few, asof: AsOf) -> str:
    """A word and a bit for each distinct thing, and for no thing, which `_tile` does not count."""
    stream = few.stream
    shown = next(column for column in stream.columns if column.split(" AS ")[-1] == few.key)
    things = asof.things(stream.table, shown, day=stream.day, where=stream.where, since_days=max(edges(own)))
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


def _events(own: Sequence[Any], asof: AsOf) -> str:
    """The rows of a stream that some window can still see."""
    stream = own[0].stream
    return asof.events(
        stream.table, stream.columns, day=stream.day, where=stream.where, since_days=max(edges(own), default=None)
    )


def _values(own: Sequence[Any]) -> dict[str, str]:
    """The distinct measures of a stream's sums: SQL -> column of the tile."""
    found = dict.fromkeys(part.sql for part in own if isinstance(part, Sum))
    return {sql: f"v{place}" for place, sql in enumerate(found)}


def _lasts(own: Sequence[Any]) -> dict[str, str]:
    """The distinct conditions of a stream's last days: SQL -> column of the tile."""
    found = dict.fromkeys(part.where for part in own if isinstance(part, LastDay))
    return {where: f"last{place}" for place, where in enumerate(found)}


def _tile(name: str, own: Sequence[Any], asof: AsOf, few: Few | None) -> str:
    """What happened in each segment of days, by when it became known."""
    stream: Rows = own[0].stream
    columns = [f"CAST(SUM({sql}) AS BIGINT) AS {sum_}" for sql, sum_ in _values(own).items()]
    if _tells_days(own):
        columns.append(f"BIT_OR(CASE WHEN {stream.active} THEN d.bit ELSE 0 END) AS days")
    columns += [f"MAX(CASE WHEN {where} THEN e.day END) AS {last}" for where, last in _lasts(own).items()
                if not (_tells_days(own) and where == stream.active)]  # fmt: skip
    group, codes = "e.account_id, d.segment, e.kv", ""
    if few is not None:
        seen = f"({stream.active}) AND e.{few.key} IS NOT NULL"
        columns.append(f"BIT_OR(CASE WHEN {seen} THEN c.bit ELSE 0 END) AS things")
        codes = f"JOIN {name}_codes c ON c.thing = {_thing(f'e.{few.key}')}"
        group += ", c.word"
    return f"""
        SELECT {group}, {", ".join(columns)}
        FROM ({_events(own, asof)}) e JOIN day_segment d ON d.stream = '{stream.name}' AND d.on_day = e.day {codes}
        GROUP BY {group}"""


def _tells_days(own: Sequence[Any]) -> bool:
    """Whether the tiles tell the active days of a segment one by one, as bits; the newest day is the lowest."""
    return any(isinstance(part, ActiveDays) for part in own)


def _bands(tile: str, own: Sequence[Any], asof: AsOf, few: Few | None) -> str:
    """The tiles that a snapshot sees, each with its band: the days between two window edges that follow each other.

    Where several windows share what the tiles hold, these are added up to bands, which are fewer, first.
    """
    stream, lasts = own[0].stream, _lasts(own)
    columns = {value: ("CAST(SUM({}) AS BIGINT)", f"s.{value}") for value in _values(own).values()}
    columns |= {last: ("MAX({})", f"s.{last}") for last in lasts.values()}
    if _tells_days(own):
        columns["days"] = "BIT_OR({})", "s.days >> CAST(p.shift AS INTEGER)"
        newest = f"CASE WHEN days <> 0 THEN segment + {BITS - 1} - BIT_COUNT((days & -days) - 1) END"
        last = lasts.get(stream.active)
        tile = f"(SELECT t.*, {newest} AS {last} FROM {tile} t)" if last else tile
    columns |= {"things": ("BIT_OR({})", "s.things")} if few else {}
    added_up = len(own) >= WINDOWS_EACH * len(columns)
    shown = _named({name: sql.format(of) if added_up else of for name, (sql, of) in columns.items()})
    group = "s.account_id, p.k, p.band" + (", s.word" if few else "")
    return f"""
        SELECT {group}, {shown}
        FROM {tile} s JOIN segment_span p ON p.stream = '{stream.name}' AND p.segment = s.segment AND p.k >= s.kv
                                         AND {asof.within(max(edges(own)), stream=stream.name)}
        {f"GROUP BY {group}" if added_up else ""}"""


def _in_windows(bands: str, own: Sequence[Any], asof: AsOf, few: Few | None) -> str:
    """The bands added up to windows: of each word of things, if there are some, and then of all words."""
    columns: dict[str, str] = {}
    for part in own:
        columns |= (
            _days_of_bands(part, asof) if isinstance(part, ActiveDays) else {part.column: _column(part, own, asof)}
        )
    added = f"SELECT account_id, k, {_named(columns)} FROM ({bands}) b GROUP BY account_id, k{', word' if few else ''}"
    if few is None and not _tells_days(own):
        return added
    merged = _named({part.column: _merged(part, asof) for part in own})
    return f"SELECT account_id, k, {merged} FROM ({added}) w GROUP BY account_id, k"


def _named(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} AS {name}" for name, sql in columns.items())


def _column(part: Any, own: Sequence[Any], asof: AsOf) -> str:
    """A part's column from those of the bands."""
    stream = part.stream.name
    inside = asof.within(part.window_days, ending_days_ago=getattr(part, "ago_days", 0), stream=stream)
    if isinstance(part, Sum):
        return f"SUM(CASE WHEN {inside} THEN {_values(own)[part.sql]} ELSE 0 END)"
    if isinstance(part, LastDay):
        return f"MAX(CASE WHEN {inside} THEN {_lasts(own)[part.where]} END)"
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


# Many things -------------------------------------------------------------------------------------------------------


def _many(parts: Sequence[Part], asof: AsOf) -> Iterator[tuple[str, str]]:
    for name, stream_parts in _by_stream(parts, Many):
        for key, group in groupby(sorted(stream_parts, key=lambda part: part.key), key=lambda part: part.key):
            own = list(group)
            yield f"{name}_{key}_arrivals", _arrivals(own, asof)
            seen = [part for part in own if part.counted == "seen"]
            if seen:
                yield f"{name}_{key}_seen", _seen(f"{name}_{key}_arrivals", seen, asof)
            for window, counted in groupby(
                sorted((part for part in own if part.counted != "seen"), key=lambda part: part.window_days),
                key=lambda part: part.window_days,
            ):
                yield f"{name}_{key}_days_{window}", _days_of_each(f"{name}_{key}_arrivals", list(counted), asof)


def _arrivals(own: Sequence[Many], asof: AsOf) -> str:
    """Of each thing and arrival: its newest day, and its active days just before that snapshot as bits."""
    stream, key = own[0].stream, own[0].key
    bits, joined = "", ""
    if any(part.counted != "seen" for part in own):
        bits, joined = ", BIT_OR(r.bit) AS days", "JOIN reach_bit r ON r.reach = e.kv_t - e.day"
    return f"""
        SELECT account_id, {key} AS thing, kv, MAX(day) AS day{bits} FROM ({_events(own, asof)}) e {joined}
        WHERE {key} IS NOT NULL AND {stream.active} GROUP BY account_id, {key}, kv"""


def _seen(arrivals: str, own: Sequence[Many], asof: AsOf) -> str:
    """How many things each snapshot saw active in each window: of each thing, the newest day known then tells."""
    columns = {part.column: f"SUM(CASE WHEN {asof.within(part.window_days)} THEN 1 ELSE 0 END)" for part in own}
    return f"""
        SELECT account_id, k, {_named(columns)}
        FROM (SELECT a.account_id, p.k, MIN(p.reach) AS reach FROM {arrivals} a
              JOIN day_span p ON p.day = a.day AND p.k >= a.kv AND {asof.within(max(part.window_days for part in own))}
              GROUP BY a.account_id, a.thing, p.k) each_thing
        GROUP BY account_id, k"""


def _days_of_each(arrivals: str, own: Sequence[Many], asof: AsOf) -> str:
    """On how many days of the window each thing was active: added up, or how many things were so often enough."""
    window = own[0].window_days
    counted = {
        part.column: "BIT_COUNT(days)"
        if part.counted == "days"
        else f"CASE WHEN BIT_COUNT(days) >= {part.often_days} THEN 1 ELSE 0 END"
        for part in own
    }
    columns = ", ".join(f"SUM({sql}) AS {name}" for name, sql in counted.items())
    shifted = f"a.days >> CAST(p.shift + {BITS - window} AS INTEGER)"
    # Where snapshots lie at least a window apart, no two arrivals of a thing share one.
    days, group = (
        (shifted, "") if asof.shortest_gap >= window else (f"BIT_OR({shifted})", "GROUP BY a.account_id, a.thing, p.k")
    )
    return f"""
        SELECT account_id, k, {columns}
        FROM (SELECT a.account_id, p.k, {days} AS days FROM {arrivals} a
              JOIN arrival_span p ON p.kv = a.kv AND p.shift < {window} {group}) each_thing
        GROUP BY account_id, k"""


# Running states and the newest rows --------------------------------------------------------------------------------


Arrivals = tuple[str, dict[str, tuple[str, str]]]  # events, and of each column: aggregate, SQL


def _states(parts: Sequence[Part], asof: AsOf) -> Iterator[tuple[str, str]]:
    sources = [*_of_states(parts, asof), *_of_balances(parts, asof)]
    if sources:
        yield "states", _running(sources, asof)


def _of_states(parts: Sequence[Part], asof: AsOf) -> Iterator[Arrivals]:
    for _, own in _by_stream(parts, State):
        yield _plain(own[0].stream, asof), {part.column: (part.aggregate, part.sql) for part in own}


def _of_balances(parts: Sequence[Part], asof: AsOf) -> Iterator[Arrivals]:
    chosen = sorted(
        (p for p in parts if isinstance(p, Balance)), key=lambda p: (p.opened.name, str(p.closed), p.column)
    )
    for (opened, closed), group in groupby(chosen, key=lambda part: (part.opened, part.closed)):
        own = list(group)
        for stream, sign in ((opened, ""), (closed, "-")):
            if stream is not None:
                yield _plain(stream, asof), {part.column: ("SUM", f"{sign}({part.sql})") for part in own}


def _plain(stream: Rows, asof: AsOf) -> str:
    return asof.events(stream.table, stream.columns, day=stream.day, where=stream.where)


def _running(sources: Sequence[Arrivals], asof: AsOf) -> str:
    """Running states: the snapshots of the spine are the grid, so that a state holds until something changes it.

    Of a date alone there is nothing to hold: all has arrived before it.
    """
    aggregates = {name: aggregate for _, own in sources for name, (aggregate, _) in own.items()}
    arrivals = " UNION ALL ".join(_arriving(events, own, aggregates) for events, own in sources)
    nothing = ", ".join("CAST(NULL AS BIGINT)" for _ in aggregates)
    merged = _named({name: f"{aggregate}({name})" for name, aggregate in aggregates.items()})
    if asof.alone:
        return f"SELECT account_id, k, {merged} FROM ({arrivals}) arrived GROUP BY account_id, k"
    states = _named({
        name: f"{aggregate}({name}) OVER (PARTITION BY account_id ORDER BY k)" for name, aggregate in aggregates.items()
    })  # fmt: skip
    return f"""
        SELECT account_id, k, {states}
        FROM (SELECT account_id, k, {merged}
              FROM ({arrivals} UNION ALL SELECT account_id, k, {nothing} FROM spine) all_sides
              GROUP BY account_id, k) grid"""


def _arriving(events: str, own: Mapping[str, tuple[str, str]], aggregates: Iterable[str]) -> str:
    """What arrives of one stream before each snapshot, in the columns of all."""
    columns = {name: f"CAST({'{}({})'.format(*own[name]) if name in own else 'NULL'} AS BIGINT)" for name in aggregates}
    return f"SELECT account_id, kv AS k, {_named(columns)} FROM ({events}) e GROUP BY account_id, kv"


def _newest(parts: Sequence[Part], asof: AsOf) -> Iterator[tuple[str, str]]:
    for name, stream_parts in _by_stream(parts, Newest):
        del name
        for table, group in groupby(sorted(stream_parts, key=table_of), key=table_of):
            yield table, _newest_of(list(group), asof)


def _newest_of(own: Sequence[Newest], asof: AsOf) -> str:
    """Of two rows of one day the one that became known later comes first, and then the smaller value."""
    first = own[0]
    columns = ", ".join(f"MAX(CASE WHEN {_placed(part)} THEN {part.name} END) AS {part.column}" for part in own)
    return f"""
        SELECT account_id, k, {columns}
        FROM (SELECT e.account_id, p.k, {first.per_sql} AS per, {first.sql} AS {first.name},
                     ROW_NUMBER() OVER (PARTITION BY e.account_id, p.k, {first.per_sql}
                                        ORDER BY p.reach, e.known_day DESC, {first.sql}) AS place
              FROM ({_events(own, asof)}) e
              JOIN day_span p ON p.day = e.day AND p.k >= e.kv AND {asof.within(first.window_days)}) ranked
        WHERE place <= {max(part.place for part in own)} GROUP BY account_id, k"""


def _placed(part: Newest) -> str:
    return f"place = {part.place}" + (f" AND per = '{part.per}'" if part.per else "")


# Contract lines ----------------------------------------------------------------------------------------------------


def _lines(parts: Sequence[Part], asof: AsOf) -> Iterator[tuple[str, str]]:
    del asof  # the lines are already as known
    columns = ", ".join(f"{part.sql} AS {part.column}" for part in parts if isinstance(part, Line))
    if columns:
        yield "line_columns", f"SELECT account_id, k, {columns} FROM lines GROUP BY account_id, k"


def _steps(parts: Sequence[Part], asof: AsOf) -> Iterator[tuple[str, str]]:
    """Lines in force so far, each with what the line of its product and buying centre before it was (`before_`)."""
    del asof
    columns = ", ".join(f"{part.sql} AS {part.column}" for part in parts if isinstance(part, Step))
    if columns:
        yield "step_columns", f"SELECT account_id, k, {columns} FROM lines WHERE starts <= t GROUP BY account_id, k"
