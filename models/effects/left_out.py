"""Sensitivity by family, and what was planned and missed, by linear nuisances: one Gram matrix serves all of them.

What a family of features that is at hand moves when it is left out of both nuisances says how far one that is not at
hand could move the estimate. With linear nuisances, leaving columns out is a smaller system of equations, and no new
fit.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.effects.orthogonal import Scores

Array = NDArray[np.float64]
Columns = NDArray[np.float32] | NDArray[np.float64]
_RIDGE = 1e-6
_PIECE = 8192  # rows at a time: the whole design, weighed, would take as much memory again as its columns


def weighed_sums(columns: Columns, weight: Array, target: Array, *, first: Array | None = None) -> tuple[Array, Array]:
    """Sums over rows of x x' weight and of x target, x being a row of `first` and `columns`, a piece at a time.

    Parameters
    ----------
    columns
        Shape (rows, columns); summed in double precision whatever their own.
    weight, target
        Shape (rows,).
    first
        Columns that stand before them, shape (rows, more).

    Returns
    -------
    tuple of ndarray
        Shapes (columns, columns) and (columns,), those of `first` counted.
    """
    width = columns.shape[1] + (0 if first is None else first.shape[1])
    gram, sums = np.zeros((width, width)), np.zeros(width)
    for start in range(0, len(columns), _PIECE):
        rows = slice(start, start + _PIECE)
        parts = [columns[rows]] if first is None else [first[rows], columns[rows]]
        design = np.hstack(parts, dtype=np.float64)
        gram += design.T @ (design * weight[rows, None])
        sums += design.T @ target[rows]
    return gram, sums


class LinearShifts:
    """Shifts of treatments by weighted least squares on them and on standardised columns.

    Parameters
    ----------
    columns
        What is known beforehand, shape (trials, columns), of single or double precision.
    treatments
        Shape (trials, treatments), less their means by month.
    scores
        Of hazards that know the kind of month alone: what the columns tell is not in them yet.
    """

    def __init__(self, columns: Columns, treatments: Array, scores: Scores) -> None:
        self._kinds = treatments.shape[1]
        self._gram, self._target = weighed_sums(columns, scores.information, scores.score, first=treatments)
        self._ridge = _RIDGE * float(np.mean(np.diag(self._gram)))

    def shift(self, without: Sequence[int] = ()) -> Array:
        """The shifts with some of the columns left out, shape (treatments,)."""
        left_out = {self._kinds + place for place in without}
        kept = np.array([place for place in range(len(self._gram)) if place not in left_out])
        system = self._gram[np.ix_(kept, kept)] + self._ridge * np.eye(len(kept))
        return np.asarray(np.linalg.solve(system, self._target[kept])[: self._kinds])

    def moves(self, families: Mapping[str, Sequence[int]]) -> dict[str, Array]:
        """How far leaving each family out moves the shifts."""
        whole = self.shift()
        return {name: self.shift(places) - whole for name, places in families.items()}


def robustness_value(shift: float, se: float, trials: int) -> float:
    """The share of the variance of both that a confounder must explain to take the shift to 0 (Cinelli & Hazlett 2020).

    RV = (sqrt(f^4 + 4 f^2) - f^2) / 2 with f = |shift / se| / sqrt(trials).
    """
    strength = (shift / se) ** 2 / max(trials, 1)
    return float((np.sqrt(strength**2 + 4 * strength) - strength) / 2)
