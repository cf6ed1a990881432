"""Which expansions are cross-sells: another product or buying centre, rather than more of the same."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.at_risk import AtRisk

Array = NDArray[np.float64]
PRODUCTS = "products"  # where the source tells of them: how many an account has
MOST_PRODUCTS = 3
# What the portfolio's share weighs against an account's own group, in expansions. The share of 20 is known to about
# a tenth (standard error at one half: 0.11): what fewer show of a difference of that size is mostly chance.
PRIOR_EXPANSIONS = 20.0


def cross_sold(rows: AtRisk, streams: Array, min_change: float) -> Array:
    """Whether each row's month brought a cross-sell: ARR grew, and the account pays for more streams than before.

    Parameters
    ----------
    rows
        The rows at risk.
    streams
        How many streams (product and buying centre) accounts pay for at each snapshot and the months after it, shape
        (snapshot rows, months + 1); NaN where not told.

    Returns
    -------
    ndarray of shape (rows,)
        0 or 1; NaN where the streams are not told.
    """
    more = streams[rows.row, rows.ahead] - streams[rows.row, rows.ahead - 1]
    grew = rows.event("expansion", min_change)
    return np.where(np.isnan(more), np.nan, grew & (more > 0))


def fit_shares(rows: AtRisk, frame: pd.DataFrame, streams: Array, min_change: float) -> Array | None:
    """Shares of expansions that are cross-sells, by how many products the account has at the snapshot.

    Every (account, month) counts once, however many snapshots speak of it. Each group's share is the mean of a beta
    distribution whose prior is the portfolio's share with the weight of `PRIOR_EXPANSIONS`.

    Returns
    -------
    ndarray of shape (4,) or None
        Of the portfolio (with half a cross-sell in one expansion added, so that it is never 0 or 1), and of accounts
        with 1, 2, and 3 or more products; None where of no expansion it could be told.
    """
    sold = cross_sold(rows, streams, min_change)
    chosen = np.flatnonzero(rows.event("expansion", min_change) & ~np.isnan(sold))
    if not chosen.size:
        return None
    weight, group = rows.share(chosen), _groups(frame)[rows.row[chosen]]
    expansions = np.bincount(group, weights=weight, minlength=MOST_PRODUCTS + 1)
    cross_sells = np.bincount(group, weights=weight * sold[chosen], minlength=MOST_PRODUCTS + 1)
    portfolio = (cross_sells.sum() + 0.5) / (expansions.sum() + 1)
    shares = (cross_sells + PRIOR_EXPANSIONS * portfolio) / (expansions + PRIOR_EXPANSIONS)
    return np.array([portfolio, *shares[1:]])


def share_of(shares: Array | None, frame: pd.DataFrame) -> Array:
    """The share of each snapshot row, NaN without shares; the portfolio's where its products are not known."""
    return np.full(len(frame), np.nan) if shares is None else np.asarray(shares[_groups(frame)])


def _groups(frame: pd.DataFrame) -> NDArray[np.int64]:
    """How many products each account has, at most 3; 0 where that is not known."""
    if PRODUCTS not in frame.columns:
        return np.zeros(len(frame), dtype=np.int64)
    products = frame[PRODUCTS].to_numpy(dtype=np.float64)
    return np.asarray(np.clip(np.nan_to_num(products), 0, MOST_PRODUCTS), dtype=np.int64)
