"""When rows became known against when they happened: late rows, tables that do not say, bulk loads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import pandas as pd

from features.leaks.finding import Leak
from features.tables import contract
from features.tables.checked import Tables
from features.tables.problems import EXAMPLES
from params import Leaks as Settings

NO_FEATURES = ("churn_events", "people", "targets", "pay")
BULK_ROWS = 20  # a table of fewer rows than this is loaded at once by nature


@dataclass(frozen=True)
class Delay:
    """How long after their event a table's rows were recorded.

    `late` rows were recorded in a later month than they happened in, `median` and `p90` days after it; a cut by event
    date shows them to `early` too many pairs of row and month start. `p99` and `longest` are over all rows that say
    when they were recorded, `timed`.
    """

    rows: int
    timed: int
    late: int
    early: int
    median: int
    p90: int
    p99: int
    longest: int


def arrivals(connection: duckdb.DuckDBPyConnection, tables: Tables, settings: Settings, first: date) -> Iterator[Leak]:
    """All that the times of recording tell; `first` is the first snapshot."""
    delays = {table: _delay(connection, tables, table, first) for table in _timed(tables) if _tells(tables, table)}
    usual = dict(delays)
    for table, delay in delays.items():
        if delay.late:
            yield _late(table, delay)
        for leak in _bulk(connection, tables, table, settings):
            usual.pop(table, None)  # how late a bulk load was says nothing of how late rows are
            yield leak
    yield from _silent(tables, delays, usual)
    yield from _late_attributes(connection, tables, settings, first)
    if _tells(tables, "contracts"):
        yield from _hindsight(connection, tables, settings)


def _timed(tables: Tables) -> list[str]:
    """The tables whose rows happen on a day and give features."""
    named = [name for name, table in contract.TABLES.items() if table.event_day and name not in NO_FEATURES]
    return [name for name in named if tables.has(name) and happened(tables, name) is not None]


def _tells(tables: Tables, table: str) -> bool:
    return tables.has(table, "recorded_at")


def happened(tables: Tables, table: str) -> str | None:
    """SQL of the date a row happened on, without what is only planned; None where the table has no such column."""
    day = str(contract.TABLES[table].event_day)
    if table == "contracts":
        return f"CAST({'COALESCE(signed_on, starts_on)' if tables.has(table, 'signed_on') else 'starts_on'} AS DATE)"
    if not tables.has(table, day):
        return None
    return f"CASE WHEN {contract.TABLES[table].happened(tables.columns[table])} THEN CAST({day} AS DATE) END"


def _rows(tables: Tables, table: str) -> str:
    """SELECT of the day each row happened and was recorded on."""
    return f"""SELECT *, {happened(tables, table)} AS happened, CAST(recorded_at AS DATE) AS recorded
               FROM raw.{table}"""


def month_starts_between(earlier: str, later: str, first: date) -> str:
    """SQL of how many month starts from `first` on lie after one day and not after another."""
    return f"greatest(datediff('month', greatest({earlier}, DATE '{first}' - 1), {later}), 0)"


def _delay(connection: duckdb.DuckDBPyConnection, tables: Tables, table: str, first: date) -> Delay:
    """Counted by length of the delay first, so that a large table is scanned and not held."""
    delays = connection.execute(f"""
        SELECT recorded - happened AS days, {month_starts_between("happened", "recorded", first)} AS months,
               count(*) AS rows
        FROM ({_rows(tables, table)}) WHERE happened IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2""").df()
    timed = delays[delays["days"].notna()]
    late = timed[timed["months"] > 0]
    return Delay(
        rows=int(delays["rows"].sum()),
        timed=int(timed["rows"].sum()),
        late=int(late["rows"].sum()),
        early=int((late["rows"] * late["months"]).sum()),
        median=_quantile(late, 0.5),
        p90=_quantile(late, 0.9),
        p99=_quantile(timed, 0.99),
        longest=int(timed["days"].max()) if len(timed) else 0,
    )


def _quantile(delays: pd.DataFrame, share: float) -> int:
    """The shortest delay that so large a share of the rows does not exceed; 0 of none."""
    if delays.empty:
        return 0
    counted = delays["rows"].cumsum().to_numpy()
    return int(delays["days"].to_numpy()[np.searchsorted(counted, share * counted[-1])])


def _late(table: str, delay: Delay) -> Leak:
    untold = delay.rows - delay.timed
    return Leak(
        kind="recorded late",
        grade="cut",
        table=table,
        column="recorded_at",
        what="were recorded in a later month than they happened in, "
        f"{delay.median:,} days after it at the median and {delay.p90:,} at the 90th percentile; "
        f"99 in 100 of all rows arrive within {delay.p99:,} days" + (f"; {untold:,} do not say when" if untold else ""),
        backtest=f"A cut by {contract.TABLES[table].event_day} would show them {delay.early:,} times at a month start "
        "that did not know them yet.",
        todo="Nothing: snapshots count them from recorded_at on.",
        rows=delay.late,
        of=delay.rows,
        figures={
            "early_views": delay.early,
            "untold": untold,
            "median_days": delay.median,
            "p90_days": delay.p90,
            "p99_days": delay.p99,
            "longest_days": delay.longest,
        },
    )


def _bulk(connection: duckdb.DuckDBPyConnection, tables: Tables, table: str, settings: Settings) -> Iterator[Leak]:
    """Days on which much of the table was recorded long after it happened."""
    rows = connection.execute(f"""
        SELECT recorded, count(*), min(happened), max(happened), (SELECT count(*) FROM raw.{table})
        FROM ({_rows(tables, table)}) WHERE recorded - happened > {settings.late_days}
        GROUP BY recorded ORDER BY count(*) DESC, recorded""").fetchall()
    for day, count, first, last, of in rows:
        if count >= BULK_ROWS and count >= settings.bulk_share * of:
            yield _bulk_leak(table, day, count, of, (first, last))


def _bulk_leak(table: str, day: date, rows: int, of: int, span: tuple[date, date]) -> Leak:
    return Leak(
        kind="bulk load",
        grade="risk",
        table=table,
        column="recorded_at",
        what=f"were all recorded on {day}, though they happened from {span[0]} to {span[1]}",
        backtest=f"Snapshots before {day} see none of them, as nobody knew them here; a model learns from a past with "
        "an empty table and forecasts from a present with a full one.",
        todo=f"If that is only when an export or a new system took them in, leave recorded_at empty in these rows (the "
        f"event's day plus lag_days counts then); if nobody knew them before, set snapshots.first to {day}.",
        rows=rows,
        of=of,
        figures={"share": rows / of},
    )


def _silent(tables: Tables, delays: Mapping[str, Delay], usual: Mapping[str, Delay]) -> Iterator[Leak]:
    """Tables that do not say when their rows became known, all in one; `usual` tells how late others' rows are."""
    silent = [table for table in _timed(tables) if table not in delays and not tables.lag_days.get(table, 0)]
    if not silent:
        return
    late = max(usual.items(), key=lambda item: item[1].p99, default=None)
    neighbours = (
        f"; {late[0]}, which has, is {late[1].p99:.0f} days late or more in one row of a hundred" if late else ""
    )
    yield Leak(
        kind="not said when recorded",
        grade="risk",
        table=", ".join(silent),
        what=f"{'it has' if len(silent) == 1 else 'they have'} neither recorded_at nor lag_days{neighbours}",
        backtest="Their rows count from the day they happened on. What was entered later than that, the past already "
        "sees, and nothing in the data can show how much that is.",
        todo="Bring recorded_at (when the row was created in its system), or set source.tables.TABLE.lag_days to how "
        "late rows usually are.",
    )


def _late_attributes(
    connection: duckdb.DuckDBPyConnection, tables: Tables, settings: Settings, first: date
) -> Iterator[Leak]:
    """Accounts whose attributes are known only from long after they became customers."""
    times = [name for name in ("recorded_at", "valid_from") if tables.has("accounts", name)]
    if not times:
        return
    first_known = (
        f"(SELECT account_id, min(CAST(COALESCE({', '.join(times)}) AS DATE)) AS known FROM raw.accounts GROUP BY 1)"
    )
    starts = "(SELECT account_id, min(starts_on) AS starts FROM raw.contracts GROUP BY 1)"
    late = f"known - greatest(starts, DATE '{first}') > {settings.late_days}"
    row = connection.execute(f"""
        SELECT count(*) FILTER ({late}), count(*), mode(known) FILTER ({late})
        FROM {first_known} JOIN {starts} USING (account_id)""").fetchone()
    rows, of, day = row or (0, 0, None)
    if rows < BULK_ROWS or rows < settings.bulk_share * of:
        return
    yield Leak(
        kind="bulk load",
        grade="risk",
        table="accounts",
        column=times[-1],
        what=f"have attributes only from more than {settings.late_days} days after their first contract started, most "
        f"often from {day}",
        backtest="Until then snapshots see empty attributes, so that being empty tells how old a snapshot is.",
        todo=f"Let the first row of an account hold from its start on ({times[-1]}) where its attributes have not "
        "changed since; where that is not known, leave the column out.",
        rows=rows,
        of=of,
        unit="accounts",
        figures={"share": rows / of},
    )


def _hindsight(connection: duckdb.DuckDBPyConnection, tables: Tables, settings: Settings) -> Iterator[Leak]:
    """Lines of which only one version is there, recorded long after they had ended."""
    if not tables.has("contracts", "ended_on"):
        return
    versions = f"({_rows(tables, 'contracts')} QUALIFY count(*) OVER (PARTITION BY contract_id) = 1)"
    where = f"recorded - ended_on > {settings.late_days}"
    rows = connection.execute(f"""
        SELECT concat(contract_id, ': ended ', ended_on, ', recorded ', recorded), count(*) OVER ()
        FROM {versions} WHERE {where} ORDER BY recorded - ended_on DESC, contract_id LIMIT {EXAMPLES}""").fetchall()
    of = connection.execute("SELECT count(DISTINCT contract_id) FROM raw.contracts").fetchone()
    if not rows:
        return
    yield Leak(
        kind="recorded in hindsight",
        grade="risk",
        table="contracts",
        column="ended_on",
        what=f"were recorded more than {settings.late_days} days after they had ended, and no earlier version is there",
        backtest="Snapshots know such a line only after its end, so the account is missing from them while it was a "
        "customer, and its churn from what is learned: churn on the past looks too rare.",
        todo="Keep the versions of a line (a row each, with its recorded_at), or leave recorded_at empty where it is "
        "only the time of the last change.",
        rows=int(rows[0][1]),
        of=int(of[0]) if of else 0,
        unit="lines",
        examples=tuple(row[0] for row in rows),
    )
