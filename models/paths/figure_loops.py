"""The compiled loops from simulated ARR to figures: of each account over its futures, and of each group in each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled, part_of_a_loop

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@compiled
def describe(arr: Array, start: Array, limits: Array, places: Ints, parts: Array, out: Array) -> None:
    """Quantiles of each account and month, and the shares of draws below and above a change's limits.

    Few values of a month differ from those at the start, and only they are looked through.

    Parameters
    ----------
    arr, start
        ARR, shape (accounts, months, draws), and at the start, shape (accounts,).
    limits
        ARR below and above which it has changed, shape (2, accounts).
    places, parts
        Of each quantile: how many values lie below its lower neighbour, and how near the upper one it lies.
    out
        Filled in, shape (quantiles + 2, accounts, months).
    """
    below, above = np.empty(arr.shape[2]), np.empty(arr.shape[2])
    draws, last = arr.shape[2], places.size - 1
    for account in range(arr.shape[0]):
        first = start[account]
        for month in range(arr.shape[1]):
            values = arr[account, month]
            gone, less, more, shrunk, grown = _counted(values, first, limits[0, account], limits[1, account])
            if places[0] < gone + less and places[last] + 1 >= gone:
                _collect(values, first, below)
            if places[last] + 1 >= draws - more:
                _collect_above(values, first, above)
            for one in range(places.size):
                low, high = _neighbours(below[:less], above[:more], draws, gone, first, places[one])
                out[one, account, month] = _between(low, high, parts[one])
            out[places.size, account, month] = shrunk / draws
            out[places.size + 1, account, month] = grown / draws


@part_of_a_loop
def _counted(values: Array, first: float, low: float, high: float) -> tuple[int, int, int, int, int]:
    """How many are nothing, below the first and above it, and how many have changed so."""
    gone, less, more, shrunk, grown = 0, 0, 0, 0, 0
    for draw in range(values.size):
        value = values[draw]
        gone += value <= 0
        less += value < first
        more += value > first
        shrunk += value < low
        grown += value > high
    return gone, less - gone, more, shrunk - gone, grown


@part_of_a_loop
def _collect(values: Array, first: float, below: Array) -> None:
    """Values below the first, but nothing."""
    count = 0
    for draw in range(values.size):
        below[count] = values[draw]
        count += (values[draw] > 0) & (values[draw] < first)


@part_of_a_loop
def _collect_above(values: Array, first: float, above: Array) -> None:
    """Values above the first."""
    count = 0
    for draw in range(values.size):
        above[count] = values[draw]
        count += values[draw] > first


@part_of_a_loop
def _between(low: float, high: float, part: float) -> float:
    """As `numpy.quantile` interpolates."""
    step = high - low
    return low + step * part if part < 0.5 else high - step * (1 - part)


@part_of_a_loop
def _neighbours(below: Array, above: Array, count: int, gone: int, first: float, place: int) -> tuple[float, float]:
    """The values in a place and the next one of `count`: nothing, those below the first, the first, those above it."""
    upper, same_until = min(place + 1, count - 1), count - above.size
    low, high = first if place >= gone else 0.0, first if upper >= gone else 0.0
    if gone <= place < gone + below.size:
        low = _selected(below, place - gone)
    elif place >= same_until:
        low = _selected(above, place - same_until)
    if gone <= upper < gone + below.size:
        high = _smallest(below, upper - gone)
    elif upper >= same_until:
        high = _smallest(above, upper - same_until)
    return low, high


@part_of_a_loop
def _smallest(values: Array, place: int) -> Any:
    """The value that would stand in a place, of values of which no smaller ones stand after it."""
    least = values[place]
    for other in range(place + 1, values.size):
        least = min(least, values[other])
    return least


@part_of_a_loop
def _selected(values: Array, place: int) -> Any:
    """The value that would stand in a place if values were sorted; they are partly sorted, in place (Hoare's find)."""
    low, high = 0, values.size - 1
    while low < high:
        pivot, left, right = values[place], low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while values[right] > pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if right < place:
            low = left
        if left > place:
            high = right
    return values[place]


@compiled
def metrics(
    changes: Array, outside: Array, start: Array, count: Array, cohort: Array, rounding: float, figures: Array
) -> None:
    """Each metric of each group in each draw.

    Parameters
    ----------
    changes, outside
        See `models.paths.simulated_sums.Sums`.
    start, count
        ARR and accounts of each group at the start, shape (groups,).
    cohort
        ARR of the trailing cohorts at their start, shape (groups, months); none: no reported NRR.
    rounding
        What is less than this share of the starting ARR is nothing.
    figures
        Filled in, shape (7 or 8, groups, months, draws), in the order of `models.paths.rollup.METRICS`, reported last.
    """
    sums = np.empty((4, changes.shape[3]))
    for group in range(changes.shape[1]):
        first, nothing = start[group], start[group] * rounding
        sums[:] = 0.0
        for month in range(changes.shape[2]):
            for draw in range(changes.shape[3]):
                for one in range(4):
                    sums[one, draw] += changes[one, group, month, draw]
                lost = sums[0, draw] if abs(sums[0, draw]) >= nothing else 0.0
                shrunk = sums[1, draw] if abs(sums[1, draw]) >= nothing else 0.0
                grown = sums[2, draw] if abs(sums[2, draw]) >= nothing else 0.0
                capped = max(first - lost - shrunk, 0.0)
                figures[0, group, month, draw] = (capped + grown) / first
                figures[1, group, month, draw] = capped / first
                figures[2, group, month, draw] = 1 - sums[3, draw] / count[group]
                figures[3, group, month, draw] = capped + grown
                figures[4, group, month, draw] = lost
                figures[5, group, month, draw] = shrunk
                figures[6, group, month, draw] = grown
                if cohort.size:
                    ours = max(capped + grown - outside[group, month, draw], 0.0)
                    figures[7, group, month, draw] = ours / cohort[group, month]
