"""The mean of boosted trees and a logistic regression."""

import json
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.hazards.hazard import NONE, Hazard, Rows
from models.hazards.logistic import LogisticHazard
from models.hazards.model_inputs import Input
from models.hazards.trees import TreeHazard

Array = NDArray[np.float64]


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
        self.logistic.fit(rows, level=self.trees.level_)
        return self

    def level(self, inputs: Array, decided: Array = NONE) -> Array:
        """The mean of both models' log-odds of the kind of month, shape (rows,)."""
        return (self.trees.level(inputs, decided) + self.logistic.level(inputs, decided)) / 2

    def beyond(self, inputs: Array) -> Array:
        """The mean of what the inputs add in both, shape (rows,)."""
        return (self.trees.beyond(inputs) + self.logistic.beyond(inputs)) / 2

    def estimation_variance(self, training: Rows, ahead: Iterable[tuple[Array, Array]]) -> float:
        """That of the logistic regression, which stands for both."""
        return self.logistic.estimation_variance(training, ahead)

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


def logistic_of(hazards: Sequence[Hazard]) -> tuple[LogisticHazard, ...]:
    """The regressions of those that are ensembles."""
    return tuple(each.logistic for each in hazards if isinstance(each, EnsembleHazard))
