"""Means of the portfolio's metrics that are exactly what the accounts' own figures add up to.

The means of the draws differ from them by the accounts' dice, a few hundredths of a percent of ARR. With the shared
luck of the same futures, what an account's own luck comes to is known in closed form.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from models.paths.simulate import AccountPaths

Array = NDArray[np.float64]


def closed_means(
    groups: pd.DataFrame, member: sparse.csr_matrix, arr: Array, accounts: AccountPaths, draws: Mapping[str, Array]
) -> dict[str, Array]:
    """The mean of each metric by group and month, shape (groups, months).

    ARR at the end, and what churn takes, are the sums of the accounts' figures. How the rest divides into contraction
    and expansion only the draws tell: what they are off by in sum is shared out as the two are in total.

    Parameters
    ----------
    groups
        A row a group, the total first: `accounts`, `starting_arr`.
    member
        Which accounts belong to each group, 0/1 of shape (groups, accounts).
    arr
        ARR at the start, shape (accounts,).
    accounts
        The accounts' figures.
    draws
        Each metric in every draw, shape (groups, months, draws).
    """
    start = groups["starting_arr"].to_numpy(float)[:, None]
    end = np.asarray(member @ accounts.expected_arr)
    lost = np.asarray(member @ (arr[:, None] * accounts.churn_probability))
    grown, shrunk = (draws[name].mean(axis=2) for name in ("expanded_arr", "contracted_arr"))
    net = end - start + lost  # growth less contraction
    of_all, changed = grown[0], grown[0] + shrunk[0]  # one share for all groups, so that parts add up to the total
    part = np.divide(of_all, changed, out=np.full_like(changed, 0.5), where=changed > 0)
    grown = np.clip(grown + (net - grown + shrunk) * part, np.maximum(net, 0), np.maximum(end, 0))
    left = np.asarray(member @ accounts.churn_probability)
    return {
        "nrr": end / start,
        "grr": (end - grown) / start,
        "logo_retention": 1 - left / groups["accounts"].to_numpy(float)[:, None],
        "ending_arr": end,
        "churned_arr": lost,
        "contracted_arr": np.maximum(grown - net, 0),
        "expanded_arr": grown,
    }


def reported_mean(
    end: Array, member: sparse.csr_matrix, accounts: AccountPaths, cohort_arr: Array, cohort_start: Array
) -> Array:
    """Mean reported NRR by group and month: expected ARR of the trailing cohorts, over their ARR at their start."""
    months = end.shape[1]
    outside = np.asarray(member @ (accounts.expected_arr * (cohort_arr[:, :months] <= 0)))
    return np.asarray(np.maximum(end - outside, 0) / cohort_start)
