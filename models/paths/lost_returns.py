"""Accounts of the trailing cohorts that have left, and come back in the months ahead: reported NRR counts them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.outcomes.keyed_draws import streams
from models.outcomes.returns import Returns
from models.paths.absent import Absent
from models.paths.simulate import PathSettings

Array = NDArray[np.float64]
_CHUNK = 64  # accounts at a time


@dataclass(frozen=True)
class LostReturns:
    """ARR of accounts that had left, by what they come back with.

    Attributes
    ----------
    row, month
        For each row of a cohort that lost the account: the account, and the month whose trailing year it is, from 0.
    arr
        ARR of each account in the months ahead, shape (accounts, months, draws).
    mean
        Its mean in closed form, shape (accounts, months).
    """

    row: NDArray[np.int64]
    month: NDArray[np.int64]
    arr: NDArray[np.float32]
    mean: Array

    def drawn(self, here: NDArray[np.bool_]) -> Array:
        """What the cohorts of some rows get back, shape (months, draws)."""
        back = np.zeros(self.arr.shape[1:])
        for row, month in zip(self.row[here], self.month[here], strict=True):
            back[month] += self.arr[row, month]
        return back

    def expected(self, here: NDArray[np.bool_]) -> Array:
        """The mean of it, shape (months,)."""
        month = self.month[here]
        return np.asarray(np.bincount(month, weights=self.mean[self.row[here], month], minlength=self.mean.shape[1]))


def lost_that_return(
    lost: pd.DataFrame, returns: Returns, first_month: int, settings: PathSettings, months: int
) -> LostReturns:
    """Let accounts that have left come back; who did stays with that ARR.

    Parameters
    ----------
    lost
        `account_id`, `month` (from 1), `months_gone`, `last_arr`: a row an account and cohort that lost it.
    returns
        How they come back.
    first_month
        The first calendar month ahead, as 12 x year + month.
    settings
        Draws, seed.
    months
        Months ahead.
    """
    row, accounts = pd.factorize(lost["account_id"], sort=True)
    newest = lost.assign(row=row).sort_values("months_gone", kind="stable").drop_duplicates("row").sort_values("row")
    gone, last_arr = newest["months_gone"].to_numpy(dtype=np.int64), newest["last_arr"].to_numpy(dtype=float)
    stays_away = np.cumprod(1 - returns.chances(gone[:, None] + np.arange(months)), axis=1)
    mean = last_arr[:, None] * returns.mean_multiplier * (1 - stays_away)
    arr = np.zeros((len(accounts), months, settings.draws), dtype=np.float32)
    for first in range(0, len(accounts), _CHUNK):
        some = slice(first, first + _CHUNK)
        absent = Absent(returns, settings.seed, streams(accounts[some]), settings.draws)
        absent.months_gone[:], absent.arr[:] = gone[some, None], last_arr[some, None]
        for month in range(months):
            account, draw, back = absent.come_back(first_month + month)
            arr[first + account, month, draw] = back
            absent.pass_month(account[:0], draw[:0], back[:0])
    np.cumsum(arr, axis=1, out=arr)  # each comes back once
    return LostReturns(row, lost["month"].to_numpy(dtype=int) - 1, arr, mean)
