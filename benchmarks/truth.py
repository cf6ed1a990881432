"""Forecasts of simulated worlds against the truth: what a forecaster who knew the hidden state would score.

Each world is forecast as of the end of its data and then replayed: many futures from the hidden state of that day
give the true probabilities and the true distribution of NRR. All scores are expectations under that truth, so that
no luck of a single future is in them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import params as settings
from features.simulation.truth import Truth, replay
from features.snapshots import month_starts, stored
from features.source import load_tables
from models.outcome import OutcomeModel
from models.rollup import PathSettings, RollUp, roll_up
from params import Params
from training.dataset import assemble, settings_of

Array = NDArray[np.float64]
HORIZON = 12
FUTURES = 400


def against_truth(folder: Path, *, worlds: int, accounts: int, months: int) -> list[dict[str, Any]]:
    """Scores a world, and their mean."""
    rows = list(_worlds(folder, worlds, [f"simulated.accounts={accounts}", f"simulated.months={months}"]))
    mean = pd.DataFrame(rows).drop(columns="world").mean().to_dict()
    return [*rows, {"world": "mean", **mean}]


def _worlds(folder: Path, worlds: int, size: list[str]) -> Iterator[dict[str, Any]]:
    for seed in range(1, worlds + 1):
        params = settings.load(None, [f"seed={seed}", f"data_dir={folder / str(seed)}", *size])
        company = params.simulated
        truth = replay(
            accounts=company.accounts,
            months=company.months,
            ends_on=company.ends_on,
            seed=seed,
            as_of=company.ends_on,
            horizon_months=HORIZON,
            futures=FUTURES,
        )
        yield {"world": seed, **_scores(truth, *_forecast(params))}


def _forecast(params: Params) -> tuple["pd.Series[str]", RollUp]:
    """The accounts as of the end of the data, and their simulated paths by a model trained on what is known then."""
    tables = load_tables(params).tables
    dates = month_starts(tables, params.snapshots)
    dataset = assemble(tables, stored(tables, dates, params=params), as_of=dates[-1], params=params)
    model = OutcomeModel(dataset.inputs, settings_of(params)).fit(dataset.frame, dataset.paths)
    cohort = dataset.frame[dataset.cohort(dates[-1])].reset_index(drop=True)
    paths = PathSettings(draws=params.forecast.draws, seed=params.seed, min_change=params.model.min_change)
    return cohort["account_id"], roll_up(model.predict(cohort), paths, horizon_months=HORIZON)


def _scores(truth: Truth, account_id: "pd.Series[str]", rolled: RollUp) -> dict[str, Any]:
    ours = pd.Series(rolled.accounts.churn_probability[:, HORIZON - 1], index=account_id)
    true = pd.Series(truth.churn_probability[:, HORIZON - 1], index=truth.account_ids)
    both = pd.concat({"ours": ours, "true": true}, axis=1, join="inner")
    forecast, came = both["ours"].to_numpy(), both["true"].to_numpy()
    nrr, true_nrr = rolled.draws["nrr"][0, HORIZON - 1], truth.nrr[:, HORIZON - 1]
    low, high = np.quantile(nrr, [0.1, 0.9])
    return {
        "accounts": len(both),
        "true churn": float(came.mean()),
        "our churn": float(forecast.mean()),
        "skill": _skill(forecast, came),
        "true skill": _skill(came, came),
        "AUC": _auc(forecast, came),
        "true AUC": _auc(came, came),
        "NRR %": 100 * float(nrr.mean()),
        "true NRR %": 100 * float(true_nrr.mean()),
        "CRPS points": 100 * _crps(nrr, true_nrr),
        "true CRPS": 100 * _crps(true_nrr, true_nrr),
        "inside 80 %": float(np.mean((true_nrr >= low) & (true_nrr <= high))),
    }


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
