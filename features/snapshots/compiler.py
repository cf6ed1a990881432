"""Compiles the parts of all features together into the portable SQL core: one pass a stream of rows.

Every SELECT that is joined to the spine has a row an `account_id` and snapshot `k`. Events come from `AsOf.events` and
carry `day` and `kv`, the first snapshot that may see them: a row counts at snapshot `k` if and only if `kv <= k` and
its day lies in the window, so late rows land where they became known, never earlier.

The SQL holds to what DuckDB, PostgreSQL and Spark share: CREATE TABLE AS, equi-joins, GROUP BY, CASE, window functions,
integers and their bits.
"""

from collections.abc import Iterator, Sequence

from features.asof.view import AsOf
from features.families.parts import Balance, Line, Many, Newest, OfEach, Part, State, Step
from features.snapshots.many_things import many_table, many_things
from features.snapshots.of_each_thing import of_each_table, of_each_thing
from features.snapshots.running_states import newest_rows, newest_table, running_states
from features.snapshots.windows import windows, windows_table


def compile_parts(parts: Sequence[Part], asof: AsOf) -> dict[str, str]:
    """The work tables and the per-snapshot columns of all parts: SELECTs by name, in the order to make them."""
    selects: dict[str, str] = {}
    for emit in (windows, many_things, of_each_thing, running_states, newest_rows, _lines, _steps):
        selects |= dict(emit(parts, asof))
    return selects


def table_of(part: Part) -> str:
    """The table, among those of `compile_parts`, that holds the column of a part."""
    if isinstance(part, Line | Step):
        return "line_columns" if isinstance(part, Line) else "step_columns"
    if isinstance(part, State | Balance):
        return "states"
    if isinstance(part, Many):
        return many_table(part)
    if isinstance(part, OfEach):
        return of_each_table(part)
    return newest_table(part) if isinstance(part, Newest) else windows_table(part)


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
