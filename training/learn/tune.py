"""Tuning without leakage: settings are scored on the newest months, by models that have not seen them.

The split is one of time within what is known: fitted on what was known some months earlier, scored on what came since.
Nothing later than the training date takes part, at an origin of a backtest just as on the last day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.tables.checked import Tables
from models.hazards.at_risk import has_come
from models.hazards.fit_settings import Settings
from models.outcomes.outcome import OutcomeModel
from models.outcomes.prediction import OUTCOMES
from params import Params, Tune
from training.learn.dataset import Dataset, known_at, settings_of

if TYPE_CHECKING:
    import optuna

Array = NDArray[np.float64]
_TUNING = ("feature_fraction",)  # the settings searched that only fitting needs; the rest are the model's own
_TINY = 1e-9


@dataclass(frozen=True)
class Split:
    """What was known some months ago, and the ARR paths since of its newest accounts as known at the training date."""

    earlier: Dataset
    actual_paths: Array


@dataclass(frozen=True)
class Tuned:
    """What the search found.

    `chosen` are the settings that scored best, `trials` has a row a trial: number, loss, and its settings; trial 0 is
    the settings as they were. `cut_short` says that the time ran out before the trials did: a repetition may then
    choose others.
    """

    chosen: Mapping[str, float | int]
    trials: pd.DataFrame
    cut_short: bool
    split_at: date

    @property
    def gain(self) -> float:
        """By how much of its loss the best trial beat the settings as they were."""
        return float(1 - self.trials["loss"].min() / self.trials["loss"].iloc[0])

    def sentence(self) -> str:
        """What was done, in words."""
        cut = ", cut short by tune.minutes" if self.cut_short else ""
        return (
            f"Tuned by {len(self.trials)} trials{cut}, fitted as of {self.split_at} and scored on what came since: "
            f"log-likelihood {self.gain:.1%} better than with the settings as they were."
        )


def split(tables: Tables, dataset: Dataset, *, params: Params) -> Split | None:
    """The inner split of what is known; None where tuning is off or too little would be left to learn from."""
    dates = dataset.settled_dates
    months = params.tune.months
    if not params.tune.enabled or params.model.learner == "logistic" or len(dates) - months < params.model.min_months:
        return None
    day = dates[-1 - months]
    return Split(known_at(tables, dataset, day, params), dataset.paths[dataset.cohort(day), : months + 1])


def tune(inner: Split, *, params: Params) -> Tuned:
    """Search the settings of the trees, bounded in trials and time; the same for a number of trials and a seed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = settings_of(params)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=params.seed))
    study.enqueue_trial(_as_they_are(settings))
    study.optimize(
        lambda trial: loss_of(inner, _with(settings, _suggested(trial))),
        n_trials=params.tune.trials,
        timeout=params.tune.minutes * 60,
    )
    return _result(study, inner, params.tune)


def tuned_settings(settings: Settings, tuned: Tuned | None) -> Settings:
    """The settings with those that were chosen."""
    return settings if tuned is None else _with(settings, tuned.chosen)


def loss_of(inner: Split, settings: Settings) -> float:
    """Mean negative log-likelihood of what came of each account in each month held out, nats."""
    model = OutcomeModel(inner.earlier.inputs, settings).fit(inner.earlier.frame, inner.earlier.paths)
    cohort = inner.earlier.frame[inner.earlier.cohort(inner.earlier.as_of)]
    hazards = model.predict(cohort).along(inner.actual_paths, settings.min_change)
    return monthly_loss(hazards, inner.actual_paths, settings.min_change)


def monthly_loss(hazards: Array, arr_paths: Array, min_change: float) -> float:
    """Mean negative log-likelihood of monthly outcomes while an account was still there.

    Parameters
    ----------
    hazards
        Probability of churn, contraction and expansion in each month, shape (accounts, months, 3).
    came
        ARR at the start and after each month, shape (accounts, months + 1).
    """
    before, after = arr_paths[:, :-1], arr_paths[:, 1:]
    there = (np.cumprod(before > 0, axis=1) > 0) & ~np.isnan(after)
    events = [has_come(outcome, before, after, min_change) for outcome in OUTCOMES]
    chance = np.select(events, [hazards[..., place] for place in range(len(OUTCOMES))], 1 - hazards.sum(axis=-1))
    return float(-np.log(np.clip(chance[there], _TINY, 1)).mean())


def _as_they_are(settings: Settings) -> dict[str, Any]:
    fine = {name: getattr(settings.tuning, name) for name in _TUNING}
    names = ("leaves", "min_rows_per_leaf", "learning_rate", "l2")
    return {name: getattr(settings, name) for name in names} | fine


def _suggested(trial: "optuna.Trial") -> dict[str, float | int]:
    """The space that is searched."""
    return {
        "leaves": trial.suggest_int("leaves", 3, 63, log=True),
        "min_rows_per_leaf": trial.suggest_int("min_rows_per_leaf", 10, 400, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        "l2": trial.suggest_float("l2", 0.1, 200.0, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.2, 1.0),
    }


def _with(settings: Settings, chosen: Mapping[str, Any]) -> Settings:
    """Settings with others in place, those that only fitting needs among them."""
    fine = {name: value for name, value in chosen.items() if name in _TUNING}
    more = {name: value for name, value in chosen.items() if name not in _TUNING}
    tuning = None if settings.tuning is None else replace(settings.tuning, **fine)
    return replace(settings, **more, tuning=tuning)


def _result(study: "optuna.Study", inner: Split, bounds: Tune) -> Tuned:
    trials = [{"trial": trial.number, "loss": trial.value, **trial.params} for trial in study.trials if trial.values]
    return Tuned(study.best_params, pd.DataFrame(trials), len(trials) < bounds.trials, inner.earlier.as_of)
