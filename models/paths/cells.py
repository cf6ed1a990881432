"""Sums over accounts that are each looked at in a month of its own, such as at the same age: draw by draw."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.outcomes.prediction import Prediction
from models.paths.simulate import Paths, PathSettings, in_chunks

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Looks:
    """When accounts are looked at, one entry an account and cell.

    Attributes
    ----------
    account
        Its row in the prediction, in ascending order.
    cell
        Which sum it belongs to, from 0.
    month
        Months ahead; 0 is now.
    first_arr
        The ARR that what is kept is capped at.
    """

    account: Ints
    cell: Ints
    month: Ints
    first_arr: Array


@dataclass(frozen=True)
class CellSums:
    """Sums of each cell in every draw, shape (cells, draws): ARR, ARR capped at the first, and customers."""

    arr: Array
    kept: Array
    customers: Array


def cell_sums(
    prediction: Prediction, settings: PathSettings, looks: Looks, cells: int, *, threads: int = 1
) -> CellSums:
    """Add up the same futures that the portfolio's figures are made of; the result does not depend on threads."""
    sums = CellSums(*(np.zeros((cells, settings.draws)) for _ in range(3)))
    for paths in in_chunks(prediction, settings, lambda paths: paths, threads):
        first, last = np.searchsorted(looks.account, [paths.rows.start, paths.rows.stop])
        here = slice(int(first), int(last))
        arr = _looked_at(prediction, paths, looks.account[here], looks.month[here])
        np.add.at(sums.arr, looks.cell[here], arr)
        np.add.at(sums.kept, looks.cell[here], np.minimum(arr, looks.first_arr[here, None]))
        np.add.at(sums.customers, looks.cell[here], (arr > 0).astype(float))
    return sums


def _looked_at(prediction: Prediction, paths: Paths, account: Ints, month: Ints) -> Array:
    later = paths.arr[account - paths.rows.start, np.maximum(month, 1) - 1]
    return np.where(month[:, None] > 0, later, prediction.arr[account][:, None])
