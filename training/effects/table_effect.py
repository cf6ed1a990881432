"""The effect in any table with a row a unit, such as a randomised trial: the study's nuisances and its one step.

It is what the study is tried on where the truth is known, and what a trial of withheld actions is analysed with.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from models.effects.orthogonal import Estimate, Scores, one_step
from models.hazards.ensemble import EnsembleHazard
from models.hazards.hazard import Rows
from models.hazards.logistic import LogisticHazard
from models.hazards.model_inputs import Input, learn_categories, matrix
from models.hazards.trees import TreeHazard
from params import Params
from training.effects.design import plain_input
from training.learn.dataset import tuning_of

Array = NDArray[np.float64]
_L2 = 1.0  # a table of a few columns needs little


def table_effect(
    frame: pd.DataFrame, *, outcome: str, treatment: str, covariates: Sequence[str], params: Params, cluster: str = ""
) -> Estimate:
    """By how much a treatment raises the chance of an outcome, with covariates partialled out.

    Parameters
    ----------
    frame
        A row a unit, without missing cells in the columns named.
    outcome, treatment
        Columns of 0 and 1.
    covariates
        Columns known before the treatment; texts are categories.
    params
        The settings: folds, trees, seed.
    cluster
        The column of what units belong to, for folds and standard errors; each unit by itself if empty.

    Returns
    -------
    Estimate
        One shift: a difference of probabilities.

    Raises
    ------
    ValueError
        The outcome or the treatment is not 0 or 1, or does not vary.
    """
    event, done = (_flags(frame, name) for name in (outcome, treatment))
    inputs = learn_categories([_input(frame, name) for name in covariates], frame)
    known = matrix(inputs, frame)
    groups = pd.factorize(frame[cluster])[0] if cluster else np.arange(len(frame))
    order = np.random.default_rng([params.seed, 23]).permutation(int(groups.max()) + 1)
    account = order[groups].astype(np.int64)
    fold = account % params.effects.folds
    expected, propensity = (_predicted(inputs, known, values, fold, params) for values in (event, done))
    return one_step((done - propensity)[:, None], Scores(event - expected, np.ones(len(frame))), account)


def _flags(frame: pd.DataFrame, name: str) -> Array:
    values = frame[name].to_numpy(float)
    if set(np.unique(values)) != {0.0, 1.0}:
        raise ValueError(f"{name} holds {sorted(set(values))[:5]}: it must hold 0 and 1, and both of them")
    return values


def _input(frame: pd.DataFrame, name: str) -> Input:
    return plain_input(name, family="covariates", meaning=name, is_number=pd.api.types.is_numeric_dtype(frame[name]))


def _predicted(inputs: Sequence[Input], known: Array, values: Array, fold: NDArray[np.int64], params: Params) -> Array:
    """Chances of 1, by what was learned from other folds."""
    predicted = np.empty(len(values))
    for part in np.unique(fold):
        inside = fold == part
        learner = _learner(inputs, params).fit(Rows(known[~inside], values[~inside], np.ones((~inside).sum())))
        predicted[inside] = expit(learner.margin(known[inside]))
    return predicted


def _learner(inputs: Sequence[Input], params: Params) -> EnsembleHazard:
    model = params.model
    trees = TreeHazard(
        inputs,
        trees=params.effects.trees,
        leaves=model.leaves,
        learning_rate=model.learning_rate,
        min_rows_per_leaf=model.min_rows_per_leaf,
        l2=model.l2,
        seed=params.seed,
        threads=params.threads,
        tuning=replace(tuning_of(params), feature_fraction=1.0),
    )
    return EnsembleHazard(trees, LogisticHazard(inputs, l2=_L2))
