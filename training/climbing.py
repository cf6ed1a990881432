"""Where the watch and the training meet: the rung of the ladder that a day stands on, and going back a version."""

from params import Params
from training.retraining import schedule
from training.tracking.in_charge import put_in_charge
from training.watch.ladder import Rung, rung
from training.watch.watching import Watch


def rung_of(params: Params, found: Watch) -> Rung:
    """What is to be done by what the watch found; nothing is done.

    Raises
    ------
    StoreUnreachable
        The tracking store does not answer.
    """
    plan = schedule(params, found.as_of, found.todo if found.asks_to_retrain else "")
    return rung(
        is_wrong=found.asks_to_retrain,
        todo=found.todo,
        learned=found.trained_as_of,
        day=found.as_of,
        before=found.before,
        is_due=plan.is_due,
        why=plan.reason,
        should_tune=plan.should_tune,
    )


def climb(params: Params, found: Watch) -> Rung:
    """The rung, and where it says so the version before is put in charge again, with the reason on its record."""
    step = rung_of(params, found)
    if step.action == "go back":
        put_in_charge(params, by=f"by the watch, since version {found.model_version} was wrong: {step.reason},")
    return step
