"""Ends that are the last day covered, and accounts that came back after a short break."""

from collections.abc import Iterator, Mapping

import duckdb

from features.tables.problems import EXAMPLES, Finding
from features.traps.spells import counts_of, texts_of
from params import Params, TableSource

FEWEST_PAIRS = 2
PART = 10  # so many lines that end a day early, and so much more than any other day, are a habit of some source
PART_SHARE, PART_TIMES = 0.05, 5.0
SHORT_BREAK_DAYS = 45  # a break of no more than a month and a half: of whoever pays by the month, one payment


def last_day_covered(connection: duckdb.DuckDBPyConnection, params: Params) -> Iterator[Finding]:
    """Lines that stop exactly one day before the account's next line starts: the end is the last day covered."""
    if params.source.tables.get("contracts", TableSource()).end_is_last_day:
        return
    gaps = {column: _gaps(connection, stopped) for column, stopped in (("ended_on", True), ("ends_on", False))}
    early, same, near, pairs = (sum(gap[name] for gap in gaps.values()) for name in ("early", "same", "near", "pairs"))
    is_whole = early >= FEWEST_PAIRS and early > same
    is_part = early >= max(PART, PART_SHARE * pairs) and early > PART_TIMES * near / 7
    if not is_whole and not is_part:
        return
    column = max(gaps, key=lambda name: gaps[name]["early"])
    yield Finding(
        "contracts",
        "end exactly one day before the account's next line starts, as if the end were the last day covered; "
        f"{same:,} end on the day it starts. Each such renewal leaves a day without revenue, and where the grace does "
        "not bridge it a churn",
        _last_day_todo(gaps, column),
        column,
        early,
        pairs,
        texts_of(connection, f"SELECT shown FROM ({_PAIRS}) WHERE gap = 1 ORDER BY end_on, shown LIMIT {EXAMPLES}"),
        "end_is_last_day",
        "followed line",
    )


_PAIRS = """
    SELECT l.stopped, l.end_on, n.starts_on - l.end_on AS gap,
           concat(l.contract_id, ': ', l.end_on, ', next from ', n.starts_on) AS shown
    FROM (SELECT * FROM lines WHERE end_on > starts_on) l
    ASOF JOIN (SELECT account_id, starts_on FROM lines) n
      ON l.account_id = n.account_id AND n.starts_on >= l.end_on"""


def _gaps(connection: duckdb.DuckDBPyConnection, stopped: bool) -> dict[str, int]:
    """Of the lines whose end is of one column: how many days lie before the account's next line."""
    counts = counts_of(
        connection,
        f"""SELECT count(*) FILTER (gap = 1), count(*) FILTER (gap = 0), count(*) FILTER (gap BETWEEN 2 AND 8), count(*)
            FROM ({_PAIRS}) WHERE stopped = {stopped}""",
    )
    return dict(zip(("early", "same", "near", "pairs"), counts, strict=True))


def _last_day_todo(gaps: Mapping[str, Mapping[str, int]], column: str) -> str:
    """The setting; where the other column does mean the first day not covered, a query for the one that does not."""
    other = "ends_on" if column == "ended_on" else "ended_on"
    if gaps[other]["same"] > max(PART, gaps[other]["early"]):
        return (
            f"{other} is the first day not covered, as it should be: add a day to {column} alone, in "
            f"source.tables.contracts.query (CAST({column} AS DATE) + 1 AS {column})."
        )
    if gaps[column]["early"] <= gaps[column]["same"]:
        return f"Add a day to {column} of these lines in source.tables.contracts.query."
    return "Set source.tables.contracts.end_is_last_day: true, which adds a day to ends_on and ended_on."


def short_breaks(connection: duckdb.DuckDBPyConnection, *, without_one_day: bool) -> Iterator[Finding]:
    """Accounts that came back soon after all they paid for had ended; `without_one_day` where that is a habit."""
    shortest = 1 if without_one_day else 0
    breaks = f"spells WHERE back_on - until > {shortest} AND back_on - until <= {SHORT_BREAK_DAYS}"
    accounts, rows, longest = counts_of(
        connection, f"SELECT count(DISTINCT account_id), count(*), max(back_on - until) FROM {breaks}"
    )
    if not rows:
        return
    (of,) = counts_of(connection, "SELECT count(DISTINCT account_id) FROM spells")
    days = f"{'' if rows == 1 else 'up to '}{longest} day{'s' if longest != 1 else ''}"
    yield Finding(
        "contracts",
        f"came back after a gap of {days}: each counts as churn, and its return as a reactivation",
        f"If they were customers all along, set revenue.gap_days: {longest}, which counts such gaps as pauses; if a "
        "line is missing, add it.",
        "starts_on",
        accounts,
        of,
        texts_of(
            connection,
            f"SELECT concat(account_id, ': ', until, ' to ', back_on) FROM {breaks} ORDER BY 1 LIMIT {EXAMPLES}",
        ),
        "short_gap",
        "account",
    )
