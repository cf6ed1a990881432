"""How often a caller may ask, and how large a request may be."""

import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CALLERS = 10_000


class RateLimit:
    """A bucket of tokens a caller: it refills evenly and holds a tenth of a minute's worth, at least ten.

    Parameters
    ----------
    per_minute
        How many requests a minute.
    clock
        Seconds that only grow.
    """

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._size = max(10.0, per_minute / 10)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, caller: str, cost: float = 1.0) -> float:
        """Take `cost` from a caller's bucket; 0 if there was enough, else how long until there is."""
        now = self._clock()
        left, since = self._buckets.get(caller, (self._size, now))
        left = min(self._size, left + (now - since) * self._rate)
        enough = left >= min(cost, self._size)
        self._buckets[caller] = (left - cost if enough else left, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        return 0.0 if enough else (min(cost, self._size) - left) / self._rate
