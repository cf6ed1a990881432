"""Accounts that come back after they left: how soon, and with how much of their ARR.

Where a return counts (`revenue.reactivation: include`) the labels hold returns, and they are forecast. Where it does
not, an account that left has no ARR in its labels for good, and nothing is learned here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.at_risk import month_number
from models.outcomes.amounts import LARGEST, POOL_POINTS

Array = NDArray[np.float64]
_AGES = (1, 2, 3, 6, 12)  # months since leaving: the last of each class, beyond which there is one more
_PRIOR_MONTHS = 20.0  # what the chance of all classes together weighs against a class's own, in months of accounts


@dataclass(frozen=True)
class Returns:
    """How accounts that left come back.

    Attributes
    ----------
    chance
        Of coming back in a month, by class of months since leaving: 1, 2, 3, 4 to 6, 7 to 12, more.
    multipliers
        ARR at the return over ARR before leaving, each with equal chance.
    """

    chance: Array
    multipliers: Array

    def chances(self, months_gone: NDArray[np.int64]) -> Array:
        """The chance of coming back in a month, so many months after leaving."""
        return np.asarray(self.chance[np.searchsorted(_AGES, months_gone)])

    @property
    def mean_multiplier(self) -> float:
        """What share of ARR comes back on average."""
        return float(self.multipliers.mean())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"chance": self.chance.tolist(), "multipliers": self.multipliers.tolist()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The returns of `to_dict`."""
        return cls(np.array(content["chance"]), np.array(content["multipliers"]))


def fit_returns(frame: pd.DataFrame, paths: Array) -> Returns | None:
    """Learn from snapshots and the ARR after them, as `models.hazards.at_risk.at_risk` takes them.

    Every account and month counts once, however many snapshots speak of it. None where nobody came back.
    """
    months = _months_gone(frame, paths)
    classes = np.searchsorted(_AGES, months["age"])
    back = months["ratio"].to_numpy() > 0
    if not back.any():
        return None
    overall = back.sum() / len(months)
    count, returned = (
        np.bincount(classes, weights=one, minlength=len(_AGES) + 1) for one in (np.ones(len(back)), back)
    )
    ratios = np.minimum(months["ratio"].to_numpy()[back], LARGEST)
    points = np.quantile(ratios, (np.arange(POOL_POINTS) + 0.5) / POOL_POINTS)
    return Returns(
        (returned + _PRIOR_MONTHS * overall) / (count + _PRIOR_MONTHS), points * ratios.mean() / points.mean()
    )


def _months_gone(frame: pd.DataFrame, paths: Array) -> pd.DataFrame:
    """A row an account and month after its leaving: `age` in months, `ratio` of ARR if it came back, else 0."""
    gone, here = paths == 0, np.arange(len(paths))
    left = gone.argmax(axis=1)  # the first month without ARR
    before = paths[here, np.maximum(left - 1, 0)]
    absent, parts = gone.any(axis=1) & (left > 0) & (before > 0), []
    account, left_in = frame["account_id"].to_numpy(), month_number(frame) + left
    for age in range(1, paths.shape[1]):
        place = np.minimum(left + age, paths.shape[1] - 1)
        now = np.where(left + age < paths.shape[1], paths[here, place], np.nan)
        rows = np.flatnonzero(absent & ~np.isnan(now))
        ratio = now[rows] / before[rows]
        parts.append(pd.DataFrame({"account": account[rows], "left": left_in[rows], "age": age, "ratio": ratio}))
        absent &= now == 0
    return pd.concat(parts, ignore_index=True).drop_duplicates(["account", "left", "age"])
