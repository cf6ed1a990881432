"""Where the data end, when `source.data_until` does not say.

Everything that happens in a business is dated in some column: usage, done actions, tickets, signatures. The data reach
to the newest of these days that the bulk of a column's rows backs: a tail of stray rows, such as one with a mistyped
year, does not move the end. What is only scheduled (terms, starts of lines signed ahead, planned actions) does not
count. Where contracts are all there is, the day on which a line was recorded or notice of it given counts, and else the
newest day on which an account's first line starts, since renewals start far ahead but new customers hardly do.

The clock is not asked: whether a day lies in the future is not known, only whether the other rows reach it.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from statistics import median

import duckdb

from features.tables import contract
from features.tables.checked import Tables
from features.tables.problems import EXAMPLES, Finding
from params import Params

LONG_DAYS = 31  # a tail or a silence shorter than this is not judged
PACE_DAYS = 91  # the pace before a tail is that of these days
STRAY_PACE = 0.1  # a tail with less than this share of the days that the pace before would have brought is stray
STRAY_SHARE = 0.05  # if its days are at most this share of all the column's days,
HANDFUL = 5  # or a handful
LEAST_DAYS = 3  # rows on fewer days than these in `PACE_DAYS` have no pace
MANY = 20  # a column of fewer rows has no pace that a silence could break
GAPS_DAYS = 730  # how far back a column's own gaps are looked at
FAR_AHEAD_DAYS = 366  # lines that start later than this after the data are looked at
USUAL_SHARE = 0.75  # a month with this share of the usual starts still belongs to the data
USUAL_MONTHS = 12

DATED_TABLES = ("usage", "csm_actions", "engagement", "tickets", "surveys", "calls", "contracts")
STARTS = ("contracts", "starts_on", "TRUE")
NOTICES = ("contracts", "notice_on", "TRUE")
STOPS = ("contracts", "ended_on", "TRUE")
SHOWN_COLUMNS = 3


@dataclass(frozen=True)
class Until:
    """The first day that the data do not cover, the settings or columns that decided it, and why, in words.

    `is_from_starts` is true if nothing told but the starts of lines, so that lines beyond it are worth a warning.
    """

    day: date
    decided_by: tuple[str, ...]
    why: str
    is_from_starts: bool = False


@dataclass(frozen=True)
class Pace:
    """How many rows of a column fall on each day, ascending; `where` says which rows count."""

    table: str
    column: str
    where: str
    days: tuple[date, ...]
    rows: tuple[int, ...]

    @property
    def name(self) -> str:
        """The column as `table.column`."""
        return f"{self.table}.{self.column}"

    @property
    def total(self) -> int:
        """Number of rows."""
        return sum(self.rows)

    def up_to(self, day: date) -> "Pace":
        """The same without what lies after `day`."""
        index = bisect_right(self.days, day)
        return Pace(self.table, self.column, self.where, self.days[:index], self.rows[:index])


def data_until(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Sequence[str]]) -> Until | None:
    """Where the data end by the tables that `connection` holds; None if no line has a start.

    Parameters
    ----------
    tables
        The columns of each table that is there.
    """
    happened = _happened(connection, tables)
    if happened:
        return _newest(happened)
    recorded = _paces(connection, tables, (("contracts", "recorded_at", "TRUE"),))
    return _newest(recorded) if recorded else _from_lines(connection, tables)


def reach_warnings(connection: duckdb.DuckDBPyConnection, tables: Tables, until: Until) -> list[Finding]:
    """Warnings of rows that lie beyond where the data end, and of columns that stop long before it."""
    happened = _happened(connection, tables.columns)
    starts = _paces(connection, tables.columns, (STARTS,))
    reached = (*happened, *starts) if until.is_from_starts else happened
    beyond = [_beyond(connection, pace, until) for pace in reached if pace.days[-1] >= until.day]
    short = [_short(pace, until) for pace in happened if _stops_short(pace, until.day)]
    return beyond + short + ([] if until.is_from_starts else _far_starts(connection, starts, until))


def _happened(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Sequence[str]]) -> list[Pace]:
    """The paces of all that has happened."""
    days = [(table, contract.TABLES[table]) for table in DATED_TABLES]
    columns = [(name, str(table.event_day), table.happened(tables.get(name, ()))) for name, table in days]
    return _paces(connection, tables, columns)


def _paces(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Sequence[str]],
    columns: Sequence[tuple[str, str, str]],
) -> list[Pace]:
    """The paces of those columns that are there and hold a day."""
    paces = []
    for table, column, where in columns:
        if column in tables.get(table, ()):
            counts = connection.execute(
                f"SELECT CAST({column} AS DATE) AS day, count(*) FROM {table} "
                f"WHERE {column} IS NOT NULL AND {where} GROUP BY 1 ORDER BY 1"
            ).fetchall()
            if counts:
                days, rows = zip(*counts, strict=True)
                paces.append(Pace(table, column, where, days, rows))
    return paces


def _newest(paces: Sequence[Pace]) -> Until:
    """The day after the newest one that a column's bulk reaches and that others do not leave alone."""
    backed = [pace.up_to(_bulk_end(pace)) for pace in paces]
    while (lonely := _lonely(backed)) is not None:
        backed[lonely[0]] = backed[lonely[0]].up_to(lonely[1])
    last = max(pace.days[-1] for pace in backed if pace.days)
    deciding = tuple(pace.name for pace in backed if pace.days and pace.days[-1] == last)
    stray = sum(pace.total - pace.up_to(last).total for pace in paces)
    return Until(last + timedelta(days=1), deciding, f"{_and_more(deciding)} to {last}{_stray(stray)}")


def _and_more(names: Sequence[str]) -> str:
    listed = ", ".join(names[:SHOWN_COLUMNS])
    more = f" and {len(names) - SHOWN_COLUMNS} more" if len(names) > SHOWN_COLUMNS else ""
    return f"{listed}{more} reach{'es' if len(names) == 1 else ''}"


def _stray(rows: int) -> str:
    return (
        f"; {rows:,} stray row{'s' if rows != 1 else ''} beyond do{'es' if rows == 1 else ''} not count" if rows else ""
    )


def _bulk_end(pace: Pace) -> date:
    """The newest day of a column, leaving stray tails aside."""
    end = len(pace.days) - 1
    first = max(0, end - int(max(HANDFUL, STRAY_SHARE * len(pace.days))))
    while (cut := next((i for i in range(end - 1, first - 1, -1) if _is_stray(pace, i, end)), None)) is not None:
        end = cut
    return pace.days[end]


def _is_stray(pace: Pace, last: int, end: int) -> bool:
    """Whether what lies after day number `last`, up to day number `end`, is a stray tail.

    It is one if it reaches far and holds rows on far fewer days than the pace before would have brought. Days are
    counted and not rows, so that neither a big import nor a quiet season decides; but for a handful of rows, which is
    stray too where many were to be expected, so that monthly sums, which have few days, are judged as well.
    """
    length = (pace.days[end] - pace.days[last]).days
    if length < LONG_DAYS:
        return False
    window = bisect_left(pace.days, pace.days[last] - timedelta(days=PACE_DAYS - 1))
    days_before, rows_before = last + 1 - window, pace.rows[window : last + 1]
    days, rows = len(pace.days) - 1 - last, sum(pace.rows[last + 1 :])
    too_few = STRAY_PACE * length / PACE_DAYS
    few_rows = rows <= HANDFUL and days_before >= LEAST_DAYS and rows < too_few * days_before * median(rows_before)
    return days < too_few * days_before or few_rows


def _lonely(paces: Sequence[Pace]) -> tuple[int, date] | None:
    """The column that alone reaches far beyond all others with a handful of days, and where the others end.

    The others are at least two that hold many rows: of two columns it would not be known which one is wrong.
    """
    for index, pace in enumerate(paces):
        others = [other.days[-1] for other in paces if other is not pace and other.days and other.total >= MANY]
        if pace.days and len(others) > 1 and (pace.days[-1] - max(others)).days >= LONG_DAYS:
            alone = len(pace.days) - len(pace.up_to(max(others)).days)
            if alone <= HANDFUL:
                return index, max(others)
    return None


def _from_lines(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Sequence[str]]) -> Until | None:
    """Where contracts end that say nothing but when lines start and, perhaps, stop.

    The newest first line of an account, or notice, tells; from there on, months still belong to the data as long as
    lines start, or stop, at the usual pace.
    """
    first = _first_starts(connection, contract.MEMBER if contract.MEMBER in tables["contracts"] else "account_id")
    if first is None:
        return None
    newest = _newest([first])
    latest = max([newest, *(_newest([pace]) for pace in _paces(connection, tables, (NOTICES,)))], key=lambda it: it.day)
    reach = {pace.name: _at_usual_pace(pace, latest.day) for pace in _paces(connection, tables, (STARTS, STOPS))}
    name, last = max(reach.items(), key=lambda item: item[1])
    if last >= latest.day:
        why = f"no signatures or events tell; up to {last} {name} goes on at its usual pace"
        return Until(last + timedelta(days=1), (name,), why, is_from_starts=True)
    what = "first line of an account starts" if latest is newest else "notice was given"
    why = (
        f"no signatures or events tell; the newest {what} on {latest.day - timedelta(days=1)} ({latest.decided_by[0]})"
    )
    return Until(latest.day, latest.decided_by, why, is_from_starts=True)


def _first_starts(connection: duckdb.DuckDBPyConnection, whose: str) -> Pace | None:
    """How many accounts' first lines start on each day; `whose` is the column of the account."""
    first = connection.execute(
        f"SELECT day, count(*) FROM (SELECT min(starts_on) AS day FROM contracts GROUP BY {whose}) "
        "WHERE day IS NOT NULL GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return Pace("contracts", "starts_on", "TRUE", *zip(*first, strict=True)) if first else None


def _at_usual_pace(pace: Pace, from_day: date) -> date:
    """The newest day of the last of those months after the one before `from_day` that hold the usual number of rows."""
    counts: Counter[int] = Counter()
    for day, rows in zip(pace.days, pace.rows, strict=True):
        counts[_month(day)] += rows
    first = month = _month(from_day - timedelta(days=1))
    usual = median(counts[first - back] for back in range(USUAL_MONTHS))
    while counts[month + 1] >= max(1, USUAL_SHARE * usual):
        month += 1
    return max((day for day in pace.days if first < _month(day) <= month), default=date.min)


def _month(day: date) -> int:
    return 12 * day.year + day.month


def _beyond(connection: duckdb.DuckDBPyConnection, pace: Pace, until: Until) -> Finding:
    """The warning of the rows of a column that lie beyond where the data end."""
    todo = "No snapshot sees them. Correct them; if the data do reach that far, set source.data_until."
    if pace.column == "starts_on":
        todo = "They count as signed ahead. If the data do reach that far, set source.data_until, or give signed_on."
    what = f"on or after {until.day}, where the data end"
    return _from_day_on(connection, pace, until.day, what, todo, "beyond_data_until")


def _far_starts(connection: duckdb.DuckDBPyConnection, starts: Sequence[Pace], until: Until) -> list[Finding]:
    """The warning of lines that start far beyond the data and all other lines; lines signed ahead are as usual."""
    findings = []
    for pace in starts:
        from_day = max(until.day + timedelta(days=FAR_AHEAD_DAYS), _bulk_end(pace) + timedelta(days=1))
        if pace.days[-1] >= from_day:
            what = f"on or after {from_day}, far beyond where the data and the other lines end"
            todo = "Correct them if the year is mistyped; until then they have no revenue."
            findings.append(_from_day_on(connection, pace, from_day, what, todo, "far_start"))
    return findings


def _from_day_on(
    connection: duckdb.DuckDBPyConnection, pace: Pace, from_day: date, what: str, todo: str, rule: str
) -> Finding:
    """A finding of the rows of a column from a day on, the newest as examples."""
    whose = "contract_id" if pace.table == "contracts" else "account_id"
    day = f"CAST({pace.column} AS DATE)"
    examples = connection.execute(
        f"SELECT DISTINCT concat({whose}, ': ', {day}) AS shown, {day} AS day FROM {pace.table} "
        f"WHERE {day} >= DATE '{from_day}' AND {pace.where} ORDER BY day DESC, shown LIMIT {EXAMPLES}"
    ).fetchall()
    rows = pace.total - pace.up_to(from_day - timedelta(days=1)).total
    texts = tuple(str(row[0]) for row in examples)
    return Finding(pace.table, what, todo, pace.column, rows, pace.total, texts, rule)


def _stops_short(pace: Pace, until: date) -> bool:
    """Whether a column falls silent before the data end for longer than it ever did in its last two years."""
    inside = pace.up_to(until - timedelta(days=1))
    if inside.total < MANY:
        return False
    silence = (until - inside.days[-1]).days
    recent = [day for day in inside.days if (inside.days[-1] - day).days <= GAPS_DAYS]
    gaps = [(later - earlier).days for earlier, later in pairwise(recent)]
    return silence > max(LONG_DAYS, *gaps) if gaps else False


def _short(pace: Pace, until: Until) -> Finding:
    last = pace.up_to(until.day - timedelta(days=1)).days[-1]
    days = (until.day - last).days - 1
    what = f"stops on {last}, {days} days before the data end"
    todo = (
        f"The newest snapshots see none of it: bring newer rows of {pace.table}, or set source.data_until to "
        f"{last + timedelta(days=1)}."
    )
    return Finding(pace.table, what, todo, pace.column, rule="stops_short")


def set_until(params: Params) -> Until | None:
    """Where the data end by the settings; None if these leave it to the data."""
    if params.source.data_until is not None:
        return Until(params.source.data_until, ("source.data_until",), "source.data_until says so")
    if params.source.kind == "simulated":
        return Until(params.simulated.ends_on, ("simulated.ends_on",), "simulated.ends_on says so")
    return None
