"""How good probabilities and forecasts were, once it is known what came."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.hazards.calibration import ReliabilityBin, fit_calibrator, reliability
from models.scores.findings import Finding, finding

Array = NDArray[np.float64]
FLOOR_TRIALS = 200
FLOOR_SEED = 20260101
_SMALLEST = 1e-6
_FREE_PRIOR_SD = 100.0


@dataclass(frozen=True)
class AccountScore:
    """Scores of one outcome's probabilities at one horizon, over (account, origin) rows.

    Attributes
    ----------
    accounts
        Accounts to which the outcome came at least once.
    auc, auc_low
        Area under the ROC curve and the lower end of its 95 % interval (Hanley and McNeil 1982, accounts counted
        once); NaN where only one class came.
    log_loss, base_log_loss
        Mean negative log-likelihood, nats a row, of the model and of the base rate known at the origin.
    segment_log_loss
        That of the past rates by segment and by whether a term ends within the horizon.
    skill, skill_low
        1 - log_loss / base_log_loss, and the lower end of its 95 % interval, accounts taken as the units of chance.
    segment_skill, segment_skill_low
        The same against those rates.
    calibration_slope, calibration_intercept
        Of a logistic regression of what came on the predicted log-odds; 1 and 0 are perfect.
    calibration_error
        Mean absolute difference between predicted and observed share over ten bins of equally many rows.
    calibration_floor, calibration_floor_high
        What a perfectly calibrated forecast of the same probabilities would show of it by chance: the mean, and what
        only one in twenty would exceed.
    """

    outcome: str
    horizon_months: int
    rows: int
    events: int
    accounts: int
    mean_predicted: float
    mean_observed: float
    auc: float
    auc_low: float
    log_loss: float
    base_log_loss: float
    segment_log_loss: float
    skill: float
    skill_low: float
    segment_skill: float
    segment_skill_low: float
    brier: float
    calibration_slope: float
    calibration_intercept: float
    calibration_error: float
    calibration_floor: float
    calibration_floor_high: float
    bins: tuple[ReliabilityBin, ...]

    @property
    def has_skill(self) -> bool:
        """Whether, beyond chance, the probabilities both tell accounts apart and beat the base rate."""
        return self.finding == "skill"

    @property
    def finding(self) -> Finding:
        """Whether skill was found, was not, or could not be told from so few events."""
        return finding(self.accounts, self.skill_low, self.auc_low)

    @property
    def beats_segments(self) -> bool:
        """Whether, beyond chance, the probabilities beat the rates by segment and term end."""
        return self.segment_skill_low > 0


def score_accounts(
    outcome: str,
    horizon_months: int,
    *,
    account_id: "pd.Series[str]",
    probability: Array,
    base: Array,
    segments: Array,
    event: Array,
    window: NDArray[np.int64] | None = None,
) -> AccountScore:
    """Score probabilities against what came.

    Parameters
    ----------
    account_id
        Account of each row; rows of one account are not independent.
    probability, base, segments, event
        The model's probability, the base rate and the rate by segment and term end known at the origin, and 0/1 what
        came; shape (rows,).
    window
        Rows of one account with the same number share their luck, since their windows overlap; None if none do.
    """
    loss, base_loss, segment_loss = (log_losses(chance, event) for chance in (probability, base, segments))
    accounts, others = account_id[event > 0].nunique(), account_id[event == 0].nunique()
    auc = area_under_curve(event, probability)
    return AccountScore(
        outcome=outcome,
        horizon_months=horizon_months,
        rows=event.size,
        events=int(event.sum()),
        accounts=accounts,
        mean_predicted=float(probability.mean()),
        mean_observed=float(event.mean()),
        auc=auc,
        auc_low=_auc_low(auc, accounts, others),
        log_loss=float(loss.mean()),
        base_log_loss=float(base_loss.mean()),
        segment_log_loss=float(segment_loss.mean()),
        skill=float(1 - loss.mean() / base_loss.mean()),
        skill_low=_skill_low(loss, base_loss, account_id),
        segment_skill=float(1 - loss.mean() / segment_loss.mean()),
        segment_skill_low=_skill_low(loss, segment_loss, account_id),
        brier=float(np.mean((probability - event) ** 2)),
        **_calibration(probability, event, _shared_luck(account_id, window)),
    )


def log_losses(probability: Array, event: Array) -> Array:
    """Negative log-likelihood of each row, probabilities kept within one in a million of 0 and 1."""
    bounded = np.clip(probability, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(-np.where(event > 0, np.log(bounded), np.log(1 - bounded)))


def crps(draws: Array, actual: float) -> float:
    """Continuous ranked probability score of a forecast given by draws; of a single draw, the absolute error.

    Mean distance of the draws from what came, less half their mean distance from each other (Gneiting and Raftery
    2007), in the unit of the draws; 0 is best.
    """
    ordered = np.sort(draws)
    count = ordered.size
    between = float((2 * np.arange(1, count + 1) - count - 1) @ ordered) / count**2
    return float(np.abs(ordered - actual).mean() - between)


def calibration_floor(probability: Array, luck: NDArray[np.int64] | None = None) -> tuple[float, float]:
    """Calibration error of a perfectly calibrated forecast of these probabilities: mean and 95th percentile.

    Parameters
    ----------
    probability
        Shape (rows,).
    luck
        Rows with the same number share one uniform draw, and so come together; None draws every row on its own.

    Notes
    -----
    200 times, with a fixed seed, outcomes are drawn that come exactly as often as predicted.
    """
    generator = np.random.default_rng(FLOOR_SEED)
    places = np.arange(probability.size) if luck is None else luck
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(10, order.size))
    starts = np.cumsum([0, *(part.size for part in parts[:-1])])
    sums = np.add.reduceat(probability[order], starts)
    errors = []
    for _ in range(FLOOR_TRIALS):
        events = generator.random(int(places.max()) + 1)[places] < probability
        errors.append(np.abs(np.add.reduceat(events[order].astype(float), starts) - sums).sum() / order.size)
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))


def _shared_luck(account_id: "pd.Series[str]", window: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """A number for each account and window; None where no windows are given."""
    if window is None:
        return None
    pairs = pd.MultiIndex.from_arrays([account_id, window])
    return np.asarray(pd.factorize(pairs)[0], dtype=np.int64)


def cross_sell_table(accounts: pd.DataFrame) -> pd.DataFrame:
    """How many accounts were expected to be cross-sold to within each horizon, beside how many were.

    Columns: horizon_months, rows (accounts times origins of which both are known), expected (sum of the probabilities),
    came, ratio (expected / came; missing where none came).
    """
    pairs = accounts.dropna(subset=["cross_sold", "cross_sell_probability"])
    table = pairs.groupby("horizon_months", as_index=False).agg(
        rows=("cross_sold", "size"), expected=("cross_sell_probability", "sum"), came=("cross_sold", "sum")
    )
    return table.assign(ratio=(table["expected"] / table["came"]).where(table["came"] > 0))


def area_under_curve(event: Array, score: Array) -> float:
    """Area under the ROC curve; NaN where all rows are of one class."""
    from sklearn.metrics import roc_auc_score  # takes a second to import; the record is scored without it

    return float(roc_auc_score(event, score)) if 0 < event.sum() < event.size else float("nan")


def windows_of(origins: "pd.Series[pd.Timestamp] | NDArray[np.datetime64]", horizon_months: int) -> NDArray[np.int64]:
    """The window of each row: an origin within the horizon of a window's first one belongs to that window."""
    days, place = np.unique(np.asarray(origins, dtype="datetime64[ns]"), return_inverse=True)
    return np.array(_windows(tuple(days.astype(np.int64).tolist()), horizon_months), dtype=np.int64)[place]


@lru_cache(maxsize=256)
def _windows(days: tuple[int, ...], horizon_months: int) -> tuple[int, ...]:
    """The window of each of some days, in order, as nanoseconds; rows of scores ask for the same ones again."""
    number, free, windows = -1, pd.Timestamp.min, []
    for day in map(pd.Timestamp, days):
        if day >= free:
            number, free = number + 1, day + pd.DateOffset(months=horizon_months)
        windows.append(number)
    return tuple(windows)


def _auc_low(auc: float, events: int, others: int) -> float:
    """Lower end of the 95 % interval of an AUC from the numbers of the two classes."""
    if not events or not others:
        return float("nan")
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (events - 1) * (one - auc**2) + (others - 1) * (two - auc**2)
    return float(auc - 1.96 * np.sqrt(variance / (events * others)))


def _calibration(probability: Array, event: Array, luck: NDArray[np.int64] | None) -> dict[str, Any]:
    """The fields of a score that say how well the probabilities are calibrated."""
    bins = reliability(probability, event)
    slope, intercept = _calibration_line(probability, event)
    floor, floor_high = calibration_floor(probability, luck)
    return {
        "calibration_slope": slope,
        "calibration_intercept": intercept,
        "calibration_error": _calibration_error(bins),
        "calibration_floor": floor,
        "calibration_floor_high": floor_high,
        "bins": tuple(bins),
    }


def _calibration_line(probability: Array, event: Array) -> tuple[float, float]:
    if not 0 < event.sum() < event.size:
        return float("nan"), float("nan")
    bounded = np.clip(probability, _SMALLEST, 1 - _SMALLEST)
    line = fit_calibrator(np.log(bounded / (1 - bounded)), event, np.ones_like(event), prior_sd=_FREE_PRIOR_SD)
    return line.slope, line.intercept


def _skill_low(loss: Array, base_loss: Array, account_id: "pd.Series[str]") -> float:
    """Skill less 1.96 standard errors of the mean gain, gains summed by account (a cluster-robust error)."""
    codes, accounts = pd.factorize(account_id)
    gain = base_loss - loss
    by_account = np.bincount(codes, weights=gain - gain.mean())
    spread = np.sqrt((by_account**2).sum() * len(accounts) / max(len(accounts) - 1, 1)) / gain.size
    return float((gain.mean() - 1.96 * spread) / base_loss.mean())


def _calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    rows = np.array([cell.rows for cell in bins])
    gaps = np.array([abs(cell.predicted - cell.observed) for cell in bins])
    return float(np.average(gaps, weights=rows))
