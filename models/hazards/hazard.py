"""Monthly hazards: the log-odds that an outcome happens in one month ahead, given what the snapshot knew.

Three learners share one interface, `Hazard`: boosted trees (LightGBM), a ridge logistic regression, and the mean of the
two, which beats either: the one finds thresholds and interactions, the other carries a line through where events are
few. Each begins at the level of the kind of month (`models.hazards.month_level`), where most of what tells months apart
lies: penalties and stopping hold back only what is learned beyond it. The hazard, and not the horizon, is modelled: a
classifier of "left within 12 months" learns from no snapshot younger than a year, a monthly hazard from last month's.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.hazards.model_inputs import Input
from models.hazards.month_level import MonthLevel, fit_ridge, kinds_of_months
from models.hazards.tree_shap import TreeShap

Array = NDArray[np.float64]
_WIDE = 20.0  # an input whose bulk spans more than this (money, counts, days) acts by its order of magnitude
_LEVEL_L2 = 40.0  # penalty of the level that trees begin from


@dataclass(frozen=True)
class Tuning:
    """What only fitting needs, of the `model` section of params.yaml; a fitted model's files do not hold it.

    LightGBM's min_sum_hessian_in_leaf, extra_trees, feature_fraction, bagging_fraction, cat_smooth, cat_l2 and max_bin;
    when boosting stops early; how far the calibration, and how strongly the luck that months share, may move;
    by outcome, the inputs whose effect beyond the level may run one way only (+1 raises it, -1 lowers it).
    """

    min_hessian_per_leaf: float
    extra_trees: bool
    feature_fraction: float
    bagging_fraction: float
    category_smoothing: float
    category_l2: float
    max_bins: int
    patience: int
    min_trees: int
    calibration_prior_sd: float
    luck_prior_sd: float
    monotone: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """Rows to learn from: inputs (rows, columns), 0/1 outcomes, weights."""

    inputs: Array
    event: Array
    weight: Array


class Hazard(ABC):
    """A monthly hazard: the level of the kind of month, and what the inputs tell beyond it."""

    @abstractmethod
    def fit(self, rows: Rows, others: Rows | None = None) -> Self:
        """Learn from `rows`; stop where `others` (of other accounts) no longer improve."""

    @abstractmethod
    def level(self, inputs: Array) -> Array:
        """Log-odds of the kind of month, shape (rows,)."""

    @abstractmethod
    def beyond(self, inputs: Array) -> Array:
        """What the inputs add to them, shape (rows,)."""

    def estimation_variance(self, known: Rows, ahead: Iterable[tuple[Array, Array]]) -> float:
        """How uncertain the fit leaves the mean of what inputs add, ahead against the rows learned from (log-odds).

        Rows count in both means by how far a step in log-odds moves the events expected. 0 where a learner cannot tell.

        Parameters
        ----------
        known
            The rows learned from.
        ahead
            Inputs of rows that are forecast, shape (rows, columns), and their weights, (rows,), a part at a time.
        """
        del known, ahead
        return 0.0

    @abstractmethod
    def contributions(self, inputs: Array) -> tuple[Array, float]:
        """SHAP values of what the inputs add, shape (rows, columns), and the margin they start from."""

    @abstractmethod
    def to_text(self) -> str:
        """The fitted model as text."""

    @property
    @abstractmethod
    def mean_level_(self) -> float:
        """Mean log-odds of the kinds of months learned from."""

    def margin(self, inputs: Array) -> Array:
        """Log-odds of the outcome, shape (rows,)."""
        return self.level(inputs) + self.beyond(inputs)


class TreeHazard(Hazard):
    """Trees boosted from the level of the kind of month on.

    Parameters
    ----------
    inputs
        Descriptions of the columns; those of kind `category` are split as categories.
    trees, leaves, learning_rate, min_rows_per_leaf, l2
        LightGBM's num_boost_round, num_leaves, learning_rate, min_data_in_leaf, lambda_l2.
    seed, threads
        The result depends on the seed only.
    tuning
        The finer settings; None in a model that was read from text, which only predicts.
    monotone
        +1 or -1 for inputs with which what the trees add to the level may only rise, or only fall.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        *,
        trees: int,
        leaves: int,
        learning_rate: float,
        min_rows_per_leaf: int,
        l2: float,
        seed: int,
        threads: int,
        tuning: Tuning | None = None,
        monotone: Mapping[str, int] | None = None,
    ) -> None:
        self.inputs = tuple(inputs)
        self.monotone = monotone or {}
        self.trees = trees
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.min_rows_per_leaf = min_rows_per_leaf
        self.l2 = l2
        self.seed = seed
        self.threads = threads
        self.tuning = tuning

    def fit(self, rows: Rows, others: Rows | None = None) -> Self:
        """Boost; with `others`, as many trees as serve their log-loss best, at least `tuning.min_trees`.

        Raises
        ------
        ValueError
            There is no `tuning`.
        """
        tuning = required(self.tuning)
        self.level_ = MonthLevel(self.inputs, l2=_LEVEL_L2).fit(rows.inputs, rows.event, rows.weight)
        train = self._dataset(rows, tuning)
        valid = [] if others is None else [self._dataset(others, tuning, train)]
        stop: list[Callable[..., Any]] = []
        if others is not None:
            stop.append(lightgbm.early_stopping(tuning.patience, verbose=False))
        self.booster_ = lightgbm.train(
            self._parameters(tuning), train, num_boost_round=self.trees, valid_sets=valid, callbacks=stop
        )
        best = self.booster_.best_iteration if others is not None else self.trees
        self.trees_ = max(min(tuning.min_trees, self.trees), best)
        return self

    def level(self, inputs: Array) -> Array:
        """Log-odds of the kind of month, shape (rows,)."""
        return self.level_.margin(inputs)

    def beyond(self, inputs: Array) -> Array:
        """What the trees add to them, shape (rows,)."""
        raw = self.booster_.predict(inputs, raw_score=True, num_iteration=self.trees_, num_threads=self.threads)
        return np.asarray(raw, dtype=np.float64)

    def contributions(self, inputs: Array) -> tuple[Array, float]:
        """Exact path-dependent TreeSHAP values of what the trees add, and its expected value."""
        if not hasattr(self, "_shap"):
            self._shap = TreeShap(lightgbm.Booster(model_str=self._trees_text()), threads=self.threads)
        return self._shap.contributions(inputs)

    def to_text(self) -> str:
        """The level and the trees as JSON."""
        return json.dumps({"level": self.level_.to_dict(), "trees": self._trees_text()})

    @property
    def mean_level_(self) -> float:
        """Mean log-odds of the kinds of months learned from."""
        return self.level_.mean_

    def _trees_text(self) -> str:
        """LightGBM's own text format: the trees that count, without the settings after them, which name the threads."""
        text: str = self.booster_.model_to_string(num_iteration=self.trees_)
        return text.partition("end of trees")[0] + "end of trees\n"

    @classmethod
    def from_text(cls, text: str, inputs: Sequence[Input], *, threads: int) -> Self:
        """A fitted model from `to_text`."""
        model = cls(inputs, trees=1, leaves=2, learning_rate=1.0, min_rows_per_leaf=1, l2=0.0, seed=0, threads=threads)
        content = json.loads(text)
        model.level_ = MonthLevel.from_dict(content["level"], model.inputs)
        model.booster_ = lightgbm.Booster(model_str=content["trees"])
        model.trees_ = model.booster_.num_trees()
        return model

    def _dataset(self, rows: Rows, tuning: Tuning, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
        categories = [position for position, item in enumerate(self.inputs) if item.kind == "category"]
        return lightgbm.Dataset(
            rows.inputs,
            rows.event,
            weight=rows.weight,
            init_score=self.level_.margin(rows.inputs),
            reference=reference,
            feature_name=[item.name for item in self.inputs],
            categorical_feature=categories,
            params={"verbosity": -1, "max_bin": tuning.max_bins},
        )

    def _parameters(self, tuning: Tuning) -> dict[str, Any]:
        return {
            "objective": "binary",
            "boost_from_average": False,
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_rows_per_leaf,
            "min_sum_hessian_in_leaf": tuning.min_hessian_per_leaf,
            "extra_trees": tuning.extra_trees,
            "lambda_l2": self.l2,
            "cat_smooth": tuning.category_smoothing,
            "cat_l2": tuning.category_l2,
            "feature_fraction": tuning.feature_fraction,
            "bagging_fraction": tuning.bagging_fraction,
            "bagging_freq": 1,
            "max_bin": tuning.max_bins,
            "deterministic": True,
            "force_col_wise": True,
            "use_quantized_grad": False,
            "seed": self.seed,
            "num_threads": self.threads,
            "verbosity": -1,
            **({"monotone_constraints": [self.monotone.get(i.name, 0) for i in self.inputs]} if self.monotone else {}),
        }


def required(tuning: Tuning | None) -> Tuning:
    """The finer settings of a fit.

    Raises
    ------
    ValueError
        There are none.
    """
    if tuning is None:
        raise ValueError("tuning is None: a model read from its files predicts; to fit one, give it a Tuning")
    return tuning


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

    def fit(self, rows: Rows, others: Rows | None = None) -> Self:
        """Learn the coefficients; `others` are not needed, nothing is stopped early."""
        self.scaling_ = [_learn_scaling(item, rows.inputs[:, i]) for i, item in enumerate(self.inputs)]
        design = self._with_kinds(rows.inputs)
        self.coefficients_, self.intercept_ = fit_ridge(design, rows.event, rows.weight, l2=self.l2)
        self.means_: Array = np.average(design, axis=0, weights=rows.weight)
        return self

    def level(self, inputs: Array) -> Array:
        """Log-odds of the kind of month, the inputs being at their means, shape (rows,)."""
        level: Array = kinds_of_months(self.inputs, inputs) @ self.coefficients_[self._width :]
        return level + self.intercept_ + self._middle

    def beyond(self, inputs: Array) -> Array:
        """What the inputs add to them, shape (rows,)."""
        beyond: Array = self._design(inputs) @ self.coefficients_[: self._width]
        return beyond - self._middle

    def contributions(self, inputs: Array) -> tuple[Array, float]:
        """Each input's coefficient times its distance from the mean: the SHAP values of a linear model."""
        effects = (self._design(inputs) - self.means_[: self._width]) * self.coefficients_[: self._width]
        starts = np.cumsum([0, *(scaling.width for scaling in self.scaling_)])[:-1]
        return np.asarray(np.add.reduceat(effects, starts, axis=1)), 0.0

    def estimation_variance(self, known: Rows, ahead: Iterable[tuple[Array, Array]]) -> float:
        """That of the coefficients' posterior by Laplace's method, the penalty being their prior."""
        design, told = self._information(known.inputs, known.weight)
        precision = (design * told[:, None]).T @ design
        precision[np.diag_indices(len(precision) - 1)] += self.l2
        middle = told @ design / told.sum()
        del design
        total, mean = 0.0, np.zeros(len(middle))
        for inputs, weight in ahead:
            design, told = self._information(inputs, weight)
            total, mean = total + told.sum(), mean + told @ design
        if not total:
            return 0.0
        away = mean / total - middle
        away[self._width :] = 0
        return float(away @ np.linalg.solve(precision, away))

    def _with_kinds(self, inputs: Array) -> Array:
        """The columns of the inputs, and those of the kinds of months."""
        return np.hstack([self._design(inputs), kinds_of_months(self.inputs, inputs)])

    def _information(self, inputs: Array, weight: Array) -> tuple[Array, Array]:
        """Design with the intercept, (rows, columns + 1), and what each row tells of it: weight * p * (1 - p)."""
        design = np.hstack([self._with_kinds(inputs), np.ones((len(inputs), 1))])
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
        model.coefficients_ = np.array(content["coefficients"])
        model.intercept_ = content["intercept"]
        model.means_ = np.array(content["means"])
        return model

    @property
    def mean_level_(self) -> float:
        """Mean log-odds of the kinds of months learned from."""
        return float(self.means_ @ self.coefficients_ + self.intercept_)

    @property
    def _width(self) -> int:
        """How many columns the inputs become; those of the kind of month follow."""
        return sum(scaling.width for scaling in self.scaling_)

    @property
    def _middle(self) -> float:
        """What the inputs add at their means."""
        return float(self.means_[: self._width] @ self.coefficients_[: self._width])

    def _design(self, inputs: Array) -> Array:
        return np.hstack([_apply_scaling(scaling, inputs[:, i]) for i, scaling in enumerate(self.scaling_)])


class EnsembleHazard(Hazard):
    """The mean of the log-odds of boosted trees and of a logistic regression.

    Parameters
    ----------
    trees, logistic
        The two, as yet unfitted.
    """

    def __init__(self, trees: TreeHazard, logistic: LogisticHazard) -> None:
        self.trees = trees
        self.logistic = logistic

    @property
    def trees_(self) -> int:
        """How many trees count."""
        return self.trees.trees_

    def fit(self, rows: Rows, others: Rows | None = None) -> Self:
        """Fit both."""
        self.trees.fit(rows, others)
        self.logistic.fit(rows)
        return self

    def level(self, inputs: Array) -> Array:
        """The mean of both models' log-odds of the kind of month, shape (rows,)."""
        return (self.trees.level(inputs) + self.logistic.level(inputs)) / 2

    def beyond(self, inputs: Array) -> Array:
        """The mean of what the inputs add in both, shape (rows,)."""
        return (self.trees.beyond(inputs) + self.logistic.beyond(inputs)) / 2

    def estimation_variance(self, known: Rows, ahead: Iterable[tuple[Array, Array]]) -> float:
        """That of the logistic regression, which stands for both."""
        return self.logistic.estimation_variance(known, ahead)

    def contributions(self, inputs: Array) -> tuple[Array, float]:
        """The mean of both models' SHAP values, and of the margins they start from."""
        of_trees, of_logistic = self.trees.contributions(inputs), self.logistic.contributions(inputs)
        return (of_trees[0] + of_logistic[0]) / 2, (of_trees[1] + of_logistic[1]) / 2

    @property
    def mean_level_(self) -> float:
        """Mean log-odds of the kinds of months learned from."""
        return (self.trees.mean_level_ + self.logistic.mean_level_) / 2

    def to_text(self) -> str:
        """Both models' texts as JSON."""
        return json.dumps({"trees": self.trees.to_text(), "logistic": self.logistic.to_text()})

    @classmethod
    def from_text(cls, text: str, inputs: Sequence[Input], *, threads: int) -> Self:
        """A fitted model from `to_text`."""
        content = json.loads(text)
        trees = TreeHazard.from_text(content["trees"], inputs, threads=threads)
        return cls(trees, LogisticHazard.from_text(content["logistic"], inputs, threads=threads))


def _learn_scaling(item: Input, values: Array) -> _Scaling:
    if item.kind == "category":
        return _Scaling(0, 0, 0, 1, missing=False, categories=len(item.categories) + 1)
    known = values[~np.isnan(values)]
    if not known.size:
        return _Scaling(0, 0, 0, 1, missing=True, categories=0)
    low, high = np.quantile(known, [0.01, 0.99])
    if low == high:  # a rare flag would be clipped away
        low, high = known.min(), known.max()
    logarithmic = bool(high - low > _WIDE)
    clipped = np.clip(known, low, high)
    bent = _signed_log(clipped) if logarithmic else clipped
    missing = bool(known.size < values.size)
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
