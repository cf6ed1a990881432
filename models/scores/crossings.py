"""When an alert is due: a value crosses a threshold, stays across, and has not come back since the last alert."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Crossing:
    """What is watched for.

    Attributes
    ----------
    rises
        Whether it is across from `enter` on upwards, else downwards.
    enter, leave
        Where it is across, and where it has come back; between the two it stays as it was.
    hold_days
        For so long at least it must have been across, at two scorings; 0 = one is enough.
    cooldown_days
        For so long after an alert there is no other.
    """

    rises: bool
    enter: float
    leave: float
    hold_days: int
    cooldown_days: int

    def is_across(self, value: Array) -> Flags:
        """Of each value; what is missing is not."""
        return np.asarray(value >= self.enter if self.rises else value <= self.enter)

    def is_back(self, value: Array) -> Flags:
        """Of each value; what is missing is not: it is as it was."""
        return np.asarray(value < self.leave if self.rises else value > self.leave)


@dataclass(frozen=True)
class Watched:
    """How accounts stand by one rule, all of shape (accounts,): days as numbers, NaN = not.

    Attributes
    ----------
    known
        Whether the account was seen before: what is across when it is seen first has not crossed.
    inside
        Whether it is across and was told of, or was across when it was seen first.
    since
        Since when it has been across without having been told of.
    fired
        When it was told of last.
    """

    known: Flags
    inside: Flags
    since: Array
    fired: Array

    @classmethod
    def nobody(cls, accounts: int) -> "Watched":
        """Accounts that were never seen."""
        no = np.zeros(accounts, dtype=bool)
        return cls(no, no.copy(), np.full(accounts, np.nan), np.full(accounts, np.nan))


def step(before: Watched, value: Array, present: Flags, fits: Flags, day: int, rule: Crossing) -> tuple[Watched, Flags]:
    """One scoring.

    Parameters
    ----------
    before
        How the accounts stood.
    value
        The value of each, NaN where not known.
    present
        Whether each was scored; the others stay as they were.
    fits
        Whether the rule is for them now; one that does not fit any more has come back.
    day
        When, as a number of days.

    Returns
    -------
    Watched, ndarray of bool
        How they stand now, and who is to be told of.
    """
    across = present & fits & rule.is_across(value)
    first = present & ~before.known
    pending = across & ~before.inside & ~first
    since = np.where(pending, np.where(np.isnan(before.since), day, before.since), np.nan)
    since = np.where(present, since, before.since)
    rested = np.isnan(before.fired) | (day - before.fired >= rule.cooldown_days)
    fired = pending & rested & (day - np.where(pending, since, day) >= rule.hold_days)
    back = present & before.inside & (~fits | rule.is_back(value))
    return (
        Watched(
            known=before.known | present,
            inside=((before.inside & ~back) | fired | (first & across)),
            since=np.where(fired, np.nan, since),
            fired=np.where(fired, day, before.fired),
        ),
        fired,
    )


def replay(values: Array, present: Flags, fits: Flags, days: Sequence[int], rule: Crossing) -> Flags:
    """All scorings, one after another: who would have been told of when; all of shape (dates, accounts)."""
    state = Watched.nobody(values.shape[1])
    fired = np.zeros(values.shape, dtype=bool)
    for place, day in enumerate(days):
        state, fired[place] = step(state, values[place], present[place], fits[place], day, rule)
    return fired
