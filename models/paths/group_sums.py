"""Sums over accounts by group, month and draw, compiled: each value is added where it belongs, nothing else is read.

Their cost is that of the values, whatever the number of groups. Accounts are added one after the other, so that chunks
of another size give the same sums to the last digit.
"""

import numpy as np
from numpy.typing import NDArray

from models.compiled import compiled, part_of_a_loop

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@compiled
def add_changes(sums: Array, group: Ints, start: Array, arr: Array) -> None:
    """Add what the months change in ARR, in place; an account may leave, and come back.

    `sums` has shape (4, groups, months, draws): ARR of those that left, what others have below and above their start's,
    and how many left. `group` has shape (chunk, cuts), `start` (chunk,), and `arr` (chunk, months or more, draws).
    """
    for account in range(arr.shape[0]):
        first = start[account]
        for month in range(sums.shape[2]):
            for draw in range(arr.shape[2]):
                before, after = first if month == 0 else arr[account, month - 1, draw], arr[account, month, draw]
                if before != after:
                    for cut in range(group.shape[1]):
                        _add_change(sums, group[account, cut], month, draw, first, before, after)


@part_of_a_loop
def _add_change(sums: Array, one: int, month: int, draw: int, first: float, before: float, after: float) -> None:
    """Add the change of an account whose ARR was `first` at the start to one group."""
    gone, back = after == 0, before == 0
    if gone:
        sums[0, one, month, draw] += first
        sums[3, one, month, draw] += 1.0
    if back:
        sums[0, one, month, draw] -= first
        sums[3, one, month, draw] -= 1.0
    shrunk = (0.0 if gone else max(first - after, 0.0)) - (0.0 if back else max(first - before, 0.0))
    if shrunk != 0.0:
        sums[1, one, month, draw] += shrunk
    grown = max(after - first, 0.0) - max(before - first, 0.0)
    if grown != 0.0:
        sums[2, one, month, draw] += grown


@compiled
def add_rows(sums: Array, month: int, group: Ints, chosen: Ints, rows: Array, less: Array, most: Array) -> None:
    """Add some accounts' draws less an amount, from 0 to a most, to the groups of each, in place.

    `sums` has shape (groups, months, draws), `group` (chunk, cuts), `rows` (chunk, draws); `chosen`, `less` and `most`
    are of the accounts that are added.
    """
    for number in range(chosen.size):
        row = rows[chosen[number]]
        for cut in range(group.shape[1]):
            total = sums[group[chosen[number], cut], month]
            for draw in range(row.size):
                total[draw] += min(max(row[draw] - less[number], 0.0), most[number])
