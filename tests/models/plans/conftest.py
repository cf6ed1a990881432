"""A portfolio whose futures can be worked out by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from models.hazards.term_ends import TermEnds
from models.outcomes.after_change import AfterChange
from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import SharedLuck


@pytest.fixture
def predict() -> Callable[..., Prediction]:
    """Accounts with the same hazards every month: half is left of a contraction, a fifth is added by an expansion.

    `ends` gives the month in which each account's term ends; a grace follows in the next.
    """

    def make(churn, arr, contraction=0.0, expansion=0.0, luck=None, months=12, ends=None):
        accounts = len(churn)
        hazards = np.zeros((accounts, months, 3))
        hazards[:, :, 0] = np.array(churn)[:, None]
        hazards[:, :, 1:] = contraction, expansion
        decisions = None
        if ends is not None:
            end = np.arange(months) == np.array(ends)[:, None]
            decisions = AfterChange(TermEnds(end, np.pad(end, ((0, 0), (1, 0)))[:, :-1]), hazards)
        return Prediction(
            account=streams(range(accounts)),
            first_month=12 * 2026,
            arr=np.array(arr, dtype=float),
            size=np.zeros(accounts),
            hazards=hazards,
            pool_index=np.broadcast_to([0, 1], (accounts, months, 2)),
            pools=(np.array([0.5]), np.array([1.2])),
            pool_names=("down", "up"),
            luck=luck or SharedLuck(),
            gap_months=0,
            estimation=Estimation.none(2),
            cross_sell_share=np.full(accounts, np.nan),
            decisions=decisions,
        )

    return make
