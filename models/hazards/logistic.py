"""Ridge logistic regression of the kind of month and the inputs together."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.hazards.hazard import NONE, Hazard, Rows
from models.hazards.model_inputs import Input
from models.hazards.month_level import LEVEL_L2, MonthLevel, fit_ridge, kinds_of_months, row_sums

Array = NDArray[np.float64]
_WIDE = 20.0  # an input whose bulk spans more than this (money, counts, days) acts by its order of magnitude


@dataclass(frozen=True)
class _Scaling:
    """How one input becomes columns of the logistic design."""

    low: float
    high: float
    mean: float
    sd: float
    missing: bool
    categories: int
    logarithmic: bool = False

    @property
    def width(self) -> int:
        return self.categories or (2 if self.missing else 1)

    def scaled(self, values: Array) -> Array:
        """Clipped and, where that is what the input needs, on a logarithmic scale; standardised."""
        clipped = np.clip(values, self.low, self.high)
        bent = _signed_log(clipped) if self.logarithmic else clipped
        return np.asarray((bent - self.mean) / self.sd)

    def effect(self, values: Array, coefficients: Array) -> Array:
        """What the design columns of an input add up to, without making them: of each row alone, to the last digit."""
        unknown = np.isnan(values)
        if self.categories:
            return np.asarray(coefficients[np.where(unknown, self.categories - 1, values).astype(int)])
        known = self.scaled(values) * coefficients[0]
        return np.where(unknown, coefficients[1] if self.missing else 0.0, known)


def _width(scaling: Sequence[_Scaling]) -> int:
    """How many columns the inputs become; those of the kind of month follow."""
    return sum(one.width for one in scaling)


class LogisticHazard(Hazard):
    """Ridge logistic regression of the kind of month and the inputs together.

    Numbers are clipped to their 1st and 99th percentile, those that range wide are put on a logarithmic scale, all are
    standardised; missing ones are set to the mean with a flag; categories become indicators. What tells the kind of
    month is hardly penalised.

    Parameters
    ----------
    inputs
        Descriptions of the columns.
    l2
        Strength of the ridge penalty (scikit-learn's 1 / C).
    """

    def __init__(self, inputs: Sequence[Input], *, l2: float) -> None:
        self.inputs = tuple(inputs)
        self.l2 = l2

    def fit(self, rows: Rows, others: Rows | None = None, *, level: MonthLevel | None = None) -> Self:
        """Learn the coefficients; `others` are not needed, nothing is stopped early.

        `level`, of the same rows, is where it starts from, and is learned where it is not given: the same coefficients
        come out, but for the digits beyond the solver's tolerance.
        """
        level = level or MonthLevel(self.inputs, l2=LEVEL_L2).fit(rows)
        self.scaling_ = [_learn_scaling(item, rows.inputs[:, i]) for i, item in enumerate(self.inputs)]
        self._width = _width(self.scaling_)
        design = self._with_kinds(rows.inputs, rows.decided)
        start = np.concatenate([np.zeros(self._width), level.coefficients_]), level.intercept_
        self.coefficients_, self.intercept_ = fit_ridge(design, rows.event, rows.weight, l2=self.l2, start=start)
        self.means_: Array = np.average(design, axis=0, weights=rows.weight)
        return self

    def level(self, inputs: Array, decided: Array = NONE) -> Array:
        """Log-odds of the kind of month, the inputs being at their means, shape (rows,)."""
        level = row_sums(kinds_of_months(self.inputs, inputs, decided), self.coefficients_[self._width :])
        return level + self.intercept_ + self._middle

    def beyond(self, inputs: Array) -> Array:
        """What the inputs add to them, shape (rows,)."""
        beyond, start = np.full(len(inputs), -self._middle), 0
        for scaling, values in zip(self.scaling_, np.ascontiguousarray(inputs.T), strict=True):
            beyond += scaling.effect(values, self.coefficients_[start : start + scaling.width])
            start += scaling.width
        return beyond

    def part(self, inputs: Array, first: int) -> Array:
        """What inputs that stand together add, from the place `first` on, shape (rows,).

        The parts of all inputs add up to what `beyond` says, but for the digits of their order.
        """
        added, start = np.zeros(len(inputs)), _width(self.scaling_[:first])
        scalings = self.scaling_[first : first + inputs.shape[1]]
        for scaling, values in zip(scalings, np.ascontiguousarray(inputs.T), strict=True):
            added += scaling.effect(values, self.coefficients_[start : start + scaling.width])
            start += scaling.width
        return added if first else added - self._middle

    def contributions(self, inputs: Array) -> tuple[Array, float]:
        """Each input's coefficient times its distance from the mean: the SHAP values of a linear model."""
        effects = (self._design(inputs) - self.means_[: self._width]) * self.coefficients_[: self._width]
        starts = np.cumsum([0, *(scaling.width for scaling in self.scaling_)])[:-1]
        return np.asarray(np.add.reduceat(effects, starts, axis=1)), 0.0

    def estimation_variance(self, training: Rows, ahead: Iterable[tuple[Array, Array]]) -> float:
        """That of the coefficients' posterior by Laplace's method, the penalty being their prior."""
        design, information = self._information(training.inputs, training.weight, training.decided)
        precision = (design * information[:, None]).T @ design
        precision[np.diag_indices(len(precision) - 1)] += self.l2
        middle = information @ design / information.sum()
        del design
        total, mean = 0.0, np.zeros(len(middle))
        for inputs, weight in ahead:
            design, information = self._information(inputs, weight)
            total, mean = total + information.sum(), mean + information @ design
        if not total:
            return 0.0
        distance = mean / total - middle
        distance[self._width :] = 0
        return float(distance @ np.linalg.solve(precision, distance))

    def _with_kinds(self, inputs: Array, decided: Array = NONE) -> Array:
        """The columns of the inputs, and those of the kinds of months."""
        return np.hstack([self._design(inputs), kinds_of_months(self.inputs, inputs, decided)])

    def _information(self, inputs: Array, weight: Array, decided: Array = NONE) -> tuple[Array, Array]:
        """Design with the intercept, (rows, columns + 1), and what each row tells of it: weight * p * (1 - p)."""
        design = np.hstack([self._with_kinds(inputs, decided), np.ones((len(inputs), 1))])
        chance = expit(design @ np.append(self.coefficients_, self.intercept_))
        return design, weight * chance * (1 - chance)

    def to_text(self) -> str:
        """Scaling and coefficients as JSON."""
        return json.dumps(
            {
                "scaling": [asdict(scaling) for scaling in self.scaling_],
                "coefficients": self.coefficients_.tolist(),
                "intercept": self.intercept_,
                "means": self.means_.tolist(),
            }
        )

    @classmethod
    def from_text(cls, text: str, inputs: Sequence[Input], *, threads: int) -> Self:
        """A fitted model from `to_text`."""
        content = json.loads(text)
        model = cls(inputs, l2=1.0)
        model.scaling_ = [_Scaling(**scaling) for scaling in content["scaling"]]
        model._width = _width(model.scaling_)
        model.coefficients_ = np.array(content["coefficients"])
        model.intercept_ = content["intercept"]
        model.means_ = np.array(content["means"])
        return model

    @property
    def mean_level_(self) -> float:
        """Mean log-odds of the kinds of months learned from."""
        return float(self.means_ @ self.coefficients_ + self.intercept_)

    @property
    def _middle(self) -> float:
        """What the inputs add at their means."""
        return float(self.means_[: self._width] @ self.coefficients_[: self._width])

    def _design(self, inputs: Array) -> Array:
        return np.hstack([_apply_scaling(scaling, inputs[:, i]) for i, scaling in enumerate(self.scaling_)])


def standardised(inputs: Sequence[Input], values: Array) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The columns that a logistic regression makes of inputs, and of each column the place of the input it is of.

    They are of single precision and made one input at a time: of a study they are the largest array there is.
    """
    scaling = [_learn_scaling(item, values[:, place]) for place, item in enumerate(inputs)]
    owner = np.repeat(np.arange(len(inputs)), [each.width for each in scaling])
    columns = np.empty((len(values), len(owner)), dtype=np.float32)
    for place, each in enumerate(scaling):
        columns[:, owner == place] = _apply_scaling(each, values[:, place])
    return columns, owner


def _learn_scaling(item: Input, values: Array) -> _Scaling:
    if item.kind == "category":
        return _Scaling(0, 0, 0, 1, missing=False, categories=len(item.categories) + 1)
    present = values[~np.isnan(values)]
    if not present.size:
        return _Scaling(0, 0, 0, 1, missing=True, categories=0)
    low, high = np.quantile(present, [0.01, 0.99])
    if low == high:  # a rare flag would be clipped away
        low, high = present.min(), present.max()
    logarithmic = bool(high - low > _WIDE)
    clipped = np.clip(present, low, high)
    bent = _signed_log(clipped) if logarithmic else clipped
    missing = bool(present.size < values.size)
    limits = float(low), float(high), float(bent.mean()), float(bent.std()) or 1.0
    return _Scaling(*limits, missing=missing, categories=0, logarithmic=logarithmic)


def _signed_log(values: Array) -> Array:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _apply_scaling(scaling: _Scaling, values: Array) -> Array:
    """Design columns of one input, shape (rows, width)."""
    unknown = np.isnan(values)
    if scaling.categories:
        codes = np.where(unknown, scaling.categories - 1, values).astype(int)
        return np.asarray(np.eye(scaling.categories)[codes])
    scaled = np.where(unknown, 0.0, scaling.scaled(values))
    return np.column_stack([scaled, unknown]) if scaling.missing else scaled[:, None]
