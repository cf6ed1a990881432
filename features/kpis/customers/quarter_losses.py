"""How many accounts each past quarter lost: what a bad one looks like."""

from datetime import date
from itertools import pairwise

import pandas as pd

from features.revenue import add_months, arr_by_account
from features.tables.checked import Tables
from params import Budget, Revenue

MOST_QUARTERS = 20
FEWEST_ACCOUNTS = 20  # at a quarter's start: with fewer, its share says little


def quarter_losses(tables: Tables, as_of: date, rules: Revenue, budget: Budget) -> pd.DataFrame:
    """The share of accounts that each quarter before a date lost, by what was known before it, the newest last.

    Quarters are three months each, counted back from the date.

    Returns
    -------
    pandas.DataFrame
        `until` (the day after its last), `accounts` (at its start), `lost` (of these, those without ARR at its end).
    """
    days = [add_months(as_of, -3 * quarter) for quarter in range(MOST_QUARTERS, -1, -1)]
    arr = arr_by_account(tables, days, known_by=as_of, rules=rules, budget=budget)
    there = {day: set(arr.loc[arr["instant"] == pd.Timestamp(day), "account_id"]) for day in days}
    rows = [
        {"until": end, "accounts": len(there[start]), "lost": len(there[start] - there[end])}
        for start, end in pairwise(days)
        if len(there[start]) >= FEWEST_ACCOUNTS
    ]
    return pd.DataFrame(rows, columns=["until", "accounts", "lost"])
