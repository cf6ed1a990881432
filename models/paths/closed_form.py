"""What months make of accounts and their ARR in closed form, given the luck that all share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.outcomes.after_change import AfterChange, Factors, Mass, Masses
from models.outcomes.prediction import Prediction
from models.outcomes.returns import Returns

Array = NDArray[np.float64]


class ClosedForm:
    """The accounts that are there, and ARR relative to the start's, month after month, in each draw of what is shared.

    Attributes
    ----------
    there, never_left, grown
        The chance of having ARR, that of never having left, and expected ARR; `total` has shape (accounts, draws).
    """

    def __init__(self, after: AfterChange, returns: Returns | None, draws: int) -> None:
        ones = np.ones((len(after.hazards), draws), dtype=np.float32)
        self.after, self.returns = after, returns
        self.there = self.never_left = self.grown = Mass.of(ones)
        self._absent: list[tuple[Masses, Masses]] = []  # accounts and their ARR by months since leaving

    def step(self, month: int, hazards: Masses, others: Masses, gains: Masses) -> None:
        """Let a month pass; `hazards`, `others` (of those in an open grace) and `gains` are as `growth` takes them."""
        here, ends = self.after.open_rows(month), self.after.term_ends
        stay, grow = survival(hazards, others), growth(hazards, others, gains, here)
        leaving = [mass.leaving(hazards[:, 0], others[:, 0], here) for mass in (self.there, self.grown)]
        self.there, self.grown = self.there.step(stay, ends, month), self.grown.step(grow, ends, month)
        if self.returns is None:
            self.never_left = self.there
            return
        self.never_left = self.never_left.step(stay, ends, month)
        for age, absent in enumerate(self._absent, start=1):
            chance = np.float32(self.returns.chances(np.array(age)))
            self.there = self.there.joined_by(absent[0] * chance)
            self.grown = self.grown.joined_by(absent[1] * chance * np.float32(self.returns.mean_multiplier))
            self._absent[age - 1] = absent[0] * (1 - chance), absent[1] * (1 - chance)
        self._absent.insert(0, (leaving[0], leaving[1]))

    def means(self) -> tuple[Array, Array, Array]:
        """Chance of having no ARR, of having left at least once, and expected ARR; the mean over the draws."""
        there, grown = (mass.total.mean(axis=1, dtype=float) for mass in (self.there, self.grown))
        same = self.never_left is self.there
        never_left = there if same else self.never_left.total.mean(axis=1, dtype=float)
        return 1 - np.minimum(there, 1), 1 - np.minimum(never_left, 1), grown


def mean_gains(prediction: Prediction) -> Array:
    """By what share ARR changes on average where it contracts and expands, shape (accounts, months, 2)."""
    return np.asarray(np.array([pool.mean() for pool in prediction.pools])[prediction.pool_index] - 1)


def survival(hazards: Any, changed: Any) -> Factors:
    """What a month leaves of the accounts; the parameters are those of `growth`."""
    keep, keep_changed = 1 - hazards[:, 0], 1 - changed[:, 0]
    return Factors(
        keep, lambda rows: hazards[rows, 1] + hazards[rows, 2], (keep_changed, changed[:, 1] + changed[:, 2])
    )


def growth(hazards: Any, changed: Any, gains: Any, here: NDArray[np.int64], *, new: float = 1.0) -> Factors:
    """What a month makes of ARR.

    Parameters
    ----------
    hazards, changed
        Hazards, shape (accounts, 3, draws), and those of the accounts `here` once ARR has changed, (here, 3, draws).
    gains
        By what share ARR changes where it contracts and expands, shape (accounts, 2, draws).
    here
        The accounts that are in an open grace.
    new
        What there was before; 0 gives the derivative in the direction of `hazards`.
    """

    def keep(hazard: Any, gain: Any) -> Any:
        kept = new - hazard[:, 0]
        kept += hazard[:, 1] * gain[:, 0]
        kept += hazard[:, 2] * gain[:, 1]
        return kept

    def change(hazard: Any, gain: Any) -> Any:
        return hazard[:, 1] * (1 + gain[:, 0]) + hazard[:, 2] * (1 + gain[:, 1])

    after = keep(changed, gains[here]), change(changed, gains[here])
    return Factors(keep(hazards, gains), lambda rows: change(hazards[rows], gains[rows]), after)
