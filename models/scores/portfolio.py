"""Errors, CRPS, coverage and width of the forecasts of NRR and GRR, over the origins, in total and by cut."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from models.scores.baselines import NRR_RIVALS
from models.scores.evaluation import area_under_curve, calibration_floor, log_losses, windows_of
from models.scores.findings import too_few
from models.scores.skill import EVENTS

INTERVALS = ((50, "p25", "p75"), (80, "p10", "p90"), (90, "p05", "p95"))
POINTS = 100  # NRR and GRR are shown in points: 1 point = 1 % of starting ARR


def portfolio_table(portfolio: pd.DataFrame) -> pd.DataFrame:
    """A row a metric and horizon: how far off the forecasts were, in points, and how often the intervals held.

    Columns: origins, how many of their windows fit beside each other, mean absolute error, bias and CRPS of the model,
    mean absolute error and CRPS of each rival (NRR only), the shares of origins whose actual lay inside the 50, 80 and
    90 % intervals, and the mean width of these.
    """
    rows = []
    for (metric, horizon), part in portfolio.groupby(["metric", "horizon_months"], sort=False):
        row = {"metric": metric, "horizon_months": horizon, "origins": len(part)}
        row["windows_apart"] = windows_apart(part["origin"], int(str(horizon)))
        row |= _errors(part)
        for name in NRR_RIVALS:
            if name in part.columns:
                row[f"{name}_error"] = (part[name] - part["actual"]).abs().mean() * POINTS
                row[f"{name}_crps"] = part[f"{name}_crps"].mean() * POINTS
        rows.append(row | _intervals(part))
    return pd.DataFrame(rows)


def cut_table(cuts: pd.DataFrame, *, fewest: int) -> pd.DataFrame:
    """The same by cut and value, without rivals; values with fewer accounts than `fewest` on average are left out."""
    rows = []
    keys = ["cut", "value", "metric", "horizon_months"]
    for place, part in cuts.groupby(keys, sort=False) if len(cuts) else ():
        if part["accounts"].mean() >= fewest:
            row = dict(zip(keys, place, strict=True)) | {"origins": len(part), "accounts": part["accounts"].mean()}
            rows.append(row | _errors(part) | _intervals(part))
    return pd.DataFrame(rows)


def account_cut_table(accounts: pd.DataFrame, *, fewest: int) -> pd.DataFrame:
    """Scores of the probabilities by cut and value; small values are left out, and those of few events are marked.

    Columns: cut, value, outcome, horizon_months, rows, events, log_loss, base_log_loss, brier, auc, mean_predicted,
    mean_observed, calibration_gap (predicted less observed), calibration_floor (what chance alone makes of it), and
    few: the outcome came to fewer than ten accounts, so that the row says little.
    """
    rows = []
    for cut in [name for name in accounts.columns if name.startswith("cut_")]:
        for (value, horizon), part in accounts.groupby([cut, "horizon_months"]):
            if len(part) / part["origin"].nunique() >= fewest:
                for outcome, event in EVENTS.items():
                    place = {"cut": cut.removeprefix("cut_"), "value": value, "outcome": outcome}
                    rows.append({**place, "horizon_months": horizon, **_account_scores(part, outcome, event)})
    return pd.DataFrame(rows)


def _account_scores(part: pd.DataFrame, outcome: str, event: str) -> dict[str, Any]:
    events, predicted = part[event].to_numpy(float), part[f"{outcome}_probability"].to_numpy(float)
    return {
        "rows": events.size,
        "events": int(events.sum()),
        "log_loss": float(log_losses(predicted, events).mean()),
        "base_log_loss": float(log_losses(part[f"{outcome}_base"].to_numpy(float), events).mean()),
        "brier": float(np.mean((predicted - events) ** 2)),
        "auc": area_under_curve(events, predicted),
        "mean_predicted": float(predicted.mean()),
        "mean_observed": float(events.mean()),
        "calibration_gap": float(predicted.mean() - events.mean()),
        "calibration_floor": calibration_floor(predicted)[0],
        "few": too_few(part["account_id"][events > 0].nunique()),
    }


def _errors(part: pd.DataFrame) -> dict[str, float]:
    off = (part["mean"] - part["actual"]) * POINTS
    return {"model_error": off.abs().mean(), "model_bias": off.mean(), "model_crps": part["crps"].mean() * POINTS}


def _intervals(part: pd.DataFrame) -> dict[str, float]:
    held = {f"coverage_{share}": part["actual"].between(part[low], part[high]).mean() for share, low, high in INTERVALS}
    return held | {f"width_{share}": (part[high] - part[low]).mean() * POINTS for share, low, high in INTERVALS}


def windows_apart(origins: "pd.Series[pd.Timestamp] | Sequence[pd.Timestamp]", horizon_months: int) -> int:
    """How many of the windows of so many months that begin at the origins fit beside each other without overlap."""
    return int(windows_of(pd.Series(origins), horizon_months).max()) + 1


def coverage_rows(portfolio: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Promised and kept shares by metric, horizon and interval, for the figure."""
    for row in portfolio_table(portfolio).to_dict(orient="records"):
        for share, _, _ in INTERVALS:
            yield {
                "metric": row["metric"],
                "horizon_months": row["horizon_months"],
                "promised": share / 100,
                "kept": row[f"coverage_{share}"],
                "origins": row["origins"],
            }
