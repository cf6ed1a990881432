"""From monthly hazards to simulated ARR paths, and from the paths to NRR, GRR and renewals with intervals.

One set of draws serves every cut, so that parts add up to the total in every draw. Paths are simulated account by
account in chunks of fixed size, each with a random stream of its own, and added up chunk by chunk in a fixed order:
the result depends on the seed only, and memory on the number of groups, not of accounts.

Churn is final within the horizon: an account that comes back is its own movement (reactivation excluded).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from models.prediction import Prediction, multiply_odds

Array = NDArray[np.float64]
CHUNK = 128
TOTAL = "total"
METRICS = (
    "nrr",
    "grr",
    "logo_retention",
    "reported_nrr",
    "ending_arr",
    "churned_arr",
    "contracted_arr",
    "expanded_arr",
)
QUANTILES = (5, 10, 25, 50, 75, 90, 95)
_SMALLEST_LEFT = 0.01  # of its ARR an account keeps when it contracts: less would be churn


@dataclass(frozen=True)
class PathSettings:
    """How paths are simulated: number of futures, seed, and the share of ARR below which a change is none."""

    draws: int
    seed: int
    min_change: float


@dataclass(frozen=True)
class Trailing:
    """What reported NRR mixes in: the cohorts whose trailing year ends in the months ahead.

    Attributes
    ----------
    cohort_arr
        Of each account, shape (accounts, months): column h - 1 is its ARR 12 months before month h ahead ends; 0 where
        it was no customer then.
    lost
        Starting ARR of the same cohorts' accounts that have left since: labels as in the cuts, `month` (h), `arr`.
    """

    cohort_arr: Array
    lost: pd.DataFrame


@dataclass(frozen=True)
class AccountPaths:
    """What the paths say of each account; arrays of shape (accounts, months)."""

    expected_arr: Array
    p10: Array
    p50: Array
    p90: Array
    churn_probability: Array
    contraction_probability: Array
    expansion_probability: Array


@dataclass(frozen=True)
class RollUp:
    """Everything the simulated paths add up to.

    Attributes
    ----------
    groups
        A row a group: `cut`, `value`, `accounts`, `starting_arr`.
    draws
        Each metric in every draw, shape (groups, months, draws).
    renewals
        A row a group and month with ARR due: available_to_renew, expected_renewed, renewal_rate, p10, p90 (of the
        renewed ARR), accounts_due.
    accounts
        Per account.
    """

    groups: pd.DataFrame
    draws: Mapping[str, Array]
    renewals: pd.DataFrame
    accounts: AccountPaths

    def table(self) -> pd.DataFrame:
        """A row a group, horizon and metric: mean and quantiles over the draws."""
        parts = []
        for metric in METRICS:
            if metric in self.draws:
                parts.append(_summaries(self.groups, metric, self.draws[metric]))
        table = pd.concat(parts, ignore_index=True)
        order = {metric: place for place, metric in enumerate(METRICS)}
        keys = [table["group"], table["horizon_months"], table["metric"].map(order)]
        return table.iloc[np.lexsort(keys[::-1])].drop(columns="group").reset_index(drop=True)


def expected_arr(prediction: Prediction) -> Array:
    """Expected ARR by month ahead if no month had shared luck, in closed form, shape (accounts, months)."""
    churn, down, up = np.moveaxis(prediction.hazards, -1, 0)
    means = np.array([pool.mean() for pool in prediction.pools])[prediction.pool_index]
    growth = 1 - churn + down * (means[:, :, 0] - 1) + up * (means[:, :, 1] - 1)
    return np.asarray(prediction.arr[:, None] * np.cumprod(growth, axis=1))


@dataclass(frozen=True)
class Paths:
    """Simulated futures of a chunk of accounts.

    `arr` by month ahead has shape (chunk, months, draws). `left` and `expected_arr`, shape (chunk, months), are the
    probability of having left and the expected ARR given each draw's shared luck, averaged over the draws: the same
    futures as `arr` without each account's own luck.
    """

    rows: slice
    arr: Array
    left: Array
    expected_arr: Array


def simulate_paths(prediction: Prediction, settings: PathSettings) -> Iterator[Paths]:
    """ARR paths in chunks of accounts."""
    common = _draw_common(prediction, settings)
    for number, start in enumerate(range(0, len(prediction.arr), CHUNK)):
        rows = slice(start, min(start + CHUNK, len(prediction.arr)))
        yield _chunk_paths(prediction, rows, common, _generator(settings.seed, number + 1))


def roll_up(
    prediction: Prediction,
    settings: PathSettings,
    *,
    horizon_months: int,
    cuts: Mapping[str, NDArray[np.object_]] | None = None,
    trailing: Trailing | None = None,
    due: Array | None = None,
) -> RollUp:
    """Simulate, and add up by every cut.

    Parameters
    ----------
    prediction
        Monthly hazards; months beyond the horizon are used to see whether a term that ends within it was renewed.
    settings
        Draws, seed.
    horizon_months
        Months ahead to report.
    cuts
        Labels of the accounts by name of the cut, each of shape (accounts,); the total is always there.
    trailing
        What reported NRR needs; None leaves it out.
    due
        ARR of each account whose term ends in each calendar month ahead, from the month of the snapshot to that in
        which the horizon ends, shape (accounts, horizon or horizon + 1); None leaves renewals out.
    """
    groups, member = _groups(prediction.arr, cuts or {})
    sums = _Sums(len(groups), horizon_months, settings.draws, 0 if due is None else due.shape[1])
    accounts = _empty_accounts(len(prediction.arr), horizon_months)
    settle = prediction.hazards.shape[1] - horizon_months
    for chunk in simulate_paths(prediction, settings):
        rows, paths = chunk.rows, chunk.arr
        here = member[:, rows]
        start = prediction.arr[rows]
        sums.add(here, start, paths, None if trailing is None else trailing.cohort_arr[rows])
        if due is not None:
            sums.add_renewals(here, start, paths, due[rows], settle)
        _describe_accounts(accounts, rows, start, paths[:, :horizon_months], settings.min_change)
        accounts["expected_arr"][rows] = chunk.expected_arr[:, :horizon_months]
        accounts["churn_probability"][rows] = chunk.left[:, :horizon_months]
    draws = sums.metrics(groups, None if trailing is None else _cohort_start(groups, member, trailing, horizon_months))
    renewals = pd.DataFrame() if due is None else _renewal_table(groups, member, due, sums.renewed)
    return RollUp(groups, draws, renewals, AccountPaths(**accounts))


class _Sums:
    """Sums over accounts by group, month and draw, filled chunk by chunk."""

    def __init__(self, groups: int, months: int, draws: int, renewal_months: int) -> None:
        shape = (groups, months, draws)
        self.end, self.capped, self.kept, self.alive, self.cohort_end = (np.zeros(shape) for _ in range(5))
        self.renewed = np.zeros((groups, renewal_months, draws))

    def add(self, member: sparse.csr_matrix, start: Array, paths: Array, cohort_arr: Array | None) -> None:
        """Add a chunk: ARR at the end, ARR capped at the start's, start ARR of those still there, their number."""
        column = start[:, None]
        for month in range(self.end.shape[1]):
            end = paths[:, month]
            here = end > 0
            self.end[:, month] += member @ end
            self.capped[:, month] += member @ np.minimum(end, column)
            self.kept[:, month] += member @ (here * column)
            self.alive[:, month] += member @ here.astype(float)
            if cohort_arr is not None:
                self.cohort_end[:, month] += member @ (end * (cohort_arr[:, month, None] > 0))

    def add_renewals(
        self, member: sparse.csr_matrix, start: Array, paths: Array, due: Array, settle_months: int
    ) -> None:
        """Add what of the ARR due in each month is still there once the grace has run out, at most all of it.

        Calendar month m ends no later than m + 1 months after the snapshot, and the last one with the horizon.
        """
        for month in range(due.shape[1]):
            settled = min(month, self.end.shape[1] - 1) + settle_months
            chosen = np.flatnonzero(due[:, month] > 0)
            if chosen.size:
                rest = (start[chosen] - due[chosen, month])[:, None]
                renewed = np.clip(paths[chosen, settled] - rest, 0, due[chosen, month, None])
                self.renewed[:, month] += member[:, chosen] @ renewed

    def metrics(self, groups: pd.DataFrame, cohort_start: Array | None) -> dict[str, Array]:
        """The metrics in every draw."""
        start = groups["starting_arr"].to_numpy(float)[:, None, None]
        count = groups["accounts"].to_numpy(float)[:, None, None]
        churned = start - self.kept
        found = {
            "nrr": self.end / start,
            "grr": self.capped / start,
            "logo_retention": self.alive / count,
            "ending_arr": self.end,
            "churned_arr": churned,
            "contracted_arr": start - self.capped - churned,
            "expanded_arr": self.end - self.capped,
        }
        if cohort_start is not None:
            with np.errstate(invalid="ignore"):
                found["reported_nrr"] = self.cohort_end / cohort_start[:, :, None]
        return found


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, stream])))


@dataclass(frozen=True)
class _Common:
    """What all accounts of a future share.

    `odds` multiplies the odds of each month and outcome, (months, 3, draws); `tilt` is added to the log-odds of an
    account one standard deviation larger, (3, draws); `change` multiplies the changes of each pool, (pools, draws).
    `pools` holds the multipliers, padded to the longest, and `lengths` how many of them count.
    """

    odds: Array
    tilt: Array
    change: Array
    pools: Array
    lengths: NDArray[np.int64]


def _draw_common(prediction: Prediction, settings: PathSettings) -> _Common:
    generator, draws = _generator(settings.seed, 0), settings.draws
    shift, tilt = prediction.draw_shifts(draws, generator)
    error = prediction.estimation.change_error[:, None]
    # Log-normal around a mean of 1: an amount that is not well known never turns round.
    change = np.exp(error * generator.standard_normal((len(error), draws)) - error**2 / 2)
    lengths = np.array([pool.size for pool in prediction.pools])
    pools = np.ones((len(lengths), lengths.max()))
    for row, pool in zip(pools, prediction.pools, strict=True):
        row[: pool.size] = pool
    return _Common(np.exp(shift), tilt, change, pools, lengths)


def _chunk_paths(prediction: Prediction, rows: slice, common: _Common, generator: np.random.Generator) -> Paths:
    hazards, pool_index = prediction.hazards[rows], prediction.pool_index[rows]
    accounts, months, _ = hazards.shape
    draws = common.tilt.shape[1]
    means = np.array([pool.mean() for pool in prediction.pools])[pool_index]
    tilt = np.exp(prediction.size[rows, None, None] * common.tilt)
    paths = np.empty((accounts, months, draws))
    left, expected = np.empty((accounts, months)), np.empty((accounts, months))
    arr = np.repeat(prediction.arr[rows, None], draws, axis=1)
    stays, grown = np.ones_like(arr), arr
    for month in range(months):
        shifted = multiply_odds(hazards[:, month], common.odds[month] * tilt)
        arr = arr * _multipliers(generator.random(arr.shape), np.cumsum(shifted, axis=1), pool_index[:, month], common)
        stays = stays * (1 - shifted[:, 0])
        grown = grown * (1 - shifted[:, 0] + ((means[:, month] - 1)[:, :, None] * shifted[:, 1:]).sum(axis=1))
        paths[:, month], left[:, month], expected[:, month] = arr, 1 - stays.mean(axis=1), grown.mean(axis=1)
    return Paths(rows, paths, left, expected)


def _multipliers(luck: Array, limits: Array, pool_index: NDArray[np.int64], common: _Common) -> Array:
    """What ARR is multiplied with: 0 on churn, a draw from the pool on a change, else 1; shape (accounts, draws).

    One uniform number decides which outcome; where it lies within that outcome's share picks the amount.
    """
    multiplier = np.where(luck < limits[:, 0], 0.0, 1.0)
    for change in (0, 1):
        low, high = limits[:, change], limits[:, change + 1]
        row, draw = np.nonzero((luck >= low) & (luck < high))
        place = (luck[row, draw] - low[row, draw]) / (high[row, draw] - low[row, draw])
        pool = pool_index[row, change]
        size = common.lengths[pool]
        amount = common.pools[pool, np.minimum((place * size).astype(int), size - 1)] - 1
        multiplier[row, draw] = np.maximum(1 + amount * common.change[pool, draw], _SMALLEST_LEFT)
    return multiplier


def _groups(arr: Array, cuts: Mapping[str, NDArray[np.object_]]) -> tuple[pd.DataFrame, sparse.csr_matrix]:
    """The groups of all cuts, and which accounts belong to each as a 0/1 matrix (groups, accounts)."""
    labels = {TOTAL: np.full(len(arr), TOTAL, dtype=object), **cuts}
    frames, matrices = [], []
    for cut, values in labels.items():
        codes, names = pd.factorize(values, sort=True)
        shape = (len(names), len(arr))
        matrices.append(sparse.csr_matrix((np.ones(len(arr)), (codes, np.arange(len(arr)))), shape=shape))
        frames.append(pd.DataFrame({"cut": cut, "value": names.astype(str)}))
    member = sparse.vstack(matrices, format="csr")
    groups = pd.concat(frames, ignore_index=True)
    groups["accounts"] = np.asarray(member.sum(axis=1)).ravel().astype(int)
    groups["starting_arr"] = member @ arr
    return groups, member


def _cohort_start(groups: pd.DataFrame, member: sparse.csr_matrix, trailing: Trailing, months: int) -> Array:
    """Starting ARR of the trailing cohorts by group and month, those that left since included."""
    start = np.asarray(member @ trailing.cohort_arr[:, :months])
    for row, (cut, value) in enumerate(zip(groups["cut"], groups["value"], strict=True)):
        lost = trailing.lost if cut == TOTAL else trailing.lost[trailing.lost[cut] == value]
        start[row] += np.bincount(lost["month"] - 1, weights=lost["arr"], minlength=months)[:months]
    return np.where(start > 0, start, np.nan)


def _empty_accounts(accounts: int, months: int) -> dict[str, Array]:
    return {name: np.empty((accounts, months)) for name in AccountPaths.__dataclass_fields__}


def _describe_accounts(found: dict[str, Array], rows: slice, start: Array, paths: Array, min_change: float) -> None:
    """Quantiles of ARR, and the shares of draws that end lower and higher than they began."""
    for name, values in zip(("p10", "p50", "p90"), np.quantile(paths, (0.1, 0.5, 0.9), axis=2), strict=True):
        found[name][rows] = values
    column = start[:, None, None]
    found["contraction_probability"][rows] = ((paths > 0) & (paths < column * (1 - min_change))).mean(axis=2)
    found["expansion_probability"][rows] = (paths > column * (1 + min_change)).mean(axis=2)


def _renewal_table(groups: pd.DataFrame, member: sparse.csr_matrix, due: Array, renewed: Array) -> pd.DataFrame:
    available = np.asarray(member @ due)
    count = np.asarray(member @ (due > 0).astype(float))
    row, month = np.nonzero(available > 0)
    drawn = renewed[row, month]
    low, high = np.quantile(drawn, (0.1, 0.9), axis=1)
    table = groups.loc[row, ["cut", "value"]].reset_index(drop=True)
    return table.assign(
        month_ahead=month + 1,
        available_to_renew=available[row, month],
        expected_renewed=drawn.mean(axis=1),
        renewal_rate=drawn.mean(axis=1) / available[row, month],
        p10=low,
        p90=high,
        accounts_due=count[row, month].astype(int),
    )


def _summaries(groups: pd.DataFrame, metric: str, draws: Array) -> pd.DataFrame:
    """A row a group and month: mean and quantiles of a metric."""
    count, months, _ = draws.shape
    quantiles = np.quantile(draws, np.array(QUANTILES) / 100, axis=2)
    flat: Callable[[Array], Array] = np.ravel
    table = groups.loc[np.repeat(np.arange(count), months)].reset_index(drop=True)
    table = table.assign(
        group=np.repeat(np.arange(count), months),
        horizon_months=np.tile(np.arange(1, months + 1), count),
        metric=metric,
        mean=flat(draws.mean(axis=2)),
    )
    return table.assign(**{f"p{q:02d}": flat(values) for q, values in zip(QUANTILES, quantiles, strict=True)})
