"""The model with calls: fitted beside the one in charge at each training, and kept as its challenger.

It looks at people's own calls too, which the other does not. What no one called stays missing: it is of trees, whatever
the settings say, since a regression would put a mean there. Its figures are shown and scored beside those of the model
in charge, for the accounts that have a call, and never in their place.
"""

from dataclasses import dataclass
from typing import Any

from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.outcomes.outcome import OutcomeModel
from params import Params
from training.learn.dataset import Dataset, settings_of, with_calls
from training.tracking.champion import named_with_calls
from training.tracking.evidence import Metric
from training.tracking.runs import record_run

FEWEST_CALLED = 30  # accounts with a call in the snapshots, below which there is nothing to learn from


@dataclass(frozen=True)
class Challenger:
    """The version that was registered, empty if none was, the accounts that had a call, and why."""

    version: str
    called_accounts: int
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {"version": self.version, "called_accounts": self.called_accounts, "reason": self.reason}


def challenge(tables: Tables, dataset: Dataset, params: Params, progress: Progress = silent) -> Challenger:
    """Fit the model with calls on what the other learns from and its calls, and register it.

    To be done before the other is registered: a training that is killed in between is due again, and makes both.
    """
    progress("recording the run, and the model with calls beside it", 0, 1)
    names = [item.name for item in dataset.call_inputs]
    if not names:
        return Challenger("", 0, "no calls are among the inputs that the model in charge leaves out")
    called = int(dataset.frame.loc[dataset.frame[names].notna().any(axis=1), "account_id"].nunique())
    if called < FEWEST_CALLED:
        return Challenger("", called, f"{called} accounts have had a call, and {FEWEST_CALLED} are needed")
    both, settings = with_calls(dataset), _settings(params)
    model = OutcomeModel(both.inputs, settings_of(settings)).fit(both.frame, both.paths, both.streams)
    reason = f"kept beside the model in charge: it looks at people's calls on {called} accounts too"
    record = record_run(
        model,
        [Metric("called_accounts", called)],
        tables=tables,
        as_of=dataset.as_of,
        params=settings,
        tags={"promotion": reason},
    )
    return Challenger(record.version, called, reason)


def _settings(params: Params) -> Params:
    """The settings of the model with calls, under a name of its own in the registry."""
    model = params.model.model_copy(update={"with_calls": True, "learner": "lightgbm"})
    return named_with_calls(params.model_copy(update={"model": model}))
