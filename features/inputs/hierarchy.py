"""Which account belongs to which, and the root of each: what the roll-up by parent rests on.

An account without a parent is its own root, and so is one that names itself. A parent that accounts lacks is a root
too. Where an account moves to another root in its history, there is a hierarchy for the dates before and one for those
after. A row counts from the day on which the as-of views see it; what is known of an account by the time that its first
line has started and is known counts from the first.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter

import duckdb

from features.asof.clocks import NEVER, Clocks, day_of
from features.inputs.staged import Staged
from features.tables.problems import EXAMPLES, Finding

PARENT = "parent_account_id"
VERSIONS = ("valid_from", "recorded_at")
MOST = 36  # hierarchies
ONE_BY_ONE = "Set revenue.account_level: account to have each account by itself"


class Circle(Exception):
    """Accounts whose parents lead back to them, in the order of the parents."""

    def __init__(self, accounts: Sequence[str]) -> None:
        first = accounts.index(min(accounts))
        self.accounts = (*accounts[first:], *accounts[:first])
        super().__init__(" -> ".join([*self.accounts, self.accounts[0]]))


def root_of(account: str, parents: Mapping[str, str]) -> str:
    """The account at the top of those that an account belongs to.

    Raises
    ------
    Circle
        There is none, since the way up comes back.
    """
    way = [account]
    while (above := parents.get(account, account)) != account:
        if above in way:
            raise Circle(way[way.index(above) :])
        way.append(above)
        account = above
    return account


def read_hierarchies(
    connection: duckdb.DuckDBPyConnection, clocks: Clocks, accounts: Staged, contracts: Staged | None
) -> tuple[list[tuple[date | None, dict[str, str]]], list[Finding]]:
    """What hierarchies there were, by when their rows count, and what makes a roll-up impossible.

    Returns
    -------
    tuple
        Of each hierarchy, the day after which it was known (None of the first), and the root of every account and
        parent; and the problems.
    """
    rows_by_day = _changes(connection, clocks, accounts, contracts)
    parents = {account: account for account, _, _ in rows_by_day}
    hierarchies: list[tuple[date | None, dict[str, str]]] = []
    for day, rows in groupby([*((name, None, None) for name in parents), *rows_by_day], key=itemgetter(2)):
        changes = {account: parent or account for account, parent, _ in rows}
        before = [root_of(account, parents) for account in changes]
        parents |= changes
        try:
            if day is None or before != [root_of(account, parents) for account in changes]:
                names = {*parents, *parents.values()} if len(hierarchies) < MOST else set()
                hierarchies.append((day, {name: root_of(name, parents) for name in names}))
        except Circle:
            return [], [_circular(parents)]
    if len(hierarchies) > MOST:
        return [], [_too_many([day for day, _ in hierarchies if day])]
    return hierarchies, []


def _circles(parents: Mapping[str, str]) -> Iterator[Circle]:
    for account in parents:
        try:
            root_of(account, parents)
        except Circle as circle:
            yield circle


def _changes(
    connection: duckdb.DuckDBPyConnection, clocks: Clocks, accounts: Staged, contracts: Staged | None
) -> list[tuple[str, str | None, date | None]]:
    """Accounts with their first parent (the day is None), then those whose parent changed, by the day it was known.

    A first parent that became known after the account's first line was there is a change. A row that became known after
    a newer one was never in force.
    """
    starts = "SELECT NULL AS account_id, NULL AS starts WHERE FALSE"
    if contracts is not None:
        starts = _first_lines(clocks, contracts)
    clock = clocks.of_row("accounts")
    versions = ", ".join([clock.happened, clock.known, *(f"{name} NULLS FIRST" for name in _times(accounts))])
    return connection.execute(f"""
        SELECT a.account_id, {PARENT}, CASE WHEN nth > 1 OR day > starts THEN {_date("day")} END AS known
        FROM (SELECT *, row_number() OVER history AS nth, lag({PARENT}) OVER history AS before
              FROM (SELECT *, {clock.counts_after} AS day FROM {accounts.name} WHERE account_id IS NOT NULL
                    QUALIFY COALESCE(day < min(day) OVER (
                        PARTITION BY account_id ORDER BY {versions} ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING),
                        TRUE))
              WINDOW history AS (PARTITION BY account_id ORDER BY {versions})) a
        LEFT JOIN ({starts}) s ON s.account_id = a.account_id
        WHERE nth = 1 OR {PARENT} IS DISTINCT FROM before ORDER BY known NULLS FIRST, a.account_id, nth""").fetchall()


def _times(accounts: Staged) -> list[str]:
    return [name for name in VERSIONS if accounts.has(name)]


def _first_lines(clocks: Clocks, contracts: Staged) -> str:
    """SELECT of the day number on which the first line of each account had started and was known."""
    there = f"GREATEST({day_of('starts_on')}, {clocks.of_row('contracts').counts_after})"
    return f"SELECT account_id, min({there}) AS starts FROM {contracts.name} GROUP BY account_id"


def _date(day: str) -> str:
    """SQL of the date of a day number; NULL for what was there from the first."""
    return f"CASE WHEN {day} > -{NEVER // 2} THEN DATE '1970-01-01' + CAST({day} AS INTEGER) END"


def _circular(parents: Mapping[str, str]) -> Finding:
    circles = {circle.accounts: str(circle) for circle in _circles(parents)}
    return Finding(
        "accounts",
        "whose parents lead back to themselves, so that they have no root",
        f"Correct it: the account at the top has no parent. {ONE_BY_ONE}.",
        PARENT,
        sum(map(len, circles)),
        len(parents),
        tuple(sorted(circles.values())[:EXAMPLES]),
    )


def _too_many(days: Sequence[date]) -> Finding:
    what = (
        f"moves accounts to another root on {len(days)} days, from {days[0]} to {days[-1]}; each needs a copy of the "
        f"tables, and {MOST - 1} are kept at most"
    )
    todo = (
        "Let the first row of an account hold from its start on (valid_from), if it had the parent by then, and give "
        f"changes as of fewer days, such as the first of a quarter. {ONE_BY_ONE}."
    )
    return Finding("accounts", what, todo, PARENT)


def warnings_of(
    connection: duckdb.DuckDBPyConnection, clocks: Clocks, staged: Mapping[str, Staged]
) -> Iterator[Finding]:
    """What deserves a warning of a hierarchy that can be rolled up."""
    accounts = staged["accounts"]
    yield from _absent(connection, accounts)
    told = ", ".join(_times(accounts))
    if told and _count(connection, f"FROM {accounts.name} WHERE COALESCE({told}) IS NOT NULL"):
        yield from _told_late(connection, clocks, accounts, staged["contracts"])
    else:
        what = "is absent or empty, so every past date is rolled up by today's parents"
        todo = f"An account taken over since counts as its parent's from the start on. {ONE_BY_ONE}."
        yield Finding("accounts", what, todo, "valid_from")


def _absent(connection: duckdb.DuckDBPyConnection, accounts: Staged) -> Iterator[Finding]:
    """Parents that have no row."""
    rows = f"FROM {accounts.name} WHERE {PARENT} NOT IN (SELECT account_id FROM {accounts.name})"
    examples = _examples(connection, f"SELECT DISTINCT concat(account_id, ': ', {PARENT}) {rows}")
    if count := _count(connection, rows):
        what = "naming a parent that accounts lacks: it counts as a root, with the attributes of its largest account"
        todo = "Add its row, or correct the id."
        yield Finding("accounts", what, todo, PARENT, count, _count(connection, f"FROM {accounts.name}"), examples)


def _told_late(
    connection: duckdb.DuckDBPyConnection, clocks: Clocks, accounts: Staged, contracts: Staged
) -> Iterator[Finding]:
    """Parents that became known only after the contracts of their accounts had begun."""
    rows = f"""
        FROM (SELECT account_id, min({clocks.of_row("accounts").counts_after}) AS told
              FROM {accounts.name} GROUP BY account_id HAVING any_value({PARENT}) <> account_id) a
        JOIN ({_first_lines(clocks, contracts)}) c USING (account_id)
        WHERE told > starts"""
    if count := _count(connection, rows):
        example = f"concat(account_id, ': ', {_date('told')}, ', contracts since ', {_date('starts')})"
        what = "with a first row, and so a parent, only from after their contracts began: until then they are their own"
        todo = "Let the first row of an account hold from its start on, if it had the parent by then."
        of = _count(connection, f"FROM {accounts.name}")
        yield Finding(
            "accounts", what, todo, "valid_from", count, of, _examples(connection, f"SELECT {example} {rows}")
        )


def _count(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    row = connection.execute(f"SELECT count(*) {rows}").fetchone()
    return int(row[0]) if row else 0


def _examples(connection: duckdb.DuckDBPyConnection, select: str) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in connection.execute(f"{select} ORDER BY 1 LIMIT {EXAMPLES}").fetchall())
