"""Which (account, month ahead) rows an outcome could come to, and how they are learned from."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class AtRisk:
    """Every (snapshot row, month ahead) whose outcome is known while the account was a customer at the month's start.

    Attributes
    ----------
    row, ahead
        The snapshot row, and how many months ahead of it, from 1; shape (rows,).
    month
        The calendar month of the outcome, counted from the first one.
    account
        The account as a number.
    before, after
        ARR at the month's start and end.
    first_month
        The first calendar month, as 12 x year + month.
    months
        How many calendar months there are.
    """

    row: Ints
    ahead: Ints
    month: Ints
    account: Ints
    before: Array
    after: Array
    first_month: int
    months: int

    def only(self, chosen: Bools) -> "AtRisk":
        """Some of the rows; months keep their numbers."""
        names = ("row", "ahead", "month", "account", "before", "after")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def event(self, outcome: str, min_change: float) -> Bools:
        """Whether the outcome came, as of each row."""
        return has_come(outcome, self.before, self.after, min_change)

    @cached_property
    def pair(self) -> Ints:
        """The account and month of each row as one number: every snapshot before a month speaks of the same outcome."""
        return self.account * max(self.months, 1) + self.month

    def share(self, chosen: Ints) -> Array:
        """Weights of some rows that make all those of one account and month count once."""
        _, position, copies = np.unique(self.pair[chosen], return_inverse=True, return_counts=True)
        return np.asarray(1.0 / copies[position])

    def evenly(self, chosen: Ints) -> Array:
        """Weights of some rows, alike within a calendar month, that add up to the accounts that were at risk in it."""
        month = self.month[chosen]
        first = np.unique(self.pair[chosen], return_index=True)[1]
        accounts, rows = (np.bincount(months, minlength=self.months) for months in (month[first], month))
        return np.asarray((accounts / np.maximum(rows, 1))[month])

    def distinct(self, part: Bools) -> int:
        """How many accounts and months some rows speak of."""
        return len(np.unique(self.pair[part]))


def has_come(outcome: str, before: Array, after: Array, min_change: float) -> Bools:
    """Whether an outcome came between two instants, by ARR at each; a share of `min_change` or less is no change."""
    if outcome == "churn":
        return np.asarray(after == 0)
    if outcome == "contraction":
        return np.asarray((after > 0) & (after < before * (1 - min_change)))
    return np.asarray(after > before * (1 + min_change))


def month_number(frame: pd.DataFrame) -> Ints:
    """The calendar month of each snapshot row as 12 x year + month."""
    as_of = frame["as_of"].dt
    return np.asarray(as_of.year * 12 + as_of.month, dtype=np.int64)


def at_risk(frame: pd.DataFrame, paths: Array) -> AtRisk:
    """The rows at risk of snapshots and the ARR after them.

    Parameters
    ----------
    frame
        Snapshot rows with `account_id` and `as_of`.
    paths
        ARR at each snapshot and the months after it, shape (rows, months + 1); NaN where not known yet.
    """
    here = np.cumprod(np.nan_to_num(paths[:, :-1]) > 0, axis=1).astype(bool)
    row, step = np.nonzero(here & ~np.isnan(paths[:, 1:]))
    month = month_number(frame)[row] + step
    account = pd.factorize(frame["account_id"])[0].astype(np.int64)[row]
    first = int(month.min()) if month.size else 0
    months = int(month.max()) + 1 - first if month.size else 0
    return AtRisk(row, step + 1, month - first, account, paths[row, step], paths[row, step + 1], first, months)


@dataclass(frozen=True)
class Sampled:
    """Rows kept to learn one outcome from: positions among those at risk, 0/1 events, and weights.

    The weights make up for the rows left out, and add up to as many as there are accounts and months, however many
    snapshots speak of each: else a dozen copies of one event would pass for a dozen events.
    """

    chosen: Ints
    event: Array
    weight: Array


def sample(rows: AtRisk, event: Bools, *, most: int, generator: np.random.Generator) -> Sampled:
    """At most so many rows, of which at most half with an event."""
    happened, quiet = np.flatnonzero(event), np.flatnonzero(~event)
    kept_happened = _thinned(happened, most // 2, generator)
    kept_quiet = _thinned(quiet, most - kept_happened.size, generator)
    chosen = np.sort(np.concatenate([kept_happened, kept_quiet]))
    copies = event.size / max(rows.distinct(np.ones_like(event)), 1)
    scale = np.where(event[chosen], happened.size / max(kept_happened.size, 1), quiet.size / max(kept_quiet.size, 1))
    return Sampled(chosen, event[chosen].astype(float), scale / copies)


def _thinned(rows: Ints, most: int, generator: np.random.Generator) -> Ints:
    return np.sort(generator.choice(rows, size=most, replace=False)) if rows.size > most else rows
