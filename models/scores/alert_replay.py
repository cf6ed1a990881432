"""What an alert rule would have been worth: how often it came true, how early, what it missed, and against what."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
MONTHS = {90: 3, 180: 6}  # days, and the months that stand for them
_MONTH_DAYS = 365.25 / 12
_FEWEST_JUDGED = 20
_ONE_SIDED = 1.645  # 95 %
BETTER, NO_BETTER, TOO_FEW = "better than random", "no better than random", "too few to tell"


@dataclass(frozen=True)
class Aftermath:
    """What came after each scoring, all of shape (dates, accounts); NaN where it is not known.

    Attributes
    ----------
    within
        Whether it came within so many days, by `MONTHS`: 0/1.
    month
        In which month it came first, 1 being the next; NaN where it did not come.
    next_amount
        ARR that was lost, or won, in the next month.
    """

    within: dict[int, Array]
    month: Array
    next_amount: Array

    def since_first(self, present: Flags) -> "Aftermath":
        """The same, where amounts count from the first date on that a rule could be scored at."""
        dates = np.flatnonzero(present.any(axis=1))
        first = int(dates[0]) if dates.size else len(present)
        amount = self.next_amount.copy()
        amount[:first] = 0.0
        return replace(self, next_amount=amount)


def aftermath(paths: Array, *, loses: bool, min_change: float) -> Aftermath:
    """What came of accounts.

    Parameters
    ----------
    paths
        ARR by month ahead, shape (dates, accounts, 7): the scoring's own first; NaN where not known.
    loses
        Whether a loss of ARR is what is waited for, else a gain.
    min_change
        A smaller share of the ARR is no change.
    """
    start, later = paths[:, :, :1], paths[:, :, 1:]
    with np.errstate(invalid="ignore"):
        moved = later < start * (1 - min_change) if loses else later > start * (1 + min_change)
    within = {}
    for days, months in MONTHS.items():
        came = moved[:, :, :months].any(axis=2)
        known = ~np.isnan(later[:, :, :months]).any(axis=2) & ~np.isnan(start[:, :, 0])
        within[days] = np.where(known, came.astype(float), np.nan)
    first = np.where(moved.any(axis=2), moved.argmax(axis=2) + 1.0, np.nan)
    change = (start - later)[:, :, 0] if loses else (later - start)[:, :, 0]
    return Aftermath(within, first, np.maximum(np.nan_to_num(change), 0.0))


def replay_row(fired: Flags, present: Flags, after: Aftermath, ranking: Array) -> dict[str, Any]:
    """What one rule would have been worth.

    Parameters
    ----------
    fired, present
        Who would have been told of, and who was scored, shape (dates, accounts).
    after
        What came of them.
    ranking
        The probability of the same thing by a model that did not know it, NaN where there was none: as many accounts
        of each date as the rule told of, the most likely ones, are what it is compared with.
    """
    true, judged = _true(fired, after, 180)
    random = _expected_by_chance(fired, present, after)
    ranked, ranked_judged = _true(_most_likely(fired, present, ranking), after, 180)
    lead = after.month[fired & (after.within[180] == 1)] * _MONTH_DAYS
    missed = after.next_amount.copy()
    missed[_told_before(fired)] = 0.0
    precision = _ratio(true, judged)
    return {
        "fired": int(fired.sum()),
        "judged": judged,
        "true": true,
        "true_90": _true(fired & ~np.isnan(after.within[180]), after, 90)[0],
        "precision": precision,
        "lead_days": float(np.median(lead)) if lead.size else None,
        "random_precision": random,
        "by_probability_precision": _ratio(ranked, ranked_judged),
        "by_probability_judged": ranked_judged,
        "missed_arr": float(missed.sum()),
        "moved_arr": float(after.next_amount.sum()),
        "verdict": _verdict(precision, random, judged),
    }


def _true(chosen: Flags, after: Aftermath, days: int) -> tuple[int, int]:
    """How many of the chosen came true, and of how many that can be said."""
    came = after.within[days][chosen]
    return int(np.nansum(came)), int((~np.isnan(came)).sum())


def _expected_by_chance(fired: Flags, present: Flags, after: Aftermath) -> float | None:
    """The precision of as many accounts of each date taken at random."""
    came = np.where(present, after.within[180], np.nan)
    known = ~np.isnan(came)
    counts = known.sum(axis=1)
    rate = np.divide(np.nansum(came, axis=1), counts, out=np.zeros(len(counts)), where=counts > 0)
    weight = (fired & known).sum(axis=1)
    return float((rate * weight).sum() / weight.sum()) if weight.sum() else None


def _most_likely(fired: Flags, present: Flags, ranking: Array) -> Flags:
    """Of each date, as many of the most likely accounts as were told of; none where there was no probability."""
    chosen = np.zeros(fired.shape, dtype=bool)
    for place, count in enumerate(fired.sum(axis=1)):
        scores = np.where(present[place], ranking[place], np.nan)
        able = np.flatnonzero(~np.isnan(scores))
        if count and able.size:
            chosen[place, able[np.argsort(-scores[able], kind="stable")[:count]]] = True
    return chosen


def _told_before(fired: Flags) -> Flags:
    """Whether an account was told of at a date or in the half year before it."""
    reached = fired.copy()
    for ago in range(1, MONTHS[180]):
        reached[ago:] |= fired[:-ago] if ago < len(fired) else False
    return reached


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _verdict(precision: float | None, random: float | None, judged: int) -> str:
    """Whether it was right more often than chance is, beyond what chance does."""
    if precision is None or random is None or judged < _FEWEST_JUDGED:
        return TOO_FEW
    noise = _ONE_SIDED * np.sqrt(random * (1 - random) / judged)
    return BETTER if precision > random + noise else NO_BETTER
