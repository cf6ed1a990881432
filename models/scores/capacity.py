"""The accounts a team can call: how many of those who left were among the most likely ones at each origin."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
RANKINGS = {"model": "the model", "health": "the health score", "random": "at random"}
CURVE_POINTS = 41


def capacity_table(accounts: pd.DataFrame, capacities: Sequence[int]) -> pd.DataFrame:
    """Who was caught among the k accounts called, a row a horizon, ranking and k; means over the origins.

    Columns: horizon_months, ranking (model, health, random), called (k, at most all), left (accounts that left), caught
    (of them, among those called), share_caught (caught / left), precision (caught / called), lift (precision over that
    of calling at random), arr_caught (ARR of those caught over that of all who left). Origins where nobody left count
    in no mean.
    """
    rows = []
    for horizon, part in accounts.groupby("horizon_months"):
        for ranking in RANKINGS:
            for called in capacities:
                counts = [_caught(group, ranking, called) for group in _with_leavers(part)]
                if counts:
                    rows.append({"horizon_months": horizon, "ranking": ranking, **_means(counts)})
    return pd.DataFrame(rows)


def capacity_curve(accounts: pd.DataFrame) -> pd.DataFrame:
    """Share of those who left among the share of accounts called, a row a horizon, ranking and share."""
    rows = []
    for horizon, part in accounts.groupby("horizon_months"):
        groups = list(_with_leavers(part))
        for ranking in RANKINGS if groups else ():
            for share in np.linspace(0, 1, CURVE_POINTS):
                caught = [_caught(group, ranking, share * len(group))["share_caught"] for group in groups]
                row = {"horizon_months": horizon, "ranking": ranking, "share_called": share}
                rows.append({**row, "share_caught": float(np.mean(caught))})
    return pd.DataFrame(rows)


def _with_leavers(part: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The origins at which somebody left."""
    for _, group in part.groupby("origin"):
        if group["churned"].any():
            yield group


def _caught(group: pd.DataFrame, ranking: str, called: float) -> dict[str, float]:
    """One origin's count; accounts of equal rank share their places evenly, so that no order is made up."""
    left, arr = group["churned"].to_numpy(float), group["arr"].to_numpy(float)
    called = min(called, len(group))
    place = _chance_of_call(_urgency(group, ranking), called)
    caught = float(place @ left)
    return {
        "called": float(called),
        "left": float(left.sum()),
        "caught": caught,
        "share_caught": caught / left.sum(),
        "precision": caught / called if called else 0.0,
        "lift": caught / called / left.mean() if called else 1.0,
        "arr_caught": float(place @ (left * arr)) / float(left @ arr),
    }


def _urgency(group: pd.DataFrame, ranking: str) -> Array:
    """Higher is called first."""
    if ranking == "model":
        return group["churn_probability"].to_numpy(float)
    return -group["health_score"].to_numpy(float) if ranking == "health" else np.zeros(len(group))


def _chance_of_call(urgency: Array, called: float) -> Array:
    """Chance of each account to be among those called, shape (accounts,)."""
    _, rank, size = np.unique(-urgency, return_inverse=True, return_counts=True)
    before = np.cumsum(size) - size
    return np.asarray(np.clip((called - before) / size, 0, 1)[rank])


def _means(counts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in counts])) for name in counts[0]}
