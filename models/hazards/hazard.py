"""Monthly hazards: the log-odds that an outcome happens in one month ahead, given what the snapshot knew.

Three learners share one interface, `Hazard`: boosted trees (LightGBM), a ridge logistic regression, and the mean of the
two, which beats either: the one finds thresholds and interactions, the other carries a line through where events are
few. Each begins at the level of the kind of month (`models.hazards.month_level`), where most of what tells months apart
lies: penalties and stopping hold back only what is learned beyond it. The hazard, and not the horizon, is modelled: a
classifier of "left within 12 months" learns from no snapshot younger than a year, a monthly hazard from last month's.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


NONE: Array = np.empty(0)


@dataclass(frozen=True)
class Rows:
    """Rows to learn from: inputs (rows, columns), 0/1 outcomes, weights.

    `decided` says of which rows ARR had changed at the last term's end, while its grace runs (`term_ends.py`); of none
    if it is empty.
    """

    inputs: Array
    event: Array
    weight: Array
    decided: Array = field(default_factory=lambda: NONE)

    def part(self, chosen: NDArray[np.bool_]) -> "Rows":
        """Some of the rows."""
        decided = self.decided[chosen] if self.decided.size else self.decided
        return Rows(self.inputs[chosen], self.event[chosen], self.weight[chosen], decided)


class Hazard(ABC):
    """A monthly hazard: the level of the kind of month, and what the inputs tell beyond it."""

    @abstractmethod
    def fit(self, rows: Rows, others: Rows | None = None) -> Self:
        """Learn from `rows`; stop where `others` (of other accounts) no longer improve."""

    @abstractmethod
    def level(self, inputs: Array, decided: Array = NONE) -> Array:
        """Log-odds of the kind of month, shape (rows,); `decided` as in `Rows`."""

    @abstractmethod
    def beyond(self, inputs: Array) -> Array:
        """What the inputs add to them, shape (rows,)."""

    def estimation_variance(self, training: Rows, ahead: Iterable[tuple[Array, Array]]) -> float:
        """How uncertain the fit leaves the mean of what inputs add, ahead against the rows learned from (log-odds).

        Rows count in both means by how far a step in log-odds moves the events expected. 0 where a learner cannot tell.

        Parameters
        ----------
        training
            The rows learned from.
        ahead
            Inputs of rows that are forecast, shape (rows, columns), and their weights, (rows,), a part at a time.
        """
        del training, ahead
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

    def margin(self, inputs: Array, decided: Array = NONE) -> Array:
        """Log-odds of the outcome, shape (rows,)."""
        return self.level(inputs, decided) + self.beyond(inputs)
