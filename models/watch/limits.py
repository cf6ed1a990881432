"""Limits of all charts together: how large they become by chance alone, in runs of three years."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.watch.charts import Month, Scores, scan, simulated_scores
from models.watch.market import Luck, crowd, residuals, simulated_events, step_scan

RUN_MONTHS = 36
FALSE_LEVEL, FALSE_MODEL = 0.025, 0.015  # of runs: by the level chart, by any of the others
HISTORIES = 2000


@dataclass(frozen=True)
class Limits:
    """In standard deviations: of the level chart, and of the model charts."""

    level: float
    model: float


def joint_limits(months: Sequence[Month], luck: Luck, *, seed: int, histories: int = HISTORIES) -> Limits:
    """Limits for runs of months like these, one after the other and from the first again.

    Parameters
    ----------
    months
        Accounts at risk, with events, in the months that are watched; at least one.
    luck
        How the level of all accounts moves.
    """
    rng = np.random.default_rng(seed)
    run = [months[place % len(months)] for place in range(RUN_MONTHS)]
    parts = [simulated_scores(month, histories, rng) for month in run]
    scores = Scores(*(np.stack([getattr(part, name) for part in parts], axis=1) for name in ("score", "variance")))
    model = np.abs(scan(scores)[0]).max(axis=(1, 2))
    crowds = [crowd(month.log_odds) for month in run]
    level = np.abs(step_scan(residuals(crowds, simulated_events(crowds, luck, histories, rng), luck))[0]).max(axis=1)
    return Limits(float(np.quantile(level, 1 - FALSE_LEVEL)), float(np.quantile(model, 1 - FALSE_MODEL)))
