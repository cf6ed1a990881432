"""What a model has to beat at an origin: forecasts from what was known then, for each account and for NRR."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.fit_settings import Settings
from models.outcomes.outcome import OutcomeModel
from models.paths.rollup import RollUp, roll_up
from models.scores import baselines, time_series
from params import Params
from training.learn.dataset import Dataset, paths_settings, settings_of

Array = NDArray[np.float64]
OUTCOMES = ("churn", "expansion")


@dataclass(frozen=True)
class Rivals:
    """The rivals that take work, at one origin; None where they were not asked for or have too little history.

    `logistic` is the roll-up of a logistic regression on the same features; `time_series` are draws of NRR by month
    ahead, shape (months, draws).
    """

    logistic: RollUp | None = None
    time_series: Array | None = None


def work_out(fitted: OutcomeModel, dataset: Dataset, cohort: pd.DataFrame, params: Params) -> Rivals:
    """Fit the logistic regression and the time series to what was known at the origin, as `fitted` was."""
    model = _logistic(fitted, dataset, settings_of(params))
    prediction, paths = model.predict(cohort), paths_settings(params)
    rolled = roll_up(prediction, paths, horizon_months=model.horizon_months, threads=params.threads)
    month = ~np.isnan(dataset.paths[:, 1])
    growth = time_series.monthly_growth(
        dataset.paths[month, 0], dataset.paths[month, 1], dataset.frame["as_of"].to_numpy()[month]
    )
    series = time_series.simulate_nrr(
        growth, months=model.horizon_months, draws=params.forecast.draws, seed=params.seed
    )
    return Rivals(rolled, series)


def _logistic(fitted: OutcomeModel, dataset: Dataset, settings: Settings) -> OutcomeModel:
    """The logistic regression; where the model is an ensemble by the same settings, its half."""
    if fitted.settings == replace(settings, learner="ensemble"):
        return fitted.logistic_alone(dataset.frame, dataset.paths)
    alone = replace(settings, learner="logistic")
    return OutcomeModel(dataset.inputs, alone).fit(dataset.frame, dataset.paths)


def account_columns(
    dataset: Dataset, cohort: pd.DataFrame, horizon: int, rivals: Rivals, min_change: float
) -> dict[str, Array]:
    """Each rival's probability of churn and of expansion by the horizon: `churn_base`, `expansion_health` and so on."""
    chosen, months = _past_window(dataset, horizon)
    past, paths = dataset.frame[chosen].reset_index(drop=True), dataset.paths[chosen]
    span = {"horizon_months": horizon, "window_months": months}
    band, band_now = _bands(past), _bands(cohort)
    columns: dict[str, Array] = {}
    for outcome, event in _events(paths, months, min_change).items():
        base = float(1 - (1 - event.mean()) ** (horizon / months))
        columns[f"{outcome}_base"] = np.full(len(cohort), base)
        columns[f"{outcome}_segments"] = baselines.segment_term_rates(
            event, _cells(past, months), _cells(cohort, horizon), **span
        )
        columns[f"{outcome}_health"] = baselines.cell_rates(event, band, band_now, **span)
        if rivals.logistic is not None:
            probability = getattr(rivals.logistic.accounts, f"{outcome}_probability")
            columns[f"{outcome}_logistic"] = probability[:, horizon - 1]
    return columns


def nrr_draws(dataset: Dataset, cohort: pd.DataFrame, horizon: int, rivals: Rivals) -> dict[str, Array]:
    """Each rival's draws of NRR over the horizon; a forecast of one number is a single draw."""
    window = _longest_known_window(dataset)
    start_of_window = pd.Timestamp(dataset.settled_dates[-1]) - pd.DateOffset(months=window)
    rows = (dataset.frame["as_of"] == start_of_window).to_numpy()
    past, start, end = dataset.frame[rows], dataset.actual[rows, 0], dataset.actual[rows, window]
    scaled: Mapping[str, int] = {"window_months": window}
    points = {
        "everything_renews": baselines.everything_renews(horizon),
        "trailing_nrr": baselines.trailing_nrr(start, end, horizon, **scaled),
        "segment_rates": baselines.segment_nrr(
            start, end, _segment(past), cohort["arr"].to_numpy(float), _segment(cohort), horizon, **scaled
        ),
    }
    draws = {name: np.array([value]) for name, value in points.items()}
    if rivals.time_series is not None:
        draws["time_series"] = rivals.time_series[horizon - 1]
    if rivals.logistic is not None:
        draws["logistic"] = rivals.logistic.draws["nrr"][0, horizon - 1]
    return draws


def grew(before: Array, after: Array, min_change: float) -> Array:
    """Whether ARR is higher than at the snapshot, as 0/1."""
    return np.asarray(after > before * (1 + min_change), dtype=float)


def _events(paths: Array, months: int, min_change: float) -> dict[str, Array]:
    return {
        "churn": np.asarray(paths[:, months] == 0, dtype=float),
        "expansion": grew(paths[:, 0], paths[:, months], min_change),
    }


def _past_window(dataset: Dataset, horizon: int) -> tuple[NDArray[np.bool_], int]:
    """Which past rows show what comes within how many months: the newest cohort of the horizon, else all of a month."""
    complete = ~np.isnan(dataset.paths[:, horizon])
    if not complete.any():
        return ~np.isnan(dataset.paths[:, 1]), 1
    newest = dataset.frame["as_of"][complete].max()
    return complete & (dataset.frame["as_of"] == newest).to_numpy(), horizon


def _bands(frame: pd.DataFrame) -> NDArray[np.object_]:
    return baselines.bands(baselines.health_score(frame), frame["as_of"])


def _cells(frame: pd.DataFrame, months: int) -> pd.DataFrame:
    """The segment of snapshot rows, and whether a term ends (or has run out) within so many months."""
    ahead = frame["as_of"] + pd.DateOffset(months=months)
    return pd.DataFrame({"segment": _segment(frame), "due": frame["term_ends_on"] <= ahead})


def _segment(frame: pd.DataFrame) -> "pd.Series[str]":
    """The segment of snapshot rows; one for all where `accounts` has no such column."""
    return frame["segment"].fillna("") if "segment" in frame.columns else pd.Series("", index=frame.index)


def _longest_known_window(dataset: Dataset) -> int:
    """Twelve months, or as many as the paths reach or there are settled snapshots."""
    reached: int = dataset.paths.shape[1] - 1
    return min(12, reached, len(dataset.settled_dates) - 1)
