"""The search for leaks: every look that the data allow, in one list."""

from collections.abc import Iterator, Sequence
from datetime import date

import duckdb

from features.leaks.arrival import arrivals
from features.leaks.attributes import load_fates, telling_attributes
from features.leaks.cohort import Cohort, past_cohort, past_dates
from features.leaks.finding import Known, Leak, Leaks, Strongest
from features.leaks.outside import before_the_start, outside
from features.leaks.overwritten import odd_ends, overwritten
from features.leaks.predictors import end_is_the_answer, known_facts, strongest, too_good, tried
from features.snapshots.dates import month_starts
from features.tables.checked import Tables
from features.tables.problems import BadInput, Finding
from features.tables.progress import Progress, silent
from params import Params

PREDICTS = "whether a column predicts too well"
MARKS = "whether attributes or scheduled ends were set when customers left"
MOST_ROWS = 200_000  # rows of snapshots that training tries each feature on: a few seconds
GRADES = ("leak", "risk", "cut")


def find_leaks(
    tables: Tables,
    warnings: Sequence[Finding],
    *,
    params: Params,
    progress: Progress = silent,
) -> Leaks:
    """Look for what the tables know of the past that could not be known then.

    Parameters
    ----------
    tables
        The checked tables.
    warnings
        Those of the check: what it counted already is not counted again.
    params
        All settings; `params.leaks` holds the thresholds.
    progress
        Told what is being done.

    Raises
    ------
    BadInput
        A currency in force has no rate.
    """
    cohort, not_told = _cohort(tables, params, progress)
    progress("looking for leaks", 0, 0)
    leaks = list(_in_tables(tables, warnings, params, not_told))
    facts: tuple[Known, ...] = ()
    best: tuple[Strongest, ...] = ()
    if cohort is not None:
        items = tried(cohort)
        leaks += [*too_good(items, cohort, params.leaks), *end_is_the_answer(cohort, params.leaks, params.revenue)]
        facts, best = known_facts(cohort), strongest(items, params.leaks)
    leaks.sort(key=lambda leak: GRADES.index(leak.grade))
    return Leaks(tuple(leaks), facts, best, str(cohort or ""), tuple(not_told))


def proven_leaks(tables: Tables, *, params: Params, progress: Progress = silent) -> tuple[Leak, ...]:
    """The cheap part of the search, for training: the looks that can prove a leak, at a bounded number of rows.

    Raises
    ------
    BadInput
        A currency in force has no rate.
    """
    settings = params.leaks
    cohort, too_little = _cohort(tables, params, progress, most_rows=MOST_ROWS)
    progress("looking for leaks", 0, 0)
    leaks: list[Leak] = []
    if cohort is not None and not too_little:
        leaks += [*too_good(tried(cohort), cohort, settings), *end_is_the_answer(cohort, settings, params.revenue)]
    with tables.connect(budget=params.budget) as connection:
        _prepare(connection)
        if min(load_fates(connection, tables, params)) >= settings.min_churned:
            leaks += [*telling_attributes(connection, tables, settings), *odd_ends(connection, tables, settings)]
    return tuple(leaks)


def _cohort(
    tables: Tables, params: Params, progress: Progress, *, most_rows: int | None = None
) -> tuple[Cohort | None, list[str]]:
    """The past that single columns are tried on; None, with the reason, where it is too little."""
    settings = params.leaks
    most = settings.snapshots if most_rows is None else _dates_within(most_rows, tables, params)
    try:
        months = settings.within_months  # as far apart, so that nobody leaves in two windows
        dates = past_dates(tables, months=months, every_months=months, most=most, params=params)
    except BadInput:
        dates = []
    if not dates:
        return None, [f"{PREDICTS}: no month start has {settings.within_months} months after it"]
    cohort = past_cohort(tables, dates, months=settings.within_months, params=params, progress=progress)
    if cohort.accounts_left < settings.min_churned:
        return cohort, [f"{PREDICTS}: leaks.min_churned asks for {settings.min_churned} accounts that left"]
    return cohort, []


def _dates_within(rows: int, tables: Tables, params: Params) -> int:
    """At how many dates all accounts come to no more rows; at two at least."""
    with tables.connect(budget=params.budget) as connection:
        first, last = tables.account_keys(connection)
    return min(params.leaks.snapshots, max(2, rows // max(last - first + 1, 1)))


def _in_tables(tables: Tables, warnings: Sequence[Finding], params: Params, not_told: list[str]) -> Iterator[Leak]:
    """What the tables themselves show; what they cannot is added to `not_told`."""
    fewest = params.leaks.min_churned
    with tables.connect(budget=params.budget) as connection:
        _prepare(connection)
        gone, stayed = load_fates(connection, tables, params)
        first = _first_snapshot(tables, params)
        if min(gone, stayed) >= fewest:
            yield from telling_attributes(connection, tables, params.leaks)
            yield from odd_ends(connection, tables, params.leaks)
        else:
            reason = f"{gone:,} accounts have left and {stayed:,} have not, and leaks.min_churned is {fewest}"
            not_told.append(f"{MARKS}: {reason}")
        yield from arrivals(connection, tables, params.leaks, first)
        yield from outside([*warnings, *before_the_start(connection, tables)])
        yield from overwritten(connection, tables, first)


def _first_snapshot(tables: Tables, params: Params) -> date:
    """The first month start that a backtest would have; where there is none, the day the data end."""
    try:
        return month_starts(tables, params.snapshots)[0]
    except BadInput:
        return tables.data_until


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    # DuckDB 2.0.0 fails inside on rowid in a query that keeps row_number() = 1; without this step it is right
    connection.execute("SET disabled_optimizers = 'top_n_window_elimination'")
