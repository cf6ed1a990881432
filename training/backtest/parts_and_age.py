"""What each family of features is worth, and what a model loses with age: by forecasting churn without it, or late.

Both are scored on the accounts of the same past dates as the backtest, each model by what was known when it was fitted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from features.revenue import add_months
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.outcomes.outcome import OutcomeModel
from models.scores.evaluation import log_losses
from models.words import counted, signed_percent
from params import Params
from training.backtest.origin import Task, prepare
from training.backtest.rolling import history
from training.learn.dataset import Dataset, known_at
from training.learn.tuned_fit import fit_model
from training.report.summary import json_rows
from training.tracking.evidence import Table
from training.tracking.runs import record_evaluation, require_store

ALL = "all"
AGES = (0, 3, 6, 12)
NAME = "parts and age"
_Row = dict[str, Any]


@dataclass(frozen=True)
class PartsAndAge:
    """Both tables: a row a family or an age, and horizon.

    `families`: family, features (how many), horizon_months, origins, log_loss and auc of churn without the family,
    `change` of the log-loss against the model with all features as a share, `worse_at` of how many origins.
    `ages`: the same by `age_months` of the model, against a model that was fitted at the origin.
    """

    families: pd.DataFrame
    ages: pd.DataFrame

    def lines(self) -> list[str]:
        """What to print, of the longest horizon."""
        lines = []
        for table, name in ((self.families, "family"), (self.ages, "age_months")):
            rows = table[table["horizon_months"] == table["horizon_months"].max()] if len(table) else table
            lines += [_told(dict(row), name) for row in json_rows(rows) if row[name] not in (ALL, 0)]
        return lines

    def to_json(self) -> dict[str, Any]:
        """The same for machines, all horizons."""
        return {"families": json_rows(self.families), "ages": json_rows(self.ages)}


def parts_and_age(tables: Tables, *, params: Params, progress: Progress = silent) -> PartsAndAge:
    """Fit without each family of features, and as of some months before, at each origin of the backtest.

    Raises
    ------
    BadInput
        Too little history for a single origin.
    StoreUnreachable
        The tracking store does not answer; asked before anything is fitted.
    """
    require_store(params)
    full, origins = history(tables, params=params, progress=progress)
    families: list[_Row] = []
    ages: list[_Row] = []
    progress("families and age", 0, len(origins))
    for place, origin in enumerate(origins, start=1):
        task = prepare(tables, full, origin, params=params, with_rivals=False)
        whole, _ = fit_model(task.dataset, task.inner, params)
        families += [*_scored(whole, task, family=ALL, features=len(task.dataset.inputs)), *_without(task)]
        ages += [*_scored(whole, task, age_months=0), *_older(tables, full, task)]
        progress("families and age", place, len(origins))
    result = PartsAndAge(_summed(families, "family", ALL), _summed(ages, "age_months", 0))
    evidence = [Table("families", result.families), Table("ages", result.ages)]
    record_evaluation(evidence, tables=tables, params=params, name=NAME)
    return result


def _without(task: Task) -> Iterator[_Row]:
    """The scores of models that lack one family each."""
    inputs = task.dataset.inputs
    for family in sorted({item.family for item in inputs}):
        rest = tuple(item for item in inputs if item.family != family)
        if rest:
            model, _ = fit_model(replace(task.dataset, inputs=rest), None, task.params)
            yield from _scored(model, task, family=family, features=len(inputs) - len(rest))


def _older(tables: Tables, full: Dataset, task: Task) -> Iterator[_Row]:
    """The scores of models that were fitted some months before, as far back as there was enough to learn from."""
    for age in AGES[1:]:
        day = add_months(task.dataset.as_of, -age)
        if sum(date <= day for date in full.settled_dates) >= task.params.model.min_months:
            model, _ = fit_model(known_at(tables, full, day, task.params), None, task.params)
            yield from _scored(model, task, age_months=age)


def _scored(model: OutcomeModel, task: Task, **what: Any) -> list[_Row]:
    """Log-loss and AUC of churn among the origin's accounts, by horizon."""
    dataset, rows = task.dataset, []
    cohort = dataset.frame[dataset.cohort(dataset.as_of)].reset_index(drop=True)
    probability = model.predict(cohort).event_probability("churn")
    for horizon in task.horizons:
        left = ((task.actual_paths[:, horizon] == 0) & ~task.paused[:, horizon]).astype(float)
        predicted = probability[:, horizon - 1]
        auc = float(roc_auc_score(left, predicted)) if 0 < left.sum() < left.size else float("nan")
        figures = {"log_loss": float(log_losses(predicted, left).mean()), "auc": auc}
        rows.append({**what, "origin": dataset.as_of, "horizon_months": horizon, **figures})
    return rows


def _summed(rows: Sequence[_Row], name: str, whole: Any) -> pd.DataFrame:
    """Means over the origins at which both were, the one with everything and the one that lacks something."""
    frame = pd.DataFrame(rows)
    keys = ["origin", "horizon_months"]
    best = frame.loc[frame[name] == whole, [*keys, "log_loss"]].rename(columns={"log_loss": "log_loss_of_all"})
    both = frame.merge(best, on=keys)
    parts = []
    for (value, horizon), part in both.groupby([name, "horizon_months"], sort=False):
        sizes = {"features": int(part["features"].iloc[0])} if "features" in part else {}
        figures = {"log_loss": part["log_loss"].mean(), "log_loss_of_all": part["log_loss_of_all"].mean()}
        figures |= {"change": figures["log_loss"] / figures["log_loss_of_all"] - 1, "auc": part["auc"].mean()}
        counts = {"origins": len(part), "worse_at": int((part["log_loss"] > part["log_loss_of_all"]).sum())}
        parts.append({name: value, **sizes, "horizon_months": horizon, **counts, **figures})
    return pd.DataFrame(parts)


def _told(row: _Row, name: str) -> str:
    """A row as a sentence."""
    what = (
        f"Without {row['family']} ({counted(row['features'], 'feature')})"
        if name == "family"
        else f"By a model {counted(row['age_months'], 'month')} old"
    )
    return (
        f"{what}: log-loss of churn {counted(row['horizon_months'], 'month')} ahead {row['log_loss']:.4f} against "
        f"{row['log_loss_of_all']:.4f} ({signed_percent(row['change'])}), worse at {row['worse_at']} of "
        f"{counted(row['origins'], 'past date')}; AUC {np.round(row['auc'], 3):.3f}"
    )
