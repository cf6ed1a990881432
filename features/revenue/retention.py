"""Net and gross revenue retention and logo retention, from one instant to another: snapshot to snapshot.

Only accounts with ARR at the start count, each valued at the rates of the start's month. For those accounts, from t
to u:  NRR = sum ARR(u) / sum ARR(t);  GRR = sum min(ARR(u), ARR(t)) / sum ARR(t), capped account by account;
logo retention = share of them that are customers at u: with ARR, or paused.  NRR >= GRR and GRR <= 1 always.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import pandas as pd

from features.asof.view import day_number
from features.revenue.known_lines import instants_frame, line_arr, lines_known
from features.revenue.movements import check_window
from features.revenue.paths import add_months
from features.tables.checked import Tables
from params import Budget, Revenue

# Median NRR lies about 10 points above median GRR, the top quartile of NRR (113 %) about 22 above that of GRR (91 %).
WIDE_GAP = 0.25
# Who grows while losing more than this a window fills a leak with expansion.
LOW_GRR = 0.85
# Of fewer accounts, one that grows makes the gap.
FEWEST_ACCOUNTS = 20


@dataclass(frozen=True)
class Retention:
    """Retention of the accounts that had ARR at the start; the ratios are NaN where none had."""

    nrr: float
    grr: float
    logo_retention: float
    starting_arr: float
    ending_arr: float
    accounts: int
    definition: str


def retention(tables: Tables, *, start: date, end: date, known_by: date, rules: Revenue, budget: Budget) -> Retention:
    """NRR, GRR and logo retention of all accounts from `start` to `end`, by what was known before `known_by`.

    Raises
    ------
    ValueError
        `start` is not before `end`, or `end` lies after `known_by`.
    """
    accounts = account_retention(tables, start=start, end=end, known_by=known_by, rules=rules, budget=budget)
    return summarise(accounts, definition(start, end, known_by, rules))


def retention_by(
    tables: Tables,
    cut: "pd.Series[str]",
    *,
    start: date,
    end: date,
    known_by: date,
    rules: Revenue,
    budget: Budget,
) -> dict[str, Retention]:
    """The same for each part of a cut, by its label.

    `cut` holds a label for each account (its index); accounts that have none come under `(none)`, so that the parts
    always add up to the total.

    Raises
    ------
    ValueError
        As `retention`; or an account has more than one label.
    """
    if cut.index.has_duplicates:
        twice = sorted(map(str, cut.index[cut.index.duplicated()].unique()))[:5]
        raise ValueError(f"cut must hold one label for each account; more than one for {', '.join(twice)}")
    accounts = account_retention(tables, start=start, end=end, known_by=known_by, rules=rules, budget=budget)
    labels = accounts["account_id"].map(cut).astype(object).fillna("(none)").astype(str)
    meaning = definition(start, end, known_by, rules)
    return {str(label): summarise(part, meaning) for label, part in accounts.groupby(labels, sort=True)}


def reported_nrr(
    tables: Tables,
    month: date,
    *,
    rules: Revenue,
    budget: Budget,
    known_by: date | None = None,
) -> Retention:
    """Trailing twelve months: from twelve months before `month` to `month`, by default as known then."""
    start = add_months(month, -12)
    return retention(tables, start=start, end=month, known_by=known_by or month, rules=rules, budget=budget)


def trailing_retention(
    tables: Tables, ends: Sequence[date], *, known_by: date, rules: Revenue, budget: Budget
) -> list[Retention]:
    """Of each end: the twelve months before it, all by what was known before `known_by`.

    The lines are made ready once, unless accounts are rolled up by the parents that were in force at each end.
    """
    windows = [(add_months(end, -12), end) for end in ends]
    if rules.account_level == "parent":
        return [retention(tables, start=s, end=e, known_by=known_by, rules=rules, budget=budget) for s, e in windows]
    with lines_known(tables, known_by=known_by, rules=rules, budget=budget) as connection:
        return [
            summarise(
                retention_of_lines(connection, tables, start=start, end=end, rules=rules),
                definition(start, end, known_by, rules),
            )
            for start, end in windows
        ]


def account_retention(
    tables: Tables, *, start: date, end: date, known_by: date, rules: Revenue, budget: Budget
) -> pd.DataFrame:
    """The accounts with ARR at the start: `account_id`, `starting_arr`, `ending_arr` at the start's rates, `customer`.

    `customer` tells whether it is one at the end, paused ones among them. With reactivation `exclude` an account that
    left inside the window ends at 0, and is none, even if it came back.
    """
    check_window(start, end, known_by)
    with lines_known(tables, known_by=known_by, rules=rules, budget=budget, rolled_up_at=end) as connection:
        return retention_of_lines(connection, tables, start=start, end=end, rules=rules)


def retention_of_lines(
    connection: duckdb.DuckDBPyConnection, tables: Tables, *, start: date, end: date, rules: Revenue
) -> pd.DataFrame:
    """The same of the lines that a connection of `lines_known` holds."""
    lines = line_arr(connection, tables, instants_frame([start, end], [start, start]), rules)
    accounts = connection.execute(_both_ends(lines, day_number(start), day_number(end), rules)).df()
    return accounts.assign(starting_arr=accounts.pop("before") / 100, ending_arr=accounts.pop("after") / 100)


def _both_ends(lines: str, start: int, end: int, rules: Revenue) -> str:
    covers = f"covered_until > {end}" + (f" AND covered_from <= {start}" if rules.reactivation == "exclude" else "")
    stays = f"account_id IN (SELECT account_id FROM coverage WHERE covered_from <= {end} AND {covers})"
    return f"""
        SELECT account_id, CAST(SUM(CASE WHEN instant = 0 THEN cents ELSE 0 END) AS BIGINT) AS before,
               CAST(SUM(CASE WHEN instant = 1 AND {stays} THEN cents ELSE 0 END) AS BIGINT) AS after,
               {stays} AS customer
        FROM ({lines}) GROUP BY account_id
        HAVING SUM(CASE WHEN instant = 0 THEN cents ELSE 0 END) > 0 ORDER BY account_id"""


def summarise(accounts: pd.DataFrame, definition: str) -> Retention:
    """Retention of accounts as `account_retention` gives them; added up in whole cents."""
    before, after = ((accounts[column] * 100).round().astype("int64") for column in ("starting_arr", "ending_arr"))
    capped = after.where(after < before, before)
    starting, count = int(before.sum()), len(accounts)
    return Retention(
        nrr=_ratio(int(after.sum()), starting),
        grr=_ratio(int(capped.sum()), starting),
        logo_retention=_ratio(int(accounts["customer"].sum()), count),
        starting_arr=starting / 100,
        ending_arr=int(after.sum()) / 100,
        accounts=count,
        definition=definition,
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def definition(start: date, end: date, known_by: date, rules: Revenue) -> str:
    """What a retention figure means, in one sentence: window, cohort date, reactivation and currency rule."""
    gaps = f", and gaps of up to {rules.gap_days} days are pauses" if rules.gap_days else ""
    level = f" (rolled up by the parents known before {end})" if rules.by_parent else ""
    returned = "counts 0" if rules.reactivation == "exclude" else "counts with the ARR it came back with"
    return (
        f"Accounts{level} with ARR on {start} (cohort date), from {start} to {end}, as known before {known_by}; "
        f"an account that left and came back in between {returned}; "
        f"ARR in {rules.currency} at the rates of {start:%Y-%m}; "
        f"terms that ran out in silence count for {rules.grace_days} more days; "
        f"paused accounts are customers without ARR for at most {rules.pause_days} days{gaps}."
    )


def red_flag(figures: Retention) -> str | None:
    """A warning where expansion masks loss; None where it does not.

    That is where NRR lies more than `WIDE_GAP` (25 points) above GRR, or is 100 % or more while GRR is below `LOW_GRR`
    (85 %), of at least `FEWEST_ACCOUNTS` (20). Logo retention is named where it is as far below, but is no flag alone:
    small businesses lose a third of their logos a year and more. Nothing is scaled to a year.
    """
    if figures.accounts < FEWEST_ACCOUNTS:
        return None
    wide = round(figures.nrr - figures.grr, 9) > WIDE_GAP
    if not (wide or (figures.nrr >= 1 and figures.grr < LOW_GRR)):
        return None
    kept = f"GRR of {figures.grr:.0%}"
    if round(figures.nrr - figures.logo_retention, 9) > WIDE_GAP:
        kept += f" and logo retention of {figures.logo_retention:.0%}"
    return f"NRR of {figures.nrr:.0%} stands far above {kept}: expansion masks loss."
