"""When a model is to be trained again: by schedule, or where the watch asks for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from models.words import counted
from params import Params
from training.tracking.champion import incumbent
from training.tracking.errors import UnreadableChampion
from training.tracking.runs import finish_registration
from training.tracking.versions import versions_of

QUARTER = 3  # months between trainings where there is no schedule
FROZEN_MONTHS = 1  # after a training, whatever the watch says
RETUNE_MONTHS = 6  # after a training out of turn: an alarm within them says that training anew did not help


@dataclass(frozen=True)
class Schedule:
    """Whether a model is due to be trained as of a date, why or why not, and whether its settings are searched too."""

    is_due: bool
    reason: str
    should_tune: bool = False


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

    An alarm of the watch makes it due, but not within a month of the last time: a new model is given that long. Where
    that one was trained out of turn, sooner than by schedule, less than half a year ago, training did not help: then
    its settings are searched too.
    """
    learned = sorted({as_of for as_of in learned if as_of <= day})
    newest = learned[-1] if learned else None
    if newest is None:
        return Schedule(True, f"no model has learned as of {day} or before")
    if alarm:
        until = (pd.Timestamp(newest) + pd.DateOffset(months=FROZEN_MONTHS)).date()
        if day >= until and _out_of_turn(learned, day, months):
            again = f"the watch asks for it again, after a training out of turn as of {newest}"
            return Schedule(True, f"{again}, so that the settings are searched too: {alarm}", should_tune=True)
        if day >= until:
            return Schedule(True, f"the watch asks for it: {alarm}")
        return Schedule(False, f"{alarm}; the newest model learned as of {newest} and is left alone until {until}")
    if months == 0:
        return Schedule(False, f"the newest model learned as of {newest}; promotion.retrain_months is 0")
    next_day = (pd.Timestamp(newest) + pd.DateOffset(months=months)).date()
    if day < next_day:
        return Schedule(False, f"the newest model learned as of {newest}; the next is due from {next_day}")
    return Schedule(True, f"the newest model learned as of {newest}, {counted(months, 'month')} or more before")


def _out_of_turn(learned: Sequence[date], day: date, months: int) -> bool:
    """Whether the newest training came sooner than its schedule would have had it, not long ago."""
    if len(learned) < 2:
        return False
    before, newest = (pd.Timestamp(as_of) for as_of in learned[-2:])
    sooner = newest < before + pd.DateOffset(months=months or QUARTER)
    return bool(sooner and pd.Timestamp(day) < newest + pd.DateOffset(months=RETUNE_MONTHS))


def settings_to_train(params: Params, plan: Schedule) -> Params:
    """The settings of a night's training: those given, tuned where it is due or the model in charge was tuned.

    A tuned model is trained again by its own recipe: by another it would have to win a contest each quarter.
    """
    try:
        champion = incumbent(params)
    except UnreadableChampion:
        champion = None
    was_tuned = champion is not None and bool(champion.settings.get("tune", {}).get("enabled"))
    if not (plan.should_tune or was_tuned):
        return params
    return params.model_copy(update={"tune": params.tune.model_copy(update={"enabled": True})})
