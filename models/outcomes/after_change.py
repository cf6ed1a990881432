"""The end of a term as one decision: what follows it depends on whether ARR changed in it.

Whoever renews with another price or size has decided; whoever keeps their ARR may have renewed, or be silent until the
grace has run out. So in the months of a grace an account is in one of two states, each with hazards of its own, and all
that is added up over futures in closed form is carried as two masses: all of it, and that of those who decided.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.hazards.term_ends import TermEnds

Array = NDArray[np.float64]
Masses = NDArray[Any]  # floats of any precision, (rows, draws)


@dataclass(frozen=True)
class AfterChange:
    """What is to be expected once ARR has changed at the end of a term.

    Attributes
    ----------
    term_ends
        Which months it matters in.
    hazards
        Those of churn, contraction and expansion if ARR changed at the last term's end, shape (rows, months, 3); where
        no grace is open they are those of all.
    """

    term_ends: TermEnds
    hazards: Array

    @classmethod
    def none(cls, hazards: Array) -> Self:
        """It matters nowhere."""
        nowhere = np.zeros(hazards.shape[:2], dtype=bool)
        return cls(TermEnds(nowhere, nowhere), hazards)

    def rows(self, chosen: NDArray[np.int64] | slice) -> "AfterChange":
        """The same of some rows."""
        return AfterChange(self.term_ends.rows(chosen), self.hazards[chosen])

    def open_rows(self, month: int) -> NDArray[np.int64]:
        """The rows that are in an open grace at the month's start."""
        return np.flatnonzero(self.term_ends.open[:, month])

    def decided(
        self, before: NDArray[np.bool_], account: NDArray[np.int64], draw: NDArray[np.int64], month: int
    ) -> NDArray[np.bool_]:
        """In which futures ARR has changed at the last term's end, after a month, where it matters in the next.

        `before` says so of the month's start, shape (rows, draws); `account` and `draw` name the futures whose ARR
        changed in the month, for good or not.
        """
        waits = self.term_ends.waits(month)
        decided = before & (waits & ~self.term_ends.ends[:, month])[:, None]
        matters = waits[account]
        decided[account[matters], draw[matters]] = True
        return decided


@dataclass(frozen=True)
class Factors:
    """What a month makes of masses: `keep`, what is left of them, and `change`, the part of that whose ARR changed.

    `keep` has shape (rows, draws); `change` gives the other of the few rows for which it matters. `after` holds the
    same two of those rows in an open grace whose ARR changed at the last term's end, each of shape (open rows, draws).
    """

    keep: Masses
    change: Callable[[NDArray[np.int64]], Masses]
    after: tuple[Masses, Masses]


@dataclass(frozen=True)
class Mass:
    """Something of each row and draw: all of it, and that of those whose ARR changed at the last term's end."""

    total: Masses
    decided: Masses

    @classmethod
    def of(cls, total: Masses) -> Self:
        """Nobody's ARR has changed."""
        return cls(total, np.zeros_like(total))

    def step(self, factors: Factors, ends: TermEnds, month: int) -> "Mass":
        """The mass after a month; linear in the mass, and in the factors."""
        here, waits = np.flatnonzero(ends.open[:, month]), ends.waits(month)
        keep, change = factors.after
        total, next_rows = self.total * factors.keep, np.flatnonzero(waits)
        if not here.size and not next_rows.size:  # nobody has decided, as nobody had
            return Mass(total, self.decided)
        total[here] += self.decided[here] * (keep - factors.keep[here])
        decided = np.zeros_like(self.total)
        decided[next_rows] = (self.total[next_rows] - self.decided[next_rows]) * factors.change(next_rows)
        stays = np.where(ends.ends[here, month, None], change, keep)  # where a term ends, only its own change counts
        decided[here] += np.where(waits[here, None], self.decided[here] * stays, 0)
        return Mass(total, decided)

    def leaving(self, churn: Masses, churn_decided: Masses, here: NDArray[np.int64]) -> Masses:
        """What of the mass leaves, by the chances of all rows, (rows, draws), and those of rows `here` that decided."""
        leaves = self.total * churn
        leaves[here] += self.decided[here] * (churn_decided - churn[here])
        return leaves

    def joined_by(self, others: Masses) -> "Mass":
        """The mass with others that come back, whose ARR has not changed at a term's end."""
        return Mass(self.total + others, self.decided)
