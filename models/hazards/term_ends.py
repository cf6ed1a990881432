"""What a term's end came to: whether ARR changed in it, which tells those who renewed from those who may be silent.

Who renews with another price or size decides when the term ends. Who lets it run out in silence keeps its ARR until the
grace has run out, and is seen to have left only then. So in the months of a grace, what to expect of an account depends
on whether its ARR changed when the term ended.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.horizon import CALENDAR_INPUTS, grace_is_open

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
_TERM_ENDS = [item.name for item in CALENDAR_INPUTS].index("term_ends_in_month")


@dataclass(frozen=True)
class TermEnds:
    """The ends of terms in the months ahead, each of shape (rows, months).

    Attributes
    ----------
    ends
        A term ends in the month.
    open
        The month begins within the grace of a term that ended in a month ahead before it.
    """

    ends: Bools
    open: Bools

    @classmethod
    def of(cls, frame: pd.DataFrame, calendar: Array, *, grace_days: int) -> Self:
        """Those of snapshot rows and their `calendar`, (rows, months, calendar inputs)."""
        months = calendar.shape[1]
        return cls(calendar[:, :, _TERM_ENDS] > 0, grace_is_open(frame, months=months, grace_days=grace_days))

    def waits(self, month: int) -> Bools:
        """For whom it matters in the month after whether ARR changed, shape (rows,)."""
        after = month + 1
        return self.open[:, after] if after < self.open.shape[1] else np.zeros(len(self.open), dtype=bool)

    def decided(self, changed: Bools) -> Bools:
        """Whether ARR had changed at the last term's end, at the start of each month of a grace; else False.

        A change later in the grace counts as well: it is a renewal that came late.

        Parameters
        ----------
        changed
            Whether ARR changed in each month ahead, shape (rows, months).
        """
        decided = np.zeros(self.open.shape, dtype=bool)
        for month in range(self.open.shape[1] - 1):
            before = decided[:, month] & ~self.ends[:, month]
            decided[:, month + 1] = self.waits(month) & (changed[:, month] | before)
        return decided

    def first(self, months: int) -> "TermEnds":
        """The same of the first months ahead."""
        return TermEnds(self.ends[:, :months], self.open[:, :months])

    def rows(self, chosen: NDArray[np.int64] | slice) -> "TermEnds":
        """The same of some rows."""
        return TermEnds(self.ends[chosen], self.open[chosen])


def has_changed(paths: Array, min_change: float) -> Bools:
    """Whether ARR changed in each month of `paths`, (rows, months + 1); not where either end is not known or is 0."""
    before, after = paths[:, :-1], paths[:, 1:]
    with np.errstate(invalid="ignore"):
        return np.asarray((before > 0) & (after > 0) & (np.abs(after - before) > min_change * before))
