"""Limits of all charts together: how large they become by chance alone, in runs of three years."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.watch.charts import Month, Scores, scan, simulated_scores
from models.watch.market import Luck, crowd, largest_steps, residuals, simulated_events

RUN_MONTHS = 36
FALSE_LEVEL, FALSE_MODEL = 0.025, 0.015  # of runs: by the level chart (half a side), by any of the others
HISTORIES = 2000
LEAST_LIMIT = 1.0  # where events are so few that a side hardly moves


@dataclass(frozen=True)
class Limits:
    """In standard deviations: of the level chart for steps up and for steps down, and of the model charts.

    Counts of few events are skewed: by chance alone they go much farther up than down, so that one limit for both would
    hide a market that halved.
    """

    level_up: float
    level_down: float
    model: float

    @property
    def down_scale(self) -> float:
        """The limit of steps up over that of steps down."""
        return self.level_up / self.level_down

    def of_level(self, statistic: float) -> float:
        """The limit on the side on which the level chart stands."""
        return self.level_up if statistic >= 0 else self.level_down


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
    steps = largest_steps(residuals(crowds, simulated_events(crowds, luck, histories, rng), luck))
    up, down = (max(LEAST_LIMIT, float(np.quantile(side, 1 - FALSE_LEVEL / 2))) for side in steps)
    return Limits(up, down, float(np.quantile(model, 1 - FALSE_MODEL)))
