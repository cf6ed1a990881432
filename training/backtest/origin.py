"""One origin of a backtest: fit on what was known then, forecast, and put beside it what came."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.revenue.cut_labels import group_labels, labels_in_force, owners_in_force, usable_cuts
from features.tables.checked import Tables
from models.hazards.at_risk import at_risk
from models.outcomes.cross_sell import cross_sold
from models.outcomes.prediction import Prediction
from models.paths.books import book_rows
from models.paths.rollup import QUANTILES, TOTAL, RollUp, roll_up
from models.scores import baselines
from models.scores.evaluation import crps
from params import Params
from training.backtest import rivals as field
from training.backtest.expected_events import expected_events
from training.backtest.rivals import Rivals
from training.learn.dataset import Dataset, known_at, paths_settings
from training.learn.importance import Explanation, explain
from training.learn.tune import Split, split
from training.learn.tuned_fit import fit_model
from training.tracking.recipe import recipe_digest

Array = NDArray[np.float64]
METRICS = ("nrr", "grr")


@dataclass(frozen=True)
class Task:
    """One origin's work, with all that it needs: it can be done in another process.

    `dataset` is what was known at the origin, `actual_paths` and `streams` what its accounts' ARR and streams came to
    as known now, `paused` which of them were customers without ARR then, `labels` the cuts' labels of the same
    accounts, `owners` whose book each is in, `inner` what the settings are tuned on, if they are.
    `with_rivals` asks for the rivals that take work, `explained` for what the model looks at.
    """

    dataset: Dataset
    actual_paths: Array
    paused: NDArray[np.bool_]
    streams: Array
    labels: Mapping[str, NDArray[np.object_]]
    params: Params
    owners: Mapping[str, NDArray[np.object_]] = dataclass_field(default_factory=dict)
    inner: Split | None = None
    with_rivals: bool = True
    explained: bool = False
    made_of: str = ""

    @property
    def horizons(self) -> list[int]:
        """The horizons that have come."""
        return [h for h in self.params.backtest.horizons if not np.isnan(self.actual_paths[:, h]).all()]


@dataclass(frozen=True)
class OriginResult:
    """One origin's forecasts beside what came.

    `accounts` has a row an account and horizon: account_id, origin, horizon_months, arr, health_score, a column
    `cut_...` for each cut, churned and expanded (0/1, at the horizon), cross_sold (0/1, at least once by the horizon,
    NaN where not told), their probabilities and the rivals' (`churn_base`, `churn_segments`, ...).
    `portfolio` has a row a horizon and metric (nrr, grr): actual, mean, p05 .. p95, crps, and for NRR the rivals' means
    and CRPS. `cuts` has the same by `cut` and `value`, without rivals. `events` holds the events expected and seen by
    kinds of accounts and months, as `expected_events` gives them. `books` holds what was expected of each person's
    book, as `book_rows` gives it. `made_of` tells what it was made of and how, as `made_of` below gives it.
    """

    origin: date
    accounts: pd.DataFrame
    portfolio: pd.DataFrame
    cuts: pd.DataFrame
    explained: tuple[Explanation, ...] = ()
    events: pd.DataFrame = dataclass_field(default_factory=pd.DataFrame)
    books: pd.DataFrame = dataclass_field(default_factory=pd.DataFrame)
    made_of: str = ""


def made_of(tables: Tables, params: Params, *, whole: bool) -> str:
    """Tells apart origins of other tables, of another recipe, seed or horizons, and those without rivals."""
    horizons = "/".join(str(horizon) for horizon in params.backtest.horizons)
    how = "whole" if whole else "without rivals"
    return f"{tables.digest} {recipe_digest(params)} {params.seed} {params.model.horizon_months} {horizons} {how}"


def prepare(
    tables: Tables, full: Dataset, origin: date, *, params: Params, with_rivals: bool = True, explained: bool = False
) -> Task:
    """Gather what an origin's work needs; `full` holds all snapshots, and what became of them as known now."""
    dataset = known_at(tables, full, origin, params)
    here = full.cohort(origin)
    cuts, _ = usable_cuts(tables, params.forecast.cuts)
    labels = labels_in_force(tables, origin, cuts, params.budget, params.forecast)
    owners = owners_in_force(tables, origin, params.budget)
    return Task(
        dataset=dataset,
        actual_paths=full.actual[here],
        paused=full.paused[here],
        streams=full.streams[here],
        inner=split(tables, dataset, params=params),
        labels=group_labels(labels, full.frame["account_id"][here]),
        owners=group_labels(owners, full.frame["account_id"][here]) if with_rivals else {},
        params=params,
        with_rivals=with_rivals,
        explained=explained,
        made_of=made_of(tables, params, whole=with_rivals),
    )


def work(task: Task) -> OriginResult:
    """Do one origin's work."""
    dataset, params = task.dataset, task.params
    model, _ = fit_model(dataset, task.inner, params)
    cohort = dataset.frame[dataset.cohort(dataset.as_of)].reset_index(drop=True)
    prediction = model.predict(cohort)
    rolled = roll_up(
        prediction,
        paths_settings(params),
        horizon_months=model.horizon_months,
        cuts=task.labels,
        threads=params.threads,
    )
    rivals = field.work_out(model, dataset, cohort, params) if task.with_rivals else Rivals()
    return OriginResult(
        dataset.as_of,
        _account_rows(task, cohort, rolled, rivals).assign(**_cross_sells(task, cohort, prediction)),
        _portfolio_rows(task, cohort, rolled, rivals),
        _cut_rows(task, rolled),
        explain(model, cohort) if task.explained else (),
        _events(task, cohort, prediction),
        _books(task, cohort, prediction, rolled),
        task.made_of,
    )


def try_origin(
    tables: Tables, full: Dataset, origin: date, *, params: Params, with_rivals: bool = True, explained: bool = False
) -> OriginResult:
    """Forecast from one origin, and compare with what is known now."""
    return work(prepare(tables, full, origin, params=params, with_rivals=with_rivals, explained=explained))


def _account_rows(task: Task, cohort: pd.DataFrame, rolled: RollUp, rivals: Rivals) -> pd.DataFrame:
    """Probabilities and what came, a row an account and horizon."""
    actual, min_change, health = task.actual_paths, task.params.model.min_change, baselines.health_score(cohort)
    parts = []
    for horizon in task.horizons:
        parts.append(
            pd.DataFrame(
                {
                    "account_id": cohort["account_id"],
                    "origin": pd.Timestamp(task.dataset.as_of),
                    "horizon_months": horizon,
                    "arr": actual[:, 0],
                    "health_score": health,
                    **{f"cut_{name}": labels for name, labels in task.labels.items()},
                    "churned": ((actual[:, horizon] == 0) & ~task.paused[:, horizon]).astype(float),
                    "expanded": field.grew(actual[:, 0], actual[:, horizon], min_change),
                    "churn_probability": rolled.accounts.churn_probability[:, horizon - 1],
                    "expansion_probability": rolled.accounts.expansion_probability[:, horizon - 1],
                    **field.account_columns(task.dataset, cohort, horizon, rivals, min_change),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _events(task: Task, cohort: pd.DataFrame, prediction: Prediction) -> pd.DataFrame:
    """Events expected and seen by kinds of months, as far ahead as the horizon."""
    months, params = task.params.model.horizon_months, task.params
    paths = np.where(task.paused, np.nan, task.actual_paths)[:, : months + 1]
    grace_days, min_change = params.revenue.grace_days, params.model.min_change
    events = expected_events(cohort, paths, prediction, grace_days=grace_days, min_change=min_change)
    return events.assign(origin=pd.Timestamp(task.dataset.as_of))


def _books(task: Task, cohort: pd.DataFrame, prediction: Prediction, rolled: RollUp) -> pd.DataFrame:
    """What was expected of each person's book, at the horizons that have come."""
    if not task.owners:
        return pd.DataFrame()
    months = max(task.horizons)
    forecast = pd.DataFrame(
        {
            "account_id": np.repeat(cohort["account_id"].to_numpy(), months),
            "horizon_months": np.tile(np.arange(1, months + 1), len(cohort)),
            "expected_arr": rolled.accounts.expected_arr[:, :months].ravel(),
        }
    )
    params = task.params
    rows = book_rows(
        prediction,
        forecast,
        task.owners,
        horizons=tuple(task.horizons),
        settings=paths_settings(params),
        threads=params.threads,
    )
    return rows.assign(origin=pd.Timestamp(task.dataset.as_of))


def _cross_sells(task: Task, cohort: pd.DataFrame, prediction: Prediction) -> dict[str, Array]:
    """Chances of at least one cross-sell and whether one came, horizon by horizon as `_account_rows`."""
    rows, probability = (
        at_risk(cohort, np.where(task.paused, np.nan, task.actual_paths)),
        prediction.cross_sell_probability(),
    )
    sold = cross_sold(rows, task.streams, task.params.model.min_change)
    counts = []
    for horizon in task.horizons:
        within, count = rows.ahead <= horizon, len(cohort)
        some = np.bincount(rows.row, weights=within & (sold == 1), minlength=count) > 0
        untold = np.bincount(rows.row, weights=within & np.isnan(sold), minlength=count) > 0
        counts.append(np.where(~some & untold, np.nan, some))
    return {
        "cross_sold": np.concatenate(counts),
        "cross_sell_probability": np.concatenate([probability[:, horizon - 1] for horizon in task.horizons]),
    }


def _portfolio_rows(task: Task, cohort: pd.DataFrame, rolled: RollUp, rivals: Rivals) -> pd.DataFrame:
    """NRR and GRR forecast and come, a row a horizon and metric."""
    rows: list[dict[str, Any]] = []
    everyone = np.ones(len(cohort), dtype=bool)
    for horizon in task.horizons:
        for metric in METRICS:
            row = _forecast_row(task, rolled, 0, horizon, metric, everyone)
            if metric == "nrr":
                for name, draws in field.nrr_draws(task.dataset, cohort, horizon, rivals).items():
                    row[name], row[f"{name}_crps"] = float(draws.mean()), crps(draws, row["actual"])
            rows.append(row)
    return pd.DataFrame(rows)


def _cut_rows(task: Task, rolled: RollUp) -> pd.DataFrame:
    """The same by cut and value, without rivals."""
    rows = []
    for group, (cut, value) in enumerate(zip(rolled.groups["cut"], rolled.groups["value"], strict=True)):
        if cut != TOTAL:
            here = np.asarray(task.labels[cut] == value)
            for horizon in task.horizons:
                for metric in METRICS:
                    row = _forecast_row(task, rolled, group, horizon, metric, here)
                    rows.append({"cut": cut, "value": value, **row})
    return pd.DataFrame(rows)


def _forecast_row(
    task: Task, rolled: RollUp, group: int, horizon: int, metric: str, here: NDArray[np.bool_]
) -> dict[str, Any]:
    """One forecast of a group beside what came: summary of the draws, and their CRPS."""
    draws = rolled.draws[metric][group, horizon - 1]
    start, end = task.actual_paths[here, 0], task.actual_paths[here, horizon]
    actual = float((end if metric == "nrr" else np.minimum(start, end)).sum() / start.sum())
    return {
        "origin": pd.Timestamp(task.dataset.as_of),
        "horizon_months": horizon,
        "metric": metric,
        "accounts": int(here.sum()),
        "actual": actual,
        **_summary(draws),
        "crps": crps(draws, actual),
    }


def _summary(draws: Array) -> dict[str, float]:
    quantiles = np.quantile(draws, np.array(QUANTILES) / 100)
    return {"mean": float(draws.mean())} | {
        f"p{point:02d}": float(q) for point, q in zip(QUANTILES, quantiles, strict=True)
    }
