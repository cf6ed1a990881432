"""The reasons behind the probabilities of all accounts, found block by block."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.model_inputs import in_blocks
from models.outcomes.outcome import OutcomeModel
from models.outcomes.prediction import Outcome
from models.reasons.background import Background
from models.reasons.drivers import effects_in_words, path_effects
from serving.forecast.definitions import Rules

Array = NDArray[np.float64]
EXPLAINED: tuple[Outcome, ...] = ("churn", "expansion")


def effects_of(model: OutcomeModel, frame: pd.DataFrame, outcome: Outcome) -> Array:
    """What each input adds to each account's probability, shape (accounts, inputs).

    SHAP values of every month ahead are held of one block of accounts at a time.
    """
    return np.concatenate([path_effects(model.contributions(frame.iloc[b], outcome)) for b in in_blocks(len(frame))])


def average_effects(model: OutcomeModel, frame: pd.DataFrame) -> dict[Outcome, Array]:
    """Mean effect of each input on each outcome explained: what the average account of `frame` has."""
    return {outcome: effects_of(model, frame, outcome).mean(axis=0) for outcome in EXPLAINED}


def reasons(
    model: OutcomeModel, customers: pd.DataFrame, compared: Background, rules: Rules, *, top: int
) -> tuple[pd.DataFrame, Mapping[Outcome, Array]]:
    """The strongest reasons of each account and outcome over the whole horizon, and what the average account has."""
    parts, average = [], {}
    for outcome in EXPLAINED:
        effects = effects_of(model, customers, outcome)
        average[outcome] = effects.mean(axis=0)
        in_words = effects_in_words(
            effects - average[outcome],
            model.all_inputs,
            customers,
            outcome=outcome,
            top=top,
            currency=rules.currency,
            background=compared,
        )
        parts.append(in_words.assign(definition=rules.driver(outcome, model.horizon_months)))
    return pd.concat(parts, ignore_index=True), average
