"""Parts stream by stream, and the rows of a stream that a snapshot may see."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from features.asof.view import AsOf
from features.families.parts import WINDOWED, ActiveDays, Balance, Line, OfEach, Part, State, Step, Stream
from features.tables.sql import BITS


def edges(parts: Sequence[Part]) -> tuple[int, ...]:
    """All window edges of the parts, in days back, ascending; days told apart lie less than `BITS` from the next."""
    window_edges = {0}
    for part in parts:
        if isinstance(part, State | Balance | Line | Step):
            continue
        ago = getattr(part, "ago_days", 0)
        window_edges |= {ago, ago + part.window_days, part.window_days + getattr(part, "before_days", 0)}
    told_apart = max((part.ago_days + part.window_days for part in parts if isinstance(part, ActiveDays)), default=0)
    for edge, later in pairwise(sorted(window_edges)):
        if edge < told_apart:
            window_edges |= set(range(edge + BITS, later, BITS))
    return tuple(sorted(window_edges - {0}))


def edge_sets(parts: Sequence[Part]) -> dict[str, tuple[int, ...]]:
    """The window edges of each stream that is cut into slices."""
    return {name: edges(stream_parts) for name, stream_parts in by_stream(parts, *WINDOWED, OfEach)}


def by_stream(parts: Iterable[Part], *kinds: type) -> Iterator[tuple[str, list[Any]]]:
    """Parts of some kinds, stream by stream, in the order of their columns."""
    chosen: list[Any] = [part for part in parts if isinstance(part, kinds)]
    chosen.sort(key=lambda part: (part.stream.name, part.column))
    for name, group in groupby(chosen, key=lambda part: str(part.stream.name)):
        yield name, list(group)


def all_rows(stream: Stream, asof: AsOf) -> str:
    """All rows of a stream that some snapshot may see."""
    return asof.events(stream.table, stream.columns, day=stream.day, where=stream.where, via=stream.via)


def rows_in_windows(parts: Sequence[Any], asof: AsOf) -> str:
    """The rows of a stream that some window can still see."""
    stream = parts[0].stream
    return asof.events(
        stream.table,
        stream.columns,
        day=stream.day,
        where=stream.where,
        since_days=max(edges(parts), default=None),
        via=stream.via,
    )


def select_list(columns: Mapping[str, str]) -> str:
    """Columns, by name, as a list of a SELECT."""
    return ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
