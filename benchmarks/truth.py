"""Forecasts of simulated worlds against the truth: what a forecaster who knew the hidden state would score.

Each world is forecast from several dates, every time by a model fitted on what was known then, and replayed: many
futures from the hidden state of that day give the true probabilities and the true distribution of NRR. All scores are
expectations under that truth, so that no luck of a single future is in them. The seeds reported here are not those the
settings were chosen on.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.worlds import Truth, Worlds
from features.inputs.load import load_tables
from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from models.hazards.calibration import fit_calibrator
from models.outcomes.outcome import OutcomeModel
from models.paths.rollup import RollUp, roll_up
from params import Params
from training.backtest.rivals import Rivals, nrr_draws
from training.learn.dataset import Dataset, assemble, known_at, paths_settings, settings_of

Array = NDArray[np.float64]
HORIZON = 12
HORIZONS = (3, 6, 12)
FUTURES = 400
COVERAGES = (50, 80, 90)
OUTCOMES = ("churn", "expansion", "contraction")
RATIOS = ("nrr", "grr", "logo_retention")
MONTHLY_DAYS = 45  # a term at most so long is a monthly plan


def against_truth(folder: Path, worlds: Worlds, *, processes: int, out: Path) -> pd.DataFrame:
    """Scores, a row a world and date; `out` holds those of the worlds done so far."""
    seeds = range(worlds.first_seed, worlds.first_seed + worlds.count)
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(max_workers=processes, mp_context=get_context("spawn")) as pool:
        for number, more in enumerate(pool.map(partial(_world, folder, worlds), seeds), start=1):
            rows += more
            pd.DataFrame(rows).to_csv(out, index=False)
            print(f"worlds forecast: {number} of {worlds.count}", file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def summary(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """What the scores come to: a row a figure.

    A figure of two parts is the ratio of their means over all worlds and dates; its standard error leaves out one world
    at a time (jackknife), since dates of one world share their luck. The median is that of the single ratios.
    """
    return [
        {
            "figure": figure,
            "ratio of means": _ratio(scores, top, below),
            "median": float((scores[top] / (scores[below] if below else 1)).median()),
            "standard error": _jackknife(scores, top, below),
        }
        for figure, top, below in _figures(scores)
    ]


Figure = tuple[str, str, str | None]  # what it is, and the columns whose means it is the ratio of


def _figures(scores: pd.DataFrame) -> Iterator[Figure]:
    """Each figure with the columns whose means it is the ratio of."""
    yield from _of_accounts()
    yield from _of_portfolio()
    yield from (
        (f"{name}, 12 months, times ours", name, "nrr 12 CRPS") for name in scores if name.startswith("CRPS of ")
    )
    yield "NRR expected less true, 12 months, points", "nrr 12 error", None
    yield "GRR expected less true, 12 months, points", "grr 12 error", None
    yield "churn in mid-term, expected in 3 months, % of accounts", "mid-term churn %", None
    yield "churn in mid-term, true", "mid-term true churn %", None
    for h in (3, 12):
        yield f"churn of monthly plans expected / true, {h} months", f"monthly {h} rate", f"monthly {h} true rate"
    yield "calibration slope of churn, monthly plans, 12 months", "monthly 12 slope", None


def _of_accounts() -> Iterator[Figure]:
    """Those of the accounts' probabilities."""
    for one, h in product(OUTCOMES[:2], HORIZONS):
        yield f"skill on {one}, {h} months, share of the true state's", f"{one} {h} skill", f"{one} {h} true skill"
    for one, h in product(OUTCOMES, HORIZONS):
        yield f"{one} expected / true, {h} months", f"{one} {h} rate", f"{one} {h} true rate"
    for one, h in product(OUTCOMES[:2], HORIZONS):
        yield f"calibration slope of {one}, {h} months", f"{one} {h} slope", None


def _of_portfolio() -> Iterator[Figure]:
    """Those of the portfolio's distribution."""
    for one, h in product(RATIOS, HORIZONS):
        yield f"CRPS of {one}, {h} months, times the true distribution's", f"{one} {h} CRPS", f"{one} {h} true CRPS"
    for h, share in product(HORIZONS, COVERAGES):
        yield f"share of futures inside the {share} % interval, {h} months", f"nrr {h} inside {share}", None
    yield "share inside 80 %, 12 months, if accounts were independent", "inside if independent", None


def _ratio(scores: pd.DataFrame, top: str, below: str | None) -> float:
    return float(scores[top].mean() / (scores[below].mean() if below else 1))


def _jackknife(scores: pd.DataFrame, top: str, below: str | None) -> float:
    worlds = scores["world"].unique()
    if len(worlds) < 2:
        return float("nan")
    each = np.array([_ratio(scores[scores["world"] != world], top, below) for world in worlds])
    return float(np.sqrt((len(worlds) - 1) / len(worlds) * ((each - each.mean()) ** 2).sum()))


def _world(folder: Path, worlds: Worlds, seed: int) -> list[dict[str, Any]]:
    params = worlds.params(folder, seed)
    tables = load_tables(params).tables
    dates = month_starts(tables, params.snapshots)
    full = assemble(tables, stored(tables, dates, params=params), as_of=dates[-1], params=params)
    origins = dates[: -worlds.origins * worlds.apart - 1 : -worlds.apart]
    return [_pair(params, worlds, seed, origin, known_at(tables, full, origin, params)) for origin in origins]


def _pair(params: Params, worlds: Worlds, seed: int, origin: date, known: Dataset) -> dict[str, Any]:
    truth = worlds.truth(params, seed, origin, horizon_months=HORIZON, futures=FUTURES)
    model = OutcomeModel(known.inputs, settings_of(params)).fit(known.frame, known.paths)
    cohort = known.frame[known.cohort(origin)].reset_index(drop=True)
    prediction = model.predict(cohort)
    paths = paths_settings(params)
    rolled, alone = (roll_up(one, paths, horizon_months=HORIZON) for one in (prediction, prediction.independent()))
    naive = nrr_draws(known, cohort, HORIZON, Rivals())
    true_nrr = truth.nrr[:, HORIZON - 1]
    return {
        "world": seed,
        "as of": origin.isoformat(),
        **account_scores(truth, cohort, rolled),
        **{name: value for ratio in RATIOS for name, value in _ratio_scores(ratio, rolled, truth)},
        "inside if independent": _inside(alone.draws["nrr"][0, HORIZON - 1], true_nrr, 80),
        **{f"CRPS of {name}": 100 * _crps(draws, true_nrr) for name, draws in naive.items()},
    }


def account_scores(truth: Truth, cohort: pd.DataFrame, rolled: RollUp) -> dict[str, float]:
    """Scores of the probabilities of accounts, all and by where they are in their terms."""
    place = pd.Index(truth.account_ids).get_indexer(cohort["account_id"])
    both = place >= 0
    scores = {"accounts": float(both.sum())}
    chances = {
        one: (getattr(rolled.accounts, f"{one}_probability")[both], getattr(truth, f"{one}_probability")[place[both]])
        for one in OUTCOMES
    }
    for one, (forecast, true) in chances.items():
        for h in HORIZONS:
            scores |= {f"{one} {h} {name}": value for name, value in _scores(forecast[:, h - 1], true[:, h - 1])}
    return scores | _by_term(cohort[both], *chances["churn"])


def _by_term(cohort: pd.DataFrame, forecast: Array, true: Array) -> dict[str, float]:
    """Churn of monthly plans, and of terms that run longer than the three months ahead."""
    ends, days = cohort["term_ends_on"], cohort["term_days"]
    monthly = (ends.isna() | (days <= MONTHLY_DAYS)).to_numpy()
    running = ~monthly & (ends > cohort["as_of"] + pd.DateOffset(months=3)).to_numpy()
    scores = {
        f"monthly {h} {name}": value
        for h in (3, 12)
        for name, value in _scores(forecast[monthly, h - 1], true[monthly, h - 1])
    }
    rates = {"mid-term churn %": forecast[running, 2].mean(), "mid-term true churn %": true[running, 2].mean()}
    return scores | {name: 100 * float(rate) for name, rate in rates.items()}


def _scores(forecast: Array, true: Array) -> Iterator[tuple[str, float]]:
    if len(true) == 0:
        return
    yield from {
        "rate": float(forecast.mean()),
        "true rate": float(true.mean()),
        "skill": _skill(forecast, true),
        "true skill": _skill(true, true),
        "slope": _slope(forecast, true),
        "AUC": _auc(forecast, true),
        "true AUC": _auc(true, true),
    }.items()


def _ratio_scores(ratio: str, rolled: RollUp, truth: Truth) -> Iterator[tuple[str, float]]:
    for h in HORIZONS:
        ours, true = rolled.draws[ratio][0, h - 1], getattr(truth, ratio)[:, h - 1]
        yield f"{ratio} {h} %", 100 * float(ours.mean())
        yield f"{ratio} {h} error", 100 * float(ours.mean() - true.mean())
        yield f"{ratio} {h} CRPS", 100 * _crps(ours, true)
        yield f"{ratio} {h} true CRPS", 100 * _crps(true, true)
        yield from ((f"{ratio} {h} inside {share}", _inside(ours, true, share)) for share in COVERAGES)


def _inside(ours: Array, true: Array, share: int) -> float:
    low, high = np.quantile(ours, [0.5 - share / 200, 0.5 + share / 200])
    return float(np.mean((true >= low) & (true <= high)))


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
