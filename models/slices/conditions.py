"""Slices of accounts: all of whom one or two conditions hold, such as a region, or a part of the product in use."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

Condition = tuple[str, str]
FEWEST = 15  # accounts a slice must have
MOST_VALUES = 30  # of a column; the most frequent ones are looked at
MOST_SHARE = 0.8  # of the accounts: what nearly everybody has in common tells nobody apart
LOW, HIGH = "low", "high"


@dataclass(frozen=True)
class Slices:
    """Groups of accounts.

    Attributes
    ----------
    conditions
        Of each slice, one or two pairs of a column and its value; those with one come first.
    parents
        Of each slice, the places of the slices with one of its two conditions; none for those that have one.
    members
        Who is in each, shape (slices, accounts).
    """

    conditions: tuple[tuple[Condition, ...], ...]
    parents: tuple[tuple[int, ...], ...]
    members: sparse.csr_matrix

    def __len__(self) -> int:
        """How many slices."""
        return len(self.conditions)


def slices_of(labels: pd.DataFrame) -> Slices:
    """All slices of one and of two conditions that have enough accounts.

    Parameters
    ----------
    labels
        A row an account, a column an attribute, text; '' where it is not known, or does not hold.
    """
    single = list(_single(labels))
    flags = np.array([flag for _, flag in single], dtype=bool).reshape(len(single), len(labels))
    whole = flags.astype(np.int32)
    shared = whole @ whole.T
    pairs = [
        (first, second)
        for first, second in zip(*np.nonzero(np.triu(shared >= FEWEST, k=1)), strict=True)
        if single[first][0][0] != single[second][0][0]
        and shared[first, second] < min(shared[first, first], shared[second, second])
    ]
    conditions: list[tuple[Condition, ...]] = [(condition,) for condition, _ in single]
    conditions += [(single[first][0], single[second][0]) for first, second in pairs]
    parts = [sparse.csr_matrix(flags[[first]] & flags[[second]], dtype=np.float32) for first, second in pairs]
    members = sparse.vstack([sparse.csr_matrix(flags, dtype=np.float32), *parts], format="csr")
    parents = ((),) * len(single) + tuple((int(first), int(second)) for first, second in pairs)
    return Slices(tuple(conditions), parents, members)


def in_thirds(values: "pd.Series[float]") -> "pd.Series[str]":
    """Numbers as 'low', '' and 'high': the lowest and the highest third; all '' where there is no telling apart."""
    low, high = values.quantile([1 / 3, 2 / 3])
    if not low < high:
        return pd.Series("", index=values.index)
    named = np.select([values <= low, values >= high], [LOW, HIGH], "")
    return pd.Series(named, index=values.index)


def _single(labels: pd.DataFrame) -> Iterator[tuple[Condition, NDArray[np.bool_]]]:
    """The conditions that hold for enough accounts, and not for nearly all."""
    most = MOST_SHARE * len(labels)
    for column in labels.columns:
        values = labels[column].astype(str)
        counts = values[values != ""].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        for value, count in counts.head(MOST_VALUES).items():
            if FEWEST <= count <= most:
                yield (str(column), str(value)), values.eq(str(value)).to_numpy(dtype=bool)
