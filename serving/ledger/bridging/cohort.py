"""Who is in a bridge, and what each account paid when, by what each of the two forecasts knew."""

from datetime import date

import pandas as pd

from features.revenue.kept_lines import arr_of_kept_lines
from params import Budget, Revenue
from serving.ledger.bridging.made_of import Ingredients, MadeOf, by_account

OVERDUE = "overdue_days"


def cohort_of(
    first: MadeOf, second: MadeOf, then: Ingredients, now: Ingredients, *, budget: Budget, rolling: bool
) -> pd.DataFrame:
    """The accounts that had ARR at the first forecast's date, as known by either forecast.

    Parameters
    ----------
    first, second, then, now
        The forecasts, and what they were made of.
    budget
        What the computation may use.
    rolling
        Also the accounts that have ARR at the second's date.

    Returns
    -------
    pandas.DataFrame
        Index account: `start` and `restated`, its ARR at the first date as known by each; `reached`, its ARR at the
        second date at the first's rates and rules, 0 of who has left; `in_force`, as the second forecast counts it;
        `overdue`, `paused`; `gone`, whether nothing of it is in the second's data; `joined`, whether it is here only
        for the rolling view.
    """
    prices = _Prices(first.as_of, first.rules, _all_rates(then.rates, now.rates), budget)
    told, told_now = (prices.at(made.lines, first.as_of) for made in (then, now))
    in_cohort = then.snapshot.index.union(told_now.index[told_now["arr"] > 0])
    everyone = in_cohort.union(now.snapshot.index) if rolling else in_cohort
    start = by_account(then.snapshot["arr"], everyone)
    restated = start + by_account(told_now["arr"], everyone) - by_account(told["arr"], everyone)
    by_old_rules = prices.at(now.lines, second.as_of)
    paid, in_force = (by_account(arr, everyone) for arr in (by_old_rules["arr"], now.snapshot["arr"]))
    new_prices = _Prices(first.as_of, second.rules, now.rates, budget)
    revalued = paid - by_account(new_prices.at(now.lines, second.as_of)["arr"], everyone)
    still_here = everyone.isin(in_cohort) & (paid > 0) & (in_force > 0)
    overdue = by_account(now.snapshot[OVERDUE], everyone) if OVERDUE in now.snapshot else in_force * 0
    return pd.DataFrame(
        {
            "start": start,
            "restated": restated.clip(lower=0),
            "reached": (in_force + revalued).where(still_here, 0.0).clip(lower=0),
            "in_force": in_force,
            "overdue": overdue > 0,
            "paused": everyone.isin(by_old_rules.index[by_old_rules["paused"]]),
            "gone": everyone.isin(then.snapshot.index) & ~everyone.isin(pd.Index(now.lines["account_id"])),
            "joined": ~everyone.isin(in_cohort),
        },
        index=everyone,
    )


class _Prices:
    """What lines are worth by some rules and rates, to accounts that have been customers since a date."""

    def __init__(self, since: date, rules: Revenue, rates: pd.DataFrame, budget: Budget) -> None:
        self.since, self.rules, self.rates, self.budget = since, rules, rates, budget

    def at(self, lines: pd.DataFrame, day: date) -> pd.DataFrame:
        """`arr` and `paused` by account."""
        return arr_of_kept_lines(lines, self.rates, day=day, since=self.since, rules=self.rules, budget=self.budget)


def _all_rates(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """The first's exchange rates, and the second's of currencies that it lacks."""
    return pd.concat([first, second[~second["currency"].isin(first["currency"])]], ignore_index=True)
