"""How many have reached something by each day, where others leave before they do: Aalen and Johansen's estimator.

Who left cannot reach it any more. Taking them for censored (Kaplan and Meier) would say how many would have reached it
had nobody left, which is more than ever did. F(t) = sum over days u <= t of S(u-) d(u) / n(u), with n(u) those still
there just before u, d(u) those who reach it on u, and S the share that neither reached it nor left.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CENSORED, REACHED, LEFT = 0, 1, 2
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Incidence:
    """The share that has reached it by each of `days`, of `accounts` accounts."""

    days: Ints
    share: Floats
    accounts: int

    def by(self, day: int) -> float:
        """The share by a day; NaN of no account."""
        if not self.accounts:
            return float("nan")
        place = int(np.searchsorted(self.days, day, side="right"))
        return float(self.share[place - 1]) if place else 0.0

    @property
    def median_day(self) -> int | None:
        """The first day by which half have reached it; None where it stays under half."""
        places = np.flatnonzero(self.share >= 0.5)
        return int(self.days[places[0]]) if len(places) else None


def incidence(days: Ints, outcomes: Ints) -> Incidence:
    """The cumulative incidence of `REACHED` with `LEFT` as the competing event.

    Parameters
    ----------
    days
        (n,) of each account, the day since its start on which it reached it, left, or was last seen.
    outcomes
        (n,) which of the three it was: `REACHED`, `LEFT` or `CENSORED`.

    Raises
    ------
    ValueError
        A day before the start, or arrays of different lengths.
    """
    if len(days) != len(outcomes):
        raise ValueError(f"there are {len(days)} days and {len(outcomes)} outcomes: give one of each for an account")
    if len(days) and days.min() < 0:
        raise ValueError(f"a day is {days.min()}: days are counted from the account's start")
    times, place = np.unique(days, return_inverse=True)
    counts = [np.bincount(place[outcomes == outcome], minlength=len(times)) for outcome in (CENSORED, REACHED, LEFT)]
    there = len(days) - np.concatenate([[0], np.cumsum(sum(counts))[:-1]]) if len(times) else np.zeros(0)
    stay = np.cumprod(1 - (counts[REACHED] + counts[LEFT]) / there)
    before = np.concatenate([[1.0], stay[:-1]])[: len(times)]
    return Incidence(times, np.cumsum(before * counts[REACHED] / there), len(days))
