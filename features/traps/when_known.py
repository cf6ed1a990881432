"""When rows became known: times of the last change instead, terms without a signature, sums of a month on its 1st."""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from features.tables import contract
from features.tables.checked import Tables
from features.tables.problems import EXAMPLES, Finding
from features.traps.spells import counts_of, texts_of
from params import Params

FIRST_KNOWN = "Map recorded_at to when the row was created, bring each version of the row, or leave recorded_at out."
FEWEST_ENDS, FEWEST_LATE = 5, 10
LATE_DAYS = 31  # attributes known only so long after the first contract began came with a later change or load
FEWEST_TERMS, ON_THE_FIRST, REGULAR = 10, 0.8, 0.8
TERM_MONTHS = (1, 3, 6, 12, 24, 36, 48, 60)
FEWEST_ROWS, FEWEST_MONTHS, SUMS = 20, 3, 0.9
SUMMED = ("usage", "csm_actions", "engagement", "tickets")


@dataclass(frozen=True)
class Closing:
    """A cell that the source fills in when a thing is over, and the `start` that the row was there from."""

    table: str
    column: str
    start: str
    effect: str


CLOSINGS = (
    Closing("tickets", "resolved_at", "opened_at", "open tickets are never seen as open"),
    Closing("goals", "achieved_on", "set_on", "goals are known only once they are reached"),
    Closing("contacts", "left_on", "joined_on", "contacts are known only once they have left"),
)


def updated_at(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[Finding]:
    """Columns `recorded_at` that tell when a row last changed, and so hide it until then."""
    if tables.has("contracts", "recorded_at"):
        over = f"versions = 1 AND paid AND end_on > starts_on AND end_on < DATE '{tables.data_until}'"
        rows, of = counts_of(
            connection,
            f"SELECT count(*) FILTER (CAST(recorded_at AS DATE) >= end_on), count(recorded_at) FROM lines WHERE {over}",
        )
        if rows >= FEWEST_ENDS and rows > of / 2:
            example = "concat(contract_id, ': ended ', end_on, ', recorded ', CAST(recorded_at AS DATE))"
            select = f"SELECT {example} FROM lines WHERE {over} AND CAST(recorded_at AS DATE) >= end_on ORDER BY 1"
            texts = texts_of(connection, f"{select} LIMIT {EXAMPLES}")
            yield _updated("contracts", "whoever left is never seen as a customer, and so never as one that left",
                           "ended", rows, of, texts, "ended line")  # fmt: skip
        else:
            yield from _long_unknown(connection)
    for closing in CLOSINGS:
        if closing.table in tables.kept and tables.has(closing.table, "recorded_at", closing.column, closing.start):
            yield from _closed(connection, closing)
    yield from _late_accounts(connection, tables)


def _long_unknown(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Lines of one version that became known long after they had begun."""
    late = f"CAST(recorded_at AS DATE) > starts_on + {LATE_DAYS}"
    rows, of = counts_of(
        connection, f"SELECT count(*) FILTER ({late}), count(recorded_at) FROM lines WHERE versions = 1 AND paid"
    )
    if rows >= FEWEST_LATE and rows > of / 2:
        yield Finding(
            "contracts",
            f"were recorded more than {LATE_DAYS} days after their start, and no earlier version is there: recorded_at "
            "seems to be the time of the last change (updated_at) or of a load, and until then nobody is a customer",
            FIRST_KNOWN,
            "recorded_at",
            rows,
            of,
            (),
            "recorded_at_is_updated_at",
            "line",
        )


def _closed(connection: duckdb.DuckDBPyConnection, closing: Closing) -> Iterator[Finding]:
    """The same of things that are closed: those that took more than a day."""
    over = f"CAST({closing.column} AS DATE) > CAST({closing.start} AS DATE) + 1"
    rows, of = counts_of(
        connection,
        f"""SELECT count(*) FILTER (CAST(recorded_at AS DATE) >= CAST({closing.column} AS DATE)), count(recorded_at)
            FROM raw.{closing.table} WHERE {over}""",
    )
    if rows >= FEWEST_ENDS and rows > of / 2:
        yield _updated(closing.table, closing.effect, f"got {closing.column}", rows, of, (), "closed row")


def _updated(table: str, effect: str, over: str, rows: int, of: int, texts: tuple[str, ...], unit: str) -> Finding:
    return Finding(
        table,
        f"were recorded on the day they {over}, or later, and no earlier version is there: recorded_at seems to be the "
        f"time of the last change (updated_at) or of a load, and {effect}",
        FIRST_KNOWN,
        "recorded_at",
        rows,
        of,
        texts,
        "recorded_at_is_updated_at",
        unit,
    )


def _late_accounts(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[Finding]:
    """Accounts of one row whose attributes hold only from long after their first contract began."""
    times = [name for name in ("valid_from", "recorded_at") if tables.has("accounts", name)]
    for column in times:
        rows, of = counts_of(
            connection,
            f"""SELECT count(*) FILTER (seen_on > first_start + {LATE_DAYS}), count(*)
                FROM (SELECT account_id, CAST(min({column}) AS DATE) AS seen_on, count(*) AS n FROM raw.accounts
                      GROUP BY 1) JOIN (SELECT account_id, min(starts_on) AS first_start FROM lines GROUP BY 1)
                USING (account_id) WHERE n = 1 AND seen_on IS NOT NULL""",
        )
        if rows >= FEWEST_ENDS and rows > of / 2:
            yield Finding(
                "accounts",
                f"have attributes only from more than {LATE_DAYS} days after their first contract began: {column} "
                "seems to be the time of the last change (updated_at) or of a load, and snapshots before it see none",
                f"Map {column} to when the account was created, bring each version of its row, or leave {column} out.",
                column,
                rows,
                of,
                (),
                "recorded_at_is_updated_at",
                "account",
            )


def unsigned_terms(connection: duckdb.DuckDBPyConnection, tables: Tables, params: Params) -> Iterator[Finding]:
    """Terms that follow one another on the first of a month, of which nothing tells when they were signed.

    Scheduled ends of any odd length are a history told afterwards and no terms; those are left alone.
    """
    regular = " OR ".join(f"ends_on = starts_on + to_months({months})" for months in TERM_MONTHS)
    first, untold, of, terms, odd = counts_of(
        connection,
        f"""SELECT count(*) FILTER (day(starts_on) = 1),
                   count(*) FILTER (signed_on IS NULL AND CAST(recorded_at AS DATE) IS NULL), count(*),
                   count(ends_on), count(ends_on) FILTER (NOT ({regular})) FROM lines""",
    )
    renewed = _followed_on_the_day(connection)
    if renewed < FEWEST_TERMS or first < ON_THE_FIRST * of or untold < ON_THE_FIRST * of:
        return
    if odd > (1 - REGULAR) * terms:
        return
    yield _unsigned(first, of, renewed, params.revenue.grace_days)


def _unsigned(first: int, of: int, renewed: int, grace: int) -> Finding:
    effect = (
        f"a snapshot of that day does not know them yet: it shows the terms before them (grace_days: {grace}), and "
        "figures lag by a month"
        if grace
        else "a snapshot of that day does not know them yet, and with revenue.grace_days 0 nobody is a customer in it"
    )
    return Finding(
        "contracts",
        f"start on the first of a month and say nothing of when they were signed ({renewed:,} follow another term on "
        f"that very day): {effect}",
        "Map signed_on to the day of signing or, where terms renew by themselves, to the day before the start: "
        "CAST(starts_on AS DATE) - 1 AS signed_on in source.tables.contracts.query.",
        "signed_on",
        first,
        of,
        (),
        "first_of_month_unsigned",
        "line",
    )


def _followed_on_the_day(connection: duckdb.DuckDBPyConnection) -> int:
    """How many lines start on a first of a month on which another line of the account ends."""
    (count,) = counts_of(
        connection,
        """SELECT count(*) FROM lines n SEMI JOIN lines l ON n.account_id = l.account_id AND n.starts_on = l.end_on
           WHERE day(n.starts_on) = 1""",
    )
    return count


def monthly_sums(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[Finding]:
    """Tables of events nearly all of whose rows lie on the first of a month: sums of the month that begins there."""
    for name in SUMMED:
        if name not in tables.kept:
            continue
        day = f"CAST({contract.TABLES[name].event_day} AS DATE)"
        first, of, months = counts_of(
            connection,
            f"""SELECT count(*) FILTER (day({day}) = 1), count(*),
                       count(DISTINCT CASE WHEN day({day}) = 1 THEN {day} END) FROM raw.{name}""",
        )
        if of >= FEWEST_ROWS and months >= FEWEST_MONTHS and first >= SUMS * of:
            yield _sums(name, first, of)


def _sums(name: str, first: int, of: int) -> Finding:
    day = str(contract.TABLES[name].event_day)
    return Finding(
        name,
        "lie on the first of a month, as sums of a month do: a snapshot of the next month's first day looks back 28 "
        f"days and sees nothing (such as {name}_28d = 0)",
        f"Bring a row a day or, if there are sums of months only, date them on the month's last day: "
        f"last_day(CAST({day} AS DATE)) AS {day} in source.tables.{name}.query.",
        day,
        first,
        of,
        (),
        "monthly_sums",
    )
