"""Sums for each of a few distinct things (parts of the product): which of them has most, and how much all have.

Rows are added up to tiles of (account, slice of days, kv, thing). The slices are cut at the edges of these windows
alone, so that there are about two a month, and what is spread over the snapshots is a small part of the rows.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from features.asof.view import AsOf
from features.families.parts import OfEach, Part
from features.snapshots.streams import by_stream, edges, rows_in_windows, select_list

_COUNTED = {"largest": "MAX", "all": "SUM"}


def of_each_table(part: OfEach) -> str:
    """The table with the column of a part."""
    return f"{part.stream.name}_{part.key}_sums"


def of_each_thing(parts: Sequence[Part], asof: AsOf) -> Iterator[tuple[str, str]]:
    """The work tables of such parts: SELECTs by name, in the order to make them."""
    for _, stream_parts in by_stream(parts, OfEach):
        for name, group in groupby(sorted(stream_parts, key=of_each_table), key=of_each_table):
            chosen = list(group)
            yield f"{name}_tile", _tile(chosen, asof)
            yield name, _in_windows(f"{name}_tile", chosen, asof)


def _measures(parts: Sequence[OfEach]) -> dict[str, str]:
    """The distinct measures: SQL -> column of the tile."""
    return {sql: f"v{place}" for place, sql in enumerate(dict.fromkeys(part.sql for part in parts))}


def _tile(parts: Sequence[OfEach], asof: AsOf) -> str:
    """What each thing came to in each slice of days, by when it became known."""
    stream, key = parts[0].stream, parts[0].key
    columns = {name: f"CAST(SUM({sql}) AS BIGINT)" for sql, name in _measures(parts).items()}
    group = f"e.account_id, d.slice_start, e.kv, e.{key}"
    return f"""
        SELECT {group}, {select_list(columns)}
        FROM ({rows_in_windows(parts, asof)}) e JOIN day_slice d ON d.stream = '{stream.name}' AND d.on_day = e.day
        WHERE e.{key} IS NOT NULL AND {stream.active}
        GROUP BY {group}"""


def _in_windows(tile: str, parts: Sequence[OfEach], asof: AsOf) -> str:
    """The tiles that a snapshot sees added up, of each thing and then of all."""
    stream, key, values = parts[0].stream, parts[0].key, _measures(parts)
    sums, columns = {}, {}
    for part in parts:
        value = values[part.sql]
        inside = asof.within(part.window_days, stream=stream.name)
        sums[f"{value}_{part.window_days}"] = f"SUM(CASE WHEN {inside} THEN s.{value} ELSE 0 END)"
        columns[part.column] = f"CAST({_COUNTED[part.counted]}({value}_{part.window_days}) AS BIGINT)"
    return f"""
        SELECT account_id, k, {select_list(columns)}
        FROM (SELECT s.account_id, p.k, {select_list(sums)}
              FROM {tile} s JOIN slice_span p ON p.stream = '{stream.name}' AND p.slice_start = s.slice_start
                                               AND p.k >= s.kv AND {asof.within(max(edges(parts)), stream=stream.name)}
              GROUP BY s.account_id, p.k, s.{key}) each_thing
        GROUP BY account_id, k"""
