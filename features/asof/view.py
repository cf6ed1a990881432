"""The one place where time is cut: what was known before a snapshot, and windows that end where it begins.

A snapshot as of `t` sees what was known before the day `t` began. A row became known on the day of its
`recorded_at` or, where that is absent or empty, on its event day plus the table's lag. It is visible from the
first snapshot `k` whose day `t_k` lies after both the day it became known and the day it happened. Columns that a
source overwrites in place (`ended_on`, `notice_on`, `resolved_at`, ...) are gated one by one, each by its own day.

Everything is emitted as portable SQL over integer day numbers (days since 1970-01-01): equi-joins, GROUP BY, CASE
and window functions only. The calendar of snapshots reaches the database as small tables, see `AsOf.frames`.
Windows are half-open, `[t - W, t)`. Days between two possible window edges behave alike in every snapshot, so
events are added up to such slices first and only then spread over the snapshots that still see them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa

from features.asof.clocks import NEVER, Clocks, day_of, told_by
from features.asof.in_force import attributes_in_force
from features.asof.people import PERSON, rows_of_people
from features.tables import contract
from features.tables.checked import Tables, keys_of
from features.tables.sql import BITS
from features.tables.via import Via

EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


@dataclass(frozen=True)
class AsOf:
    """Snapshots at `dates` (ascending, unique) of `tables`.

    `edges` holds, for each stream of rows that is cut into slices of days, how many days back its windows begin and
    end; `longest` how many days back anything looks.
    """

    tables: Tables
    dates: tuple[date, ...]
    edges: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    longest: int = 0

    def __post_init__(self) -> None:
        if not self.dates or list(self.dates) != sorted(set(self.dates)):
            raise ValueError("dates must be ascending, without repeats, and at least one")

    def frames(self) -> dict[str, pa.Table]:
        """The calendar as tables.

        `cal(k, t)`: the snapshots. `day_first(day, k, t)`: the first snapshot after a day, for all days that one of
        them looks back to.
        `day_slice(stream, on_day, slice_start, bit)`: the first day of the slice a day lies in, and the day's bit:
        the first day's is the highest of `BITS`.
        `slice_span(stream, slice_start, k, band, shift)`: the snapshots that still see a slice within the longest
        window. `band` is the window edge up to which it lies, in days before the snapshot; `shift` moves the bits of
        its days to the right so that the last day of the band has the lowest.
        `day_span(day, k, reach)`: the snapshots that still see a day, and how many days before them it lies.
        `arrival_span(kv, k, shift)`: each snapshot and those less than `BITS` days after it.
        `reach_bit(reach, bit)`: the bit of a day that lies so many days before a snapshot: the last day's is the
        highest of `BITS`, days further back have none.
        """
        days = self._days
        firsts = [(d, bisect_right(days, d)) for d in range(days[0] - max(self.longest, 1), days[-1])]
        slices = {stream: self._slices(edges) for stream, edges in self.edges.items()}
        spans = [(s, *row) for s, starts in slices.items() for row in self._bands_of(starts, self.edges[s])]
        near = [(i + 1, j + 1, days[j] - t) for i, t in enumerate(days) for j in range(i, bisect_left(days, t + BITS))]
        return {
            "cal": _frame(("k", "t"), list(enumerate(days, start=1))),
            "day_first": _frame(("day", "k", "t"), [(d, place + 1, days[place]) for d, place in firsts]),
            "day_slice": _frame(("stream", "on_day", "slice_start", "bit"), list(self._days_of_slices(slices))),
            "slice_span": _frame(("stream", "slice_start", "k", "band", "shift"), spans),
            "day_span": _frame(
                ("day", "k", "reach"), list(_span(range(days[0] - self.longest, days[-1]), days, self.longest))
            ),
            "arrival_span": _frame(("kv", "k", "shift"), near),
            "reach_bit": _frame(
                ("reach", "bit"),
                [(n, 1 << (BITS - n) if n <= BITS else 0) for n in range(1, days[-1] - days[0] + self.longest + 1)],
            ),
        }

    @property
    def clocks(self) -> Clocks:
        """When rows count."""
        return Clocks(self.tables)

    @property
    def alone(self) -> bool:
        """Whether there is one snapshot only."""
        return len(self.dates) == 1

    @property
    def shortest_gap(self) -> int:
        """Days between the two snapshots that lie closest; very many if there is one only."""
        return min((later - day for day, later in pairwise(self._days)), default=NEVER)

    def _slices(self, edges: tuple[int, ...]) -> list[int]:
        """First days of the slices that no window edge divides, none longer than `BITS`."""
        cuts = sorted({t - edge for t in self._days for edge in (0, *edges)})
        return [day for cut, end in pairwise(cuts) for day in range(cut, end, BITS)]

    def _days_of_slices(self, slices: Mapping[str, list[int]]) -> Iterator[tuple[str, int, int, int]]:
        """Every day of every slice, with its bit."""
        for stream, starts in slices.items():
            for start, end in pairwise([*starts, self._days[-1]]):
                yield from ((stream, day, start, 1 << (BITS - 1 - day + start)) for day in range(start, end))

    def _bands_of(self, starts: list[int], edges: tuple[int, ...]) -> Iterator[tuple[int, int, int, int]]:
        """Every slice and snapshot that sees it, with the band it lies in and the shift of its days there."""
        for start, k, reach in _span(starts, self._days, max(edges)):
            place = bisect_left(edges, reach)
            before = edges[place - 1] if place else 0
            yield start, k, edges[place], max(BITS + before - reach, 0)

    @property
    def _days(self) -> list[int]:
        return [day_number(day) for day in self.dates]

    def within(self, window_days: int, *, ending_days_ago: int = 0, stream: str = "") -> str:
        """Condition on `reach`: inside the window of that length, by default the one that ends at the snapshot.

        With `stream`, on `band`: that of its slices, which the window's edges must not divide.
        """
        for edge in (window_days + ending_days_ago, ending_days_ago):
            if stream and edge and edge not in self.edges[stream]:
                raise ValueError(f"a window edge {edge} days back was not announced in the edges of {stream}")
        where = "band" if stream else "reach"
        condition = f"{where} <= {window_days + ending_days_ago}"
        return f"({condition} AND {where} > {ending_days_ago})" if ending_days_ago else f"({condition})"

    def bands(self, window_days: int, *, ending_days_ago: int, stream: str) -> tuple[int, ...]:
        """The bands of a window, each told by the edge it ends at, in days before the snapshot."""
        return tuple(e for e in self.edges[stream] if ending_days_ago < e <= ending_days_ago + window_days)

    def events(
        self,
        table: str,
        columns: Sequence[str] = (),
        *,
        day: str | None = None,
        where: str = "TRUE",
        since_days: int | None = None,
        via: Via | None = None,
    ) -> str:
        """SELECT of the rows of an event table: `account_id`, `day`, `known_day`, `kv`, `kv_t`, columns.

        `kv` is the first snapshot that may see the row, `kv_t` its day. `day` names the date column the row happens
        on, by default the table's own event day; another one (such as `resolved_at`) gates that column by its own
        day. `columns` are column names or `expression AS name`, which must read nothing that is filled in later than
        `day`. `since_days` leaves out what no window of so many days can see. With `via`, only those of some people.
        """
        read = (*columns, f"{via.id_sql} AS {PERSON}") if via else columns
        rows = self.rows(table, read, day=day, where=where, since_days=since_days)
        rows = rows_of_people(self.clocks, via, rows, columns) if via else rows
        if self.alone:  # then no calendar need be looked up row by row
            t = self._days[0]
            return f"SELECT e.*, 1 AS kv, {t} AS kv_t FROM ({rows}) e WHERE e.day < {t} AND e.known_day < {t}"
        seen_after = "CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END"
        if since_days is None or since_days > self.longest:
            seen_after = f"GREATEST({seen_after}, {self._days[0] - 1})"
        return f"""
            SELECT e.*, s.k AS kv, s.t AS kv_t
            FROM ({rows}) e
            JOIN day_first s ON s.day = {seen_after}"""

    def things(self, table: str, column: str, *, day: str | None, where: str, since_days: int) -> str:
        """SELECT of rows with all values that a column has in the last `since_days`, NULL among them if there may be.

        There may be other values too, of rows that no snapshot sees: what things are numbered by, and nothing else.
        """
        if self.tables.lists(table, column):  # not an expression that only has its name
            return f"SELECT {column} FROM raw.{keys_of(column)} UNION ALL SELECT NULL AS {column}"
        return self.rows(table, [column], day=day, where=where, since_days=since_days)

    def rows(
        self,
        table: str,
        columns: Sequence[str] = (),
        *,
        day: str | None = None,
        where: str = "TRUE",
        since_days: int | None = None,
    ) -> str:
        """SELECT of the same rows whether or not a snapshot may see them yet: `account_id`, `day`, `known_day`."""
        event = day or str(contract.TABLES[table].event_day)
        clock = self.clocks.of_event(table, event)
        more_columns = "".join(f", {column}" for column in columns)
        since = "TRUE"
        if since_days is not None:
            since = f"{event} >= DATE '{self.dates[0] - timedelta(days=since_days)}'"
        return f"""
            SELECT account_id, {clock.happened} AS day, {clock.known} AS known_day{more_columns}
            FROM raw.{table} WHERE {event} IS NOT NULL AND {since} AND {where}"""

    def contracts(self) -> str:
        """SELECT of the contract lines as the snapshots knew them: a row a line and snapshot `k` that knew anything new
        of its buying centre, which holds for the snapshots before `next_k` (NULL: for all after).

        Of several versions of a line the newest known one counts. `starts`, `ends` (scheduled; NULL = evergreen),
        `ended` (once passed, once notice is known, or from its own day on where a line of the same buying centre that
        starts then has been signed: the order of a change tells of the end of what it changes) and `notice` (only once
        given) are day numbers; `mrr_micros` and `list_mrr_micros` are millionths in the line's `currency` (NULL = the
        reporting one), 0 of what is paused or on trial. `later` is 0: no line is here that was not known.
        `product_line` and `center_line` number the account's buying centres and their products, which are told apart by
        account where accounts are rolled up, which `MEMBER` then names.
        """
        lag = self.tables.lag_days.get("contracts", 0)
        first = self._days[0] - 1
        deleted = f"v.deleted + {lag} < c.t"
        kept = self._but_deleted("WHERE", deleted)
        columns = f"""{_LINE}{self._member}, 0 AS later,
                   {self._ended(f"{_told('ended_on', 'c.t', lag)} OR {_changed('c.t')}", deleted)} AS ended,
                   CASE WHEN {_told("notice_on", "c.t", lag)} THEN v.notice END AS notice"""
        told = self._told_later(lag, first)
        if self.alone:  # then all that is known is news
            return f"""
            SELECT c.k, CAST(NULL AS BIGINT) AS next_k, {columns}
            FROM ({self._newest_known(self._days[0])}) v CROSS JOIN cal c{kept}"""
        return f"""
            WITH versions AS (
                SELECT r.*, LEAD(r.kv) OVER (
                           PARTITION BY r.contract_id ORDER BY r.known_day, r.version NULLS FIRST) AS next_kv
                FROM (SELECT e.*, b.k AS kv FROM ({self._contract_rows()}) e
                      JOIN day_first b
                        ON b.day = CASE WHEN e.known_day < {first} THEN {first} ELSE e.known_day END) r),
            news AS (
                SELECT center_line, kv AS k FROM versions
                UNION SELECT center_line, next_kv FROM versions WHERE next_kv IS NOT NULL
                {told})
            SELECT c.k, c.next_k, {columns}
            FROM versions v
            JOIN (SELECT n.*, s.t, LEAD(n.k) OVER (PARTITION BY n.center_line ORDER BY n.k) AS next_k
                  FROM news n JOIN cal s ON s.k = n.k) c
              ON c.center_line = v.center_line AND c.k >= v.kv AND (v.next_kv IS NULL OR c.k < v.next_kv){kept}"""

    def contracts_in_hindsight(self, known_by: date, grace_days: int) -> str:
        """SELECT of the contract lines as they stood at each snapshot, told by what was known before `known_by`.

        What a label is made of: the newest version of each line known before `known_by`, and of it what had happened
        before each `t`, so that labels live in `[as_of, as_of + horizon)`. A line counts from the first `t` after its
        start, or on its start if it was signed before; `ended` and `notice` as in `contracts`. Lines that start within
        the grace after `t` are there too, as `later`: they carry no ARR at `t`, but tell that what they continue had
        not left; ends within it are told, since what ends there leaves less for others to be continued by. Same columns
        as there, but a row a snapshot.
        """
        cut = day_number(known_by)
        lag = self.tables.lag_days.get("contracts", 0)
        begun = "(v.starts < c.t OR v.signed < c.t)"
        within_grace = f"v.ended > c.t AND v.ended <= c.t + {grace_days}"
        happened = f"{_told('ended_on', 'c.t')} OR {_changed('c.t')} OR {within_grace}"
        told = f"({happened}) AND ({_told('ended_on', cut, lag)} OR {_changed(cut)})"
        deleted = f"v.deleted < c.t AND v.deleted + {lag} < {cut}"
        kept = self._but_deleted("AND", deleted)
        return f"""
            SELECT c.k, c.k + 1 AS next_k, {_LINE}, CASE WHEN {begun} THEN 0 ELSE 1 END AS later,
                   {self._ended(told, deleted)} AS ended,
                   CASE WHEN ({_told("notice_on", "c.t")}) AND ({_told("notice_on", cut, lag)})
                        THEN v.notice END AS notice
            FROM ({self._newest_known(cut)}) v JOIN cal c ON ({begun} OR v.starts <= c.t + {grace_days}){kept}"""

    def attributes(self) -> str:
        """SELECT of the account attributes in force: a row a snapshot `k` and account, all columns of `accounts`.

        A root that accounts lacks has those of its largest account, by the lines known at the snapshot.
        """
        return attributes_in_force(self.clocks, self.contracts() if self._member else "")

    def rates(self) -> str:
        """SELECT of the exchange rates of each snapshot's month: `k`, `currency`, `rate`.

        A month's rate is set before the month begins, so the month of the snapshot itself counts; a lag moves it, and
        a rate with a `recorded_at` counts from the snapshot after it.
        """
        counts_after = self.clocks.of_row("fx_rates").counts_after
        return f"""
            SELECT k, currency, rate FROM (
                SELECT c.k, f.currency, f.rate,
                       ROW_NUMBER() OVER (PARTITION BY c.k, f.currency ORDER BY f.month DESC) AS newest
                FROM (SELECT currency, rate, month, {counts_after} AS counts_after FROM raw.fx_rates) f
                JOIN cal c ON f.counts_after < c.t) ranked
            WHERE newest = 1"""

    def _newest_known(self, day: int) -> str:
        """SELECT of the newest version of each contract line that was known before a day."""
        return f"""
            SELECT * FROM (SELECT r.*, LEAD(r.known_day) OVER (
                               PARTITION BY r.contract_id ORDER BY r.known_day, r.version NULLS FIRST) AS next_known_day
                           FROM ({self._contract_rows()}) r WHERE r.known_day < {day}) versions
            WHERE next_known_day IS NULL"""

    def _told_later(self, lag: int, first: int) -> str:
        """UNIONs of the buying centres of which cells that are filled in later bring news, with the snapshot."""
        days = [day for column, day in _FILLED_LATER.items() if column != "deleted_at" or self._has_deleted]
        told = [*((f"v.{day} + {lag}", "TRUE") for day in days), ("v.ended - 1", "v.change_known_day < v.ended")]
        return " ".join(
            f"UNION SELECT v.center_line, b.k FROM versions v "
            f"JOIN day_first b ON b.day = {day} AND b.day >= {first} WHERE {condition}"
            for day, condition in told
        )

    @property
    def _has_deleted(self) -> bool:
        return self.tables.has("contracts", "deleted_at")

    def _ended(self, told: str, deleted: str) -> str:
        """SQL of the day a line ended, once told; a line that its source took back before ended on that day."""
        ended = f"CASE WHEN {told} THEN v.ended END"
        if not self._has_deleted:
            return ended
        before = f"v.deleted < COALESCE({ended}, v.ends, {NEVER})"
        return f"CASE WHEN {deleted} AND {before} THEN v.deleted ELSE {ended} END"

    def _but_deleted(self, joint: str, deleted: str) -> str:
        """Condition: no line that its source is known to have taken back before it began."""
        never_began = f"COALESCE({deleted} AND v.deleted <= v.starts, FALSE)"
        return f" {joint} NOT {never_began}" if self._has_deleted else ""

    def _contract_rows(self) -> str:
        """SELECT of all versions of all lines; `change_known_day` is when a line that starts as it ended was known."""
        if not self.tables.has("contracts", "ended_on"):
            return f"SELECT l.*, CAST(NULL AS BIGINT) AS change_known_day FROM ({self._all_lines()}) l"
        return f"""
            SELECT l.*, s.known_day AS change_known_day FROM ({self._all_lines()}) l
            LEFT JOIN (SELECT center_line, starts, MIN(known_day) AS known_day FROM ({self._all_lines()}) n
                       GROUP BY center_line, starts) s ON s.center_line = l.center_line AND s.starts = l.ended"""

    def _all_lines(self) -> str:
        present = self.tables.columns["contracts"]
        kinds = {column.name: column.type.sql for column in contract.CONTRACTS}
        get = {name: name if name in present else f"CAST(NULL AS {kind})" for name, kind in kinds.items()}
        clock = self.clocks.of_row("contracts")
        unpaid = f"COALESCE({get['status']}, 'active') IN ('paused', 'trial')"
        deleted = f"{day_of('deleted_at')} AS deleted, " if self._has_deleted else ""
        member = self._member
        return f"""
            SELECT account_id, contract_id, {get["product"]} AS product, {get["kind"]} AS kind,
                   {get["buying_center"]} AS buying_center, {get["currency"]} AS currency, {get["status"]} AS status,
                   CASE WHEN {unpaid} THEN 0 ELSE CAST(mrr * 1000000 AS BIGINT) END AS mrr_micros,
                   CASE WHEN {unpaid} THEN 0 ELSE CAST({get["list_mrr"]} * 1000000 AS BIGINT) END AS list_mrr_micros,
                   {get["seats"]} AS seats, {get["auto_renew"]} AS auto_renew,
                   {day_of("starts_on")} AS starts, {day_of(get["ends_on"])} AS ends,
                   {day_of(get["ended_on"])} AS ended, {day_of(get["notice_on"])} AS notice,
                   DENSE_RANK() OVER (ORDER BY account_id, COALESCE({get["buying_center"]}, ''),
                                               COALESCE({get["product"]}, ''){member}) AS product_line,
                   DENSE_RANK() OVER (ORDER BY account_id, COALESCE({get["buying_center"]}, '')) AS center_line,
                   {deleted}{get["recorded_at"]} AS version, {clock.happened} AS signed,
                   {clock.known} AS known_day{member}
            FROM raw.contracts"""

    @property
    def _member(self) -> str:
        """One more column of lines where accounts are rolled up: the account whose line it is."""
        return f", {contract.MEMBER}" if self.tables.has("contracts", contract.MEMBER) else ""


# cells of a contract line, and their days in `contracts`
_FILLED_LATER = {"ended_on": "ended", "notice_on": "notice", "deleted_at": "deleted"}
_LINE = ", ".join(f"v.{name}" for name in (
    "account_id", "contract_id", "product", "kind", "buying_center", "currency", "status", "mrr_micros",
    "list_mrr_micros", "seats", "auto_renew", "starts", "ends", "product_line", "center_line",
))  # fmt: skip


def _told(column: str, before: str | int, lag: int = 0) -> str:
    """Condition: a cell of a contract line that its source fills in later has been told before a day."""
    days = (_FILLED_LATER[day] for day in told_by("contracts", column))
    return " OR ".join(f"v.{day} + {lag} < {before}" for day in days)


def _changed(day: str | int) -> str:
    """Condition: a contract line has ended by a day, and the line that starts on its end was known before that day."""
    return f"(v.ended <= {day} AND v.change_known_day < {day})"


def _frame(columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    kinds = {name: pa.string() if name == "stream" else pa.int64() for name in columns}
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    return pa.table({name: pa.array(cells, kinds[name]) for name, cells in zip(columns, values, strict=True)})


def _span(starts: Iterable[int], days: Sequence[int], longest: int) -> Iterator[tuple[int, int, int]]:
    """Every start day, snapshot after it, at most `longest` days later, and how many days lie between."""
    for start in starts:
        for place in range(bisect_right(days, start), bisect_right(days, start + longest)):
            yield start, place + 1, days[place] - start
