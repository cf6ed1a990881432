"""What is unusual of how rows come in, each table against its own history."""

import math
from collections.abc import Sequence

import numpy as np

FEWEST_BLOCKS = 6  # before the newest, for there to be a usual
FAR = 5.0  # robust standard deviations
LEAST_SPREAD = 0.15  # of log volume
LEAST_GAP_DAYS = 7
LEAST_MISSING = 0.15  # share of cells by which a column may change


def volume_score(rows: Sequence[int]) -> float:
    """How far the newest block's number of rows lies from the usual, in robust standard deviations of its logarithm.

    `rows` are by block, the newest first; 0 where there are too few blocks to tell.
    """
    newest, *before = rows
    first = max((place for place, count in enumerate(before) if count), default=-1)
    before = before[: first + 1]
    if len(before) < FEWEST_BLOCKS:
        return 0.0
    logs = np.log1p(np.array(before, dtype=float))
    usual = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - usual)))
    spread = math.hypot(max(spread, LEAST_SPREAD), 1 / math.sqrt(1 + math.expm1(usual)))
    return (math.log1p(newest) - usual) / spread


def is_stale(age_days: int | None, longest_gap_days: int) -> bool:
    """Whether the newest row is older than twice the longest gap there has been, and than a week."""
    return age_days is not None and age_days > max(LEAST_GAP_DAYS, 2 * longest_gap_days)


def missing_jump(shares: Sequence[float], rows: int) -> float:
    """By how much more cells of a column are empty in the newest block than before, beyond how that has varied.

    `shares` are by block, the newest first; NaN where a block has no rows. `rows` of the newest block say how far a
    share may be off by chance. 0 where nothing is unusual.
    """
    newest, before = shares[0], np.array(shares[1:], dtype=float)
    before = before[~np.isnan(before)]
    if math.isnan(newest) or len(before) < FEWEST_BLOCKS:
        return 0.0
    usual = float(before.mean())
    jump, chance = newest - usual, math.sqrt(max(usual * (1 - usual), 0.01) / max(rows, 1))
    allowed = max(LEAST_MISSING, FAR * math.hypot(float(before.std()), chance))
    return jump if abs(jump) > allowed else 0.0
