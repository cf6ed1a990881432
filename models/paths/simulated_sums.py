"""What the simulated paths of some accounts come to: sums by group, month and draw, and figures of each account."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.outcomes.prediction import Prediction
from models.paths.group_sums import add_changes, add_rows
from models.paths.simulate import AccountPaths, Paths, PathSettings, describe, in_chunks, together

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_TIMES_LARGER = 64.0  # than the starting ARR: what no sum is expected to exceed
_WHOLE_NUMBERS = 2.0**53  # up to this, sums of whole numbers are exact


@dataclass(frozen=True)
class Asked:
    """What is added up, of some accounts.

    Attributes
    ----------
    horizon_months
        Months ahead to report.
    group
        The group of each account in each cut, shape (accounts, cuts).
    groups
        How many there are.
    cohort_arr
        As in `Trailing`; None: nothing is reported of trailing cohorts.
    due
        ARR whose term ends in each calendar month ahead, shape (accounts, calendar months); None: no renewals.
    unit
        Amounts are rounded to whole multiples of it before they are added; 0: they are not. See `exact_unit`.
    """

    horizon_months: int
    group: Ints
    groups: int
    cohort_arr: Array | None = None
    due: Array | None = None
    unit: float = 0.0


@dataclass(frozen=True)
class Sums:
    """Sums over accounts by group, month and draw, filled chunk by chunk.

    What the months change is added up, and accumulated over the months at the end: few accounts change in a month.

    Attributes
    ----------
    changes
        See `add_changes`: what those lose that left, shrink and grow, and how many left; (4, groups, months, draws).
    outside
        ARR of those outside the cohort whose trailing year ends in each month, shape (groups, months, draws).
    renewed
        What is kept of the ARR due in each calendar month, shape (groups, calendar months, draws).
    """

    changes: Array
    outside: Array
    renewed: Array

    def add(self, start: Array, chunk: Paths, asked: Asked) -> None:
        """Add a chunk's changes, and the ARR of those outside the cohort whose trailing year ends in each month."""
        group = asked.group[chunk.rows]
        add_changes(self.changes, group, start, chunk.arr)
        if asked.cohort_arr is None:
            return
        cohort_arr = asked.cohort_arr[chunk.rows]
        for month in range(asked.horizon_months):
            chosen = np.flatnonzero(cohort_arr[:, month] <= 0)
            nothing, all_of_it = np.zeros(chosen.size), np.full(chosen.size, np.inf)
            add_rows(self.outside, month, group, chosen, chunk.arr[:, month], nothing, all_of_it)

    def add_renewals(self, start: Array, chunk: Paths, asked: Asked, due: Array) -> None:
        """Add what of the ARR due in each month is still there once the grace has run out, at most all of it.

        Calendar month m ends no later than m + 1 months after the snapshot, and the last one with the horizon.
        """
        group, settle_months = asked.group[chunk.rows], chunk.arr.shape[1] - asked.horizon_months
        for month in range(due.shape[1]):
            settled_month = min(month, asked.horizon_months - 1) + settle_months
            chosen = np.flatnonzero(due[:, month] > 0)
            arr_due = due[chosen, month]
            add_rows(self.renewed, month, group, chosen, chunk.arr[:, settled_month], start[chosen] - arr_due, arr_due)

    def of_group(self, group: int) -> Mapping[str, Array]:
        """Those of one group, by name: views, which may be written to."""
        return {"changes": self.changes[:, group], "outside": self.outside[group], "renewed": self.renewed[group]}


@dataclass(frozen=True)
class Simulated:
    """What the simulation of some accounts comes to: sums by group, and the figures of each account."""

    sums: Sums
    accounts: AccountPaths


def no_sums(asked: Asked, draws: int) -> Sums:
    """Sums before anything is added."""
    calendar_months = 0 if asked.due is None else asked.due.shape[1]
    return Sums(
        np.zeros((4, asked.groups, asked.horizon_months, draws)),
        np.zeros((asked.groups, asked.horizon_months, draws)),
        np.zeros((asked.groups, calendar_months, draws)),
    )


def simulated_sums(prediction: Prediction, settings: PathSettings, asked: Asked, *, threads: int) -> Simulated:
    """Simulate accounts and add up what is asked, account after account as they come."""
    sums, descriptions = no_sums(asked, settings.draws), []

    def described_too(paths: Paths) -> tuple[Paths, AccountPaths]:
        return paths, describe(prediction, settings, asked.horizon_months, paths)

    for paths, accounts in in_chunks(prediction, settings, described_too, threads):
        descriptions.append(accounts)
        chunk, start = _in_units(paths, asked.unit), _whole(prediction.arr[paths.rows], asked.unit)
        sums.add(start, chunk, asked)
        if asked.due is not None:
            sums.add_renewals(start, chunk, asked, _whole(asked.due[paths.rows], asked.unit))
    return Simulated(sums, together(descriptions, asked.horizon_months))


def exact_unit(arr: Array) -> float:
    """A unit so large that sums of its multiples are exact, and so do not depend on the order of the additions.

    It is less than 1e-14 of the ARR of all accounts, `arr`: where parts of a portfolio are added up apart from each
    other, they come to the same however it is divided.
    """
    return float(2.0 ** np.ceil(np.log2(arr.sum() * _TIMES_LARGER / _WHOLE_NUMBERS)))


def _whole(amounts: Array, unit: float) -> Array:
    """Amounts as multiples of a unit; what is more than nothing stays so."""
    if not unit:
        return amounts
    rounded = np.rint(amounts / unit) * unit
    return np.where(amounts > 0, np.maximum(rounded, unit), rounded)


def _in_units(paths: Paths, unit: float) -> Paths:
    return replace(paths, arr=_whole(paths.arr, unit)) if unit else paths
