"""Distinct things of which there are many (users): how many were active in a window, or on how many days each.

Of each (account, thing) only the newest day known at a snapshot matters, so that each thing counts once a snapshot, in
all windows at once.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from features.asof.view import AsOf
from features.families.parts import Many, Part
from features.snapshots.streams import by_stream, rows_in_windows, select_list
from features.tables.sql import BITS


def many_table(part: Many) -> str:
    """The table with the column of a part."""
    counted = "seen" if part.counted == "seen" else f"days_{part.window_days}"
    return f"{part.stream.name}_{part.key}_{counted}"


def many_things(parts: Sequence[Part], asof: AsOf) -> Iterator[tuple[str, str]]:
    """The work tables of parts with many things: SELECTs by name, in the order to make them."""
    for name, stream_parts in by_stream(parts, Many):
        for key, group in groupby(sorted(stream_parts, key=lambda part: part.key), key=lambda part: part.key):
            yield from _tables_of_key(f"{name}_{key}_arrivals", list(group), asof)


def _tables_of_key(arrivals: str, parts: Sequence[Many], asof: AsOf) -> Iterator[tuple[str, str]]:
    """The arrivals of the things of one column, and what is counted of them: all `seen`, and the days a window."""
    yield arrivals, _arrivals(parts, asof)
    for table, group in groupby(sorted(parts, key=_counted_and_window), key=many_table):
        counted = list(group)
        count = _seen if counted[0].counted == "seen" else _days_of_each
        yield table, count(arrivals, counted, asof)


def _counted_and_window(part: Many) -> tuple[bool, int]:
    """Parts of one table beside each other, those that were seen first."""
    return (False, 0) if part.counted == "seen" else (True, part.window_days)


def _arrivals(parts: Sequence[Many], asof: AsOf) -> str:
    """Of each thing and arrival: its newest day, and its active days just before that snapshot as bits."""
    stream, key = parts[0].stream, parts[0].key
    bits, joined = "", ""
    if any(part.counted != "seen" for part in parts):
        bits, joined = ", BIT_OR(r.bit) AS days", "JOIN reach_bit r ON r.reach = e.kv_t - e.day"
    return f"""
        SELECT account_id, {key} AS thing, kv, MAX(day) AS day{bits} FROM ({rows_in_windows(parts, asof)}) e {joined}
        WHERE {key} IS NOT NULL AND {stream.active} GROUP BY account_id, {key}, kv"""


def _seen(arrivals: str, parts: Sequence[Many], asof: AsOf) -> str:
    """How many things each snapshot saw active in each window: of each thing, the newest day known then tells."""
    columns = {part.column: f"SUM(CASE WHEN {asof.within(part.window_days)} THEN 1 ELSE 0 END)" for part in parts}
    longest = max(part.window_days for part in parts)
    return f"""
        SELECT account_id, k, {select_list(columns)}
        FROM (SELECT a.account_id, p.k, MIN(p.reach) AS reach FROM {arrivals} a
              JOIN day_span p ON p.day = a.day AND p.k >= a.kv AND {asof.within(longest)}
              GROUP BY a.account_id, a.thing, p.k) each_thing
        GROUP BY account_id, k"""


def _days_of_each(arrivals: str, parts: Sequence[Many], asof: AsOf) -> str:
    """On how many days of the window each thing was active: added up, or how many things were so often enough."""
    window = parts[0].window_days
    days_of_one = {
        part.column: "BIT_COUNT(days)"
        if part.counted == "days"
        else f"CASE WHEN BIT_COUNT(days) >= {part.often_days} THEN 1 ELSE 0 END"
        for part in parts
    }
    shifted = f"a.days >> CAST(p.shift + {BITS - window} AS INTEGER)"
    # Where snapshots lie at least a window apart, no two arrivals of a thing share one.
    days, group = (
        (shifted, "") if asof.shortest_gap >= window else (f"BIT_OR({shifted})", "GROUP BY a.account_id, a.thing, p.k")
    )
    return f"""
        SELECT account_id, k, {select_list({name: f"SUM({sql})" for name, sql in days_of_one.items()})}
        FROM (SELECT a.account_id, p.k, {days} AS days FROM {arrivals} a
              JOIN arrival_span p ON p.kv = a.kv AND p.shift < {window} {group}) each_thing
        GROUP BY account_id, k"""
