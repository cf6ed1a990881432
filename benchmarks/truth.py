"""Forecasts of simulated worlds against the truth: what a forecaster who knew the hidden state would score.

Each world is forecast from several dates, every time by a model fitted on what was known then, and replayed: many
futures from the hidden state of that day give the true probabilities and the true distribution of NRR. All scores are
expectations under that truth, so that no luck of a single future is in them. The seeds reported here are not those the
settings were chosen on.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import params as settings
from features.inputs.load import load_tables
from features.simulation.truth import Truth, replay
from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from models.hazards.calibration import fit_calibrator
from models.outcomes.outcome import OutcomeModel
from models.paths.rollup import RollUp, roll_up
from models.paths.simulate import PathSettings
from params import Params
from training.backtest.rivals import Rivals, nrr_draws
from training.learn.dataset import Dataset, assemble, known_at, settings_of

Array = NDArray[np.float64]
HORIZON = 12
FUTURES = 400


@dataclass(frozen=True)
class Worlds:
    """The worlds to forecast: how many, from which seed on, how large, and from how many dates, months apart."""

    count: int
    first_seed: int
    accounts: int
    months: int
    origins: int
    apart: int


def against_truth(folder: Path, worlds: Worlds, *, processes: int, out: Path) -> pd.DataFrame:
    """Scores, a row a world and date; `out` holds those of the worlds done so far."""
    seeds = range(worlds.first_seed, worlds.first_seed + worlds.count)
    found: list[dict[str, Any]] = []
    with ProcessPoolExecutor(max_workers=processes, mp_context=get_context("spawn")) as pool:
        for number, rows in enumerate(pool.map(partial(_world, folder, worlds), seeds), start=1):
            found += rows
            pd.DataFrame(found).to_csv(out, index=False)
            print(f"worlds forecast: {number} of {worlds.count}", file=sys.stderr, flush=True)
    return pd.DataFrame(found)


def summary(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """What the scores come to: a row a figure, with the median and the mean over all worlds and dates."""
    found: dict[str, pd.Series[float]] = {
        "skill on the log-loss of churn, share of the true state's": scores["skill"] / scores["true skill"],
        "calibration slope of churn": scores["slope"],
        "churn forecast / true churn": scores["our churn"] / scores["true churn"],
        "CRPS of NRR, times the true distribution's": scores["CRPS points"] / scores["true CRPS"],
        "share of futures inside the 80 % interval": scores["inside 80 %"],
        "the same if accounts were independent": scores["inside if independent"],
    }
    naive = [name for name in scores if name.startswith("CRPS of ")]
    found |= {f"{name}, times ours": scores[name] / scores["CRPS points"] for name in naive}
    by_world = {name: values.groupby(scores["world"]).mean() for name, values in found.items()}
    return [
        {
            "figure": name,
            "median": float(values.median()),
            "mean": float(values.mean()),
            "standard error": float(by_world[name].std() / np.sqrt(max(len(by_world[name]), 1))),
        }
        for name, values in found.items()
    ]


def _world(folder: Path, worlds: Worlds, seed: int) -> list[dict[str, Any]]:
    size = [f"simulated.accounts={worlds.accounts}", f"simulated.months={worlds.months}", "threads=1"]
    params = settings.load(None, [f"seed={seed}", f"data_dir={folder / str(seed)}", *size])
    tables = load_tables(params).tables
    dates = month_starts(tables, params.snapshots)
    full = assemble(tables, stored(tables, dates, params=params), as_of=dates[-1], params=params)
    origins = dates[: -worlds.origins * worlds.apart - 1 : -worlds.apart]
    return [_pair(params, seed, origin, known_at(tables, full, origin, params)) for origin in origins]


def _pair(params: Params, seed: int, origin: date, known: Dataset) -> dict[str, Any]:
    company = params.simulated
    truth = replay(
        accounts=company.accounts,
        months=company.months,
        ends_on=company.ends_on,
        seed=seed,
        as_of=origin,
        horizon_months=HORIZON,
        futures=FUTURES,
    )
    model = OutcomeModel(known.inputs, settings_of(params)).fit(known.frame, known.paths)
    cohort = known.frame[known.cohort(origin)].reset_index(drop=True)
    prediction = model.predict(cohort)
    paths = PathSettings(draws=params.forecast.draws, seed=params.seed, min_change=params.model.min_change)
    rolled, alone = (roll_up(one, paths, horizon_months=HORIZON) for one in (prediction, prediction.independent()))
    true_nrr = truth.nrr[:, HORIZON - 1]
    naive = nrr_draws(known, cohort, HORIZON, Rivals())
    return {
        "world": seed,
        "as of": origin.isoformat(),
        **_account_scores(truth, cohort["account_id"], rolled),
        **_nrr_scores(rolled.draws["nrr"][0, HORIZON - 1], true_nrr),
        "inside if independent": _inside(alone.draws["nrr"][0, HORIZON - 1], true_nrr),
        **{f"CRPS of {name}": 100 * _crps(draws, true_nrr) for name, draws in naive.items()},
    }


def _account_scores(truth: Truth, account_id: "pd.Series[str]", rolled: RollUp) -> dict[str, Any]:
    ours = pd.Series(rolled.accounts.churn_probability[:, HORIZON - 1], index=account_id)
    true = pd.Series(truth.churn_probability[:, HORIZON - 1], index=truth.account_ids)
    both = pd.concat({"ours": ours, "true": true}, axis=1, join="inner")
    forecast, came = both["ours"].to_numpy(), both["true"].to_numpy()
    return {
        "accounts": len(both),
        "true churn": float(came.mean()),
        "our churn": float(forecast.mean()),
        "skill": _skill(forecast, came),
        "true skill": _skill(came, came),
        "slope": _slope(forecast, came),
        "AUC": _auc(forecast, came),
        "true AUC": _auc(came, came),
    }


def _nrr_scores(nrr: Array, true_nrr: Array) -> dict[str, float]:
    return {
        "NRR %": 100 * float(nrr.mean()),
        "true NRR %": 100 * float(true_nrr.mean()),
        "CRPS points": 100 * _crps(nrr, true_nrr),
        "true CRPS": 100 * _crps(true_nrr, true_nrr),
        "inside 80 %": _inside(nrr, true_nrr),
    }


def _inside(nrr: Array, true_nrr: Array) -> float:
    low, high = np.quantile(nrr, [0.1, 0.9])
    return float(np.mean((true_nrr >= low) & (true_nrr <= high)))


def _slope(forecast: Array, true: Array) -> float:
    """Slope of the true probabilities on the log-odds forecast, by expected likelihood."""
    bounded = np.clip(forecast, 1e-6, 1 - 1e-6)
    return fit_calibrator(np.log(bounded / (1 - bounded)), true, np.ones_like(true), prior_sd=100.0).slope


def _skill(forecast: Array, true: Array) -> float:
    """1 - expected log-loss over that of the best constant, the true mean."""
    return float(1 - _log_loss(forecast, true) / _log_loss(np.full_like(true, true.mean()), true))


def _log_loss(forecast: Array, true: Array) -> float:
    bounded = np.clip(forecast, 1e-6, 1 - 1e-6)
    return float(-(true * np.log(bounded) + (1 - true) * np.log(1 - bounded)).mean())


def _auc(forecast: Array, true: Array) -> float:
    """Expected chance that of two accounts, one that leaves and one that stays, the first was put higher."""
    leaves_stays = np.outer(true, 1 - true)
    np.fill_diagonal(leaves_stays, 0)
    higher = np.sign(np.subtract.outer(forecast, forecast)) / 2 + 0.5
    return float((leaves_stays * higher).sum() / leaves_stays.sum())


def _crps(forecast: Array, true: Array) -> float:
    """Expected continuous ranked probability score: E|X - Y| - E|X - X'| / 2, X forecast and Y true (Gneiting 2007)."""
    return float(_distance(forecast, true) - _distance(forecast, forecast) / 2)


def _distance(one: Array, other: Array) -> float:
    return float(np.abs(np.subtract.outer(one, other)).mean())
