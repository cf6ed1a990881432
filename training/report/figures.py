"""Figures of a training run or a backtest, as panels: one alone for a page, or all of a kind side by side."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from models.scores.baselines import NRR_RIVALS
from models.scores.capacity import RANKINGS
from models.scores.evaluation import AccountScore
from models.scores.findings import TOO_FEW_EVENTS
from models.scores.portfolio import coverage_rows
from models.scores.skill import TOO_FEW_ORIGINS
from training.learn.importance import Explanation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

BLUE, GREY, ORANGE, GREEN = "#2c5d8f", "#8a8f98", "#c8641b", "#4a7c3a"
SHADES = (BLUE, ORANGE, GREEN, "#7a4a8f")
MARKERS = {"everything_renews": "_", "trailing_nrr": "x", "segment_rates": "+", "time_series": "1", "logistic": "2"}
TOP = 20
FARTHEST = -100.0  # %: below it a skill is told as a number; the baseline's loss is less than half the model's


@dataclass(frozen=True)
class Panel:
    """One picture: a title, what draws it, and its size in inches."""

    title: str
    draw: Callable[["Axes"], None]
    width: float = 4.4
    height: float = 4.0


def alone(panel: Panel) -> "MatplotlibFigure":
    """A figure of one panel."""
    figure = _figure(panel.width, panel.height)
    panel.draw(figure.add_subplot())
    return figure


def sheet(panels: Sequence[Panel], title: str, *, columns: int = 3) -> "MatplotlibFigure":
    """A figure of all panels, row by row."""
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = _figure(panels[0].width * columns, panels[0].height * rows + 0.4)
    for place, panel in enumerate(panels):
        axes = figure.add_subplot(rows, columns, place + 1)
        panel.draw(axes)
        axes.set_title(panel.title, fontsize=10)
    figure.suptitle(title, fontsize=11)
    return figure


def svg(panel: Panel) -> bytes:
    """One panel as SVG, the same bytes for the same panel."""
    from matplotlib import rc_context

    drawn = BytesIO()
    with rc_context({"svg.hashsalt": "holdfast"}):
        alone(panel).savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return drawn.getvalue()


def calibration_panels(scores: Sequence[AccountScore]) -> list[Panel]:
    """Reliability diagrams: predicted against observed with 95 % intervals."""
    return [
        Panel(
            f"{score.outcome}, {score.horizon_months} months (AUC {score.auc:.2f})",
            partial(_draw_reliability, score=score),
        )
        for score in scores
    ]


def backtest_panels(portfolio: pd.DataFrame) -> list[Panel]:
    """NRR forecast with its intervals against the actual NRR and the rivals, by horizon."""
    nrr = portfolio[portfolio["metric"] == "nrr"]
    return [
        Panel(f"{horizon} months ahead", partial(_draw_origins, part=nrr[nrr["horizon_months"] == horizon]), height=4.8)
        for horizon in sorted(nrr["horizon_months"].unique())
    ]


def capacity_panels(curve: pd.DataFrame) -> list[Panel]:
    """Share of those who left among the share of accounts called, by horizon."""
    if curve.empty:
        return []
    return [
        Panel(f"left within {horizon} months", partial(_draw_capacity, part=part))
        for horizon, part in curve.groupby("horizon_months")
    ]


def coverage_panels(portfolio: pd.DataFrame) -> list[Panel]:
    """How often the intervals held, against what they promised, by metric."""
    rows = pd.DataFrame(list(coverage_rows(portfolio)))
    return [
        Panel(str(metric).upper(), partial(_draw_coverage, part=part))
        for metric, part in rows.groupby("metric", sort=False)
    ]


def skill_panels(skill: pd.DataFrame) -> list[Panel]:
    """Skill against each baseline with its interval, by outcome."""
    titles = {"churn": "churn (log-loss)", "expansion": "expansion (log-loss)", "nrr": "NRR (CRPS)"}
    return [
        Panel(titles[str(outcome)], partial(_draw_skill, part=part), height=0.24 * len(part) + 1.4)
        for outcome, part in skill.groupby("outcome", sort=False)
    ]


def importance_panels(explained: Sequence[Explanation]) -> list[Panel]:
    """The inputs that move the monthly log-odds most, by outcome."""
    return [
        Panel(one.outcome, partial(_draw_importance, explanation=one), height=0.24 * TOP + 1.2) for one in explained
    ]


def dependence_panels(explanation: Explanation) -> list[Panel]:
    """Effect against value of one outcome's strongest inputs."""
    return [
        Panel(str(name), partial(_draw_dependence, part=part, outcome=explanation.outcome), width=3.6, height=3.0)
        for name, part in explanation.dependence.groupby("input", sort=False)
    ]


def _figure(width: float, height: float) -> "MatplotlibFigure":
    """A figure that belongs to no window system and no global state."""
    from matplotlib.figure import Figure as MatplotlibFigure

    return MatplotlibFigure(figsize=(width, height), dpi=110, layout="constrained")


def _draw_reliability(axes: "Axes", score: AccountScore) -> None:
    predicted = np.array([cell.predicted for cell in score.bins])
    observed = np.array([cell.observed for cell in score.bins])
    low = observed - np.array([cell.low for cell in score.bins])
    high = np.array([cell.high for cell in score.bins]) - observed
    top = max(0.05, 1.08 * float(max(predicted.max(), (observed + high).max())))
    axes.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle="--")
    spread = np.maximum(np.vstack([low, high]), 0)
    axes.errorbar(predicted, observed, yerr=spread, fmt="o", color=BLUE, markersize=4, capsize=2)
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("actual share")
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)


def _draw_origins(axes: "Axes", part: pd.DataFrame) -> None:
    place = np.arange(len(part))
    for low, high, width in (("p05", "p95", 2), ("p10", "p90", 4), ("p25", "p75", 7)):
        axes.vlines(place, part[low] * 100, part[high] * 100, color=BLUE, alpha=0.45, linewidth=width)
    axes.plot(place, part["mean"] * 100, "s", color=BLUE, markersize=4, label="forecast")
    axes.plot(place, part["actual"] * 100, "o", color="black", markersize=5, label="actual")
    for name, label in NRR_RIVALS.items():
        if name in part.columns:
            axes.plot(place, part[name] * 100, MARKERS[name], color=ORANGE, markersize=7, label=label)
    axes.set_xticks(place, [day.strftime("%Y-%m") for day in part["origin"]], rotation=60, fontsize=8)
    axes.margins(x=0.2)
    axes.set_ylabel("NRR, %")
    axes.grid(axis="y", alpha=0.25)
    axes.legend(fontsize=7, ncols=2, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.22))


def _draw_capacity(axes: "Axes", part: pd.DataFrame) -> None:
    for (name, label), colour in zip(RANKINGS.items(), (BLUE, ORANGE, GREY), strict=True):
        line = part[part["ranking"] == name]
        style = "--" if name == "random" else "-"
        axes.plot(line["share_called"] * 100, line["share_caught"] * 100, style, color=colour, label=label)
    axes.set_xlabel("accounts called, %")
    axes.set_ylabel("of those who left, %")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 101)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False, loc="lower right")


def _draw_coverage(axes: "Axes", part: pd.DataFrame) -> None:
    axes.plot([40, 100], [40, 100], color=GREY, linewidth=1, linestyle="--", label="as promised")
    for (horizon, line), colour in zip(part.groupby("horizon_months"), _repeated(SHADES), strict=False):
        axes.plot(line["promised"] * 100, line["kept"] * 100, "o-", color=colour, label=f"{horizon} months")
    axes.set_xlabel("interval, %")
    axes.set_ylabel("forecast dates it held, %")
    axes.set_ylim(-3, 103)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False)


def _draw_skill(axes: "Axes", part: pd.DataFrame) -> None:
    """Points with intervals, hollow where the origins or the events are too few to trust the interval."""
    place = np.arange(len(part))[::-1]
    skill, low, high = (part[name].to_numpy(float) * 100 for name in ("skill", "low", "high"))
    few = part["finding"].isin([TOO_FEW_ORIGINS, TOO_FEW_EVENTS]).to_numpy()
    axes.axvline(0, color=GREY, linewidth=1)
    axes.hlines(place, low, high, color=BLUE, alpha=0.5, linewidth=3)
    axes.plot(skill[~few], place[~few], "o", color=BLUE, markersize=5)
    axes.plot(skill[few], place[few], "o", color=BLUE, markersize=5, markerfacecolor="white")
    labels = [f"{row['label']}, {row['horizon_months']}m" for row in part.to_dict(orient="records")]
    axes.set_yticks(place, labels, fontsize=7)
    axes.set_ylim(-0.7, len(part) - 0.3)
    axes.set_xlim(*_reach(np.concatenate([skill, low, high])))
    _mark_beyond(axes, place, skill, low)
    axes.set_xlabel("less loss than the baseline, %")
    axes.grid(axis="x", alpha=0.25)


def _reach(ends: np.ndarray) -> tuple[float, float]:
    """Limits that hold 0 and all ends; those below `FARTHEST` are left out, as long as that leaves any.

    Skill is at most 100 % but has no least: one baseline that is far better would squash all others.
    """
    finite = ends[np.isfinite(ends)]
    near = finite[finite >= FARTHEST]
    least, most = (float(end((near if near.size else finite), initial=0.0)) for end in (np.min, np.max))
    margin = max(0.06 * (most - least), 1.0)
    return least - margin, most + margin


def _mark_beyond(axes: "Axes", place: np.ndarray, skill: np.ndarray, low: np.ndarray) -> None:
    """Where a point or the end of its interval lies left of the picture: an arrow at the edge, and the number."""
    edge = axes.get_xlim()[0]
    for height, point, end in zip(place, skill, low, strict=True):
        if min(point, end) < edge:
            label = f"{point:.0f} %" if point < edge else f"to {end:.0f} %"
            axes.plot([edge], [height], "<", color=ORANGE, markersize=6, clip_on=False, zorder=3)
            text = axes.annotate(label, (edge, height), (6, 4), textcoords="offset points", fontsize=7, color=ORANGE)
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.6})


def _draw_importance(axes: "Axes", explanation: Explanation) -> None:
    top = explanation.importance.head(TOP).iloc[::-1]
    axes.barh(top.index.astype(str), top.to_numpy(), color=BLUE)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel(f"mean |SHAP value|, log-odds of {explanation.outcome}", fontsize=8)


def _draw_dependence(axes: "Axes", part: pd.DataFrame, outcome: str) -> None:
    axes.axhline(0, color=GREY, linewidth=1)
    axes.plot(part["value"], part["effect"], "o", color=BLUE, markersize=3, alpha=0.4)
    axes.set_xlabel(str(part["input"].iloc[0]), fontsize=8)
    axes.set_ylabel(f"SHAP, log-odds of {outcome}", fontsize=8)
    axes.tick_params(labelsize=7)


def _repeated(colours: Sequence[str]) -> Iterator[str]:
    while True:
        yield from colours
