"""Sums over accounts by group, month and draw, compiled: each value is added where it belongs, nothing else is read.

Their cost is that of the values, whatever the number of groups. Accounts are added one after the other, so that chunks
of another size give the same sums to the last digit.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    """Compiled by numba at first use, once a process, without files on disk."""
    compiled: Any = numba.njit(nogil=True)(function)
    return cast(Function, compiled)


@_compiled
def add_changes(
    sums: Array, month: int, group: Ints, start: Array, account: Ints, draw: Ints, before: Array, after: Array
) -> None:
    """Add what the cells that change in a month do to ARR, in place; an account may leave, and come back.

    `sums` has shape (4, groups, months, draws): ARR of those that left, what others have below and above their start's,
    and how many left. `group` has shape (chunk, cuts), `start` (chunk,); of each cell `account` within the chunk,
    `draw`, and ARR `before` and `after`.
    """
    for cell in range(account.size):
        first, place = start[account[cell]], draw[cell]
        gone, back = after[cell] == 0, before[cell] == 0
        shrunk = (0.0 if gone else max(first - after[cell], 0.0)) - (0.0 if back else max(first - before[cell], 0.0))
        grown = max(after[cell] - first, 0.0) - max(before[cell] - first, 0.0)
        for cut in range(group.shape[1]):
            one = group[account[cell], cut]
            if gone:
                sums[0, one, month, place] += first
                sums[3, one, month, place] += 1.0
            if back:
                sums[0, one, month, place] -= first
                sums[3, one, month, place] -= 1.0
            if shrunk != 0.0:
                sums[1, one, month, place] += shrunk
            if grown != 0.0:
                sums[2, one, month, place] += grown


@_compiled
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
