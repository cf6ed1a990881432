"""Figures, tables and plain words for what a training run or a backtest found."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.words import counted
from training.evaluate import FEWEST_ACCOUNTS, AccountScore
from training.tracking import Evidence, Figure, Metric, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

NAIVE = {
    "everything_renews": "everything renews",
    "trailing_nrr": "trailing NRR",
    "segment_rates": "segment rates",
}
_BLUE, _GREY, _ORANGE = "#2c5d8f", "#8a8f98", "#c8641b"
_TOP = 20
ENOUGH_WINDOWS = 6


def verdict(scores: Sequence[AccountScore], since: date) -> list[str]:
    """The finding in words, first of all: whether the model tells accounts apart better than rates without a model."""
    lines = []
    for outcome in dict.fromkeys(score.outcome for score in scores):
        found = [score for score in scores if score.outcome == outcome]
        skilled = [score for score in found if score.has_skill]
        lines.append(_skill(outcome, skilled, since) if skilled else _no_skill(outcome, found, since))
    return lines


def _skill(outcome: str, skilled: Sequence[AccountScore], since: date) -> str:
    """At which horizons the base rate is beaten and, of those, the rates by segment and term end."""
    better = [score for score in skilled if score.beats_segments]
    equal = [score for score in skilled if not score.beats_segments]
    said = [
        f"{outcome.capitalize()} probabilities beat the base rate {_ahead(skilled)}, tested out of time from {since}."
    ]
    if better:
        said.append(f"They also beat the past rates by segment and term end {_ahead(better)}.")
    if equal:
        said.append(f"They are not better, beyond chance, than the past rates by segment and term end {_ahead(equal)}.")
    return " ".join(said)


def _ahead(scores: Sequence[AccountScore]) -> str:
    """`3, 6 months ahead`."""
    months = [score.horizon_months for score in scores]
    return f"{', '.join(str(number) for number in months)} {'month' if months == [1] else 'months'} ahead"


def _no_skill(outcome: str, scores: Sequence[AccountScore], since: date) -> str:
    """What decided it, horizon by horizon."""
    why = "; ".join(f"{_ahead([score])}, {_lacking(outcome, score)}" for score in scores)
    return (
        f"NO SKILL FOUND for {outcome}, tested out of time from {since}: {why}. "
        f"Do not act on single accounts' {outcome} probabilities or reasons."
    )


def _lacking(outcome: str, score: AccountScore) -> str:
    """Which of the conditions of `AccountScore.has_skill` a score fails."""
    if score.accounts < FEWEST_ACCOUNTS:
        return f"{outcome} came to {counted(score.accounts, 'account')}, too few to tell ({FEWEST_ACCOUNTS} are needed)"
    failed = []
    if not score.skill_low > 0:
        better = f"{abs(score.skill):.1%} {'better' if score.skill > 0 else 'worse'}"
        failed.append(f"the log-loss was {better} than the base rate's (95 % interval from {score.skill_low:+.1%})")
    if np.isnan(score.auc):
        failed.append(f"{outcome} came to all, so that nothing tells them apart")
    elif not score.auc_low > 0.5:
        failed.append(
            f"the AUC {score.auc:.2f} (95 % interval from {score.auc_low:.2f}) is not above 0.5 beyond chance"
        )
    return " and ".join(failed)


def score_rows(scores: Sequence[AccountScore]) -> list[dict[str, Any]]:
    """Scores as plain values; NaN becomes None."""
    rows = []
    for score in scores:
        values = {key: value for key, value in asdict(score).items() if key != "bins"}
        rows.append({key: _plain(value) for key, value in values.items()})
    return rows


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as plain values for JSON: dates as text, NaN as None."""
    return [{str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict(orient="records")]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else float(value)
    return value.item() if isinstance(value, np.generic) else value


def score_lines(scores: Sequence[AccountScore]) -> list[str]:
    """Scores as a text table."""
    head = (
        "outcome    months    rows events   AUC  log-loss    base skill (95 % low)  segments skill (95 % low)   "
        "slope intercept cal. error"
    )
    lines = [head]
    for s in scores:
        lines.append(
            f"{s.outcome:<10} {s.horizon_months:>6} {s.rows:>7} {s.events:>6} {s.auc:>5.3f} {s.log_loss:>9.4f} "
            f"{s.base_log_loss:>7.4f} {_with_low(s.skill, s.skill_low):>16} {s.segment_log_loss:>9.4f} "
            f"{_with_low(s.segment_skill, s.segment_skill_low):>16} {s.calibration_slope:>7.2f} "
            f"{s.calibration_intercept:>9.2f} {s.calibration_error:>10.3f}"
        )
    return lines


def _with_low(skill: float, low: float) -> str:
    return f"{skill:.1%} ({low:+.1%})"


def score_evidence(scores: Sequence[AccountScore]) -> list[Evidence]:
    """Scores as metrics, a table and a reliability diagram."""
    if not scores:
        return []
    evidence: list[Evidence] = [Table("scores", pd.DataFrame(score_rows(scores)))]
    for score in scores:
        prefix = f"{score.outcome}_{score.horizon_months}m"
        evidence.append(Metric(f"{prefix}_has_skill", float(score.has_skill)))
        for name in (
            "auc",
            "log_loss",
            "auc_low",
            "skill",
            "skill_low",
            "segment_skill",
            "segment_skill_low",
            "brier",
            "calibration_slope",
            "calibration_error",
        ):
            evidence.append(Metric(f"{prefix}_{name}", getattr(score, name)))
        bins = pd.DataFrame([asdict(cell) for cell in score.bins])
        evidence.append(Table(f"reliability_{prefix}", bins))
    evidence.append(Figure("calibration", calibration_figure(scores)))
    return evidence


def calibration_figure(scores: Sequence[AccountScore]) -> "MatplotlibFigure":
    """Reliability diagrams, a panel a score: predicted against observed with 95 % intervals."""
    columns = min(3, len(scores))
    rows = math.ceil(len(scores) / columns)
    figure = _figure(width=4.2 * columns, height=4.0 * rows)
    for place, score in enumerate(scores):
        _draw_reliability(figure.add_subplot(rows, columns, place + 1), score)
    figure.suptitle("Calibration out of time: bins of equally many accounts, 95 % intervals", fontsize=11)
    figure.tight_layout()
    return figure


def _draw_reliability(axes: "Axes", score: AccountScore) -> None:
    predicted = np.array([cell.predicted for cell in score.bins])
    observed = np.array([cell.observed for cell in score.bins])
    low = observed - np.array([cell.low for cell in score.bins])
    high = np.array([cell.high for cell in score.bins]) - observed
    top = max(0.05, 1.08 * float(max(predicted.max(), (observed + high).max())))
    axes.plot([0, top], [0, top], color=_GREY, linewidth=1, linestyle="--")
    spread = np.maximum(np.vstack([low, high]), 0)
    axes.errorbar(predicted, observed, yerr=spread, fmt="o", color=_BLUE, markersize=4, capsize=2)
    axes.set_title(f"{score.outcome}, {score.horizon_months} months (AUC {score.auc:.2f})", fontsize=10)
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("share that came")
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)


def importance_figure(importance: "pd.Series[float]", outcome: str) -> "MatplotlibFigure":
    """The inputs that move the monthly log-odds most, by mean absolute SHAP value."""
    shown = importance.head(_TOP).iloc[::-1]
    figure = _figure(width=7.5, height=0.28 * len(shown) + 1.2)
    axes = figure.add_subplot(1, 1, 1)
    axes.barh(shown.index.astype(str), shown.to_numpy(), color=_BLUE)
    axes.set_xlabel(f"mean |SHAP value| on the log-odds of {outcome} next month")
    figure.tight_layout()
    return figure


def portfolio_table(portfolio: pd.DataFrame) -> pd.DataFrame:
    """Errors of the NRR and GRR forecasts over the origins, in points, and how often the intervals held.

    A row a metric and horizon: origins, how many of their windows fit beside each other, mean absolute
    error of the model and of each naive forecast, bias, and the shares of origins whose actual lay inside the 50, 80
    and 90 % intervals.
    """
    rows = []
    for (metric, horizon), part in portfolio.groupby(["metric", "horizon_months"], sort=False):
        row: dict[str, Any] = {"metric": metric, "horizon_months": horizon, "origins": len(part)}
        row["windows_apart"] = windows_apart(part["origin"].tolist(), int(str(horizon)))
        row["model_error"] = (part["mean"] - part["actual"]).abs().mean() * 100
        row["model_bias"] = (part["mean"] - part["actual"]).mean() * 100
        for name in NAIVE:
            row[f"{name}_error"] = (part[name] - part["actual"]).abs().mean() * 100
        for share, low, high in ((50, "p25", "p75"), (80, "p10", "p90"), (90, "p05", "p95")):
            row[f"coverage_{share}"] = part["actual"].between(part[low], part[high]).mean()
        rows.append(row)
    return pd.DataFrame(rows)


def portfolio_verdict(portfolio: pd.DataFrame) -> list[str]:
    """Which naive forecasts of NRR the model did and did not beat, at the longest horizon."""
    table = portfolio_table(portfolio)
    row = table[table["metric"] == "nrr"].sort_values("horizon_months").iloc[-1]
    better = [label for name, label in NAIVE.items() if row["model_error"] < row[f"{name}_error"]]
    worse = [label for label in NAIVE.values() if label not in better]
    horizon, origins, apart = (int(row[name]) for name in ("horizon_months", "origins", "windows_apart"))
    lines = [
        f"NRR {counted(horizon, 'month')} ahead was off by {row['model_error']:.1f} points on average over "
        f"{counted(origins, 'origin')}; "
        + ("better than " + ", ".join(better) + "." if better else "no better than any naive forecast.")
    ]
    if better and worse:
        lines.append(f"It was no better than: {', '.join(worse)}.")
    if apart < origins:
        lines.append(
            f"The windows of {counted(horizon, 'month')} overlap: only {apart} of the {origins} fit beside each other, "
            "the rest repeat what these show."
        )
    if apart < ENOUGH_WINDOWS:
        what = ("origin", "origins") if apart == origins else ("window of its own", "windows of their own")
        lines.append(f"With {counted(apart, *what)} this says little: read it as a trace, not as a proof.")
    return lines


def windows_apart(origins: Sequence[pd.Timestamp], horizon_months: int) -> int:
    """How many of the windows of so many months that begin at the origins fit beside each other without overlap."""
    count, free = 0, pd.Timestamp.min
    for origin in sorted(origins):
        if origin >= free:
            count, free = count + 1, origin + pd.DateOffset(months=horizon_months)
    return count


def portfolio_lines(portfolio: pd.DataFrame) -> list[str]:
    """The portfolio table as text."""
    lines = ["metric months origins  error (points): model  renews  trailing  segments   inside 50 %   80 %   90 %"]
    for row in portfolio_table(portfolio).to_dict(orient="records"):
        lines.append(
            f"{row['metric']:<6} {row['horizon_months']:>6} {row['origins']:>7} {row['model_error']:>22.1f} "
            f"{row['everything_renews_error']:>7.1f} {row['trailing_nrr_error']:>9.1f} "
            f"{row['segment_rates_error']:>9.1f} {row['coverage_50']:>13.0%} {row['coverage_80']:>6.0%} "
            f"{row['coverage_90']:>6.0%}".replace("nan", "  -")
        )
    return lines


def portfolio_evidence(portfolio: pd.DataFrame) -> list[Evidence]:
    """The backtest's portfolio side as metrics, tables and a figure."""
    table = portfolio_table(portfolio)
    evidence: list[Evidence] = [Table("forecasts", portfolio), Table("portfolio", table)]
    for row in table.to_dict(orient="records"):
        prefix = f"{row['metric']}_{row['horizon_months']}m"
        for name in ("model_error", "model_bias", "coverage_80"):
            evidence.append(Metric(f"{prefix}_{name}", float(row[name])))
    evidence.append(Figure("backtest", backtest_figure(portfolio)))
    return evidence


def backtest_figure(portfolio: pd.DataFrame) -> "MatplotlibFigure":
    """NRR forecast with its intervals against what came and the naive forecasts, a panel a horizon."""
    nrr = portfolio[portfolio["metric"] == "nrr"]
    horizons = sorted(nrr["horizon_months"].unique())
    figure = _figure(width=5.2 * len(horizons), height=4.6)
    for place, horizon in enumerate(horizons):
        axes = figure.add_subplot(1, len(horizons), place + 1)
        _draw_origins(axes, nrr[nrr["horizon_months"] == horizon], int(horizon))
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, loc="lower center", ncols=len(labels), frameon=False)
    figure.suptitle("NRR forecast at past dates against what came (bars: 50, 80 and 90 % intervals)", fontsize=11)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    return figure


def _draw_origins(axes: "Axes", part: pd.DataFrame, horizon: int) -> None:
    place = np.arange(len(part))
    for low, high, width in (("p05", "p95", 2), ("p10", "p90", 4), ("p25", "p75", 7)):
        axes.vlines(place, part[low] * 100, part[high] * 100, color=_BLUE, alpha=0.45, linewidth=width)
    axes.plot(place, part["mean"] * 100, "s", color=_BLUE, markersize=4, label="forecast")
    axes.plot(place, part["actual"] * 100, "o", color="black", markersize=5, label="came")
    for (name, label), marker in zip(NAIVE.items(), ("_", "x", "+"), strict=True):
        axes.plot(place, part[name] * 100, marker, color=_ORANGE, markersize=7, label=label)
    axes.set_xticks(place, [day.strftime("%Y-%m") for day in part["origin"]], rotation=60, fontsize=8)
    axes.margins(x=0.2)
    axes.set_ylabel("NRR, %")
    axes.set_title(f"{horizon} months ahead", fontsize=10)
    axes.grid(axis="y", alpha=0.25)


def _figure(*, width: float, height: float) -> "MatplotlibFigure":
    """A figure that belongs to no window system and no global state."""
    from matplotlib.figure import Figure as MatplotlibFigure

    return MatplotlibFigure(figsize=(width, height), dpi=110)
