"""What would follow for NRR if what the team does were kept, dropped, or done as it is planned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.outcomes.prediction import OUTCOMES, Prediction
from models.plans.play_value import CHURN, EXPANSION, PlaySize, at_end
from serving.actions.kinds import KindOfPlay
from serving.forecast.declared.acting_tables import ASSUMED, ESTIMATED

Array = NDArray[np.float64]
ALL_KINDS = "(all)"
MONTHS_A_YEAR = 12
MOST_ESTIMATED = 1.0  # more or fewer a year and account: a study tells of one more, not that they add up
STOPPED, AS_PLANNED, AS_BEFORE = "stopped", "none missed", "as in the quarter before"


@dataclass(frozen=True)
class Rates:
    """How often a kind is done for an account in a month: now, with none missed, and in the quarter before."""

    now: float
    as_planned: float
    before: float

    def changes(self) -> dict[str, float]:
        """By what each change differs from now."""
        return {STOPPED: -self.now, AS_PLANNED: self.as_planned - self.now, AS_BEFORE: self.before - self.now}


@dataclass(frozen=True)
class Outlook:
    """The portfolio whose NRR is looked at."""

    prediction: Prediction
    months: int
    usual_decay: float

    def nrr(self, shift: Array | None = None) -> float:
        """Expected ARR at the end over today's, log-odds shifted by month and outcome; the luck to be expected."""
        calm = self.prediction.under_expected_luck()
        ends = at_end(calm if shift is None else calm.with_log_odds(shift), self.months)[1]
        return float(calm.arr @ ends / calm.arr.sum())

    def shift(self, size: PlaySize, change: float) -> Array:
        """What a change of the rate adds to the log-odds of the months ahead, shape (months, 3).

        Of what is done in each month from the first on, `decay` is left a month later.
        """
        months = self.prediction.hazards.shape[1]
        decay = self.usual_decay if size.decay is None else size.decay
        standing = change * np.cumsum(decay ** np.arange(months))
        shift = np.zeros((months, len(OUTCOMES)))
        shift[:, CHURN], shift[:, EXPANSION] = standing * size.churn, standing * size.expansion
        return shift


def what_follows(outlook: Outlook, kinds: Mapping[str, KindOfPlay], rates: Mapping[str, Rates]) -> list[dict[str, Any]]:
    """By how many points of NRR each change of each kind, and of all together, differs from what is forecast.

    The forecast itself is what follows if all is kept: it was learned while the team did what it does. A row that is
    `estimated` rests on an effect that stands, and on a change of at most one a year and account; else it is `assumed`.
    """
    now = outlook.nrr()
    rows = []
    for change in (STOPPED, AS_PLANNED, AS_BEFORE):
        deltas = {name: rates[name].changes()[change] for name in kinds if name in rates}
        changed = {name: delta for name, delta in deltas.items() if abs(delta) > 0}
        rows += [_row(outlook, now, change, name, {name: delta}, kinds) for name, delta in changed.items()]
        if len(changed) > 1:
            rows.append(_row(outlook, now, change, ALL_KINDS, changed, kinds))
    return rows


def _row(
    outlook: Outlook, now: float, change: str, kind: str, deltas: Mapping[str, float], kinds: Mapping[str, KindOfPlay]
) -> dict[str, Any]:
    sizes = {name: (kinds[name].size, kinds[name].at_low, kinds[name].at_high) for name in deltas}
    shifts = [
        np.sum([outlook.shift(sizes[name][place], delta) for name, delta in deltas.items()], axis=0)
        for place in range(3)
    ]
    points = [100 * (outlook.nrr(shift) - now) for shift in shifts]
    few = all(abs(delta) * MONTHS_A_YEAR <= MOST_ESTIMATED for delta in deltas.values())
    stands = all(kinds[name].evidence == ESTIMATED for name in deltas)
    return {
        "change": change,
        "kind": kind,
        "per_year": MONTHS_A_YEAR * sum(deltas.values()),
        "nrr_points": points[0],
        "low": min(points),
        "high": max(points),
        "mark": ESTIMATED if few and stands else ASSUMED,
        "evidence": ESTIMATED if stands else ASSUMED,
    }
