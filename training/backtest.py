"""The rolling backtest: at past dates, fit on what was known then, forecast, and compare with what came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.problems import BadInput, Finding
from features.snapshots import month_starts, stored
from features.tables import Tables
from models import baselines
from models.outcome import OutcomeModel
from models.rollup import PathSettings, RollUp, roll_up
from params import Params
from training import report
from training.dataset import Dataset, Progress, assemble, paths_of, require_enough, settings_of
from training.evaluate import AccountScore, score_accounts
from training.tracking import Evidence, Record, record_evaluation, require_store

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OriginResult:
    """One origin's forecasts beside what came.

    `accounts` has a row an account and horizon: account_id, origin, horizon_months, churn_probability,
    expansion_probability, their base rates and rates by segment and term end known at the origin, and churned, expanded
    (0/1, at the horizon).
    `portfolio` has a row a horizon and metric (nrr, grr): actual, mean, p05 .. p95, and the naive forecasts of NRR.
    """

    origin: date
    accounts: pd.DataFrame
    portfolio: pd.DataFrame


@dataclass(frozen=True)
class BacktestResult:
    """All origins, their scores, and where they were recorded."""

    origins: tuple[date, ...]
    accounts: pd.DataFrame
    portfolio: pd.DataFrame
    scores: tuple[AccountScore, ...]
    record: Record

    def lines(self) -> list[str]:
        """A summary to print: the verdict first."""
        return [
            *report.verdict(self.scores, self.origins[0]),
            *report.portfolio_verdict(self.portfolio),
            *report.score_lines(self.scores),
            *report.portfolio_lines(self.portfolio),
        ]

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "origins": [origin.isoformat() for origin in self.origins],
            "run_id": self.record.run_id,
            "scores": report.score_rows(self.scores),
            "portfolio": report.json_rows(report.portfolio_table(self.portfolio)),
            "forecasts": report.json_rows(self.portfolio),
        }


def backtest(tables: Tables, *, params: Params, progress: Progress = lambda *_: None) -> BacktestResult:
    """Forecast from several past dates and score what came; recorded in MLflow with figures and tables.

    Raises
    ------
    BadInput
        Too little history for a single origin.
    StoreUnreachable
        The tracking store does not answer; asked before anything is fitted.
    """
    require_store(params)
    dates = month_starts(tables, params.snapshots)
    origins = choose_origins(dates, params)
    snapshots = stored(tables, dates, params=params, progress=progress)
    full = assemble(tables, snapshots, as_of=dates[-1], params=params)
    require_enough(full, params.model)
    results = []
    for number, origin in enumerate(origins):
        progress("backtest", number, len(origins))
        results.append(test_origin(tables, full, origin, params=params))
    progress("backtest", len(origins), len(origins))
    return _result(tables, origins, results, params)


def choose_origins(dates: Sequence[date], params: Params) -> list[date]:
    """Past dates to forecast from: first those whose every horizon has come, newest first, then younger ones.

    Raises
    ------
    BadInput
        No date has both enough history before it and a horizon that has come.
    """
    horizons, wanted, step = params.backtest.horizons, params.backtest.origins, params.backtest.every_months
    newest = len(dates) - 1
    anchor = newest - max(horizons)
    earlier = range(anchor, params.model.min_months - 2, -step)
    later = range(max(anchor, params.model.min_months - 1 - step) + step, newest - min(horizons) + 1, step)
    chosen = sorted([*earlier, *later][:wanted])
    if not chosen:
        needed = f"{params.model.min_months} (model.min_months) + {min(horizons)} (the shortest of backtest.horizons)"
        what = f"there are {len(dates)} monthly snapshots, and {needed} are needed to test a forecast"
        raise BadInput([Finding("training data", what, "Add history, or lower one of the two")])
    return [dates[position] for position in chosen]


def test_origin(tables: Tables, full: Dataset, origin: date, *, params: Params) -> OriginResult:
    """Fit as of `origin` on what was known then, forecast, and put beside it what is known now.

    `full` holds all snapshots, with what became of them as known now.
    """
    known = known_at(tables, full, origin, params)
    model = OutcomeModel(known.inputs, settings_of(params)).fit(known.frame, known.paths)
    here = known.cohort(origin)
    cohort, came = known.frame[here].reset_index(drop=True), full.paths[full.cohort(origin)]
    paths = PathSettings(draws=params.forecast.draws, seed=params.seed, min_change=params.model.min_change)
    rolled = roll_up(model.predict(cohort), paths, horizon_months=model.horizon_months)
    horizons = [h for h in params.backtest.horizons if not np.isnan(came[:, h]).all()]
    return OriginResult(
        origin,
        _account_rows(known, cohort, rolled, came, horizons, params.model.min_change),
        _portfolio_rows(known, cohort, rolled, came, horizons),
    )


def scores(results: Sequence[OriginResult], horizons: Sequence[int]) -> tuple[AccountScore, ...]:
    """Scores of churn and expansion at each horizon, all origins together."""
    rows = pd.concat([result.accounts for result in results], ignore_index=True)
    found = []
    for outcome, event in (("churn", "churned"), ("expansion", "expanded")):
        for horizon in horizons:
            part = rows[rows["horizon_months"] == horizon]
            if len(part):
                found.append(
                    score_accounts(
                        outcome,
                        horizon,
                        account_id=part["account_id"],
                        probability=part[f"{outcome}_probability"].to_numpy(float),
                        base=part[f"{outcome}_base"].to_numpy(float),
                        segments=part[f"{outcome}_segments"].to_numpy(float),
                        event=part[event].to_numpy(float),
                    )
                )
    return tuple(found)


def known_at(tables: Tables, full: Dataset, origin: date, params: Params) -> Dataset:
    """The dataset as it stood at the origin: earlier snapshots, labels known by then."""
    frame = full.frame[full.frame["as_of"] <= pd.Timestamp(origin)].reset_index(drop=True)
    months = full.paths.shape[1] - 1
    paths = paths_of(tables, frame, months=months, known_by=origin, params=params)
    return Dataset(origin, frame, paths, full.inputs)


def _account_rows(
    known: Dataset, cohort: pd.DataFrame, rolled: RollUp, came: Array, horizons: Sequence[int], min_change: float
) -> pd.DataFrame:
    """Probabilities and what came, a row an account and horizon."""
    parts = []
    for horizon in horizons:
        naive = _past_rates(known, cohort, horizon, min_change)
        parts.append(
            pd.DataFrame(
                {
                    "account_id": cohort["account_id"],
                    "origin": pd.Timestamp(known.as_of),
                    "horizon_months": horizon,
                    "churn_probability": rolled.accounts.churn_probability[:, horizon - 1],
                    "churn_base": naive["churn"].overall,
                    "churn_segments": naive["churn"].by_segment,
                    "churned": (came[:, horizon] == 0).astype(float),
                    "expansion_probability": rolled.accounts.expansion_probability[:, horizon - 1],
                    "expansion_base": naive["expansion"].overall,
                    "expansion_segments": naive["expansion"].by_segment,
                    "expanded": _grew(came[:, 0], came[:, horizon], min_change),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _grew(before: Array, after: Array, min_change: float) -> Array:
    """Whether ARR is higher than at the snapshot, as 0/1."""
    return np.asarray(after > before * (1 + min_change), dtype=float)


@dataclass(frozen=True)
class _Rates:
    """Chances of an event within the horizon that need no model: of all accounts alike, and of each account's cell."""

    overall: float
    by_segment: Array


def _past_rates(known: Dataset, cohort: pd.DataFrame, horizon: int, min_change: float) -> dict[str, _Rates]:
    """Rates of churn and expansion by the horizon, in the newest cohort for which that is known.

    With less history than the horizon: the monthly rates so far, compounded.
    """
    chosen, months = _past_window(known, horizon)
    past, paths = known.frame[chosen], known.paths[chosen]
    cell, cell_now = _cells(past, months), _cells(cohort, horizon)
    events = {
        "churn": np.asarray(paths[:, months] == 0, dtype=float),
        "expansion": _grew(paths[:, 0], paths[:, months], min_change),
    }
    return {
        outcome: _Rates(
            float(1 - (1 - event.mean()) ** (horizon / months)),
            baselines.segment_term_rates(event, cell, cell_now, horizon_months=horizon, window_months=months),
        )
        for outcome, event in events.items()
    }


def _past_window(known: Dataset, horizon: int) -> tuple[NDArray[np.bool_], int]:
    """Which past rows show what comes within how many months: the newest cohort of the horizon, else all of a month."""
    complete = ~np.isnan(known.paths[:, horizon])
    if not complete.any():
        return ~np.isnan(known.paths[:, 1]), 1
    newest = known.frame["as_of"][complete].max()
    return complete & (known.frame["as_of"] == newest).to_numpy(), horizon


def _cells(frame: pd.DataFrame, months: int) -> pd.DataFrame:
    """The segment of snapshot rows, and whether a term ends (or has run out) within so many months."""
    ahead = frame["as_of"] + pd.DateOffset(months=months)
    return pd.DataFrame({"segment": _segment(frame), "due": frame["term_ends_on"] < ahead})


def _segment(frame: pd.DataFrame) -> "pd.Series[str]":
    """The segment of snapshot rows; one for all where `accounts` has no such column."""
    return frame["segment"].fillna("") if "segment" in frame.columns else pd.Series("", index=frame.index)


def _portfolio_rows(
    known: Dataset, cohort: pd.DataFrame, rolled: RollUp, came: Array, horizons: Sequence[int]
) -> pd.DataFrame:
    """NRR and GRR forecast and come, a row a horizon and metric."""
    rows: list[dict[str, Any]] = []
    for horizon in horizons:
        start, end = came[:, 0], came[:, horizon]
        actual = {"nrr": end.sum() / start.sum(), "grr": np.minimum(start, end).sum() / start.sum()}
        for metric, value in actual.items():
            rows.append(
                {
                    "origin": pd.Timestamp(known.as_of),
                    "horizon_months": horizon,
                    "metric": metric,
                    "accounts": len(cohort),
                    "actual": value,
                    **_summary(rolled.draws[metric][0, horizon - 1]),
                    **(naive_forecasts(known, cohort, horizon) if metric == "nrr" else {}),
                }
            )
    return pd.DataFrame(rows)


def _summary(draws: Array) -> dict[str, float]:
    points = (5, 10, 25, 50, 75, 90, 95)
    quantiles = np.quantile(draws, np.array(points) / 100)
    return {"mean": float(draws.mean())} | {
        f"p{point:02d}": float(q) for point, q in zip(points, quantiles, strict=True)
    }


def naive_forecasts(known: Dataset, cohort: pd.DataFrame, horizon: int) -> dict[str, float]:
    """NRR as anyone would forecast it without a model, from what was known at the origin."""
    window = _longest_known_window(known)
    start_of_window = known.frame["as_of"].max() - pd.DateOffset(months=window)
    rows = (known.frame["as_of"] == start_of_window).to_numpy()
    past, start, end = known.frame[rows], known.paths[rows, 0], known.paths[rows, window]
    arr_now = cohort["arr"].to_numpy(float)
    return {
        "everything_renews": baselines.everything_renews(horizon),
        "trailing_nrr": baselines.trailing_nrr(start, end, horizon, window_months=window),
        "segment_rates": baselines.segment_nrr(
            start, end, _segment(past), arr_now, _segment(cohort), horizon, window_months=window
        ),
    }


def _longest_known_window(known: Dataset) -> int:
    """Twelve months, or as many as the paths reach or there are snapshots before the origin."""
    reached: int = known.paths.shape[1] - 1
    return min(12, reached, known.frame["as_of"].nunique() - 1)


def _result(tables: Tables, origins: Sequence[date], results: Sequence[OriginResult], params: Params) -> BacktestResult:
    accounts = pd.concat([result.accounts for result in results], ignore_index=True)
    portfolio = pd.concat([result.portfolio for result in results], ignore_index=True)
    found = scores(results, params.backtest.horizons)
    evidence: list[Evidence] = [*report.score_evidence(found), *report.portfolio_evidence(portfolio)]
    record = record_evaluation(evidence, tables=tables, params=params)
    return BacktestResult(tuple(origins), accounts, portfolio, found, record)
