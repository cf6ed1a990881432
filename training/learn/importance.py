"""What a fitted model looks at: how much each input moves the log-odds, and which way."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.hazards.model_inputs import evenly_spread
from models.outcomes.outcome import OutcomeModel
from models.outcomes.prediction import OUTCOMES

MOST_ROWS = 4000
DEPENDENCE_ROWS = 600
DEPENDENCE_INPUTS = 6


@dataclass(frozen=True)
class Explanation:
    """One outcome's inputs.

    `importance` is the mean absolute SHAP value on the log-odds of the outcome next month, by input, largest first.
    `dependence` has a row an account and strongest input: input, value (NaN where missing), effect (the SHAP value).
    """

    outcome: str
    importance: "pd.Series[float]"
    dependence: pd.DataFrame


def explain(model: OutcomeModel, frame: pd.DataFrame) -> tuple[Explanation, ...]:
    """SHAP values of snapshot rows, evenly thinned to a few thousand, for every outcome that has a model."""
    some = frame.iloc[evenly_spread(len(frame), MOST_ROWS)]
    rows, explanations = model.rows_next_month(some), []
    for outcome in OUTCOMES:
        if model.outcomes_[outcome].hazard is not None:
            next_month = model.contributions(some, outcome, months=1)
            explanations.append(_explanation(model, outcome, rows, next_month.margin[:, 0] * next_month.slope))
    return tuple(explanations)


def _explanation(model: OutcomeModel, outcome: str, rows: np.ndarray, effects: np.ndarray) -> Explanation:
    names = [item.name for item in model.all_inputs]
    importance = pd.Series(np.abs(effects).mean(axis=0), index=names).sort_values(ascending=False, kind="stable")
    numbers = {item.name for item in model.all_inputs if item.kind == "number"}
    strongest = [name for name in importance.index if name in numbers][:DEPENDENCE_INPUTS]
    some = evenly_spread(len(rows), DEPENDENCE_ROWS)
    parts = [
        pd.DataFrame(
            {"input": name, "value": rows[some, names.index(name)], "effect": effects[some, names.index(name)]}
        )
        for name in strongest
    ]
    return Explanation(outcome, importance, pd.concat(parts, ignore_index=True))
