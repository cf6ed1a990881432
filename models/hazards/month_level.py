"""The level of each kind of month: how often an outcome comes when a term ends, when a grace does, and in between.

Most of what tells the months ahead apart is where they lie on the renewal calendar, and how far ahead: who is overdue
today leaves when the grace runs out, who ended a term in silence is seen next month. These are few numbers, learned
from all accounts, and hardly penalised. What tells accounts apart comes on top.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.hazards.hazard import NONE, Rows
from models.hazards.model_inputs import Input

Array = NDArray[np.float64]
LEVEL_INPUT = "term_ends_in_month"  # the input that the level is put down to
_CALENDAR = (LEVEL_INPUT, "grace_ends_in_month", "months_ahead")
_LENGTH = "term_days"
LEVEL_INPUTS = (*_CALENDAR, _LENGTH)
_TERM_CLASSES = (45.0, 400.0)  # days: a monthly term, one of up to a year, a longer one; evergreen is a fourth class
_TERM_NAMES = ("monthly term", "term of up to a year", "longer term", "no term")
_KINDS = 6  # a term ends or not, times: no grace ends, one ends, or it is open and ARR changed when its term ended
_KNOTS = (1.0, 2.0, 3.0, 6.0, 12.0)  # months ahead between which a kind's level runs straight; flat after the last
_YEAR, _TERM_LIMITS = 365.25, (28.0, 1100.0)
_SCALES = (10.0, 20.0, 30.0)  # of lengths, of log length, of knots: a penalty weighs on them by the inverse squares
_NEWTON_STEPS = 60
LEVEL_L2 = 40.0  # penalty of the level that other hazards begin from
_RAREST = 1e-6


class MonthLevel:
    """Logistic regression of an outcome on the kind of month alone; the mean, where the inputs do not tell the kind.

    Parameters
    ----------
    inputs
        Descriptions of the columns that rows will have.
    l2
        Strength of the ridge penalty (scikit-learn's 1 / C).
    """

    def __init__(self, inputs: Sequence[Input], *, l2: float) -> None:
        self.inputs = tuple(inputs)
        self.l2 = l2

    def fit(self, rows: Rows) -> Self:
        """Learn; with a calendar some rows with and some without the outcome are needed."""
        design, event, weight = kinds_of_months(self.inputs, rows.inputs, rows.decided), rows.event, rows.weight
        mean = np.clip(np.average(event, weights=weight), _RAREST, 1 - _RAREST)
        self.coefficients_, self.intercept_ = np.empty(0), float(np.log(mean / (1 - mean)))
        if design.shape[1]:
            self.coefficients_, self.intercept_ = fit_ridge(design, event, weight, l2=self.l2)
        self.mean_ = float(np.average(design, axis=0, weights=weight) @ self.coefficients_ + self.intercept_)
        return self

    def margin(self, inputs: Array, decided: Array = NONE) -> Array:
        """Log-odds of the outcome, shape (rows,)."""
        return row_sums(kinds_of_months(self.inputs, inputs, decided), self.coefficients_) + self.intercept_

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"coefficients": self.coefficients_.tolist(), "intercept": self.intercept_, "mean": self.mean_}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], inputs: Sequence[Input]) -> Self:
        """The level of `to_dict`."""
        level = cls(inputs, l2=1.0)
        level.coefficients_ = np.array(content["coefficients"])
        level.intercept_, level.mean_ = content["intercept"], content["mean"]
        return level


def fit_ridge(
    design: Array, event: Array, weight: Array, *, l2: float, start: tuple[Array, float] | None = None
) -> tuple[Array, float]:
    """Coefficients and intercept of a ridge logistic regression.

    From a `start` nearby it takes a third of the steps, each of which costs rows x columns squared.
    """
    model = LogisticRegression(C=1 / l2, solver="newton-cholesky", max_iter=_NEWTON_STEPS, tol=1e-5, warm_start=True)
    if start is not None:
        model.coef_, model.intercept_ = start[0][None, :], np.array([start[1]])
    model.fit(design, event, sample_weight=weight)
    return np.asarray(model.coef_[0]), float(model.intercept_[0])


def row_sums(design: Array, coefficients: Array) -> Array:
    """`design @ coefficients`, where no row's last digit depends on which others are there, as it does with BLAS."""
    return np.asarray(np.einsum("ij,j->i", np.ascontiguousarray(design), coefficients))


def term_class(term_days: Array) -> NDArray[np.object_]:
    """The class of each length of term, in words: monthly, of up to a year, longer, none."""
    return np.array(_TERM_NAMES, dtype=object)[_term_class(term_days)]


def _term_class(term_days: Array) -> NDArray[np.int64]:
    none = len(_TERM_CLASSES) + 1
    return np.where(np.isnan(term_days), none, np.searchsorted(_TERM_CLASSES, term_days))


def kinds_of_months(inputs: Sequence[Input], rows: Array, decided: Array = NONE) -> Array:
    """Columns that tell whether a term ends in a row's month, or a grace, by the term's length, and by months ahead.

    `decided` says of which rows ARR had changed at the last term's end, while its grace runs: of none if it is empty.
    Shape (rows, columns); no columns where the inputs hold no calendar. Without its length a term is as an evergreen.
    """
    places = {item.name: place for place, item in enumerate(inputs)}
    if not places.keys() >= set(_CALENDAR):
        return np.empty((len(rows), 0))
    term_ends, grace_ends, ahead = rows[:, [places[name] for name in _CALENDAR]].T
    term_days = rows[:, places[_LENGTH]] if _LENGTH in places else np.full(len(rows), np.nan)
    grace = (grace_ends > 0).astype(int)
    kind = (term_ends > 0) * 3 + (np.where(decided > 0, 2, grace) if decided.size else grace)
    lengths, length = len(_TERM_NAMES), _term_class(term_days)
    years = np.log(np.clip(np.nan_to_num(term_days, nan=_YEAR), *_TERM_LIMITS) / _YEAR)
    every, knots = np.arange(len(rows)), np.arange(len(_KNOTS))
    columns = np.zeros((len(rows), _KINDS * (lengths + 1 + len(_KNOTS))))  # most of them are 0 in a row
    columns[every, kind * lengths + length] = _SCALES[0]
    columns[every, _KINDS * lengths + kind] = _SCALES[1] * years
    of_kind = _KINDS * (lengths + 1) + kind * len(_KNOTS)
    columns[every[:, None], of_kind[:, None] + knots] = _SCALES[2] * _near_knots(ahead)
    return columns


def _near_knots(ahead: Array) -> Array:
    """How near months ahead lie to each knot, shape (rows, knots)."""
    months, place = np.unique(ahead, return_inverse=True)  # few different ones
    return np.stack([np.interp(months, _KNOTS, knot) for knot in np.eye(len(_KNOTS))], axis=1)[place]
