"""How an outcome model is fitted."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tuning:
    """What only fitting needs, of the `model` section of params.yaml; a fitted model's files do not hold it.

    LightGBM's min_sum_hessian_in_leaf, extra_trees, feature_fraction, bagging_fraction, cat_smooth, cat_l2 and max_bin;
    when boosting stops early; how far the calibration, and how strongly the luck that months share, may move;
    by outcome, the inputs whose effect beyond the level may run one way only (+1 raises it, -1 lowers it).
    """

    min_hessian_per_leaf: float
    extra_trees: bool
    feature_fraction: float
    bagging_fraction: float
    category_smoothing: float
    category_l2: float
    max_bins: int
    patience: int
    min_trees: int
    calibration_prior_sd: float
    luck_prior_sd: float
    monotone: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


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


def required(tuning: Tuning | None) -> Tuning:
    """The finer settings of a fit.

    Raises
    ------
    ValueError
        There are none.
    """
    if tuning is None:
        raise ValueError("tuning is None: a model read from its files predicts; to fit one, give it a Tuning")
    return tuning
