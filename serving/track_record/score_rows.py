"""Scores of the portfolio's figures: a row a metric, cut, value and horizon, with honest counts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.calibration import wilson
from models.paths.rollup import TOTAL
from models.scores.baselines import NRR_RIVALS
from models.scores.evaluation import windows_of
from models.scores.portfolio import INTERVALS, POINTS
from models.scores.quantile_forecasts import pit_of_quantiles
from models.scores.skill import Bootstrap, Losses, comparisons
from serving.forecast.declared.column import Kind
from serving.forecast.declared.output_tables import METRIC_OF, QUANTILES
from serving.track_record.pairs import KEY, LEVELS, Pairs, crps

Row = dict[str, Any]
Columns = Mapping[str, NDArray[Any]]  # a column each of all figures
Places = NDArray[np.int64]  # of the rows of one metric, cut, value and horizon, in the order of their dates
GROUP = ("metric", "cut", "value", "horizon_months")
NRR = "nrr"
RESAMPLES_OF_A_VALUE = 200  # of the intervals of a cut's value; there are many


def score_rows(pairs: Pairs, bootstrap: Bootstrap) -> list[Row]:
    """A row a metric, cut, value and horizon.

    Each holds `forecasts`; `not_overlapping`, how many of their windows fit beside each other; in points, or in the
    currency for money: `error` (mean absolute), `bias` (mean of forecast less actual) and `crps`; `inside_50`, `_80`,
    `_90`: the share whose interval held the actual, with the ends of a 95 % interval that counts only windows which do
    not overlap; `pit`, a level a forecast; and `skill` by rival.
    """
    if pairs.figures.empty:
        return []
    figures = _with_scores(pairs.figures)
    rivals = _rival_losses(figures, pairs.rivals)
    columns = {str(name): figures[name].to_numpy() for name in figures}
    rows = []
    for place, rows_of_place in figures.groupby(list(GROUP), sort=False).indices.items():
        row: Row = dict(zip(GROUP, cast(tuple[Any, ...], place), strict=True))
        part = np.asarray(rows_of_place)
        row |= _errors(columns, part, str(row["metric"]), int(row["horizon_months"]))
        row |= _inside(columns, part, row["not_overlapping"])
        against = rivals.get((row["cut"], row["value"], row["horizon_months"])) if row["metric"] == NRR else None
        rows.append(row | {"skill": {} if against is None else _skill(columns, part, against, row, bootstrap)})
    return sorted(rows, key=_order)


def _with_scores(figures: pd.DataFrame) -> pd.DataFrame:
    """Each forecast with its CRPS, whether its intervals held the actual, and PIT; NaN where it has no quantiles."""
    actual, quantiles = figures["actual"].to_numpy(float), figures[list(QUANTILES)].to_numpy(float)
    spread = ~np.isnan(quantiles).any(axis=1)
    held = {
        f"inside_{percent}": np.where(
            spread, (figures[low].to_numpy(float) <= actual) & (actual <= figures[high].to_numpy(float)), np.nan
        )
        for percent, low, high in INTERVALS
    }
    pit = np.full(len(figures), np.nan)
    pit[spread] = pit_of_quantiles(LEVELS, quantiles[spread], actual[spread])
    return figures.assign(crps=crps(figures), pit=pit, origin=pd.to_datetime(figures["as_of"]), **held)


def _order(row: Row) -> tuple[Any, ...]:
    metrics = list(METRIC_OF)
    return row["cut"] != "total", row["cut"], row["value"], metrics.index(row["metric"]), row["horizon_months"]


def _errors(columns: Columns, part: Places, metric: str, horizon: int) -> Row:
    scale = 1 if METRIC_OF[metric].kind is Kind.MONEY else POINTS
    miss = (columns["mean"][part] - columns["actual"][part]) * scale
    apart = int(windows_of(columns["origin"][part], horizon).max()) + 1
    return {
        "unit": "points" if scale == POINTS else "currency",
        "forecasts": len(part),
        "not_overlapping": apart,
        "first_as_of": columns["as_of"][part].min(),
        "last_as_of": columns["as_of"][part].max(),
        "error": float(np.abs(miss).mean()),
        "bias": float(miss.mean()),
        "crps": float(columns["crps"][part].mean() * scale),
    }


def _inside(columns: Columns, part: Places, apart: int) -> Row:
    """Of the forecasts with quantiles; None where none has any."""
    spread = part[~np.isnan(columns["pit"][part])]
    shares: Row = {}
    for percent, _, _ in INTERVALS:
        name = f"inside_{percent}"
        if not spread.size:
            shares |= {name: None, f"{name}_low": None, f"{name}_high": None}
            continue
        share = float(columns[name][spread].mean())
        ends = wilson(share * apart, apart)
        shares |= {name: share, f"{name}_low": ends[0], f"{name}_high": ends[1]}
    return shares | {"pit": [round(level, 4) for level in columns["pit"][spread].tolist()]}


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


def _skill(columns: Columns, part: Places, against: pd.DataFrame, row: Row, bootstrap: Bootstrap) -> Row:
    """By rival, on the forecasts that it was frozen beside."""
    beside = against.reindex(columns["number"][part])
    losses = {str(name): beside[name].to_numpy(float) for name in beside}
    labels = _labels(against)
    everywhere = {name: label for name, label in labels.items() if not np.isnan(losses[name]).any()}
    fewer = min(bootstrap.resamples, RESAMPLES_OF_A_VALUE)
    draws = bootstrap if row["cut"] == TOTAL else replace(bootstrap, resamples=fewer)
    groups = [everywhere, *({name: label} for name, label in labels.items() if name not in everywhere)]
    skill: Row = {}
    for group in groups:
        there = ~np.any([np.isnan(losses[name]) for name in group], axis=0) if group else np.zeros(len(part), bool)
        if there.any():
            together = Losses(
                origins=columns["origin"][part[there]],
                model=columns["crps"][part[there]],
                rivals={name: losses[name][there] for name in group},
                weight=float(there.sum()),
            )
            compared = comparisons(NRR, int(row["horizon_months"]), together, group, draws)
            skill |= {str(one["rival"]): described(one) for one in compared}
    return {name: skill[name] for name in labels if name in skill}


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


_TOGETHER = {
    "better": "",
    "worse": "",
    "no difference shown": "; the difference may be luck",
    "too few origins": " so far; there are too few forecasts that do not overlap to be sure",
    "too few events": "; there are too few accounts to tell",
}


def rivals_in_words(skill: Mapping[str, Row]) -> str:
    """All rivals in a sentence a finding, such as: Better than trailing NRR (40 %) and segment rates (45 %)."""
    sides: dict[tuple[str, str], list[str]] = {}
    for one in skill.values():
        size = round(100 * abs(one["skill"]))
        way = "As good as" if not size else "Better than" if one["skill"] > 0 else "Worse than"
        name = f"{one['label']} ({size} %)" if size else str(one["label"])
        sides.setdefault((one["finding"], way), []).append(name)
    return " ".join(f"{way} {_listed(names)}{_TOGETHER.get(finding, '')}." for (finding, way), names in sides.items())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"


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
