"""Past month starts forecast one after the other, each as it would have gone that night."""

from datetime import date
from typing import TYPE_CHECKING, Any

from holdfast.nightly import NIGHT_FOLDER, Night
from holdfast.run import Run
from models.words import counted
from serving.publication.last_night import FAILED

if TYPE_CHECKING:
    from features.inputs.load import Loaded
    from params import Params


def replay(run: Run, loaded: "Loaded", months: int) -> list[dict[str, Any]]:
    """Put the forecasts of the month starts before the data end on record, each by what was known before it.

    The model is trained once, on the first of these nights. A month that has an official forecast is left as it is, so
    that a replay can be run again. A night that fails, such as one with too little history, stops nothing.

    Parameters
    ----------
    run
        Settings, and where progress is told.
    loaded
        Today's tables, checked.
    months
        How many.

    Returns
    -------
    list of dict
        `as_of` and `steps` of each night that was replayed.
    """
    from features.tables.scratch import scratch_folder

    quiet = Run(_trained_once(run.params), run.as_json, run.progress, run.options)
    nights = []
    for day in _lacking(run.params, _month_starts(loaded.tables.data_until, months)):
        with scratch_folder(run.params.data_dir, NIGHT_FOLDER) as folder:
            night = Night(quiet, day, folder, loaded=loaded, for_the_record=True)
            nights.append({"as_of": day.isoformat(), "steps": night.go()})
    return nights


def replay_lines(nights: list[dict[str, Any]]) -> list[str]:
    """What a replay did, to print: what went wrong once per reason."""
    failures = {
        step["result"]["message"]: night["as_of"]
        for night in nights
        for step in night["steps"]
        if step["status"] == FAILED
    }
    done = len(nights) - sum(any(step["status"] == FAILED for step in night["steps"]) for night in nights)
    first = f" from {nights[0]['as_of']} on" if nights else ""
    return [
        f"{counted(done, 'forecast')} put on record{first}",
        *(f"{as_of} could not be replayed: {message}" for message, as_of in failures.items()),
    ]


def _trained_once(params: "Params") -> "Params":
    return params.model_copy(update={"promotion": params.promotion.model_copy(update={"retrain_months": 0})})


def _month_starts(until: date, months: int) -> list[date]:
    """The month starts before a day, the oldest first."""
    from features.revenue import add_months

    newest = until.replace(day=1) if until.day > 1 else add_months(until, -1)
    return [add_months(newest, -back) for back in reversed(range(months))]


def _lacking(params: "Params", days: list[date]) -> list[date]:
    """Those of which no official forecast is on record."""
    from serving.ledger.record import open_record
    from serving.ledger.withdrawals import official_of

    with open_record(params) as record, record.reading() as connection:
        return [day for day in days if official_of(connection, day.isoformat()) is None]
