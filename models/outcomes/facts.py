"""What is certain of the months ahead: renewals already signed, and notices given.

Nobody leaves at the end of a term whose renewal is signed, nor when its grace runs out. An account leaves with its term
if all of its ARR is under notice and ends then; if a part of it is, the account loses that part unless it leaves. Of
both, only if nothing is signed that outlasts the term, and if all of its ARR ends with it: else it cannot be told when
the lines under notice end.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.horizon import CALENDAR_INPUTS, column_of
from models.outcomes.prediction import OUTCOMES

Array = NDArray[np.float64]
UNDER_NOTICE = "notice_share"
_CALENDAR = {item.name: place for place, item in enumerate(CALENDAR_INPUTS)}
_CHURN, _CONTRACTION = OUTCOMES.index("churn"), OUTCOMES.index("contraction")


def certainties(frame: pd.DataFrame, ahead: Array, *, min_change: float) -> Array:
    """Where an outcome is certain (1) or ruled out (0), shape (rows, months, outcomes); NaN where chance decides.

    A contraction that is certain is so for those that do not leave; a share of ARR of `min_change` or less is none.
    `ahead` has shape (rows, months, calendar inputs).
    """
    facts = np.full((*ahead.shape[:2], len(OUTCOMES)), np.nan)
    signed = _calendar(ahead, "presigned_ahead") > 0
    share = column_of(frame, UNDER_NOTICE)
    due = (_calendar(ahead, "notice_takes_effect") > 0) & (column_of(frame, "due_share") >= 1) & ~signed
    facts[due & (share >= 1)] = (1, 0, 0)
    facts[due & (share > min_change) & (share < 1), _CONTRACTION:] = (1, 0)
    graced = (_calendar(ahead, "terms_passed_ahead") == 1) & (_calendar(ahead, "term_ends_in_month") == 0)
    facts[(signed | graced & (column_of(frame, "presigned") > 0)) & renewal(ahead), _CHURN] = 0
    return facts


def after_leaving(facts: Array) -> NDArray[np.bool_]:
    """The months after one in which the account is certain to have left, shape (rows, months)."""
    left = np.cumsum(facts[:, :, _CHURN] == 1, axis=1) > 0
    return np.pad(left, ((0, 0), (1, 0)))[:, :-1]


def renewal(ahead: Array) -> NDArray[np.bool_]:
    """Whether a term, or the grace after it, ends in each month ahead, shape (rows, months)."""
    return np.asarray((_calendar(ahead, "term_ends_in_month") > 0) | (_calendar(ahead, "grace_ends_in_month") > 0))


def with_facts(hazards: Array, facts: Array) -> Array:
    """The hazards, shape (rows, months, outcomes), with what is certain put in their place."""
    certain = ~np.isnan(facts)
    combined = np.where(certain, facts, hazards)
    combined[:, :, _CONTRACTION:] *= np.where(certain[:, :, _CONTRACTION:], 1 - combined[:, :, [_CHURN]], 1.0)
    return combined


def kept_after_notice(frame: pd.DataFrame, facts: Array) -> tuple[NDArray[np.bool_], Array]:
    """Where a part of an account's ARR goes with its notice, shape (rows, months), and what factor is left of it."""
    here = np.nan_to_num(facts[:, :, _CONTRACTION]) > 0
    share = column_of(frame, UNDER_NOTICE) if here.any() else np.zeros((len(frame), 1))
    return here, np.broadcast_to(1 - share, here.shape)[here]


def _calendar(ahead: Array, name: str) -> Array:
    return np.asarray(ahead[:, :, _CALENDAR[name]])
