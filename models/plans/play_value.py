"""What one more play of a kind is worth on an account: the ARR that its own hazards lose less, and the growth it adds.

The play shifts the log-odds of the months ahead by `logit x decay^month`. Its value is

    ARR x (P(gone | nothing done) - P(gone | churn shifted)) + E(ARR | all shifted) - E(ARR | churn alone shifted),

under the luck to be expected, in closed form. What is certain, such as a notice of all ARR, no play moves.
"""

from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from models.outcomes.prediction import OUTCOMES, Prediction
from models.paths.closed_form import ClosedForm, mean_gains

Array = NDArray[np.float64]
CHURN, EXPANSION = OUTCOMES.index("churn"), OUTCOMES.index("expansion")


@dataclass(frozen=True)
class PlaySize:
    """What a play adds to the log-odds of churn and of expansion in the first month; it fades month by month.

    `decay` is what is left of it a month later; None for what is usual.
    """

    churn: float
    expansion: float = 0.0
    decay: float | None = None

    def shift(self, months: int, usual_decay: float) -> Array:
        """By month ahead and outcome, shape (months, 3)."""
        decay = usual_decay if self.decay is None else self.decay
        shift = np.zeros((months, len(OUTCOMES)))
        shift[:, CHURN], shift[:, EXPANSION] = (
            size * decay ** np.arange(months) for size in (self.churn, self.expansion)
        )
        return shift


@dataclass(frozen=True)
class PlayValue:
    """What a play is worth on each account, shape (accounts,), in ARR at the horizon's end.

    Attributes
    ----------
    churned_arr_saved
        Today's ARR x what the play takes off the chance of having none.
    expansion_arr
        What it adds to expected ARR beyond that.
    churn_points
        What it takes off the chance of having no ARR; 0.01 = one point.
    """

    churned_arr_saved: Array
    expansion_arr: Array
    churn_points: Array

    @property
    def arr_saved(self) -> Array:
        """Both parts."""
        return self.churned_arr_saved + self.expansion_arr


class PlayValues:
    """The values of plays on some accounts.

    Parameters
    ----------
    prediction
        The accounts' hazards, as the forecast reads them.
    horizon_months
        Months ahead at whose end ARR is looked at.
    decay
        What is left of a play's effect a month later, where its size does not say.
    """

    def __init__(self, prediction: Prediction, *, horizon_months: int, decay: float) -> None:
        self._calm = prediction.under_expected_luck()
        self._months, self._decay = horizon_months, decay
        self.gone, _ = self._ends(np.zeros((1, len(OUTCOMES))))

    def of(self, size: PlaySize) -> PlayValue:
        """The value of a play of such a size, done now, on each account."""
        shift = size.shift(self._calm.hazards.shape[1], self._decay)
        only_churn = shift * (np.arange(len(OUTCOMES)) == CHURN)
        gone, grown = self._ends(only_churn)
        both = grown if size.expansion == 0 else self._ends(shift)[1]
        arr, points = self._calm.arr, self.gone - gone
        return PlayValue(arr * points, arr * (both - grown), points)

    def _ends(self, shift: Array) -> tuple[Array, Array]:
        """The chance of having no ARR at the end, and ARR then as a multiple of today's, each of shape (accounts,)."""
        return at_end(self._calm.with_log_odds(shift), self._months)


def at_end(prediction: Prediction, months: int) -> tuple[Array, Array]:
    """The chance of having no ARR some months ahead, and expected ARR then over today's, in months of luck 0."""
    after, gains = prediction.after_change, mean_gains(prediction)
    closed = ClosedForm(after, prediction.returns, 1)
    for month, hazards in enumerate(islice(prediction.hazards.swapaxes(0, 1), months)):
        others = after.hazards[after.open_rows(month), month, :, None]
        closed.step(month, hazards[:, :, None], others, gains[:, month, :, None])
    gone, _, grown = closed.means()
    return gone, grown
