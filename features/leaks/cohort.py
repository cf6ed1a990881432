"""The past that a column is tried on: snapshots that do not overlap, and who left within the months after each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.families.feature import Feature
from features.revenue import add_months, cohort_paths, settled_before
from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from features.tables.checked import Tables
from features.tables.progress import Progress
from params import Params


@dataclass(frozen=True)
class Cohort:
    """Snapshot rows at `dates`, and which of them `left` within `months`."""

    dates: tuple[date, ...]
    months: int
    frame: pd.DataFrame
    features: tuple[Feature, ...]
    attributes: tuple[str, ...]
    left: NDArray[np.bool_]

    @property
    def accounts(self) -> "pd.Series[str]":
        """The account of each row."""
        return self.frame["account_id"]

    @property
    def accounts_left(self) -> int:
        """How many different accounts left."""
        return int(self.accounts[self.left].nunique())

    def __str__(self) -> str:
        """What the cohort is, in one line."""
        return (
            f"{len(self.frame):,} rows of {self.accounts.nunique():,} accounts at {len(self.dates)} dates, "
            f"{self.dates[0]} to {self.dates[-1]}; {self.accounts_left:,} left within {self.months} months"
        )


def past_dates(tables: Tables, *, months: int, every_months: int, most: int, params: Params) -> list[date]:
    """The newest month starts whose next `months` are known, `every_months` apart; empty if there is none.

    Raises
    ------
    BadInput
        There is no month start at all.
    """
    starts = month_starts(tables, params.snapshots)
    settled = settled_before(tables, tables.data_until, params.revenue)
    complete = [day for day in starts if add_months(day, months) <= settled]
    return complete[::-1][::every_months][:most][::-1]


def past_cohort(tables: Tables, dates: Sequence[date], *, months: int, params: Params, progress: Progress) -> Cohort:
    """The snapshots at `dates` and who left within `months`, by all that is known now."""
    snapshots = stored(tables, dates, params=params, progress=progress)
    paths = cohort_paths(
        tables,
        snapshots.frame[["account_id", "as_of", "arr"]],
        months=months,
        known_by=tables.data_until,
        rules=params.revenue,
        budget=params.budget,
    )
    left = (paths.arr[:, months] == 0) & ~paths.paused[:, months]
    return Cohort(tuple(dates), months, snapshots.frame, snapshots.features, snapshots.attributes, left)
