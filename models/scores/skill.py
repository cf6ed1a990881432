"""Skill against each rival, with the uncertainty that so few dates leave: a block bootstrap over origins."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.scores.baselines import ACCOUNT_RIVALS, NRR_RIVALS
from models.scores.evaluation import log_losses, windows_of
from models.scores.findings import TOO_FEW_EVENTS, too_few

Array = NDArray[np.float64]
ENOUGH_WINDOWS = 6
TOO_FEW_ORIGINS = "too few origins"
EVENTS = {"churn": "churned", "expansion": "expanded"}
_SHARES = (0.05, 0.95)


@dataclass(frozen=True)
class Losses:
    """Losses of the model and its rivals by origin.

    Attributes
    ----------
    origins
        Days, shape (origins,), in order.
    model
        The sum of the model's losses at each origin, of the same shape.
    rivals
        The same of each rival by name; NaN where it said nothing.
    weight
        What is summed at all origins together, such as rows of accounts.
    """

    origins: NDArray[np.datetime64]
    model: Array
    rivals: Mapping[str, Array]
    weight: float


@dataclass(frozen=True)
class Bootstrap:
    """How often origins are drawn again, and from which seed."""

    resamples: int
    seed: int


def skill_table(accounts: pd.DataFrame, portfolio: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """How much better the model is than each rival, a row an outcome, horizon and rival.

    Columns: outcome (churn, expansion: log-loss; nrr: CRPS), horizon_months, rival, label, model_loss, rival_loss,
    skill (1 - model_loss / rival_loss), low and high (90 % interval by block bootstrap over origins; missing where all
    windows overlap), origins,
    windows_apart (how many windows fit beside each other), and finding: better or worse (the whole interval on one
    side of 0), no difference shown, too few origins (fewer than six windows apart: no interval can be trusted), or too
    few events (the outcome came to fewer than ten accounts).
    """
    rows = []
    for outcome, event in EVENTS.items():
        for horizon, part in accounts.groupby("horizon_months"):
            losses = _account_losses(part, outcome, event)
            compared = comparisons(outcome, int(str(horizon)), losses, ACCOUNT_RIVALS, bootstrap)
            few = {"finding": TOO_FEW_EVENTS} if too_few(part["account_id"][part[event] > 0].nunique()) else {}
            rows += [row | few for row in compared]
    for horizon, part in portfolio[portfolio["metric"] == "nrr"].groupby("horizon_months"):
        named = {name: part[f"{name}_crps"] for name in NRR_RIVALS if f"{name}_crps" in part.columns}
        by_origin = pd.DataFrame({"model": part["crps"], **named}).set_axis(part["origin"]).assign(weight=1.0)
        rows += comparisons("nrr", int(str(horizon)), _losses(by_origin), NRR_RIVALS, bootstrap)
    return pd.DataFrame(rows)


def _account_losses(part: pd.DataFrame, outcome: str, event: str) -> Losses:
    """Sums of log-losses by origin, the model's and each rival's; the weight counts the rows."""
    events = part[event].to_numpy(float)
    columns = {"model": f"{outcome}_probability"} | {name: f"{outcome}_{name}" for name in ACCOUNT_RIVALS}
    losses = {
        name: log_losses(part[column].to_numpy(float), events)
        for name, column in columns.items()
        if column in part.columns
    }
    summed = pd.DataFrame({**losses, "weight": 1.0, "origin": part["origin"].to_numpy()}).groupby("origin").sum()
    return _losses(summed)


def _losses(frame: pd.DataFrame) -> Losses:
    """From columns `model`, a rival each, and `weight`, by origin."""
    frame = frame.sort_index()
    rivals = {str(name): frame[name].to_numpy(float) for name in frame if name not in ("model", "weight")}
    days = frame.index.to_numpy(dtype="datetime64[ns]")
    return Losses(days, frame["model"].to_numpy(float), rivals, float(frame["weight"].sum()))


def comparisons(
    outcome: str, horizon: int, losses: Losses, rivals: Mapping[str, str], bootstrap: Bootstrap
) -> list[dict[str, object]]:
    """Rows of `skill_table` of one outcome and horizon.

    `rivals` are labels by name; those that `losses` lacks anywhere are left out.
    """
    window = windows_of(losses.origins, horizon)
    apart, origins = int(window.max()) + 1, len(losses.origins)
    resamples = block_draws(origins if apart > 1 else 0, block=_block(window), bootstrap=bootstrap)
    rows: list[dict[str, object]] = []
    for name, label in rivals.items():
        rival = losses.rivals.get(name)
        if rival is None or np.isnan(rival).any():
            continue
        low, high = skill_interval(losses.model, rival, resamples)
        rows.append(
            {
                "outcome": outcome,
                "horizon_months": horizon,
                "rival": name,
                "label": label,
                "model_loss": losses.model.sum() / losses.weight,
                "rival_loss": rival.sum() / losses.weight,
                "skill": float(_skill(np.asarray(losses.model.sum()), np.asarray(rival.sum()))),
                "low": low,
                "high": high,
                "origins": origins,
                "windows_apart": apart,
                "finding": _finding(low, high, apart),
            }
        )
    return rows


def _block(window: NDArray[np.int64]) -> int:
    """So many origins in a row that a block spans a window."""
    return int(np.bincount(window).max())


@lru_cache(maxsize=16)
def block_draws(origins: int, *, block: int, bootstrap: Bootstrap) -> NDArray[np.int64]:
    """Origins drawn again in blocks of neighbours, shape (resamples, origins).

    Neighbouring origins share the months their windows have in common, so that they are drawn together: the circular
    block bootstrap of Politis and Romano (1992).
    """
    if not origins:
        return np.empty((0, 0), dtype=np.int64)
    blocks = -(-origins // block)
    starts = np.random.default_rng(bootstrap.seed).integers(origins, size=(bootstrap.resamples, blocks, 1))
    places = (starts + np.arange(block)) % origins
    return np.asarray(places.reshape(bootstrap.resamples, -1)[:, :origins])


def skill_interval(model_loss: Array, rival_loss: Array, resamples: NDArray[np.int64]) -> tuple[float, float]:
    """90 % interval of the skill over the origins drawn again; NaN where none were."""
    if resamples.size == 0:
        return float("nan"), float("nan")
    skills = _skill(model_loss[resamples].sum(axis=1), rival_loss[resamples].sum(axis=1))
    low, high = np.quantile(skills, _SHARES)
    return float(low), float(high)


def _skill(model_loss: Array, rival_loss: Array) -> Array:
    """1 - ratio of losses; 0 where the rival has none, so that nobody is better."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(rival_loss > 0, 1 - model_loss / rival_loss, 0.0)


def _finding(low: float, high: float, windows_apart: int) -> str:
    if windows_apart < ENOUGH_WINDOWS:
        return TOO_FEW_ORIGINS
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference shown"
