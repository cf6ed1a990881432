"""The health score held against what happened: churn and NRR by band, beside the model, and the weights data choose."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.scores.baselines import cell_rates
from models.scores.evaluation import area_under_curve, log_losses

Array = NDArray[np.float64]
Row = dict[str, Any]
GREEN_MONTHS = {90: 3, 180: 6}  # days, and the months that stand for them
MODEL, HEALTH, RENEWAL, BASE = "model", "health", "days_to_renewal", "base_rate"
_SCORE_STEP = 10.0  # points; scores of one step have one past rate
_RENEWAL_EDGES = (0.0, 30.0, 90.0, 180.0, 270.0, 365.0)
_FAR_DAYS = 1e5  # of an evergreen contract
_FEWEST_EVENTS = 5
_BAND_RANK = {"A": 0, "B": 1000, "C": 2000, "D": 3000}  # a band that a cap holds down ranks below all above it
_SETTLING_MONTHS = 1


@dataclass(frozen=True)
class Scored:
    """Past scores beside what came.

    Attributes
    ----------
    frame
        A row an account and month start: `account_id`, `as_of`, `arr`, `score`, `csm_half`, `customer_half`, `band`,
        `colour`, `days_to_term_end` (NaN = evergreen).
    paths
        ARR by month ahead, shape (rows, months + 1), column 0 that of the snapshot; NaN where not known.
    """

    frame: pd.DataFrame
    paths: Array

    def left_within(self, months: int) -> Array:
        """Whether each account has no ARR so many months on: 0/1, NaN where not known."""
        after = self.paths[:, months]
        return np.where(np.isnan(after), np.nan, (after == 0).astype(float))

    def take(self, rows: NDArray[np.bool_]) -> "Scored":
        """Some of the rows."""
        return Scored(self.frame[rows].reset_index(drop=True), self.paths[rows])


def by_band(past: Scored, horizons: Sequence[int], colours: Mapping[Any, Any]) -> list[Row]:
    """Churn and NRR by band over each horizon; the band `` holds those with not enough data."""
    rows = []
    for horizon in horizons:
        left = past.left_within(horizon)
        known = ~np.isnan(left)
        for band in ("A", "B", "C", "D", ""):
            here = known & (past.frame["band"] == band).to_numpy()
            start, end = past.paths[here, 0].sum(), past.paths[here, horizon].sum()
            accounts = past.frame["account_id"][here].nunique()
            some = bool(here.any())
            rows.append(
                {
                    "band": band or None,
                    "colour": colours.get(band),
                    "horizon_months": horizon,
                    "rows": int(here.sum()),
                    "accounts": int(accounts),
                    "churned": int(left[here].sum()) if some else 0,
                    "churn": float(left[here].mean()) if some else None,
                    "nrr": float(end / start) if start > 0 else None,
                }
            )
    return rows


def against_model(past: Scored, forecasts: pd.DataFrame, horizons: Sequence[int]) -> list[Row]:
    """How well each told who leaves, all on the same accounts and dates.

    Parameters
    ----------
    past
        Scores of month starts.
    forecasts
        Out-of-time forecasts: `account_id`, `origin`, `horizon_months`, `churned`, `churn_probability`.

    Returns
    -------
    list of dict
        A row a horizon and rival: AUC of its ranking, and the log-loss of its probability; those of the rules are past
        rates of the same step of the score, or of the same time to the term's end, as known at the date.
    """
    rows = []
    for horizon in horizons:
        parts = [_beside(past, part, horizon) for _, part in _origins(forecasts, horizon)]
        together = pd.concat(parts) if parts else pd.DataFrame()
        if together.empty or together["event"].sum() < _FEWEST_EVENTS or together["event"].all():
            continue
        event = together["event"].to_numpy(float)
        for name in (HEALTH, MODEL, RENEWAL, BASE):
            rows.append(
                {
                    "horizon_months": horizon,
                    "by": name,
                    "rows": len(event),
                    "events": int(event.sum()),
                    "auc": area_under_curve(event, together[f"{name}_rank"].to_numpy(float)),
                    "log_loss": float(log_losses(together[name].to_numpy(float), event).mean()),
                }
            )
    return rows


def green_before(past: Scored) -> list[Row]:
    """The share of churned ARR that was green so many days before the account left."""
    rows = []
    for days, months in GREEN_MONTHS.items():
        if past.paths.shape[1] <= months:
            continue
        left = (past.paths[:, months] == 0) & (past.paths[:, months - 1] > 0)
        arr = past.frame["arr"].to_numpy(float)
        lost, green = arr[left].sum(), arr[left & (past.frame["colour"] == "green").to_numpy()].sum()
        share = float(green / lost) if lost > 0 else None
        rows.append({"days": days, "accounts": int(left.sum()), "churned_arr": float(lost), "green_share": share})
    return rows


def weights_of_data(past: Scored, csm_weight: float, months: int) -> Row | None:
    """The weight of the team's half that would have ranked best, chosen on the earlier dates and tried on the later.

    The windows of the earlier dates were over, and settled, before the later dates begin: no departure counts in both.

    Returns
    -------
    dict or None
        `weight`, `own_auc` and `auc` on the later dates, `gain`; None where too few left to say.
    """
    left = past.left_within(months)
    halves = past.frame[["csm_half", "customer_half"]].to_numpy(float)
    known = ~np.isnan(left) & ~np.isnan(halves).any(axis=1)
    days = [pd.Timestamp(day) for day in np.sort(past.frame["as_of"][known].unique())]
    span = pd.DateOffset(months=months + _SETTLING_MONTHS)
    first = [day for day in days if day + span <= days[-1]]
    if not first:
        return None
    last = first[(len(first) - 1) // 2]  # as many dates after the span as before it
    earlier = known & (past.frame["as_of"] <= last).to_numpy()
    later = known & (past.frame["as_of"] >= last + span).to_numpy()
    if any(left[part].sum() < _FEWEST_EVENTS or left[part].all() for part in (earlier, later)):
        return None

    def auc(weight: float, part: NDArray[np.bool_]) -> float:
        return area_under_curve(left[part].astype(float), -(halves[part] @ [weight, 1 - weight]))

    steps = np.round(np.arange(0, 1.001, 0.05), 2)
    best = float(max(steps, key=lambda weight: auc(weight, earlier)))
    own, chosen = auc(csm_weight, later), auc(best, later)
    return {"weight": best, "own_auc": own, "auc": chosen, "gain": chosen - own, "horizon_months": months}


def _origins(forecasts: pd.DataFrame, horizon: int) -> Iterator[tuple[pd.Timestamp, pd.DataFrame]]:
    part = forecasts[forecasts["horizon_months"] == horizon]
    for origin, rows in part.groupby("origin"):
        yield pd.Timestamp(str(origin)), rows


def _beside(past: Scored, forecasts: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Of one origin, each rival's probability and rank, of the accounts that all can tell."""
    origin = pd.Timestamp(forecasts["origin"].iloc[0])
    now = past.frame[(past.frame["as_of"] == origin) & past.frame["score"].notna()]
    both = now.merge(forecasts[["account_id", "churned", "churn_probability"]], on="account_id")
    history = _known_then(past, origin, horizon)
    if both.empty or history is None:
        return pd.DataFrame()
    event, span = history.left_within(horizon), {"horizon_months": horizon, "window_months": horizon}
    rates = {
        HEALTH: cell_rates(event, _steps(history.frame), _steps(both), **span),
        RENEWAL: cell_rates(event, _terms(history.frame), _terms(both), **span),
        BASE: np.full(len(both), event.mean()),
    }
    ranks = {
        f"{MODEL}_rank": both["churn_probability"],
        f"{HEALTH}_rank": both["band"].map(_BAND_RANK) - both["score"],
        f"{RENEWAL}_rank": -both["days_to_term_end"].fillna(_FAR_DAYS),
        f"{BASE}_rank": np.zeros(len(both)),
    }
    return pd.DataFrame({"event": both["churned"], MODEL: both["churn_probability"], **rates, **ranks})


def _known_then(past: Scored, origin: pd.Timestamp, horizon: int) -> Scored | None:
    """The scores whose window had ended, and was settled, at an origin."""
    last = origin - pd.DateOffset(months=horizon + _SETTLING_MONTHS)
    frame = past.frame
    rows = (frame["as_of"] <= last).to_numpy() & frame["score"].notna().to_numpy()
    rows &= ~np.isnan(past.paths[:, horizon])
    return past.take(rows) if rows.any() else None


def _steps(frame: pd.DataFrame) -> NDArray[np.object_]:
    """The band, which caps hold down, and the step of the score."""
    return np.asarray((frame["band"] + (frame["score"] // _SCORE_STEP).astype(str)).to_numpy(object))


def _terms(frame: pd.DataFrame) -> NDArray[np.object_]:
    return np.asarray(np.digitize(frame["days_to_term_end"].fillna(_FAR_DAYS), _RENEWAL_EDGES).astype(object))
