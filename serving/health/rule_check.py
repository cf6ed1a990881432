"""`holdfast health --check`: the rule held against what happened, beside the model and beside days to renewal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from features.revenue.paths import cohort_paths
from features.snapshots.dates import month_starts
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.scores.health import columns_needed, health_scores
from models.scores.health_check import Scored, against_model, by_band, green_before, weights_of_data
from params import Params
from serving.health.account_health import require_rule
from serving.health.panel import customers_at
from training.tracking.evidence import read_past_scores

HORIZONS = (3, 6, 12)
NO_BACKTEST = "There is no model to compare with yet: run `holdfast backtest`, which keeps what it said at past dates."
CSM_BIAS = (
    "The team's half may rise with risk, because CSMs act on accounts in trouble: that it ranks badly does not say "
    "that the work is useless (`holdfast effects` does)."
)
_WORTH_SAYING = 0.005  # of AUC
_TERM = "days_to_term_end"


@dataclass(frozen=True)
class RuleCheck:
    """What came of the bands, how the rule ranks, and what weights the data would choose."""

    first: date
    last: date
    bands: list[dict[str, Any]]
    against: list[dict[str, Any]]
    green: list[dict[str, Any]]
    weights: dict[str, Any] | None
    advice: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "bands": self.bands,
            "against": self.against,
            "green_before": self.green,
            "weights": self.weights,
            "advice": self.advice,
            "notes": list(self.notes),
        }


def check_rule(tables: Tables, params: Params, progress: Progress = silent) -> RuleCheck:
    """Score every past month start by today's rule from what was known then, and compare with what is known now.

    The model's probabilities are those of the newest backtest, each by a model that had not seen what came.

    Raises
    ------
    BadInput
        There are no snapshots.
    SettingsError
        The rule names a feature that there is not.
    """
    rule = params.health
    require_rule(tables, params)
    dates = month_starts(tables, params.snapshots)
    panel = customers_at(tables, dates, columns_needed(rule) | {_TERM}, params, progress)
    if _TERM not in panel.columns:
        panel[_TERM] = float("nan")
    progress("scoring the past by today's rule", 0, 1)
    frame = panel[["account_id", "as_of", "arr", _TERM]].join(health_scores(panel, rule))
    past = Scored(frame, _paths(tables, panel, params))
    forecasts = read_past_scores(params)
    weights = weights_of_data(past, rule.csm_actions.weight, max(HORIZONS))
    return RuleCheck(
        dates[0],
        dates[-1],
        by_band(past, HORIZONS, rule.colours),
        [] if forecasts is None else against_model(past, forecasts, HORIZONS),
        green_before(past),
        weights,
        _advice(weights, rule.csm_actions.weight),
        (CSM_BIAS,) if forecasts is not None else (NO_BACKTEST, CSM_BIAS),
    )


def _paths(tables: Tables, panel: Any, params: Params) -> Any:
    """ARR in the months after each snapshot, as known now; paused accounts are customers without ARR."""
    cohort = panel[["account_id", "as_of", "arr"]]
    paths = cohort_paths(
        tables,
        cohort,
        months=max(HORIZONS),
        known_by=tables.data_until,
        rules=params.revenue,
        budget=params.budget,
    )
    arr = paths.arr.copy()
    arr[paths.paused] = float("nan")
    return arr


def _advice(weights: Mapping[str, Any] | None, own: float) -> str:
    """What weights the data would choose, in a sentence."""
    if weights is None:
        return "Too few accounts left to say which weights would rank better."
    yours = f"{own:.0%}/{1 - own:.0%}".replace("%", "")
    theirs = f"{weights['weight']:.0%}/{1 - weights['weight']:.0%}".replace("%", "")
    if weights["gain"] < _WORTH_SAYING:
        return f"{yours} is your rule; {theirs}, the best on the earlier dates, ranks no better on the later ones."
    return f"{yours} is your rule; {theirs} would rank better by {weights['gain']:.2f} of AUC on the later dates."
