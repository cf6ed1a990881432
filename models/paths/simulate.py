"""From monthly hazards to simulated ARR paths, account by account.

Each account's luck is keyed by the account and the calendar month, so that it lives the same futures whoever else is
there. Paths are simulated in chunks of accounts, to hold memory down; neither chunks nor threads change a byte.

Churn is final within the horizon, unless the model has learned of returns (`models.outcomes.returns`).
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.outcomes import future_loops
from models.outcomes.after_change import Mass
from models.outcomes.future_inputs import Accounts, Outcomes, Shared
from models.outcomes.keyed_draws import key_of
from models.outcomes.prediction import Prediction, multiply_odds
from models.paths import figure_loops
from models.paths.closed_form import growth, mean_gains

Array = NDArray[np.float64]
Floats32 = NDArray[np.float32]
MonthMeans = tuple[Floats32, Floats32, Floats32]  # see `monthly`
CHUNK = 32
_SHARES = (0.1, 0.5, 0.9)  # of the draws below the quantiles of an account
Finding = TypeVar("Finding")


@dataclass(frozen=True)
class PathSettings:
    """How paths are simulated: number of futures, seed, and the share of ARR below which a change is none."""

    draws: int
    seed: int
    min_change: float


@dataclass(frozen=True)
class AccountPaths:
    """What the paths say of each account; arrays of shape (accounts, months).

    `churn_probability` is that of having no ARR, `first_leaving_probability` that of having left at least once.
    """

    expected_arr: Array
    p10: Array
    p50: Array
    p90: Array
    churn_probability: Array
    first_leaving_probability: Array
    contraction_probability: Array
    expansion_probability: Array

    def rows(self, chosen: NDArray[np.int64]) -> "AccountPaths":
        """The same of some accounts, in the order given."""
        return AccountPaths(**{name: values[chosen] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Paths:
    """Simulated futures of a chunk of accounts.

    `arr` by month ahead has shape (chunk, months, draws). `left`, `first_left` and `expected_arr`, shape (chunk,
    months), are the chances of having no ARR and of having left at least once, and expected ARR, given each draw's
    shared luck, averaged over the draws: the same futures as `arr` without each account's own luck.
    """

    rows: slice
    arr: Array
    left: Array
    first_left: Array
    expected_arr: Array


def expected_arr(prediction: Prediction) -> Array:
    """Expected ARR by month ahead if the luck of every month were 0, in closed form, shape (accounts, months)."""
    gains, after = mean_gains(prediction), prediction.after_change
    arr, by_month = Mass.of(prediction.arr[:, None]), []
    for month in range(prediction.hazards.shape[1]):
        here = after.open_rows(month)
        hazards, changed = prediction.hazards[:, month, :, None], after.hazards[here, month, :, None]
        arr = arr.step(growth(hazards, changed, gains[:, month, :, None], here), after.term_ends, month)
        by_month.append(arr.total[:, 0])
    return np.stack(by_month, axis=1)


def simulate_paths(prediction: Prediction, settings: PathSettings, *, threads: int = 1) -> Iterator[Paths]:
    """ARR paths in chunks of accounts, in order; on several threads the same."""
    return in_chunks(prediction, settings, lambda paths: paths, threads)


def account_paths(
    prediction: Prediction, settings: PathSettings, *, horizon_months: int, threads: int = 1
) -> AccountPaths:
    """What `roll_up` says of each account, to the last digit, without adding anything up."""
    description = partial(describe, prediction, settings, horizon_months)
    return together(list(in_chunks(prediction, settings, description, threads)), horizon_months)


def in_chunks(
    prediction: Prediction, settings: PathSettings, work: Callable[[Paths], Finding], threads: int
) -> Iterator[Finding]:
    """What some work finds in the paths of each chunk of accounts, in order."""
    common = draw_common(prediction, settings)

    def simulate(number: int) -> Finding:
        rows = slice(number * CHUNK, min((number + 1) * CHUNK, len(prediction.arr)))
        return work(_chunk_paths(prediction, rows, common))

    chunks = range(-(-len(prediction.arr) // CHUNK))
    with ThreadPoolExecutor(max_workers=threads) as pool:
        ahead: deque[Future[Finding]] = deque()
        for number in chunks:
            ahead.append(pool.submit(simulate, number))
            if len(ahead) > threads:  # no more than these are held at a time
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def describe(prediction: Prediction, settings: PathSettings, horizon_months: int, paths: Paths) -> AccountPaths:
    """A chunk's accounts: quantiles of ARR, and the shares of draws that end lower and higher than they began."""
    arr, start = paths.arr[:, :horizon_months], prediction.arr[paths.rows]
    limits = np.stack([start * (1 - settings.min_change), start * (1 + settings.min_change)])
    place = [(settings.draws - 1) * share for share in _SHARES]
    figures = np.empty((len(place) + 2, *arr.shape[:2]))
    below = np.array([int(one) for one in place])
    figure_loops.describe(arr, start, limits, below, np.array(place) - below, figures)
    return AccountPaths(
        expected_arr=paths.expected_arr[:, :horizon_months],
        p10=figures[0],
        p50=figures[1],
        p90=figures[2],
        churn_probability=paths.left[:, :horizon_months],
        first_leaving_probability=paths.first_left[:, :horizon_months],
        contraction_probability=figures[3],
        expansion_probability=figures[4],
    )


def together(parts: list[AccountPaths], months: int) -> AccountPaths:
    """The accounts of all chunks, one after the other."""
    none, names = np.empty((0, months)), AccountPaths.__dataclass_fields__
    return AccountPaths(**{name: np.concatenate([none, *(getattr(part, name) for part in parts)]) for name in names})


@dataclass(frozen=True)
class Common:
    """What all accounts of a future share.

    `odds` multiplies the odds of each month and outcome, (months, 3, draws); `tilt` is added to the log-odds of an
    account one standard deviation larger, (3, draws); `change` multiplies the changes of each pool, (pools, draws), and
    `gains` are the mean changes of ARR that come of it, of the same shape. `pools` holds the multipliers from the
    smallest up, padded to the longest, and `lengths` how many of them count.
    """

    seed: int
    odds: Floats32
    tilt: Array
    change: Array
    gains: Floats32
    pools: Array
    lengths: NDArray[np.int64]


def draw_common(prediction: Prediction, settings: PathSettings) -> Common:
    """Draw what all accounts of a future share."""
    seed, draws = settings.seed, settings.draws
    shift, tilt = prediction.draw_shifts(draws, seed=seed, first_month=prediction.first_month)
    change = prediction.draw_changes(draws, seed=seed)
    lengths = np.array([pool.size for pool in prediction.pools])
    pools = np.ones((len(lengths), lengths.max()))
    for row, pool in zip(pools, prediction.pools, strict=True):
        row[: pool.size] = np.sort(pool)
    gains = [
        np.maximum(1 + (pool[:, None] - 1) * factor, future_loops.SMALLEST_LEFT).mean(axis=0) - 1
        for pool, factor in zip(prediction.pools, change, strict=True)
    ]
    odds = np.exp(shift).astype(np.float32)
    return Common(seed, odds, tilt, change, np.array(gains, dtype=np.float32), pools, lengths)


def monthly(prediction: Prediction, rows: slice, common: Common) -> Iterator[MonthMeans]:
    """What each month ahead does in each draw of what accounts share, as `ClosedForm.step` takes it.

    Hazards, (rows, 3, draws), those of the rows in an open grace once ARR has changed, and mean changes of ARR where it
    contracts and expands, (rows, 2, draws).
    """
    after = prediction.after_change.rows(rows)
    tilt = np.exp(prediction.size[rows, None, None] * common.tilt).astype(np.float32)
    pool_index = prediction.pool_index[rows]
    for month in range(pool_index.shape[1]):
        odds, here = common.odds[month] * tilt, after.open_rows(month)
        if prediction.levers is not None:
            odds *= prediction.levers.odds(rows, month)
        others = multiply_odds(after.hazards[here, month], odds[here])
        gains = common.gains[pool_index[:, month].T].swapaxes(0, 1)
        yield multiply_odds(prediction.hazards[rows, month], odds), others, gains


def _chunk_paths(prediction: Prediction, rows: slice, common: Common) -> Paths:
    accounts = _accounts(prediction, rows, common)
    shape = (*accounts.hazards.shape[1:3], common.tilt.shape[1])
    out = Outcomes(np.empty(shape), np.empty((3, *shape[:2])))
    future_loops.simulate(accounts, _shared(prediction, common), out)
    left, first_left = (1 - np.minimum(one, 1) for one in out.means[:2])
    return Paths(rows, out.arr, left, first_left, accounts.arr[:, None] * out.means[2])


def _accounts(prediction: Prediction, rows: slice, common: Common) -> Accounts:
    """A chunk as the loops take it."""
    after, levers = prediction.after_change.rows(rows), np.empty((0, 1, 3, 1), dtype=np.float32)
    if prediction.levers is not None:
        levers = np.stack([prediction.levers.odds(rows, month) for month in range(prediction.hazards.shape[1])])
    ends = after.term_ends
    return Accounts(
        stream=prediction.account[rows],
        arr=np.ascontiguousarray(prediction.arr[rows], dtype=float),
        hazards=np.stack([prediction.hazards[rows], after.hazards]),
        open=np.ascontiguousarray(ends.open),
        ends=np.ascontiguousarray(ends.ends),
        pool_index=np.ascontiguousarray(prediction.pool_index[rows], dtype=np.int64),
        tilted=np.exp(prediction.size[rows, None, None] * common.tilt).astype(np.float32),
        levers=levers,
    )


def _shared(prediction: Prediction, common: Common) -> Shared:
    """What all accounts share, as the loops take it."""
    returns, months = prediction.returns, prediction.hazards.shape[1]
    return Shared(
        key=key_of(common.seed),
        first_month=prediction.first_month,
        odds=common.odds,
        change=common.change,
        gains=common.gains,
        pools=common.pools,
        lengths=common.lengths,
        chance=np.empty(0) if returns is None else returns.chances(np.arange(months + 1)),
        multipliers=np.empty(0) if returns is None else returns.multipliers,
        mean_multiplier=np.float32(0 if returns is None else returns.mean_multiplier),
    )
