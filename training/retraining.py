"""When a model is to be trained again: by schedule."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pandas as pd

from models.words import counted
from params import Params
from training.tracking.versions import versions_of


@dataclass(frozen=True)
class Schedule:
    """Whether a model is due to be trained as of a date, and why or why not."""

    is_due: bool
    reason: str


def schedule(params: Params, day: date) -> Schedule:
    """Whether a model is to be trained as of a date, by what has been trained as of it or before.

    Versions that learned later do not count: on a past night that is run again they were not there.

    Raises
    ------
    StoreUnreachable
        The tracking store does not answer.
    """
    learned = [date.fromisoformat(version.as_of) for version in versions_of(params) if version.as_of]
    return due(learned, day, params.promotion.retrain_months)


def due(learned: Iterable[date], day: date, months: int) -> Schedule:
    """Whether to train as of `day`, by the dates as of which models learned; never by schedule if `months` is 0."""
    newest = max((as_of for as_of in learned if as_of <= day), default=None)
    if newest is None:
        return Schedule(True, f"no model has learned as of {day} or before")
    if months == 0:
        return Schedule(False, f"the newest model learned as of {newest}; promotion.retrain_months is 0")
    next_day = (pd.Timestamp(newest) + pd.DateOffset(months=months)).date()
    if day < next_day:
        return Schedule(False, f"the newest model learned as of {newest}; the next is due from {next_day}")
    return Schedule(True, f"the newest model learned as of {newest}, {counted(months, 'month')} or more before")
