"""Churn, contraction, expansion and the quick ratio of a window, all of the same cohort and denominator."""

import math
from dataclasses import dataclass
from datetime import date

import pandas as pd

MONTHS = 12
SHARES = {  # of the cohort's ARR at the start
    "churn_rate_revenue": (("churn",), -1, "ARR of the cohort that left / its ARR at the start"),
    "contraction_rate": (("contraction",), -1, "ARR that the cohort's customers gave up / its ARR at the start"),
    "upsell_rate": (("upsell",), 1, "ARR added in volume by the cohort / its ARR at the start"),
    "cross_sell_rate": (("cross_sell",), 1, "ARR added by products new to the account / the cohort's ARR at the start"),
    "price_rate": (("price_change",), 1, "change of price, up less down / the cohort's ARR at the start"),
}


@dataclass(frozen=True)
class Kpi:
    """A figure with what it says: NaN where there is nothing to say, and `note` then says why."""

    name: str
    cut: str
    value: str
    figure: float
    n: int
    unit: str
    definition: str
    as_of: date
    note: str = ""


def revenue_rates(accounts: pd.DataFrame, cut: str, value: str, as_of: date) -> list[Kpi]:
    """The rates of some accounts.

    Parameters
    ----------
    accounts
        `Changes.accounts` of the window that ends at `as_of`, or some of its rows.
    """
    cohort = accounts[accounts["cohort"]]
    n, starting = len(cohort), float(cohort["starting_arr"].sum())
    left = int((~cohort["customer"].astype(bool)).sum())
    rows = [
        Kpi("churn_rate_logo", cut, value, _over(left, n), n, "share", "customers that left / customers then", as_of)
    ]
    for name, (movements, sign, definition) in SHARES.items():
        moved = sign * float(cohort[list(movements)].to_numpy(dtype=float).sum())
        rows.append(Kpi(name, cut, value, _over(moved, starting), n, "share", definition, as_of))
    return [*rows, _quick_ratio(accounts, cut, value, as_of)]


def annualised(rate: float, months: int) -> float:
    """A rate of so many months as one of a year: what is lost is lost of what was left, so not twelve times it."""
    return float(1 - (1 - rate) ** (MONTHS / months))


def _quick_ratio(accounts: pd.DataFrame, cut: str, value: str, as_of: date) -> Kpi:
    price = accounts["price_change"].to_numpy(dtype=float)
    gained = accounts[["new", "reactivation", "resume", "upsell", "cross_sell"]].to_numpy(dtype=float).sum()
    lost = -accounts[["contraction", "pause", "churn"]].to_numpy(dtype=float).sum()
    gained, lost = gained + price[price > 0].sum(), lost - price[price < 0].sum()
    definition = "(new + back + expansion) / (contraction + churn), ARR; rises and cuts of price on either side"
    note = "nothing was lost, so there is no ratio" if not lost else ""
    return Kpi("quick_ratio", cut, value, _over(gained, lost), len(accounts), "ratio", definition, as_of, note)


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
