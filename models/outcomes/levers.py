"""What a scenario adds to accounts' log-odds, in each future as strongly as that future takes it to be."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Levers:
    """Shifts of n accounts' log-odds over M months by L levers.

    Attributes
    ----------
    shape
        What a lever of strength 1 adds to churn, contraction and expansion, shape (L, n, M, 3).
    strength
        How strong each is in each future, shape (L, draws).
    """

    shape: Floats32
    strength: Floats32

    def rows(self, chosen: NDArray[np.int64] | slice) -> Self:
        """The same of some accounts."""
        return type(self)(self.shape[:, chosen], self.strength)

    def odds(self, rows: slice, month: int) -> Floats32:
        """What a month's odds of some accounts are multiplied by in each future, shape (rows, 3, draws)."""
        shift = np.einsum("lro,ld->rod", self.shape[:, rows, month], self.strength)
        return np.asarray(np.exp(shift), dtype=np.float32)
