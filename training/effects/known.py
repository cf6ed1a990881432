"""What all kinds share: hazards of each outcome, months, columns of what was known before, and ARR a year on."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.effects.left_out import Columns, weighed_sums
from models.effects.orthogonal import Scores, demeaned
from models.hazards.logistic import standardised
from params import Params
from training.effects.design import YEAR, Study
from training.effects.nuisances import Hazards, Material, hazards, material_of, propensity

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
OUTCOMES = ("churn", "expansion", "contraction")
SHOWN_FOR = 1500  # trials of each kind that points are told for
ARR_CAP = 3.0  # times the ARR at the month start: more is luck of a few


@dataclass(frozen=True)
class Known:
    """What serves all levels: the material, hazards by outcome, months of trials, columns, and trials asked for."""

    material: Material
    hazards: dict[str, Hazards]
    asked: Ints
    month: Ints
    columns: Columns
    families: dict[str, list[int]]
    arr: Scores
    with_doubleml: bool
    propensities: dict[bytes, Array] = field(default_factory=dict)

    @property
    def study(self) -> Study:
        """The study."""
        return self.material.study

    @property
    def params(self) -> Params:
        """The settings."""
        return self.material.params

    def scores(self, outcome: str) -> Scores:
        """The scores of an outcome."""
        return self.hazards[outcome].scores(self.params.effects.decay, len(self.study.frame))

    def level_scores(self, outcome: str) -> Scores:
        """The scores of an outcome where the kind of month alone is known."""
        return self.hazards[outcome].level_scores(self.params.effects.decay, len(self.study.frame))

    def propensity(self, done: Array) -> Array:
        """How likely an action was; asked once for kinds that are the same by another name."""
        key = done.tobytes()
        if key not in self.propensities:
            self.propensities[key] = propensity(self.material, done, len(self.propensities))
        return self.propensities[key]


def known_of(study: Study, params: Params, told: Callable[[int], None], *, with_doubleml: bool = False) -> Known:
    """Learn what all kinds share; `told` hears how many outcomes are done."""
    material = material_of(study, params)
    asked = _asked(study, params.seed)
    learned = {}
    for place, outcome in enumerate(OUTCOMES):
        learned[outcome] = hazards(material, outcome, asked)
        told(place + 1)
    columns, owner = standardised(study.inputs, material.inputs)
    families = {name: np.flatnonzero(np.isin(owner, places)).tolist() for name, places in study.families.items()}
    month = np.unique(study.frame["as_of"], return_inverse=True)[1].astype(np.int64)
    arr = _arr_scores(study, columns, month)
    return Known(material, learned, asked, month, columns, families, arr, with_doubleml)


def _asked(study: Study, seed: int) -> Ints:
    """Some trials of each kind in which it was done."""
    rng = np.random.default_rng([seed, 3])
    chosen = [rng.permutation(np.flatnonzero(column))[:SHOWN_FOR] for level in study.levels for column in level.done.T]
    return np.unique(np.concatenate(chosen)).astype(np.int64)


def _arr_scores(study: Study, columns: Columns, month: Ints) -> Scores:
    """ARR a year on over ARR at the month start, less what the columns tell; no information where it is not known."""
    share = np.minimum(study.paths[:, YEAR] / study.paths[:, 0], ARR_CAP)
    weight = (~np.isnan(share)).astype(float)
    share = demeaned(np.nan_to_num(share)[:, None], month, weight)[:, 0] * weight
    system, target = weighed_sums(columns, weight, share)
    system += 1e-3 * np.eye(columns.shape[1]) * max(weight.sum(), 1)
    told = columns @ np.linalg.solve(system, target).astype(columns.dtype)
    return Scores(share - weight * told.astype(np.float64), weight)
