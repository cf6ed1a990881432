"""The ladder: what a night does where the model in charge is wrong, the least that may help first.

Where the market moved, nothing: the level follows with the next training. A model that took over less than two months
ago goes back to the one before it, if that was nearer to what happened in the same months. Else it is trained again by
the usual contest, but not within a month of the last training: until then it is left alone. Where the last training was
on an alarm already, and that did not help, other settings are searched too.
"""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

from features.revenue import add_months
from features.tables.checked import Tables
from params import Params
from training.learn.dataset import Dataset
from training.tracking.champion import Champion, load_version
from training.tracking.errors import NoModel
from training.tracking.in_charge import took_over_from
from training.watch.hazard_months import monthly_log_loss

ROLLBACK_MONTHS = 2
Action = Literal["leave", "wait", "train", "tune", "go back"]


@dataclass(frozen=True)
class Before:
    """The version that was in charge before: its log-loss of churn in the months watched, and that of the one now."""

    version: str
    log_loss: float
    log_loss_now: float


@dataclass(frozen=True)
class Rung:
    """What is to be done and why; `version` says to which it goes back."""

    action: Action
    reason: str
    version: str = ""

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self)


def is_young(champion_as_of: date, day: date) -> bool:
    """Whether a model learned less than two months before a day."""
    return day < add_months(champion_as_of, ROLLBACK_MONTHS)


def version_before(
    tables: Tables, dataset: Dataset, champion: Champion, dates: tuple[date, ...], params: Params
) -> Before | None:
    """The version that the one in charge took over from, on the same months.

    None where it is not on record, cannot be read, looks at what is not there any more, or no month is known yet.
    """
    number = took_over_from(params)
    if not number or not dates:
        return None
    try:
        earlier = load_version(params, number)
        losses = [monthly_log_loss(dataset, one.model, dates, params.model.min_change) for one in (earlier, champion)]
    except (NoModel, ValueError):
        return None
    return Before(number, *losses)


def rung(
    *,
    is_wrong: bool,
    todo: str,
    learned: date,
    day: date,
    before: Before | None,
    is_due: bool,
    why: str,
    should_tune: bool = False,
) -> Rung:
    """The rung of a night.

    Parameters
    ----------
    is_wrong, todo
        Whether the watch says that the model is wrong, and what it says to do.
    learned
        As of when the model in charge learned.
    before
        The version before it, where it is young.
    is_due, why
        Whether it may be trained again on the alarm, and the reason.
    should_tune
        Whether its settings are searched too, since training alone did not help.
    """
    if not is_wrong:
        return Rung("leave", todo or "nothing is wrong with the model")
    if before is not None and is_young(learned, day) and before.log_loss < before.log_loss_now:
        return Rung(
            "go back",
            f"it alarms within {ROLLBACK_MONTHS} months of {learned}, as of when it learned, and version "
            f"{before.version} before it was nearer to the months since: log-loss {before.log_loss:.4f} against "
            f"{before.log_loss_now:.4f}",
            before.version,
        )
    if not is_due:
        return Rung("wait", why)
    return Rung("tune" if should_tune else "train", why)
