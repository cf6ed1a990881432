"""How much ARR changes when it does: pools of observed multipliers, by size of account and by renewal or mid-term."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SIZES = 3
POOL_POINTS = 99
FEWEST = 30
LARGEST = 5.0
LARGEST_ERROR = 0.5
_FALLBACK = {"contraction": 0.75, "expansion": 1.25}


@dataclass(frozen=True)
class Changes:
    """Observed changes of one outcome: ARR before and after, and whether a term ended then; each of shape (rows,)."""

    before: Array
    after: Array
    renewal: NDArray[np.bool_]


@dataclass(frozen=True)
class Amounts:
    """Pools of the accounts and months predicted.

    Attributes
    ----------
    index
        Pool for contraction and expansion, shape (rows, months, 2).
    pools
        ARR multipliers, each drawn with equal chance.
    names
        Of each pool: outcome, and where it has a pool of its own, size and whether a term ends. They outlast the
        coming and going of other pools.
    errors
        Of each pool: standard error of the mean change, relative to it; shape (pools,).
    """

    index: NDArray[np.int64]
    pools: tuple[Array, ...]
    names: tuple[str, ...]
    errors: Array

    def with_known_contraction(self, here: NDArray[np.bool_], factor: Array) -> Self:
        """The same, but that a contraction multiplies ARR by the known `factor` where `here`, (rows, months), says."""
        factors, number = np.unique(factor, return_inverse=True)
        index = self.index.copy()
        index[here, 0] = len(self.pools) + number
        return replace(
            self,
            index=index,
            pools=(*self.pools, *factors[:, None]),
            names=(*self.names, *["known contraction"] * factors.size),
            errors=np.concatenate([self.errors, np.zeros(factors.size)]),
        )


class ChangePools:
    """Empirical distributions of ARR after / ARR before, given that it contracted or expanded.

    A pool holds 99 evenly spaced quantiles of the multipliers seen; a draw takes one with equal chance. Small accounts
    change by larger factors than large ones and renewals by others than mid-term changes, so each has its own pool,
    unless it holds fewer than 30 changes, which then share the outcome's common pool. Multipliers above 5 count as 5:
    one start-up that grew fiftyfold says little about the next. `errors_` holds, of each pool, the standard error of
    the mean change relative to it.
    """

    def fit(self, arr: Array, changes: Mapping[str, Changes]) -> Self:
        """Learn size limits from `arr` (all accounts) and pools from the changes of each outcome."""
        self.limits_: Array = np.quantile(arr, np.arange(1, SIZES) / SIZES)
        self.pools_: list[Array] = []
        self.errors_: list[float] = []
        self.index_: dict[str, NDArray[np.int64]] = {}
        for outcome in ("contraction", "expansion"):
            self.index_[outcome] = self._fit_outcome(outcome, changes[outcome])
        return self

    def of(self, arr: Array, renewal: NDArray[np.bool_]) -> Amounts:
        """The pools of each account and month ahead.

        `arr` has shape (rows,), `renewal` (rows, months): a term, or the grace after it, ends in the month.
        """
        size = np.searchsorted(self.limits_, arr, side="right")[:, None]
        when = renewal.astype(int)
        index = np.stack([self.index_[outcome][size, when] for outcome in ("contraction", "expansion")], axis=-1)
        return Amounts(index, tuple(self.pools_), tuple(self._names()), np.array(self.errors_))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "limits": self.limits_.tolist(),
            "pools": [pool.tolist() for pool in self.pools_],
            "errors": self.errors_,
            "index": {outcome: index.tolist() for outcome, index in self.index_.items()},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The pools of `to_dict`."""
        pools = cls()
        pools.limits_ = np.array(content["limits"])
        pools.pools_ = [np.array(pool) for pool in content["pools"]]
        pools.errors_ = content["errors"]
        pools.index_ = {outcome: np.array(index) for outcome, index in content["index"].items()}
        return pools

    def _names(self) -> list[str]:
        """The name of each pool; an outcome's common pool stands before those of its sizes."""
        names = [""] * len(self.pools_)
        for outcome, index in self.index_.items():
            first = names.index("")
            names[first] = outcome
            for (size, renewal), pool in np.ndenumerate(index):
                if pool != first:
                    names[pool] = f"{outcome} of size {size}, {'renewal' if renewal else 'mid-term'}"
        return names

    def _fit_outcome(self, outcome: str, changes: Changes) -> NDArray[np.int64]:
        """Pools of one outcome; returns the pool of each (size, renewal)."""
        multiplier = np.minimum(changes.after / changes.before, LARGEST)
        size = np.searchsorted(self.limits_, changes.before, side="right")
        common = self._add(multiplier if multiplier.size else np.array([_FALLBACK[outcome]]))
        index = np.full((SIZES, 2), common)
        for which in range(SIZES):
            for renewal in (0, 1):
                chosen = multiplier[(size == which) & (changes.renewal == renewal)]
                if chosen.size >= FEWEST:
                    index[which, renewal] = self._add(chosen)
        return index

    def _add(self, multiplier: Array) -> int:
        # Midpoints of equal slices keep the pool's mean close to the sample's.
        points = np.quantile(multiplier, (np.arange(POOL_POINTS) + 0.5) / POOL_POINTS)
        self.pools_.append(points * multiplier.mean() / points.mean())
        change = multiplier - 1
        measurable = multiplier.size > 1 and change.mean() != 0
        error = change.std(ddof=1) / np.sqrt(change.size) / abs(change.mean()) if measurable else LARGEST_ERROR
        self.errors_.append(float(min(error, LARGEST_ERROR)))
        return len(self.pools_) - 1
