"""What a model says of the months ahead, and what it leaves open."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from models.hazards.model_inputs import in_blocks
from models.hazards.term_ends import has_changed
from models.outcomes.after_change import AfterChange, Factors, Mass
from models.outcomes.future_loops import SMALLEST, TINY
from models.outcomes.keyed_draws import Purpose, Streams, normals, streams
from models.outcomes.levers import Levers
from models.outcomes.returns import Returns
from models.outcomes.shared_luck import SharedLuck

Array = NDArray[np.float64]
Floats32 = NDArray[np.float32]
_FIXED_DRAWS = 64
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
    returns
        How accounts that left come back; None: leaving is for good.
    levers
        What a scenario adds to the log-odds in each simulated future; None: nothing.
    decisions
        What the hazards are once ARR has changed at the end of a term, while its grace runs; None: as ever.
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
    decisions: AfterChange | None = None
    returns: Returns | None = None
    levers: Levers | None = None

    @property
    def after_change(self) -> AfterChange:
        """What changes once ARR has changed at the end of a term; nothing where there are no `decisions`."""
        return AfterChange.none(self.hazards) if self.decisions is None else self.decisions

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
        decisions = None if self.decisions is None else self.decisions.rows(chosen)
        levers = None if self.levers is None else self.levers.rows(chosen)
        chosen_rows = {name: getattr(self, name)[chosen] for name in names}
        return replace(self, **chosen_rows, decisions=decisions, levers=levers)

    def along(self, paths: Array, min_change: float) -> Array:
        """The hazards of each month given what came of the accounts until then, shape (n, months, 3).

        `paths` holds ARR at the start and after each month, shape (n, months + 1).
        """
        months, after = paths.shape[1] - 1, self.after_change
        decided = after.term_ends.first(months).decided(has_changed(paths, min_change))
        return np.where(decided[:, :, None], after.hazards[:, :months], self.hazards[:, :months])

    def under_expected_luck(self) -> Self:
        """The same accounts in months whose shared luck is as expected and known: only their own luck is left.

        The hazards hold the expected shift of all log-odds and the tilt by size, and nothing is drawn in common.
        """
        shift = self.luck.expected(self.hazards.shape[1], gap_months=self.gap_months)
        calm = self.with_log_odds(shift[None] + self.size[:, None, None] * self.estimation.tilt)
        return replace(calm, luck=SharedLuck(), estimation=Estimation.none(len(self.pools)))

    def with_log_odds(self, shift: Array) -> Self:
        """The same with something added to all log-odds, shape (n, M, 3) or what becomes it; what is certain stays."""
        factor = np.broadcast_to(np.exp(shift), self.hazards.shape).astype(np.float32)
        after = self.after_change
        return replace(
            self,
            hazards=_with_odds(self.hazards, factor),
            decisions=replace(after, hazards=_with_odds(after.hazards, factor)),
        )

    def decided_share(self, outcome: Outcome) -> Array:
        """The share whose ARR changed at the last term's end of those still there without such an event, (n, M).

        At the start of each month, in months whose luck is 0; 0 where no grace is open.
        """
        after, share = self.after_change, np.zeros(self.hazards.shape[:2])
        waits, every = Mass.of(np.ones((len(self.arr), 1))), np.ones((len(self.arr), 1))
        for month in range(self.hazards.shape[1]):
            share[:, [month]] = np.divide(waits.decided, waits.total, out=np.zeros_like(every), where=waits.total > 0)
            here = after.open_rows(month)
            hazards, changed = self.hazards[:, month, :, None], after.hazards[here, month, :, None]
            waits = waits.step(_waiting(outcome, hazards, changed, every, here), after.term_ends, month)
        return share

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
        size, hazards, after = self.size[block, None, None], self.hazards[block], self.after_change.rows(block)
        which, counts = OUTCOMES.index(outcome), share.astype(np.float32)[:, None]
        odds, tilted = np.exp(shift).astype(np.float32), np.exp(size * tilt).astype(np.float32)
        waits = Mass.of(np.ones((len(hazards), _FIXED_DRAWS)))  # still a customer, and no such event yet
        probability, by_month = np.zeros_like(waits.total), []
        for month in range(hazards.shape[1]):
            factor, here = odds[month] * tilted, after.open_rows(month)
            shifted = multiply_odds(hazards[:, month], factor)
            changed = multiply_odds(after.hazards[here, month], factor[here])
            event = shifted[:, which] * counts
            probability = probability + waits.total * event
            probability[here] += waits.decided[here] * (changed[:, which] * counts[here] - event[here])
            waits = waits.step(_waiting(outcome, shifted, changed, counts, here), after.term_ends, month)
            by_month.append(np.minimum(probability.mean(axis=1), 1.0))  # single precision may exceed it
        return np.stack(by_month, axis=1)

    def independent(self) -> "Prediction":
        """The same, as if months shared no luck and nothing were left open: what a forecast without them claims."""
        return replace(self, luck=SharedLuck(), estimation=Estimation.none(len(self.pools)))


def _waiting(outcome: Outcome, shifted: Any, changed: Any, counts: Any, here: NDArray[np.int64]) -> Factors:
    """What a month leaves of those who wait for an event that counts with a chance of `counts`, (n, 1).

    From hazards (n, 3, draws), and those of the rows `here` once ARR has changed.
    """
    which = OUTCOMES.index(outcome)

    def keep(hazards: Any, share: Any) -> Any:
        event = hazards[:, which] * share
        return np.maximum(1 - (event if outcome == "churn" else event + hazards[:, 0]), 0)

    def change(hazards: Any, share: Any) -> Any:
        event = 0 if outcome == "churn" else hazards[:, which] * share
        return np.minimum(hazards[:, 1] + hazards[:, 2] - event, keep(hazards, share))

    after = keep(changed, counts[here]), change(changed, counts[here])
    return Factors(keep(shifted, counts), lambda rows: change(shifted[rows], counts[rows]), after)


def _with_odds(hazards: Array, factor: Floats32) -> Array:
    """Hazards when their odds are multiplied by a factor, both of shape (n, M, 3)."""
    shifted = multiply_odds(hazards.reshape(-1, 3), factor.reshape(-1, 3, 1))
    return np.asarray(shifted.astype(float).reshape(hazards.shape))


def multiply_odds(hazard: Array, factor: Floats32) -> Floats32:
    """Hazards (accounts, 3) when their odds are multiplied by a factor (accounts, 3, draws).

    Contraction and expansion share what churn leaves: all of it where something is certain to happen, else at most
    that. In single precision: a hazard is never known to seven digits.
    """
    bounded = np.clip(hazard, TINY, 1 - TINY)
    shifted = (bounded / (1 - bounded)).astype(np.float32)[:, :, None] * factor
    shifted /= 1 + shifted
    for certain, value in ((hazard <= 0, 0.0), (hazard >= 1, 1.0)):
        if certain.any():
            shifted[certain] = value
    others, room = shifted[:, 1] + shifted[:, 2], 1 - shifted[:, 0]
    full, all_of_it = others > room, hazard.sum(axis=1) >= 1 - TINY
    full[all_of_it] = True
    if full.any():
        shifted[:, 1:] *= np.where(full, room / np.maximum(others, SMALLEST), 1.0)[:, None].astype(np.float32)
    return shifted
