"""How an outcome model is fitted."""

from dataclasses import dataclass

from models.hazards.hazard import Tuning


@dataclass(frozen=True)
class Settings:
    """How an outcome model is fitted; the fields are those of the `model` section of params.yaml.

    `tuning` is None in a model that was read from its files, which only predicts.
    """

    horizon_months: int
    grace_days: int
    min_change: float
    learner: str
    trees: int
    leaves: int
    learning_rate: float
    min_rows_per_leaf: int
    l2: float
    logistic_l2: float
    max_rows: int
    seed: int
    threads: int
    tuning: Tuning | None = None
