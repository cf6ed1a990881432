"""Inputs that moved: each month's distribution against the others', and whether months are ever as far apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
BINS = 10
HALF = 0.5  # of an account, added to each bin so that none is empty
MOST_CATEGORIES = 30
LEAST_PSI = 0.1
P_VALUE = 0.05


@dataclass(frozen=True)
class Moved:
    """One input: its population stability index in the last month, and how often a month is as far from the others."""

    name: str
    psi: float
    p_value: float
    weight: float

    @property
    def moved(self) -> bool:
        """Whether it is farther off than months are, and by more than a trifle."""
        return self.psi >= LEAST_PSI and self.p_value <= P_VALUE


def psi_of_months(values: "pd.Series[float] | pd.Series[str]", month: NDArray[np.int64]) -> Array:
    """The population stability index of each month against all others together, shape (months,).

    Numbers are put into ten bins of equally many, categories are taken as they are, and what is missing is one more.
    """
    counts = _counts(_codes(values), month) + HALF
    total = counts.sum(axis=0)
    here = counts / counts.sum(axis=1, keepdims=True)
    rest = total - counts
    rest = rest / rest.sum(axis=1, keepdims=True)
    return np.asarray(((here - rest) * np.log(here / rest)).sum(axis=1))


def moved_inputs(frame: pd.DataFrame, month: NDArray[np.int64], weights: "pd.Series[float]") -> list[Moved]:
    """How far each input of the last month lies from the months before, the heaviest first.

    Parameters
    ----------
    frame
        Snapshot rows of several months, a column an input.
    month
        The month of each row, 0 the first.
    weights
        By input, how much the model looks at it: mean absolute SHAP value.
    """
    share = weights / max(float(weights.sum()), 1e-12)
    rows = []
    for name in weights.index:
        by_month = psi_of_months(frame[name], month)
        as_far = int((by_month >= by_month[-1]).sum())
        rows.append(Moved(str(name), float(by_month[-1]), as_far / len(by_month), float(share[name])))
    return sorted(rows, key=lambda row: (-row.weight, row.name))


def moved_share(rows: Sequence[Moved]) -> float:
    """The share of what the model looks at that has moved."""
    return float(sum(row.weight for row in rows if row.moved))


def _codes(values: "pd.Series[float] | pd.Series[str]") -> NDArray[np.int64]:
    """The bin of each value; that of what is missing comes last."""
    missing = values.isna().to_numpy()
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.to_numpy(dtype=float)
        edges = np.unique(np.nanquantile(numbers, np.arange(1, BINS) / BINS)) if not missing.all() else np.empty(0)
        codes = np.searchsorted(edges, numbers, side="right")
        return np.where(missing, len(edges) + 1, codes).astype(np.int64)
    codes, names = pd.factorize(values.astype(object))
    frequent = np.argsort(-np.bincount(codes[codes >= 0], minlength=len(names)), kind="stable")[:MOST_CATEGORIES]
    place = np.full(len(names) + 1, len(frequent))
    place[frequent] = np.arange(len(frequent))
    return np.where(missing, len(frequent) + 1, place[codes]).astype(np.int64)


def _counts(codes: NDArray[np.int64], month: NDArray[np.int64]) -> Array:
    """How many of each month lie in each bin; bins that nothing lies in are left out."""
    months, bins = int(month.max()) + 1, int(codes.max()) + 1
    counts = np.bincount(month * bins + codes, minlength=months * bins).reshape(months, bins).astype(float)
    return counts[:, counts.sum(axis=0) > 0]
