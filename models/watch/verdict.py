"""What the charts say together: nothing, that the market moved, or that the model is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.watch.charts import Month, monthly_scores, scan
from models.watch.limits import Limits
from models.watch.market import Luck, crowd, residuals, step_scan

LEVEL = "level"
Cause = Literal["market", "model"]
VERDICT_WORDS = {
    "ok": "Nothing is unusual: the model does as it says.",
    "data": "The data are unusual.",
    "inputs": "What the model looks at has moved.",
    "market": "The market moved, and not the model.",
    "model": "The model is wrong.",
    "nothing to watch yet": "There is nothing to watch yet.",
}


@dataclass(frozen=True)
class Chart:
    """A chart at the end of the last month.

    Attributes
    ----------
    name, cause
        What it watches, and what an alarm of it means.
    statistic, limit
        In standard deviations; above 0, more events than the model says where the covariate is high.
    since
        The place of the month in which its window begins.
    """

    name: str
    cause: Cause
    statistic: float
    limit: float
    since: int

    @property
    def alarm(self) -> bool:
        """Whether it is beyond its limit."""
        return abs(self.statistic) > self.limit


def charts(months: Sequence[Month], names: Sequence[str], luck: Luck, limits: Limits) -> list[Chart]:
    """All charts after the last of the months; `names` are those of the covariates, in their order."""
    last = len(months) - 1
    crowds, events = [crowd(month.log_odds) for month in months], np.array([[month.event.sum() for month in months]])
    steps, ago = step_scan(residuals(crowds, events, luck), down_scale=limits.down_scale)
    level = float(steps[0, last])
    rows = [Chart(LEVEL, "market", level, limits.of_level(level), last - int(ago[0, last]) + 1)]
    statistic, width = scan(monthly_scores(months))
    rows += [
        Chart(name, "model", float(statistic[last, place]), limits.model, last - int(width[last, place]) + 1)
        for place, name in enumerate(names)
    ]
    return rows


def cause_of(rows: Sequence[Chart]) -> Cause | None:
    """What is to blame: the model if any of its charts alarms, else the market if the level does."""
    alarms = {row.cause for row in rows if row.alarm}
    return "model" if "model" in alarms else "market" if alarms else None
