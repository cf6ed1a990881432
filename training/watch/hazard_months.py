"""The months since the model learned, as the charts take them: who was at risk, what was said, what came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.revenue import add_months, settled_before
from features.tables.checked import Tables
from models.outcomes.outcome import OutcomeModel
from models.outcomes.prediction import OUTCOMES
from models.watch.charts import Month
from models.watch.market import Luck
from params import Params
from training.learn.dataset import Dataset
from training.tracking.champion import Champion

Array = NDArray[np.float64]
SLOPE = "slope"
STRONGEST = 5
MOST_SEGMENTS = 5
SEGMENT = "segment"
_CHURN = OUTCOMES.index("churn")
_CERTAIN = 1e-6


@dataclass(frozen=True)
class Watched:
    """Months out of the model's time, the oldest first, with the names of their covariates.

    `weights` says of each input how much the model looks at it in them: mean absolute SHAP value of churn next month.
    """

    dates: tuple[date, ...]
    months: tuple[Month, ...]
    names: tuple[str, ...]
    weights: "pd.Series[float]"


def watched_months(tables: Tables, dataset: Dataset, champion: Champion, params: Params) -> Watched:
    """The months whose churn was not known when the champion learned, and is by now."""
    learned = settled_before(tables, champion.trained_as_of, params.revenue)
    known = settled_before(tables, dataset.as_of, params.revenue)
    stored = sorted(set(dataset.frame["as_of"].dt.date))
    dates = [day for day in stored if learned < add_months(day, 1) <= known]
    parts = [_part(dataset, champion.model, day, params.model.min_change) for day in dates]
    weights = _weights(champion.model, dataset.frame, parts)
    strongest = list(weights.index[:STRONGEST])
    segments = _segments(parts)
    return Watched(
        tuple(dates),
        tuple(part.month(strongest, segments) for part in parts),
        (SLOPE, *strongest, *(f"{SEGMENT} {one}" for one in segments)),
        weights,
    )


def monthly_log_loss(dataset: Dataset, model: OutcomeModel, dates: Sequence[date], min_change: float) -> float:
    """Log-loss of churn in the month after each date, of all that were at risk.

    Raises
    ------
    ValueError
        A column that the model was trained on is absent.
    """
    losses = []
    for day in dates:
        here = dataset.cohort(day)
        paths = dataset.paths[here]
        prediction = model.predict(dataset.frame[here].reset_index(drop=True)).under_expected_luck()
        chance = np.clip(prediction.along(paths[:, :2], min_change)[:, 0, _CHURN], _CERTAIN, 1 - _CERTAIN)
        there = ~np.isnan(paths[:, 1])
        losses.append(-np.log(np.where(paths[there, 1] == 0, chance[there], 1 - chance[there])))
    return float(np.concatenate(losses).mean())


def luck_of(model: OutcomeModel) -> Luck:
    """How the level of churn moves by the model, its states taken together."""
    states = model.luck_.states
    if not states:
        return Luck(0.0, 0.0, 0.0)
    levels = np.array([state.mean[_CHURN] for state in states])
    variance = np.mean([state.covariance[_CHURN][_CHURN] for state in states]) + levels.var()
    sd = np.sqrt(np.mean([state.sd[_CHURN] ** 2 for state in states]))
    persistence = np.mean([state.persistence[_CHURN] for state in states])
    return Luck(max(float(variance), 0.0), float(sd), float(persistence))


@dataclass(frozen=True)
class _Part:
    """One month before its covariates are chosen: those at risk whose hazard is not certain."""

    log_odds: Array
    event: Array
    effects: pd.DataFrame
    segment: NDArray[np.object_]

    def month(self, strongest: Sequence[str], segments: Sequence[str]) -> Month:
        spread = self.log_odds - self.log_odds.mean() if self.log_odds.size else self.log_odds
        columns = [spread, *(self.effects[name].to_numpy() for name in strongest)]
        columns += [(self.segment == one).astype(float) for one in segments]
        return Month(self.log_odds, self.event, np.column_stack(columns))


def _part(dataset: Dataset, model: OutcomeModel, day: date, min_change: float) -> _Part:
    here = dataset.cohort(day)
    frame, paths = dataset.frame[here].reset_index(drop=True), dataset.paths[here]
    prediction = model.predict(frame).under_expected_luck()
    chance = prediction.along(paths[:, :2], min_change)[:, 0, _CHURN]
    there = ~np.isnan(paths[:, 1]) & (chance > _CERTAIN) & (chance < 1 - _CERTAIN)
    frame, chance = frame[there].reset_index(drop=True), chance[there]
    labels = frame[SEGMENT].astype(object) if SEGMENT in frame else pd.Series([None] * len(frame), dtype=object)
    return _Part(
        np.log(chance / (1 - chance)),
        (paths[there, 1] == 0).astype(float),
        effects_of(model, frame),
        labels.to_numpy(dtype=object),
    )


def effects_of(model: OutcomeModel, frame: pd.DataFrame) -> pd.DataFrame:
    """SHAP values of churn next month on the log-odds, a column an input of the snapshot."""
    told = model.contributions(frame, "churn", months=1)
    names = [item.name for item in model.inputs]
    margin = told.margin[:, 0] * told.slope[0]
    return pd.DataFrame(margin, columns=list(told.names))[names]


def _weights(model: OutcomeModel, frame: pd.DataFrame, parts: Sequence[_Part]) -> "pd.Series[float]":
    """Mean absolute effects over the watched months; of the newest snapshot where there are none."""
    effects = [part.effects for part in parts if len(part.effects)]
    if not effects:
        effects = [effects_of(model, frame[frame["as_of"] == frame["as_of"].max()].reset_index(drop=True))]
    return pd.concat(effects).abs().mean().sort_values(ascending=False, kind="stable")


def _segments(parts: Sequence[_Part]) -> list[str]:
    """The largest segments; none where there are fewer than two."""
    labels = pd.Series([label for part in parts for label in part.segment], dtype=object).dropna()
    largest = list(labels.value_counts().index[:MOST_SEGMENTS])
    return sorted(map(str, largest)) if len(largest) > 1 else []
