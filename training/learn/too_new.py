"""Inputs that are known of today's accounts and hardly were of those of the past: nothing can be learned of them yet.

A table that was connected last month, or a cell that its source overwrites, as the latest value of a goal: what a
handful of accounts once had would be taken for what it means to all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from models.hazards.model_inputs import Input

_MONTHS = 12  # before the newest snapshot
_MOST_RISE = 0.1  # of the share known, which is nothing to speak of


@dataclass(frozen=True)
class TooNew:
    """An input that is left out, and the shares of accounts of which it is known and was in the year before."""

    name: str
    as_of: date
    now: float
    before: float

    def __str__(self) -> str:
        return (
            f"{self.name} is known of {self.now:.0%} of the accounts as of {self.as_of}, and was of {self.before:.0%} "
            "in the snapshots of the year before: it is left out until there is a past to learn from."
        )


def too_new(frame: pd.DataFrame, inputs: Sequence[Input], *, least_past_share: float) -> tuple[TooNew, ...]:
    """Inputs whose share of accounts known rose to several times what it was in the year before the newest snapshot.

    Parameters
    ----------
    frame
        Snapshot rows: `as_of` and the inputs' columns.
    inputs
        What a model would look at.
    least_past_share
        Left out is what was known of less than this share of the accounts of which it is known now.
    """
    dates, month = np.unique(frame["as_of"].to_numpy(), return_inverse=True)
    if len(dates) < 2:
        return ()
    recent = month >= len(dates) - 1 - _MONTHS
    month = month[recent]
    accounts, as_of = np.bincount(month), pd.Timestamp(dates[-1]).date()
    found = []
    for item in inputs:
        known = np.bincount(month, weights=frame[item.name].notna().to_numpy()[recent])
        *past, now = (known[accounts > 0] / accounts[accounts > 0]).tolist()
        before = float(np.mean(past))
        if before < least_past_share * now and now - before > _MOST_RISE:
            found.append(TooNew(item.name, as_of, now, before))
    return tuple(found)
