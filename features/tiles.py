"""Per-snapshot columns out of events: sums in windows, distinct things in windows, running states.

Every function returns one SELECT with a row an `account_id` and snapshot `k`. Events come from `AsOf.events` and
carry `day` and `kv`, the first snapshot that may see them. A row counts at snapshot `k` if and only if
`kv <= k` and its day lies in the window, so late rows land where they became known, never earlier.

- Sums: events are added up to (account, segment, kv) first, since all days of a segment behave alike, and only
  these few tiles are spread over the snapshots that still see them.
- Distinct things: of each (account, thing) only the newest day known matters. A later arrival closes the earlier
  state, so that each thing counts once a snapshot, in all windows at once.
- Running states: a running maximum or sum over the snapshots.

Values must be integers, so that sums do not depend on their order; a share is one last division.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from features import contract
from features.asof import AsOf


@dataclass(frozen=True)
class Sum:
    """A column `name`: the integer expression `value` added up over a window."""

    name: str
    value: str
    window_days: int
    ending_days_ago: int = 0


def window_sums(asof: AsOf, events: str, *sums: Sum) -> str:
    """SELECT of sums over windows: a row an account and snapshot that sees any event in the longest window."""
    values = {value: f"v{index}" for index, value in enumerate(dict.fromkeys(s.value for s in sums))}
    tile = ", ".join(f"SUM({value}) AS {name}" for value, name in values.items())
    columns = ", ".join(
        f"SUM(CASE WHEN {asof.within(s.window_days, ending_days_ago=s.ending_days_ago)} "
        f"THEN s.{values[s.value]} ELSE 0 END) AS {s.name}"
        for s in sums
    )
    longest = max(s.window_days + s.ending_days_ago for s in sums)
    return f"""
        SELECT s.account_id, p.k, {columns}
        FROM (SELECT e.account_id, d.segment, e.kv, {tile}
              FROM ({events}) e JOIN day_segment d ON d.day = e.day
              GROUP BY e.account_id, d.segment, e.kv) s
        JOIN segment_span p ON p.segment = s.segment AND p.k >= s.kv AND {asof.within(longest)}
        GROUP BY s.account_id, p.k"""


def distinct_counts(
    asof: AsOf, events: str, key: str, *, seen: Mapping[str, int], new: Mapping[str, int] | None = None
) -> str:
    """SELECT of how many distinct `key` were seen within windows, and how many for the first time.

    `seen` and `new` map a column to its window in days. Since `reach` counts back from the snapshot to the last
    day a thing was seen, the first day lies `day - first_day` further back.
    """
    news = new or {}
    counted = {name: asof.within(window) for name, window in seen.items()}
    counted |= {name: f"p.reach + s.day - s.first_day <= {window}" for name, window in news.items()}
    columns = ", ".join(
        f"SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) AS {name}" for name, condition in counted.items()
    )
    return f"""
        SELECT s.account_id, p.k, {columns}
        FROM (SELECT account_id, kv, MAX(day) OVER known AS day, MIN(first_day) OVER known AS first_day,
                     LEAD(kv) OVER known AS next_kv
              FROM (SELECT account_id, {key}, kv, MAX(day) AS day, MIN(day) AS first_day FROM ({events}) e
                    WHERE {key} IS NOT NULL GROUP BY account_id, {key}, kv) arrivals
              WINDOW known AS (PARTITION BY account_id, {key} ORDER BY kv)) s
        JOIN day_span p ON p.day = s.day AND p.k >= s.kv AND (s.next_kv IS NULL OR p.k < s.next_kv)
                       AND {asof.within(max((*seen.values(), *news.values())))}
        GROUP BY s.account_id, p.k"""


def running(events: str, **columns: tuple[Literal["MAX", "MIN", "SUM"], str]) -> str:
    """SELECT of running states: each column an aggregate and the integer expression it runs over.

    The snapshots of the spine are the grid, so that a state holds until something changes it.
    """
    arrivals = ", ".join(f"{aggregate}({value}) AS {name}" for name, (aggregate, value) in columns.items())
    nothing = ", ".join(f"CAST(NULL AS BIGINT) AS {name}" for name in columns)
    merged = ", ".join(f"{aggregate}({name}) AS {name}" for name, (aggregate, _) in columns.items())
    states = ", ".join(
        f"{aggregate}({name}) OVER (PARTITION BY account_id ORDER BY k) AS {name}"
        for name, (aggregate, _) in columns.items()
    )
    return f"""
        SELECT account_id, k, {states}
        FROM (SELECT account_id, k, {merged}
              FROM (SELECT account_id, kv AS k, {arrivals} FROM ({events}) e GROUP BY account_id, kv
                    UNION ALL SELECT account_id, k, {nothing} FROM spine) both_sides
              GROUP BY account_id, k) grid"""


def newest(asof: AsOf, events: str, value: str, *, window_days: int, per: str = "1") -> str:
    """SELECT of the events in a window, ranked: `newest` is 1 for the newest of each account, snapshot and `per`.

    Of two events of one day the one that became known later comes first, and then the smaller value.
    """
    return f"""
        SELECT e.account_id, p.k, p.reach, {per} AS per, {value} AS value,
               ROW_NUMBER() OVER (PARTITION BY e.account_id, p.k, {per}
                                  ORDER BY p.reach, e.known_day DESC, {value}) AS newest
        FROM ({events}) e JOIN day_span p ON p.day = e.day AND p.k >= e.kv AND {asof.within(window_days)}"""


def changes(opened: str, closed: str) -> str:
    """SELECT of the events that raise (`change` = 1) and lower (-1) a running count."""
    return f"""
        SELECT account_id, day, kv, 1 AS change FROM ({opened}) o
        UNION ALL SELECT account_id, day, kv, -1 AS change FROM ({closed}) c"""


def later_of(column: str, other: str) -> str:
    """The later of two dates, `column` where the other is missing."""
    return f"CASE WHEN {other} > {column} THEN {other} ELSE {column} END"


def column(asof: AsOf, name: str) -> str:
    """`table.column` as SQL, a NULL of its type where the source lacks it."""
    table, _, own = name.partition(".")
    if asof.tables.has(table, own):
        return own
    return f"CAST(NULL AS {contract.TABLES[table].column(own).type.sql})"


def code(text: str) -> str:
    """A free text as a code: lower case, words joined by underscores."""
    return f"REPLACE(REPLACE(LOWER(TRIM({text})), ' ', '_'), '-', '_')"


def one_of(text: str, *codes: str) -> str:
    """Condition: a free text is one of these codes."""
    return f"{code(text)} IN ({', '.join(repr(item) for item in codes)})"


def flag(condition: str) -> str:
    """1 where a condition holds, else 0."""
    return f"CASE WHEN {condition} THEN 1 ELSE 0 END"


def ratio(numerator: str, denominator: str, *, scale: str = "1") -> str:
    """One last division: `numerator / (denominator * scale)`, NULL where the denominator is 0 or missing."""
    return f"CAST({numerator} AS DOUBLE) / NULLIF(CAST({denominator} AS DOUBLE) * {scale}, 0)"


def tables_of(selects: Mapping[str, str]) -> list[str]:
    """Statements that make a temp table of each SELECT."""
    return [f"CREATE TEMP TABLE {name} AS {select}" for name, select in selects.items()]
