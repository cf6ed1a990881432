"""How well one column ranks accounts by what became of them: rank statistics only, nothing is fitted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
NORMAL_95 = 1.96
FOLDS = 5
PRIOR_ROWS = 5.0  # a category of few rows is drawn to the average by as many rows
_HALVINGS = 40


@dataclass(frozen=True)
class Separation:
    """How well a column tells those to whom it came from the others, in its better direction.

    Attributes
    ----------
    auc, low, high
        Area under the ROC curve and its 95 % interval, accounts counted once.
    lift
        Average precision over the base rate.
    higher
        Whether higher values mean churn.
    left
        Accounts to which it came.
    """

    auc: float
    low: float
    high: float
    lift: float
    higher: bool
    left: int

    @property
    def interval(self) -> str:
        """The AUC with its interval, to be read."""
        return f"AUC {self.auc:.3f} [{self.low:.3f}, {self.high:.3f}]"


def separation(values: Array, left: Bools, accounts: "pd.Series[str]") -> Separation | None:
    """How well `values` rank `left`, over the rows where there is a value; None where only one class is there."""
    present = ~np.isnan(values)
    values, left, accounts = values[present], left[present], accounts[present]
    gone, stayed = int(accounts[left].nunique()), int(accounts[~left].nunique())
    if not gone or not stayed:
        return None
    raw = auc(values, left)
    higher = raw >= 0.5
    area = max(raw, 1 - raw)
    low, high = auc_interval(area, gone, stayed)
    return Separation(area, low, high, _lift(values if higher else -values, left), higher, gone)


def auc(values: Array, event: Bools) -> float:
    """Area under the ROC curve of `values`, ties counted half."""
    ranks = rankdata(values)
    events = int(event.sum())
    others = event.size - events
    return float((ranks[event].sum() - events * (events + 1) / 2) / (events * others))


def auc_interval(estimate: float, events: int, others: int) -> tuple[float, float]:
    """95 % interval of an AUC: the values that it does not lie too far from, each by its own standard error.

    Newcombe (2006), method 5: Hanley and McNeil's variance at the end of the interval rather than at the estimate,
    with both counts evened, so that a perfect AUC of few events is not certain.
    """
    even = (events + others) / 2 - 1

    def is_far(value: float) -> bool:
        spread = 1 + even * (1 - value) / (2 - value) + even * value / (1 + value)
        error = np.sqrt(value * (1 - value) * spread / (events * others))
        return abs(estimate - value) > NORMAL_95 * float(error)

    return _end(is_far, estimate, 0.0), _end(is_far, estimate, 1.0)


def _end(is_far: Callable[[float], bool], near: float, far: float) -> float:
    """Where, between a value and the end of the scale, `is_far` begins to hold."""
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        near, far = (near, middle) if is_far(middle) else (middle, far)
    return near


def share_low(events: int, rows: int) -> float:
    """Lower end of the 95 % interval of a share (Wilson 1927)."""
    share, square = events / rows, NORMAL_95**2
    middle = share + square / (2 * rows)
    spread = NORMAL_95 * float(np.sqrt(share * (1 - share) / rows + square / (4 * rows**2)))
    return (middle - spread) / (1 + square / rows)


def rates_of_others(labels: "pd.Series[str]", left: Bools, accounts: "pd.Series[str]") -> Array:
    """For each row the share that left among OTHER accounts of its category: a category as a number, unbiased.

    Accounts are dealt into five folds by the order of their names; a category that no other fold holds gets the
    others' average. Missing stays missing.
    """
    fold = pd.factorize(accounts, sort=True)[0] % FOLDS
    rates = np.full(len(labels), np.nan)
    for number in range(FOLDS):
        in_fold = fold == number
        others = pd.Series(left[~in_fold].astype(float)).groupby(labels[~in_fold].to_numpy(dtype=object))
        average = float(left[~in_fold].mean()) if (~in_fold).any() else 0.0
        shrunk = (others.sum() + PRIOR_ROWS * average) / (others.size() + PRIOR_ROWS)
        rates[in_fold] = labels[in_fold].map(shrunk).fillna(average)
    rates[labels.isna().to_numpy()] = np.nan
    return rates


def _lift(scores: Array, event: Bools) -> float:
    """Average precision over the base rate; rows of one score count together."""
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(event[order])
    last = np.append(scores[1:] != scores[:-1], True)
    precision = hits[last] / (np.flatnonzero(last) + 1)
    gained = np.diff(hits[last], prepend=0) / hits[-1]
    return float((precision * gained).sum() / event.mean())
