"""Nuisances, each learned from other accounts: how likely an action was, and how likely an outcome in each month."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.effects.orthogonal import Scores, scores_of
from models.hazards.at_risk import AtRisk, at_risk, sample
from models.hazards.ensemble import EnsembleHazard
from models.hazards.hazard import Rows
from models.hazards.horizon import CALENDAR_INPUTS, calendar
from models.hazards.logistic import LogisticHazard
from models.hazards.model_inputs import Input, matrix
from models.hazards.month_level import LEVEL_INPUTS
from models.hazards.trees import TreeHazard
from params import Params
from training.effects.design import YEAR, Study
from training.learn.dataset import tuning_of

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_BLOCK = 50_000
_SURE = 1e-6


@dataclass(frozen=True)
class Material:
    """What nuisances are learned from: inputs (trials, inputs), calendar (trials, months, inputs), folds (trials,)."""

    study: Study
    inputs: Array
    calendar: Array
    fold: Ints
    params: Params

    @property
    def folds(self) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Each fold and which trials are in it."""
        return ((fold, self.fold == fold) for fold in range(self.params.effects.folds))


def material_of(study: Study, params: Params) -> Material:
    """The study as arrays."""
    months = calendar(study.frame, months=YEAR, grace_days=params.revenue.grace_days)
    return Material(study, matrix(study.inputs, study.frame), months, study.account % params.effects.folds, params)


def propensity(material: Material, done: Array, number: int) -> Array:
    """How likely an action was in each trial, by accounts of other folds; shape (trials,)."""
    predicted = np.empty(len(done))
    rng = np.random.default_rng([material.params.seed, 1, number])
    for fold, inside in material.folds:
        rows = np.flatnonzero(~inside)
        rows = np.sort(rng.permutation(rows)[: material.params.effects.max_rows])
        learner = _learner(material, material.study.inputs, fold)
        learner.fit(Rows(material.inputs[rows], done[rows], np.ones(len(rows))))
        predicted[inside] = expit(learner.margin(material.inputs[inside]))
    return np.asarray(np.clip(predicted, _SURE, 1 - _SURE))


@dataclass(frozen=True)
class Hazards:
    """An outcome's hazards of other accounts' learning.

    `rows` are the account-months that it could come to, from a month after the trial on, `event` whether it did;
    `hazard` how likely that was, `level` by the kind of month alone; `ahead` log-odds of all months ahead of the trials
    asked for, (trials asked for, months).
    """

    rows: AtRisk
    event: Array
    hazard: Array
    level: Array
    ahead: Array

    def scores(self, decay: float, trials: int) -> Scores:
        """Scores of the trials."""
        return self._scores(self.hazard, decay, trials)

    def level_scores(self, decay: float, trials: int) -> Scores:
        """The same where the kind of month alone is known."""
        return self._scores(self.level, decay, trials)

    def _scores(self, hazard: Array, decay: float, trials: int) -> Scores:
        place = self.rows.row, self.rows.ahead, self.rows.month
        return scores_of(self.event, hazard, place, trials=trials, decay=decay)


def hazards(material: Material, outcome: str, asked: Ints) -> Hazards:
    """The hazards of an outcome.

    Parameters
    ----------
    material
        The study.
    outcome
        churn, contraction or expansion.
    asked
        Trials whose months ahead are all wanted.
    """
    study, settings = material.study, material.params.effects
    rows = at_risk(study.frame, study.paths)
    rows = rows.only(rows.ahead > 1)
    event = rows.event(outcome, material.params.model.min_change)
    margin, level = np.empty((2, len(event)))
    ahead = np.empty((len(asked), YEAR))
    rng = np.random.default_rng([material.params.seed, 2, len(outcome)])
    for fold, inside in material.folds:
        others = np.flatnonzero(~inside[rows.row])
        drawn = sample(rows.only(~inside[rows.row]), event[others], most=settings.max_rows, generator=rng)
        learned_from = others[drawn.chosen]
        learner = _learner(material, (*study.inputs, *CALENDAR_INPUTS), fold)
        gathered = _gathered(material, rows.row[learned_from], rows.ahead[learned_from])
        learner.fit(Rows(gathered, drawn.event, drawn.weight))
        here = np.flatnonzero(inside[rows.row])
        margin[here], level[here] = _predicted(material, learner, rows.row[here], rows.ahead[here])
        ours = np.flatnonzero(inside[asked])
        months = np.tile(np.arange(1, YEAR + 1), len(ours))
        ahead[ours] = _predicted(material, learner, np.repeat(asked[ours], YEAR), months)[0].reshape(-1, YEAR)
    return Hazards(rows, event.astype(float), _chance(margin), _chance(level), ahead)


def _chance(log_odds: Array) -> Array:
    return np.asarray(np.clip(expit(log_odds), _SURE, 1 - _SURE))


def _gathered(material: Material, trial: Ints, ahead: Ints) -> Array:
    return np.hstack([material.inputs[trial], material.calendar[trial, ahead - 1]])


def _predicted(material: Material, learner: EnsembleHazard, trial: Ints, ahead: Ints) -> Array:
    """Log-odds, and those of the kind of month alone, (2, rows).

    What the logistic regression adds is made once a trial, and levels once a kind of month; trees are asked a piece at
    a time, so that memory stays flat.
    """
    width = material.inputs.shape[1]
    trials, here = np.unique(trial, return_inverse=True)
    added = learner.logistic.part(material.inputs[trials], 0)[here]
    added += learner.logistic.part(material.calendar[trial, ahead - 1], width)
    level, level_of_trees = _levels(material, learner, trial, ahead)
    for piece in np.array_split(np.arange(len(trial)), max(1, -(-len(trial) // _BLOCK))):
        added[piece] += learner.trees.beyond(_gathered(material, trial[piece], ahead[piece]))
    return np.stack([level + added / 2, level_of_trees])


def _levels(material: Material, learner: EnsembleHazard, trial: Ints, ahead: Ints) -> Array:
    """The level of each row's kind of month, of both learners and of the trees alone, (2, rows)."""
    names = [item.name for item in (*material.study.inputs, *CALENDAR_INPUTS)]
    told_by = [names.index(name) - material.inputs.shape[1] for name in LEVEL_INPUTS if name in names]
    cells = [
        material.calendar[trial, ahead - 1, place] if place >= 0 else material.inputs[trial, place] for place in told_by
    ]
    key = np.zeros(len(trial), dtype=np.int64)
    for values in cells:
        codes, there = np.unique(values, return_inverse=True)
        key = key * len(codes) + there
    _, first, kind = np.unique(key, return_index=True, return_inverse=True)
    rows = _gathered(material, trial[first], ahead[first])
    return np.stack([learner.level(rows), learner.trees.level(rows)])[:, kind]


def _learner(material: Material, inputs: tuple[Input, ...], fold: int) -> EnsembleHazard:
    """Boosted trees and a ridge logistic regression, averaged on the logit."""
    model, effects = material.params.model, material.params.effects
    trees = TreeHazard(
        inputs,
        trees=effects.trees,
        leaves=model.leaves,
        learning_rate=model.learning_rate,
        min_rows_per_leaf=model.min_rows_per_leaf,
        l2=model.l2,
        seed=material.params.seed + fold,
        threads=material.params.threads,
        tuning=tuning_of(material.params),
    )
    return EnsembleHazard(trees, LogisticHazard(inputs, l2=model.logistic_l2))


def joint_log_odds(chance_of: Array, survival_of: Array) -> Array:
    """Log-odds that an outcome comes in a month ahead and the account is still there, from the log-odds of both."""
    there = np.cumprod(1 - expit(survival_of), axis=1)
    there = np.hstack([np.ones((len(there), 1)), there[:, :-1]])
    return np.asarray(logit(np.clip(expit(chance_of) * there, _SURE, 1 - _SURE)))
