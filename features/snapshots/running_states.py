"""What holds until something changes it: running maxima, sums and balances, and the newest rows of a window."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from features.asof.view import AsOf
from features.families.parts import Balance, Newest, Part, State
from features.snapshots.streams import all_rows, by_stream, rows_in_windows, select_list

Arrivals = tuple[str, dict[str, tuple[str, str]]]  # events, and of each column: aggregate, SQL


def running_states(parts: Sequence[Part], asof: AsOf) -> Iterator[tuple[str, str]]:
    """The table `states`, if there are any."""
    sources = [*_of_states(parts, asof), *_of_balances(parts, asof)]
    if sources:
        yield "states", _running(sources, asof)


def _of_states(parts: Sequence[Part], asof: AsOf) -> Iterator[Arrivals]:
    for _, states in by_stream(parts, State):
        yield all_rows(states[0].stream, asof), {part.column: (part.aggregate, part.sql) for part in states}


def _of_balances(parts: Sequence[Part], asof: AsOf) -> Iterator[Arrivals]:
    chosen = sorted(
        (p for p in parts if isinstance(p, Balance)), key=lambda p: (p.opened.name, str(p.closed), p.column)
    )
    for (opened, closed), group in groupby(chosen, key=lambda part: (part.opened, part.closed)):
        balances = list(group)
        for stream, sign in ((opened, ""), (closed, "-")):
            if stream is not None:
                yield all_rows(stream, asof), {part.column: ("SUM", f"{sign}({part.sql})") for part in balances}


def _running(sources: Sequence[Arrivals], asof: AsOf) -> str:
    """Running states: the snapshots of the spine are the grid, so that a state holds until something changes it.

    Of a date alone there is nothing to hold: all has arrived before it.
    """
    aggregates = {name: aggregate for _, columns in sources for name, (aggregate, _) in columns.items()}
    arrivals = " UNION ALL ".join(_arriving(events, columns, aggregates) for events, columns in sources)
    nothing = ", ".join("CAST(NULL AS BIGINT)" for _ in aggregates)
    merged = select_list({name: f"{aggregate}({name})" for name, aggregate in aggregates.items()})
    if asof.alone:
        return f"SELECT account_id, k, {merged} FROM ({arrivals}) arrived GROUP BY account_id, k"
    states = select_list({
        name: f"{aggregate}({name}) OVER (PARTITION BY account_id ORDER BY k)" for name, aggregate in aggregates.items()
    })  # fmt: skip
    return f"""
        SELECT account_id, k, {states}
        FROM (SELECT account_id, k, {merged}
              FROM ({arrivals} UNION ALL SELECT account_id, k, {nothing} FROM spine) all_sides
              GROUP BY account_id, k) grid"""


def _arriving(events: str, columns: Mapping[str, tuple[str, str]], aggregates: Iterable[str]) -> str:
    """What arrives of one stream before each snapshot, in the columns of all."""
    of_all = {
        name: f"CAST({'{}({})'.format(*columns[name]) if name in columns else 'NULL'} AS BIGINT)" for name in aggregates
    }
    return f"SELECT account_id, kv AS k, {select_list(of_all)} FROM ({events}) e GROUP BY account_id, kv"


def newest_table(part: Newest) -> str:
    """The table with the column of a part."""
    apart = "_each" if part.per else ""
    return f"{part.stream.name}_{part.name}_{part.window_days}{apart}_newest"


def newest_rows(parts: Sequence[Part], asof: AsOf) -> Iterator[tuple[str, str]]:
    """A table for the newest rows of each stream, value and window."""
    for _, stream_parts in by_stream(parts, Newest):
        for table, group in groupby(sorted(stream_parts, key=newest_table), key=newest_table):
            yield table, _newest_of(list(group), asof)


def _newest_of(parts: Sequence[Newest], asof: AsOf) -> str:
    """Of two rows of one day the one that became known later comes first, and then the smaller value."""
    first = parts[0]
    columns = ", ".join(f"MAX(CASE WHEN {_placed(part)} THEN {part.name} END) AS {part.column}" for part in parts)
    return f"""
        SELECT account_id, k, {columns}
        FROM (SELECT e.account_id, p.k, {first.per_sql} AS per, {first.sql} AS {first.name},
                     ROW_NUMBER() OVER (PARTITION BY e.account_id, p.k, {first.per_sql}
                                        ORDER BY p.reach, e.known_day DESC, {first.sql}) AS place
              FROM ({rows_in_windows(parts, asof)}) e
              JOIN day_span p ON p.day = e.day AND p.k >= e.kv AND {asof.within(first.window_days)}) ranked
        WHERE place <= {max(part.place for part in parts)} GROUP BY account_id, k"""


def _placed(part: Newest) -> str:
    return f"place = {part.place}" + (f" AND per = '{part.per}'" if part.per else "")
