"""The canary: what a new model says of today's customers, held against the champion's, before it takes its place."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from models.outcomes.outcome import OutcomeModel
from models.words import counted
from params import Params
from training.learn.dataset import Dataset
from training.tracking.champion import load_champion
from training.tracking.errors import NoModel

FEWEST_TO_RANK = 3


@dataclass(frozen=True)
class Canary:
    """Churn probabilities over the horizon of the same accounts, by the champion and by a new model.

    `mean_change` is the mean over accounts of how far the two lie apart, `rank_correlation` Spearman's; `limit` is the
    mean change above which a model that was not held against the champion on past dates does not take its place.
    """

    version: str
    accounts: int
    horizon_months: int
    champion_mean: float
    new_mean: float
    mean_change: float
    rank_correlation: float
    limit: float

    @property
    def differs(self) -> bool:
        """Whether they lie too far apart."""
        return self.mean_change > self.limit

    def __str__(self) -> str:
        """The comparison in a sentence."""
        alarm = "CANARY. " if self.differs else ""
        horizon = counted(self.horizon_months, "month")
        return (
            f"{alarm}Today's {counted(self.accounts, 'customer')}, scored by the new model and by the champion "
            f"(version {self.version}): mean probability of churn within {horizon} {self.new_mean:.1%} against "
            f"{self.champion_mean:.1%}; an account's changes by {self.mean_change:.1%} on average (at most "
            f"{self.limit:.1%}, promotion.most_canary_change); rank correlation {self.rank_correlation:.2f}."
        )

    @property
    def advice(self) -> str:
        """What to do where they lie too far apart."""
        return (
            f"its scores are too far from those of version {self.version}: look at what has changed in the data, then "
            "put it in charge with `holdfast models --in-charge VERSION`, or let it win a contest: "
            "`holdfast train --promote`"
        )

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self) | {"differs": self.differs}


def canary(model: OutcomeModel, dataset: Dataset, *, params: Params) -> Canary | None:
    """Score today's customers by a new model and by the champion; None where there is none that could score them."""
    try:
        champion = load_champion(params)
    except NoModel:
        return None
    customers = dataset.frame[dataset.cohort(dataset.as_of)].reset_index(drop=True)
    needed = {item.name for item in champion.model.inputs}
    if customers.empty or not needed <= set(customers.columns):
        return None
    months = min(model.horizon_months, champion.model.horizon_months)
    before, after = (
        each.predict(customers).event_probability("churn")[:, months - 1] for each in (champion.model, model)
    )
    varied = len(customers) >= FEWEST_TO_RANK and np.ptp(before) > 0 and np.ptp(after) > 0
    return Canary(
        version=champion.version,
        accounts=len(customers),
        horizon_months=months,
        champion_mean=float(before.mean()),
        new_mean=float(after.mean()),
        mean_change=float(np.abs(after - before).mean()),
        rank_correlation=float(spearmanr(before, after).statistic) if varied else 1.0,
        limit=params.promotion.most_canary_change,
    )
