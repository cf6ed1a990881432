"""What a model says of the months ahead, and what it leaves open."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from models.hazards.model_inputs import in_blocks
from models.outcomes.keyed_draws import Purpose, Streams, normals, streams
from models.outcomes.shared_luck import SharedLuck

Array = NDArray[np.float64]
Floats32 = NDArray[np.float32]
_FIXED_DRAWS = 64
_TINY = 1e-12
_SMALLEST = np.float32(1e-30)
Outcome = Literal["churn", "contraction", "expansion"]
OUTCOMES: tuple[Outcome, ...] = ("churn", "contraction", "expansion")
_TILT_NAMES = tuple(f"tilt of {outcome}" for outcome in OUTCOMES)


@dataclass(frozen=True)
class Estimation:
    """What the history leaves open, beyond the level that `SharedLuck` holds.

    A portfolio's ARR hangs on its few large accounts, of which less is known than of all accounts together.

    Attributes
    ----------
    tilt, tilt_sd
        Of churn, contraction and expansion: how much the log-odds move with an account's size, in standard deviations
        of log ARR, beyond what the hazards say, and how well that is known; shape (3,).
    change_error
        Of each pool: standard error of the mean change, relative to it; shape (pools,).
    """

    tilt: Array
    tilt_sd: Array
    change_error: Array

    @classmethod
    def none(cls, pools: int) -> Self:
        """Nothing is left open."""
        return cls(np.zeros(3), np.zeros(3), np.zeros(pools))


@dataclass(frozen=True)
class Prediction:
    """Monthly predictions for n accounts over M months ahead.

    Attributes
    ----------
    account
        What each account's own draws are keyed by, shape (n,): see `keyed_draws.streams`.
    first_month
        The first calendar month ahead, as 12 x year + month.
    arr
        ARR at the snapshot, shape (n,).
    size
        Log ARR, standardised as at training, shape (n,).
    hazards
        Probability of churn, contraction and expansion in each month, given still a customer at its start, in a month
        whose luck is 0; shape (n, M, 3). The three exclude each other.
    pool_index
        Pool of multipliers for contraction and expansion, shape (n, M, 2).
    pools
        ARR multipliers, each drawn with equal chance.
    pool_names
        What each pool's error is keyed by.
    luck
        The shift of all accounts' log-odds that the months share.
    gap_months
        Months between the last one the luck was learned from and the first one ahead.
    estimation
        What the history leaves open.
    cross_sell_share
        Share of each account's expansions that are cross-sells, shape (n,); NaN where none can be told.
    """

    account: Streams
    first_month: int
    arr: Array
    size: Array
    hazards: Array
    pool_index: NDArray[np.int64]
    pools: tuple[Array, ...]
    pool_names: tuple[str, ...]
    luck: SharedLuck
    gap_months: int
    estimation: Estimation
    cross_sell_share: Array

    def draw_shifts(self, draws: int, *, seed: int, first_month: int) -> tuple[Array, Array]:
        """What futures add to all accounts' log-odds, (M, 3, draws), and by standard deviation of size, (3, draws).

        `first_month` says by which calendar months the luck is keyed.
        """
        months = self.hazards.shape[1]
        shift = self.luck.draw(months, draws, seed=seed, first_month=first_month, gap_months=self.gap_months)
        error = normals(seed, streams(_TILT_NAMES), 0, Purpose.PARAMETER, draws=draws)
        return shift, self.estimation.tilt[:, None] + self.estimation.tilt_sd[:, None] * error

    def draw_changes(self, draws: int, *, seed: int) -> Array:
        """What futures multiply the changes of each pool by, shape (pools, draws).

        Log-normal around a mean of 1: an amount that is not well known never turns round.
        """
        error = self.estimation.change_error[:, None]
        names = [f"amount of {name}" for name in self.pool_names]
        draw = normals(seed, streams(names), 0, Purpose.PARAMETER, draws=draws)
        return np.asarray(np.exp(error * draw - error**2 / 2))

    def rows(self, chosen: NDArray[np.int64]) -> Self:
        """The same of some accounts, in the order given."""
        names = ("account", "arr", "size", "hazards", "pool_index", "cross_sell_share")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def event_probability(self, outcome: Outcome) -> Array:
        """Probability of at least one such event by the end of each month ahead, shape (n, M).

        The mean over a fixed number of draws of what is shared, the same whatever the date; no account's own path is
        simulated.
        """
        return self._ever(outcome, np.ones(len(self.arr)))

    def cross_sell_probability(self) -> Array:
        """Probability of at least one cross-sell by the end of each month ahead, shape (n, M); NaN as the share is.

        A cross-sell is an expansion that is one by chance, as often as the account's share says: it is at most as
        likely as at least one expansion.
        """
        if np.isnan(self.cross_sell_share).all():
            return np.full(self.hazards.shape[:2], np.nan)
        return self._ever("expansion", self.cross_sell_share)

    def _ever(self, outcome: Outcome, share: Array) -> Array:
        """Probability of at least one event of which each counts with a chance of `share`, shape (n, M)."""
        shift, tilt = self.draw_shifts(_FIXED_DRAWS, seed=0, first_month=self.gap_months)
        mean = self.luck.log_mean_odds(len(shift), gap_months=self.gap_months)
        shift = shift + (mean - np.log(np.exp(shift).mean(axis=2)))[:, :, None]  # so few draws are off by percents
        blocks = in_blocks(len(self.arr))
        return np.concatenate([self._ever_in(block, outcome, share[block], shift, tilt) for block in blocks])

    def _ever_in(self, block: slice, outcome: Outcome, share: Array, shift: Array, tilt: Array) -> Array:
        """The same of some accounts, in the months and futures of `shift`."""
        size, hazards = self.size[block, None, None], self.hazards[block]
        which, counts = OUTCOMES.index(outcome), share.astype(np.float32)[:, None]
        odds, tilted = np.exp(shift).astype(np.float32), np.exp(size * tilt).astype(np.float32)
        waits = np.ones((len(hazards), _FIXED_DRAWS))  # still a customer, and no such event yet
        probability, by_month = np.zeros_like(waits), []
        for month in range(hazards.shape[1]):
            shifted = multiply_odds(hazards[:, month], odds[month] * tilted)
            event = shifted[:, which] * counts
            probability = probability + waits * event
            waits = waits * np.maximum(1 - event - (shifted[:, 0] if outcome != "churn" else 0), 0)
            by_month.append(np.minimum(probability.mean(axis=1), 1.0))  # single precision may exceed it
        return np.stack(by_month, axis=1)

    def independent(self) -> "Prediction":
        """The same, as if months shared no luck and nothing were left open: what a forecast without them claims."""
        return replace(self, luck=SharedLuck(), estimation=Estimation.none(len(self.pools)))


def multiply_odds(hazard: Array, factor: Floats32) -> Floats32:
    """Hazards (accounts, 3) when their odds are multiplied by a factor (accounts, 3, draws).

    Contraction and expansion share what churn leaves: all of it where something is certain to happen, else at most
    that. In single precision: a hazard is never known to seven digits.
    """
    bounded = np.clip(hazard, _TINY, 1 - _TINY)
    shifted = (bounded / (1 - bounded)).astype(np.float32)[:, :, None] * factor
    shifted /= 1 + shifted
    shifted[hazard <= 0] = 0.0
    shifted[hazard >= 1] = 1.0
    others, room = shifted[:, 1:].sum(axis=1), 1 - shifted[:, 0]
    full = (others > room) | (hazard.sum(axis=1) >= 1 - _TINY)[:, None]
    if full.any():
        shifted[:, 1:] *= np.where(full, room / np.maximum(others, _SMALLEST), 1.0)[:, None].astype(np.float32)
    return shifted
