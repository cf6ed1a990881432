"""What a training run or a backtest found, as plain values, lines of text and evidence to record."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from models.scores.baselines import NRR_RIVALS
from models.scores.evaluation import AccountScore
from training.learn.importance import Explanation
from training.report import figures
from training.tracking.evidence import Evidence, Figure, Metric, Table

SCORE_METRICS = (
    "auc",
    "log_loss",
    "auc_low",
    "skill",
    "skill_low",
    "segment_skill",
    "segment_skill_low",
    "brier",
    "calibration_slope",
    "calibration_intercept",
    "calibration_error",
    "calibration_floor",
    "calibration_floor_high",
)
PORTFOLIO_METRICS = ("model_error", "model_bias", "model_crps", "coverage_80", "width_80")


def score_rows(scores: Sequence[AccountScore]) -> list[dict[str, Any]]:
    """Scores as plain values; NaN becomes None."""
    rows = []
    for score in scores:
        values = {key: value for key, value in asdict(score).items() if key != "bins"}
        rows.append({key: _plain(value) for key, value in values.items()} | {"finding": score.finding})
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


def score_lines(scores: Sequence[AccountScore], *, trusted: bool = True) -> list[str]:
    """Scores as a text table; those of a test that is not `trusted` show no skill."""
    head = (
        "outcome    months    rows events accounts   AUC  log-loss    base skill (95 % low)  "
        "segments skill (95 % low)   slope intercept cal. error (floor)   finding"
    )
    lines = [head]
    for s in scores:
        if not 0 < s.events < s.rows:
            lines.append(_untold(s))
            continue
        lines.append(
            f"{s.outcome:<10} {s.horizon_months:>6} {s.rows:>7} {s.events:>6} {s.accounts:>8} {s.auc:>5.3f} "
            f"{s.log_loss:>9.4f} {s.base_log_loss:>7.4f} {_with_low(s.skill, s.skill_low):>16} "
            f"{s.segment_log_loss:>9.4f} {_with_low(s.segment_skill, s.segment_skill_low):>16} "
            f"{s.calibration_slope:>7.2f} {s.calibration_intercept:>9.2f} "
            f"{s.calibration_error:>10.3f} ({s.calibration_floor:.3f})   "
            f"{s.finding if trusted or not s.has_skill else 'suspicious'}"
        )
    return lines


def _untold(score: AccountScore) -> str:
    """The line of an outcome that came to nobody, or to all: there is nothing to tell apart."""
    counts = f"{score.rows:>7} {score.events:>6} {score.accounts:>8}"
    text = "came to nobody, so that nothing can be scored" if not score.events else "came to all, so that nothing tells"
    return f"{score.outcome:<10} {score.horizon_months:>6} {counts}     -   {text}   {score.finding}"


def _with_low(skill: float, low: float) -> str:
    return f"{skill:.1%} ({low:+.1%})"


def score_evidence(scores: Sequence[AccountScore], *, trusted: bool = True) -> list[Evidence]:
    """Scores as metrics, a table and a reliability diagram; those of a test that is not `trusted` prove no skill."""
    if not scores:
        return []
    evidence: list[Evidence] = [Table("scores", pd.DataFrame(score_rows(scores)))]
    for score in scores:
        prefix = f"{score.outcome}_{score.horizon_months}m"
        evidence.append(Metric(f"{prefix}_has_skill", float(score.has_skill and trusted)))
        evidence += [Metric(f"{prefix}_{name}", getattr(score, name)) for name in SCORE_METRICS]
        bins = pd.DataFrame([asdict(cell) for cell in score.bins])
        evidence.append(Table(f"reliability_{prefix}", bins))
    title = "Calibration out of time: bins of equally many accounts, 95 % intervals"
    evidence.append(Figure("calibration", figures.sheet(figures.calibration_panels(scores), title)))
    return evidence


def explanation_evidence(explained: Sequence[Explanation]) -> list[Evidence]:
    """What a model looks at: a table and a figure an outcome."""
    evidence: list[Evidence] = []
    for explanation, panel in zip(explained, figures.importance_panels(explained), strict=True):
        table = explanation.importance.rename("mean_abs_log_odds").reset_index()
        evidence.append(Table(f"importance_{explanation.outcome}", table))
        evidence.append(Figure(f"shap_{explanation.outcome}", figures.alone(panel)))
    return evidence


def portfolio_lines(table: pd.DataFrame) -> list[str]:
    """The table of errors, CRPS, coverage and width as text, then the rivals' CRPS; all in points of NRR or GRR."""
    lines = ["metric months   dates   error    bias    CRPS   inside 50 %   80 %   90 %   width of 80 %"]
    for row in table.to_dict(orient="records"):
        lines.append(
            f"{row['metric']:<6} {row['horizon_months']:>6} {row['origins']:>7} {row['model_error']:>7.1f} "
            f"{row['model_bias']:>+7.1f} {row['model_crps']:>7.2f} {row['coverage_50']:>13.0%} "
            f"{row['coverage_80']:>6.0%} {row['coverage_90']:>6.0%} {row['width_80']:>15.1f}"
        )
    return [*lines, *_rival_lines(table)]


def _rival_lines(table: pd.DataFrame) -> list[str]:
    """CRPS of NRR, the model's beside each rival's."""
    there = [name for name in NRR_RIVALS if f"{name}_crps" in table.columns]
    head = "   ".join(["CRPS of NRR, points; months", "model", *(NRR_RIVALS[name] for name in there)])
    lines = [head]
    for row in table[table["metric"] == "nrr"].to_dict(orient="records"):
        cells = [f"{row['horizon_months']:>27}", f"{row['model_crps']:>5.2f}"]
        cells += [f"{row[f'{name}_crps']:>{len(NRR_RIVALS[name])}.2f}" for name in there]
        lines.append("   ".join(cells).replace("nan", "  -"))
    return lines


def portfolio_evidence(portfolio: pd.DataFrame, table: pd.DataFrame) -> list[Evidence]:
    """The backtest's portfolio side as metrics, tables and a figure."""
    evidence: list[Evidence] = [Table("forecasts", portfolio), Table("portfolio", table)]
    for row in table.to_dict(orient="records"):
        prefix = f"{row['metric']}_{row['horizon_months']}m"
        evidence += [Metric(f"{prefix}_{name}", float(row[name])) for name in PORTFOLIO_METRICS]
    title = "NRR forecast at past dates against the actual NRR (bars: 50, 80 and 90 % intervals)"
    evidence.append(Figure("backtest", figures.sheet(figures.backtest_panels(portfolio), title)))
    return evidence


def skill_evidence(skill: pd.DataFrame) -> list[Evidence]:
    """Skill against each rival as metrics, a table and a figure."""
    evidence: list[Evidence] = [Table("skill", skill)]
    for row in skill.to_dict(orient="records"):
        name = f"{row['outcome']}_{row['horizon_months']}m_skill_over_{row['rival']}"
        evidence.append(Metric(name, float(row["skill"])))
    title = "Skill against each baseline (90 % intervals; hollow: too few forecast dates or events to trust them)"
    evidence.append(Figure("skill", figures.sheet(figures.skill_panels(skill), title)))
    return evidence
