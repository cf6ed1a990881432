"""What a roll-up needs beside the predictions: what has been realised, what is due for renewal."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.revenue import add_months, arr_by_account, available_to_renew, cohort_paths
from features.tables.checked import Tables
from params import Budget, Revenue

TRAILING_MONTHS = 12

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Realised:
    """ARR, as known at `as_of`, of the cohorts whose trailing year ends in the months ahead.

    Attributes
    ----------
    cohort_arr
        Of each current account, shape (accounts, months): column h - 1 is its ARR at `as_of` + h - 12 months; 0 if it
        was no customer then, or left and came back since.
    lost
        The rest of those cohorts: `account_id`, `month` (h) and `arr` of accounts that have left since, `last_arr`,
        their ARR before, and `months_gone`: the first month ahead is so many months after that of their leaving.
    """

    cohort_arr: Array
    lost: pd.DataFrame


def realised(
    tables: Tables, customers: pd.DataFrame, *, as_of: date, months: int, rules: Revenue, budget: Budget
) -> Realised:
    """What the cohorts of the past year came to so far.

    Parameters
    ----------
    customers
        `account_id` and `arr` of the accounts with ARR at `as_of`.
    months
        How many months ahead; beyond twelve the cohort itself lies ahead, and nothing is realised.
    """
    tables = tables.at(as_of)  # one hierarchy throughout
    month_of = {pd.Timestamp(add_months(as_of, h - TRAILING_MONTHS)): h for h in range(1, TRAILING_MONTHS)}
    past = arr_by_account(
        tables, [day.date() for day in month_of], known_by=as_of, rates_on=as_of, rules=rules, budget=budget
    ).rename(columns={"instant": "as_of"})
    past["month"] = past["as_of"].map(month_of)
    since = cohort_paths(
        tables, past, months=TRAILING_MONTHS - 1, known_by=as_of, rules=rules, budget=budget, settled=False
    ).arr
    now = since[np.arange(len(past)), TRAILING_MONTHS - past["month"].to_numpy(dtype=int)]
    stayed = (now > 0) & past["account_id"].isin(customers["account_id"]).to_numpy()
    left = ~stayed & (past["month"] <= months).to_numpy()
    lost = past.loc[left, ["account_id", "month", "arr"]].reset_index(drop=True)
    return Realised(_by_customer(past[stayed], customers, months), lost.assign(**_leaving(since[left], lost["month"])))


def _leaving(since: Array, month: "pd.Series[int]") -> dict[str, Array]:
    """How long ago accounts left, and with how much, from ARR at the months since the date of their cohort."""
    now = TRAILING_MONTHS - month.to_numpy(dtype=int)
    ever = np.where(np.arange(since.shape[1]) <= now[:, None], np.nan_to_num(since), 0.0) > 0
    last = np.where(ever.any(axis=1), since.shape[1] - 1 - ever[:, ::-1].argmax(axis=1), 0)
    return {"months_gone": np.maximum(now - last, 1), "last_arr": since[np.arange(len(since)), last]}


def _by_customer(past: pd.DataFrame, customers: pd.DataFrame, months: int) -> Array:
    """Past ARR as a matrix of customers and months ahead; the twelfth is the cohort of today."""
    matrix = np.zeros((len(customers), max(months, TRAILING_MONTHS)))
    row = pd.Index(customers["account_id"]).get_indexer(past["account_id"])
    matrix[row, past["month"].to_numpy(dtype=int) - 1] = past["arr"]
    matrix[:, TRAILING_MONTHS - 1] = customers["arr"]
    return matrix[:, :months]


def due_by_month(
    tables: Tables, customers: pd.DataFrame, *, as_of: date, months: int, rules: Revenue, budget: Budget
) -> Array:
    """ARR whose known term ends in each calendar month of `[as_of, as_of + months)`, shape (accounts, calendar months).

    Column 0 is the month of `as_of`, from that day on; the last ends where the window does, so that there is one
    column more than `months` unless `as_of` is the first of a month. Only terms known at `as_of` count: what a monthly
    contract will renew after its present term is not available to renew yet. No more than the account's ARR is due in
    a month.
    """
    first = as_of.replace(day=1)
    end = add_months(as_of, months)
    lines_due = available_to_renew(tables, start=as_of, end=end, as_of=as_of, rules=rules, budget=budget)
    row = pd.Index(customers["account_id"]).get_indexer(lines_due["account_id"])
    month = (lines_due["month"].dt.year * 12 + lines_due["month"].dt.month - (first.year * 12 + first.month)).to_numpy(
        dtype=int
    )
    due = np.zeros((len(customers), months + (end.day > 1)))
    due[row[row >= 0], month[row >= 0]] = lines_due["available_to_renew"][row >= 0]
    return np.asarray(np.minimum(due, customers["arr"].to_numpy(dtype=float)[:, None]))
