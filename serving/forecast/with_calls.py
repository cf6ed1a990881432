"""What the model with calls says, beside the model in charge: of the accounts that people called, and of no others."""

from datetime import date

import numpy as np
import pandas as pd

from features.families.catalogue import FEATURES
from models.paths.simulate import PathSettings, account_paths
from models.words import counted
from params import Params
from training.tracking.champion import Champion

CHURN, EXPECTED_ARR = "churn_probability_with_calls", "expected_arr_with_calls"
COLUMNS = ("account_id", "horizon_months", "model_version", CHURN, EXPECTED_ARR)


def figures_with_calls(
    challenger: Champion | None, champion: Champion, customers: pd.DataFrame, *, as_of: date, params: Params
) -> pd.DataFrame | None:
    """`COLUMNS`, a row a called account and horizon; None where no such model had learned by then.

    An account that nobody called within the reach of the inputs has no row: the model in charge speaks for it.
    """
    if challenger is None or challenger.trained_as_of > as_of:
        return None
    names = call_inputs(challenger, champion)
    called = customers[customers[names].notna().any(axis=1)].reset_index(drop=True) if names else customers[:0]
    if called.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    months = challenger.model.horizon_months
    settings = PathSettings(draws=params.forecast.draws, seed=params.seed, min_change=params.model.min_change)
    prediction = challenger.model.predict(called)
    paths = account_paths(prediction, settings, horizon_months=months, threads=params.threads)
    rows = called.loc[called.index.repeat(months), ["account_id"]].reset_index(drop=True)
    figures = {CHURN: paths.churn_probability.ravel(), EXPECTED_ARR: paths.expected_arr.ravel()}
    horizon = np.tile(np.arange(1, months + 1), len(called))
    return rows.assign(horizon_months=horizon, model_version=challenger.version, **figures)


def call_inputs(challenger: Champion, champion: Champion) -> list[str]:
    """The inputs that the model with calls looks at and the one in charge does not."""
    others = {item.name for item in champion.model.inputs}
    return [item.name for item in challenger.model.inputs if item.name not in others]


def blending_note(champion: Champion) -> tuple[str, ...]:
    """That the model in charge looks at people's calls itself, where it does: nothing is blended in silence."""
    of_calls = {feature.name for feature in FEATURES if any(need.startswith("calls.") for need in feature.needs)}
    names = [item.name for item in champion.model.inputs if item.name in of_calls]
    if not names:
        return ()
    return (
        f"This forecast has people's own calls in it: the model in charge looks at {counted(len(names), 'input')} of "
        f"calls ({', '.join(names)}). model.with_calls=false trains one without.",
    )
