"""Where a forecast is biased: events expected and seen by kinds of accounts and months."""

import numpy as np
import pandas as pd

TOO_FAR = 3.0  # standard deviations between expected and seen that are called a bias
_SMALLEST_GAP = 0.1  # ... if they are more than so large a share of what was seen
_FIGURES = ["rows", "expected", "variance", "seen", "expected_arr", "seen_arr"]


def bias_table(events: pd.DataFrame) -> pd.DataFrame:
    """A row a cut, value and outcome: how many events were expected, and how many came.

    Every calendar month counts once: of the dates that forecast the same month the mean is taken.

    Parameters
    ----------
    events
        A row a date, cut, value, outcome and calendar month: `origin`, `cut`, `value`, `outcome`, `month`, `rows`,
        `expected`, `variance`, `seen`, `expected_arr`, `seen_arr`.

    Returns
    -------
    DataFrame
        `cut`, `value`, `outcome`, `rows` (accounts times months), `expected`, `seen`, `ratio` (expected / seen),
        `deviation` (expected less seen, in standard deviations of what is seen, were accounts independent),
        `expected_arr`, `seen_arr` (the change of ARR), `finding`: too high, too low, or nothing.
    """
    if events.empty:
        return pd.DataFrame()
    events, keys = events.reset_index(drop=True), ["cut", "value", "outcome"]
    dates = events.groupby("month")["origin"].nunique()
    weight = 1 / events["month"].map(dates)
    weighted = events[keys].join(events[_FIGURES].mul(weight, axis=0))
    table = weighted.groupby(keys, as_index=False, sort=False).sum()
    gap = table["expected"] - table["seen"]
    table["ratio"] = table["expected"] / table["seen"].where(table["seen"] > 0)
    table["deviation"] = gap / np.sqrt(table["variance"].clip(lower=1e-12))
    far = (table["deviation"].abs() > TOO_FAR) & (gap.abs() > _SMALLEST_GAP * table["seen"])
    table["finding"] = np.where(far, np.where(gap > 0, "too high", "too low"), "")
    return table.drop(columns="variance")
