"""When a model is to be trained again: by schedule, or where the watch asks for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pandas as pd

from models.words import counted
from params import Params
from training.tracking.runs import finish_registration
from training.tracking.versions import versions_of

FROZEN_MONTHS = 1  # after a training, whatever the watch says


@dataclass(frozen=True)
class Schedule:
    """Whether a model is due to be trained as of a date, and why or why not."""

    is_due: bool
    reason: str


def schedule(params: Params, day: date, alarm: str = "") -> Schedule:
    """Whether a model is to be trained as of a date, by what has been trained as of it or before.

    `alarm` says why the watch asks for a new model; empty if it does not. Versions that learned later do not count: on
    a past night that is run again they were not there. A version whose training was killed just before it could take
    charge takes it now.

    Raises
    ------
    StoreUnreachable
        The tracking store does not answer.
    """
    finish_registration(params)
    learned = [date.fromisoformat(version.as_of) for version in versions_of(params) if version.as_of]
    return due(learned, day, params.promotion.retrain_months, alarm)


def due(learned: Iterable[date], day: date, months: int, alarm: str = "") -> Schedule:
    """Whether to train as of `day`, by the dates as of which models learned; never by schedule if `months` is 0.

    An alarm of the watch makes it due, but not within a month of the last time: a new model is given that long.
    """
    newest = max((as_of for as_of in learned if as_of <= day), default=None)
    if newest is None:
        return Schedule(True, f"no model has learned as of {day} or before")
    if alarm:
        until = (pd.Timestamp(newest) + pd.DateOffset(months=FROZEN_MONTHS)).date()
        if day >= until:
            return Schedule(True, f"the watch asks for it: {alarm}")
        return Schedule(False, f"{alarm}; the newest model learned as of {newest} and is left alone until {until}")
    if months == 0:
        return Schedule(False, f"the newest model learned as of {newest}; promotion.retrain_months is 0")
    next_day = (pd.Timestamp(newest) + pd.DateOffset(months=months)).date()
    if day < next_day:
        return Schedule(False, f"the newest model learned as of {newest}; the next is due from {next_day}")
    return Schedule(True, f"the newest model learned as of {newest}, {counted(months, 'month')} or more before")
