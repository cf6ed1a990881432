"""What the compiled loops of simulated futures take and fill in: arrays, contiguous, of one chunk of accounts."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Streams = NDArray[np.uint64]


class Accounts(NamedTuple):
    """A chunk of accounts: what `Prediction` says of them, and what a scenario multiplies their odds by.

    `tilted` has shape (accounts, 3, draws), `levers` (months, accounts, 3, draws), or (0, 1, 3, 1) if none;
    `hazards` (2, accounts, months, 3): those of all, and once ARR has changed at the last term's end.
    """

    stream: Streams
    arr: Array
    hazards: Array
    open: Bools
    ends: Bools
    pool_index: Ints
    tilted: Floats32
    levers: Floats32


class Shared(NamedTuple):
    """What all accounts of a future share: see `models.paths.simulate.Common`.

    `chance` is that of coming back by months since leaving, from 0, `multipliers` with how much, and `mean_multiplier`
    their mean; none: nobody does.
    """

    key: Streams
    first_month: int
    odds: Floats32
    change: Array
    gains: Floats32
    pools: Array
    lengths: Ints
    chance: Array
    multipliers: Array
    mean_multiplier: np.float32


class Outcomes(NamedTuple):
    """What is filled in: ARR, (accounts, months, draws), and the means of `there`, `never_left` and `grown`."""

    arr: Array
    means: Array
