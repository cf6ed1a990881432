"""Simulated futures in which an account has left, and its coming back."""

import numpy as np
from numpy.typing import NDArray

from models.outcomes.keyed_draws import Purpose, Streams, uniforms_at
from models.outcomes.returns import Returns

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


class Absent:
    """Since when accounts have been without ARR in each future, and with how much they left.

    Parameters
    ----------
    returns
        How they come back; None: never.
    seed, stream
        What their draws are keyed by.
    draws
        How many futures.
    """

    def __init__(self, returns: Returns | None, seed: int, stream: Streams, draws: int) -> None:
        shape = (len(stream), draws if returns else 0)
        self.returns, self.seed, self.stream = returns, seed, stream
        self.months_gone, self.arr = np.zeros(shape, dtype=np.int64), np.zeros(shape)

    def come_back(self, month: int) -> tuple[Ints, Ints, Array]:
        """Who comes back in a calendar month: account, draw, and ARR."""
        account, draw = np.nonzero(self.months_gone)
        if self.returns is None or not account.size:
            return account[:0], draw[:0], np.empty(0)
        chance = self.returns.chances(self.months_gone[account, draw])
        luck = uniforms_at(self.seed, self.stream[account], month, Purpose.RETURN, draw=draw)
        back = luck < chance
        account, draw, pool = account[back], draw[back], self.returns.multipliers
        place = np.minimum((luck[back] / chance[back] * pool.size).astype(int), pool.size - 1)
        arr = self.arr[account, draw] * pool[place]
        self.months_gone[account, draw] = 0
        return account, draw, arr

    def pass_month(self, account: Ints, draw: Ints, arr: Array) -> None:
        """A month has passed in which those left, with that ARR before."""
        if self.returns is not None:
            self.months_gone[self.months_gone > 0] += 1
            self.months_gone[account, draw], self.arr[account, draw] = 1, arr
