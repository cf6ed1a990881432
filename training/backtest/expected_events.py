"""What was to be expected of each kind of month ahead of a past date, and what came: where a forecast is biased."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.at_risk import AtRisk, at_risk
from models.hazards.horizon import CALENDAR_INPUTS, DAYS_A_MONTH, calendar
from models.hazards.month_level import term_class
from models.hazards.term_ends import TermEnds, has_changed
from models.outcomes.prediction import OUTCOMES, Prediction
from models.paths.closed_form import mean_gains

Array = NDArray[np.float64]
KEYS = ["cut", "value", "outcome", "month"]
_GRACE_ENDS = [item.name for item in CALENDAR_INPUTS].index("grace_ends_in_month")
_YEAR_DAYS = 365.25
_MONTHS = ("in between", "a grace runs out", "a term ends", "a term ends and a grace runs out")
_YEARS = ("first year", "second year", "third year", "later")
_AHEAD, _AHEAD_NAMES = (3, 6), ("1 to 3", "4 to 6", "7 and more")
_AFTER_END = (None, "ARR did not change when the term ended", "ARR changed when the term ended")
_UNTOLD = "not told"


def expected_events(
    cohort: pd.DataFrame, paths: Array, prediction: Prediction, *, grace_days: int, min_change: float
) -> pd.DataFrame:
    """Events expected and seen among the accounts that were there at the start of each month ahead.

    Expected is what the hazards say with the luck to be expected, given what had come of the account until then.

    Parameters
    ----------
    cohort
        The snapshot rows that were forecast.
    paths
        ARR at the snapshot and the months after it, shape (rows, months + 1); NaN where not known.
    prediction
        Of these rows.
    grace_days, min_change
        The rules of the forecast.

    Returns
    -------
    DataFrame
        A row a cut, its value, outcome and calendar `month` (12 x year + month): `rows`, `expected`, `variance` (of the
        events seen, were rows independent), `seen`; `expected_arr` and `seen_arr`, the ARR that they moved.
    """
    months = paths.shape[1] - 1
    ahead = calendar(cohort, months=months, grace_days=grace_days)
    ends = TermEnds.of(cohort, ahead, grace_days=grace_days)
    decided = ends.decided(has_changed(paths, min_change))
    rows = at_risk(cohort, paths)
    place = rows.row, rows.ahead - 1
    hazards = prediction.under_expected_luck().along(paths, min_change)[place]
    gains = np.concatenate([np.full((len(rows.row), 1), -1.0), mean_gains(prediction)[place]], axis=1)
    parts = []
    for cut, values in _cuts(cohort, ahead, ends, decided, rows).items():
        for number, outcome in enumerate(OUTCOMES):
            event, chance = rows.event(outcome, min_change), hazards[:, number]
            figures = {
                "cut": cut,
                "value": values,
                "outcome": outcome,
                "month": rows.month + rows.first_month,
                "rows": 1,
                "expected": chance,
                "variance": chance * (1 - chance),
                "seen": event.astype(float),
                "expected_arr": rows.before * chance * gains[:, number],
                "seen_arr": (rows.after - rows.before) * event,
            }
            parts.append(pd.DataFrame(figures).groupby(KEYS, as_index=False).sum())
    return pd.concat(parts, ignore_index=True)


def _cuts(
    cohort: pd.DataFrame, ahead: Array, ends: TermEnds, decided: NDArray[np.bool_], rows: AtRisk
) -> Mapping[str, NDArray[np.object_]]:
    """The value of each row at risk by cut; None where a cut does not speak of it."""
    place = rows.row, rows.ahead - 1
    term = term_class(cohort["term_days"].to_numpy(dtype=float))[rows.row]
    graces = (ahead[:, :, _GRACE_ENDS] > 0)[place]
    month = np.array(_MONTHS, dtype=object)[ends.ends[place] * 2 + graces]
    after_end = np.array(_AFTER_END, dtype=object)[np.where(ends.open[place], 1 + decided[place], 0)]
    cuts = {
        "term": term,
        "month": month,
        "term and month": np.array([f"{one}, {other}" for one, other in zip(term, month, strict=True)], dtype=object),
        "after the end of a term": after_end,
        "months ahead": np.array(_AHEAD_NAMES, dtype=object)[np.searchsorted(_AHEAD, rows.ahead)],
    }
    return cuts | ({"tenure": _tenure(cohort, rows)} if "tenure_days" in cohort.columns else {})


def _tenure(cohort: pd.DataFrame, rows: AtRisk) -> NDArray[np.object_]:
    """Which year of its life as a customer each row at risk lies in."""
    days = cohort["tenure_days"].to_numpy(dtype=float)[rows.row] + (rows.ahead - 1) * DAYS_A_MONTH
    year = np.clip(np.nan_to_num(days, nan=-1.0) // _YEAR_DAYS, 0, len(_YEARS) - 1).astype(int)
    return np.where(np.isnan(days), _UNTOLD, np.array(_YEARS, dtype=object)[year])
