"""Scores of the portfolio's figures: a row a metric, cut, value and horizon, with honest counts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from models.hazards.calibration import wilson
from models.scores.baselines import NRR_RIVALS
from models.scores.evaluation import windows_of
from models.scores.portfolio import INTERVALS, POINTS
from models.scores.quantile_forecasts import pit_of_quantiles
from models.scores.skill import Bootstrap, comparisons
from serving.forecast.column import Kind
from serving.forecast.output_tables import METRIC_OF, QUANTILES
from serving.track_record.pairs import KEY, LEVELS, Pairs, crps

Row = dict[str, Any]
GROUP = ("metric", "cut", "value", "horizon_months")
NRR = "nrr"


def score_rows(pairs: Pairs, bootstrap: Bootstrap) -> list[Row]:
    """A row a metric, cut, value and horizon.

    Each holds `forecasts`; `not_overlapping`, how many of their windows fit beside each other; in points, or in the
    currency for money: `error` (mean absolute), `bias` (mean of forecast less actual) and `crps`; `inside_50`, `_80`,
    `_90`: the share whose interval held the actual, with the ends of a 95 % interval that counts only windows which do
    not overlap; `pit`, a level a forecast; and `skill` by rival.
    """
    if pairs.figures.empty:
        return []
    figures = pairs.figures.assign(crps=crps(pairs.figures))
    rivals = _rival_losses(figures, pairs.rivals)
    rows = []
    for place, part in figures.groupby(list(GROUP), sort=False):
        row: Row = dict(zip(GROUP, place, strict=True))
        row |= _errors(part, str(row["metric"]), int(row["horizon_months"]))
        row |= _inside(part, row["not_overlapping"])
        against = rivals.get((row["cut"], row["value"], row["horizon_months"])) if row["metric"] == NRR else None
        rows.append(row | {"skill": {} if against is None else _skill(part, against, row, bootstrap)})
    return sorted(rows, key=_order)


def _order(row: Row) -> tuple[Any, ...]:
    metrics = list(METRIC_OF)
    return row["cut"] != "total", row["cut"], row["value"], metrics.index(row["metric"]), row["horizon_months"]


def _errors(part: pd.DataFrame, metric: str, horizon: int) -> Row:
    scale = 1 if METRIC_OF[metric].kind is Kind.MONEY else POINTS
    miss = (part["mean"] - part["actual"]).to_numpy(float) * scale
    apart = int(windows_of(pd.to_datetime(part["as_of"]), horizon).max()) + 1
    return {
        "unit": "points" if scale == POINTS else "currency",
        "forecasts": len(part),
        "not_overlapping": apart,
        "first_as_of": part["as_of"].min(),
        "last_as_of": part["as_of"].max(),
        "error": float(np.abs(miss).mean()),
        "bias": float(miss.mean()),
        "crps": float(part["crps"].mean() * scale),
    }


def _inside(part: pd.DataFrame, apart: int) -> Row:
    """Of the forecasts with quantiles; None where none has any."""
    rows = part.dropna(subset=list(QUANTILES))
    actual = rows["actual"].to_numpy(float)
    shares: Row = {}
    for percent, low, high in INTERVALS:
        name = f"inside_{percent}"
        if rows.empty:
            shares |= {name: None, f"{name}_low": None, f"{name}_high": None}
            continue
        share = float(((rows[low].to_numpy(float) <= actual) & (actual <= rows[high].to_numpy(float))).mean())
        ends = wilson(share * apart, apart)
        shares |= {name: share, f"{name}_low": ends[0], f"{name}_high": ends[1]}
    levels = pit_of_quantiles(LEVELS, rows[list(QUANTILES)].to_numpy(float), actual)
    return shares | {"pit": [round(float(level), 4) for level in levels]}


def _rival_losses(figures: pd.DataFrame, rivals: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    """By cut, value and horizon: the CRPS of each rival's NRR by run, a column a rival."""
    nrr = figures.loc[figures["metric"] == NRR, [*KEY, "actual"]]
    both = rivals[rivals["metric"] == NRR].merge(nrr, on=list(KEY))
    if both.empty:
        return {}
    wide = both.assign(crps=crps(both)).pivot_table(
        index=["cut", "value", "horizon_months", "number"], columns="rival", values="crps"
    )
    return {place: part.droplevel([0, 1, 2]) for place, part in wide.groupby(level=[0, 1, 2])}


def _skill(part: pd.DataFrame, against: pd.DataFrame, row: Row, bootstrap: Bootstrap) -> Row:
    """By rival, on the forecasts that it was frozen beside."""
    skill: Row = {}
    mine = pd.DataFrame({"number": part["number"], "model": part["crps"], "origin": pd.to_datetime(part["as_of"])})
    for rival, label in _labels(against).items():
        losses = mine.merge(against[rival].dropna().rename(rival), left_on="number", right_index=True)
        if len(losses):
            losses = losses.set_index("origin")[["model", rival]].assign(weight=1.0)
            (one,) = comparisons(NRR, int(row["horizon_months"]), losses, {rival: label}, bootstrap)
            skill[rival] = described(one)
    return skill


def _labels(against: pd.DataFrame) -> Mapping[str, str]:
    known = {name: label for name, label in NRR_RIVALS.items() if name in against}
    return known | {str(name): str(name).replace("_", " ") for name in against if name not in known}


def described(comparison: Mapping[str, Any]) -> Row:
    """A comparison as plain data, with what it says in words."""
    low, high = (None if np.isnan(comparison[end]) else float(comparison[end]) for end in ("low", "high"))
    finding, skill = str(comparison["finding"]), float(comparison["skill"])
    return {
        "label": comparison["label"],
        "skill": skill,
        "low": low,
        "high": high,
        "forecasts": int(comparison["origins"]),
        "not_overlapping": int(comparison["windows_apart"]),
        "finding": finding,
        "words": _in_words(str(comparison["label"]), skill, finding),
    }


def _in_words(label: str, skill: float, finding: str) -> str:
    """Such as: 12 % better than trailing NRR so far; too few forecasts that do not overlap to be sure."""
    if abs(skill) < 0.005:
        size = f"as good as {label}"
    else:
        size = f"{abs(skill):.0%} {'better' if skill > 0 else 'worse'} than {label}"
    doubts = {
        "better": "",
        "worse": "",
        "no difference shown": "; the difference may be luck",
        "too few origins": " so far; too few forecasts that do not overlap to be sure",
        "too few events": "; too few accounts to tell",
    }
    return f"{size}{doubts.get(finding, '')}"
