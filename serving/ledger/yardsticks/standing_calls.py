"""People's calls that stand on the night of a forecast: what they expect to be left of each account that they called.

A call counts over the windows that hold the day it means: the one it names, else the account's next renewal, else a
quarter from the call. One that names no day counts for a quarter. Of several, the newest counts.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.asof.calls_known import calls_known
from features.revenue import add_months
from features.tables.checked import Tables
from models.scores.callers import called_arr
from params import Budget

QUARTER_MONTHS = 3
_SAYS = ("amount", "outcome", "category", "probability")


def expected_by_people(
    tables: Tables, accounts: pd.DataFrame, as_of: date, horizons: tuple[int, ...], *, budget: Budget
) -> Mapping[int, NDArray[np.float64]]:
    """By horizon, the ARR that people expect of each account at its end, NaN where no call means a day before it.

    Parameters
    ----------
    accounts
        A row an account: `account_id`, `arr`, `renews_on`.
    as_of
        Only calls known before this day stand.
    """
    calls = calls_known(tables, budget=budget, before=as_of)
    calls = calls.merge(accounts[["account_id", "arr", "renews_on"]], on="account_id")
    calls["meant"] = pd.Series([_meant(row, as_of) for row in calls.to_dict("records")], dtype=object)
    calls["expected"] = [_expected(row) for row in calls.astype(object).where(calls.notna(), None).to_dict("records")]
    calls = calls[calls["meant"].notna() & calls["expected"].notna()]
    expected: dict[int, NDArray[np.float64]] = {}
    for months in horizons:
        newest = calls[calls["meant"] < add_months(as_of, months)].drop_duplicates("account_id", keep="last")
        by_account = newest.set_index("account_id")["expected"].astype(float)
        expected[months] = np.asarray(by_account.reindex(accounts["account_id"]), dtype=np.float64)
    return expected


def _meant(call: Mapping[Any, Any], as_of: date) -> date | None:
    """The day that a call means; None where it is over, or the call too old to say which."""
    called, named, renewal = (_day(call[name]) for name in ("called_on", "for_date", "renews_on"))
    if named is not None:
        return named if named >= as_of else None
    end = add_months(called or date.min, QUARTER_MONTHS)
    if end < as_of:
        return None
    return renewal if renewal is not None and renewal >= as_of else end


def _day(value: Any) -> date | None:
    return None if pd.isna(value) else pd.Timestamp(value).date()


def _expected(call: Mapping[Any, Any]) -> float | None:
    says = {name: call[name] for name in _SAYS}
    return called_arr(float(call["arr"]), **says)
