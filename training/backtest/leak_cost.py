"""What letting end dates through would do: the same plain model on honest snapshots and on ones that know the end."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.families.feature import Feature
from features.leaks.cohort import Cohort, past_cohort, past_dates
from features.leaks.overwritten import with_ends_let_through
from features.leaks.rank import auc
from features.snapshots.building import build
from features.tables.checked import Tables
from features.tables.problems import BadInput
from features.tables.progress import Progress, silent
from features.tables.scratch import scratch_folder
from models.hazards.hazard import Rows
from models.hazards.model_inputs import learn_categories, matrix
from models.hazards.trees import TreeHazard
from params import Params
from training.learn.dataset import inputs_of, tuning_of

Array = NDArray[np.float64]
FAMILY = "contract_history"  # the features that read the end of a line
EVERY_MONTHS = 3
MOST_DATES = 12
FOLDS = 5
RESAMPLES = 200
TREES, LEAVES, LEARNING_RATE, L2 = 60, 8, 0.06, 10.0
HELD_BY_A_LEAF = 0.01
STREAM = 20_260  # apart from other draws of the same seed


@dataclass(frozen=True)
class LeakCost:
    """AUC for churn within `months` of a plain model, out of fold by account, honest and with ends let through.

    `low` and `high` bound the rise's 95 % interval, accounts resampled.
    """

    months: int
    rows: int
    accounts: int
    left: int
    honest_auc: float
    naive_auc: float
    low: float
    high: float

    @property
    def rise(self) -> float:
        """How much better the past would look."""
        return self.naive_auc - self.honest_auc

    def __str__(self) -> str:
        """The measurement in a sentence."""
        return (
            f"Letting contracts.ended_on through as a scheduled end would move a plain model's AUC for churn within "
            f"{self.months} months from {self.honest_auc:.2f} to {self.naive_auc:.2f} "
            f"({self.rise:+.2f} [{self.low:+.2f}, {self.high:+.2f}]; {self.accounts:,} accounts, {self.left:,} left)."
            + ("" if self.low > 0 else " Here it would not show: few that left, if any, are told by ended_on alone.")
        )

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self) | {"rise": self.rise}


@dataclass(frozen=True)
class NotMeasured:
    """Why there is no measurement."""

    reason: str

    def __str__(self) -> str:
        """The reason as a sentence."""
        return f"What letting end dates through would cost was not measured: {self.reason}."

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self)


def leak_cost(
    tables: Tables, *, params: Params, without: Sequence[str] = (), progress: Progress = silent
) -> LeakCost | NotMeasured:
    """Measure it on the user's own data, `without` the features that are known to leak already.

    The snapshots are cut as ever. What differs is a copy of the contracts on which each line that stopped early had
    its end scheduled from the first day on, as where a source overwrites the row; labels are the same for both.
    """
    with scratch_folder() as folder:
        copy = with_ends_let_through(tables, folder / "ends_let_through.duckdb")
        if copy is None:
            return NotMeasured("no line has an ended_on")
        cohort = _cohort(tables, params, progress)
        if isinstance(cohort, NotMeasured):
            return cohort
        cohort = replace(cohort, features=tuple(f for f in cohort.features if f.name not in without))
        progress("measuring what end dates let through would do", 0, 0)
        naive = _with_columns_of(cohort, _built(copy, cohort.dates, params))
    honest_margin, naive_margin = (_out_of_fold(frame, cohort, params) for frame in (cohort.frame, naive))
    low, high = _interval(honest_margin, naive_margin, cohort, params.seed)
    return LeakCost(
        months=cohort.months,
        rows=len(cohort.frame),
        accounts=int(cohort.accounts.nunique()),
        left=cohort.accounts_left,
        honest_auc=auc(honest_margin, cohort.left),
        naive_auc=auc(naive_margin, cohort.left),
        low=low,
        high=high,
    )


def _cohort(tables: Tables, params: Params, progress: Progress) -> Cohort | NotMeasured:
    """Snapshots a quarter apart with the whole horizon after them."""
    months = params.leaks.cost_months
    try:
        dates = past_dates(tables, months=months, every_months=EVERY_MONTHS, most=MOST_DATES, params=params)
    except BadInput:
        dates = []
    if not dates:
        return NotMeasured(f"no snapshot has {months} months after it (leaks.cost_months)")
    cohort = past_cohort(tables, dates, months=months, params=params, progress=progress)
    fewest = params.leaks.min_churned
    stayed = int(cohort.accounts[~cohort.left].nunique())
    if cohort.accounts_left < fewest or stayed < fewest:
        return NotMeasured(
            f"of {cohort.accounts.nunique()} accounts {cohort.accounts_left} left within {months} months, and "
            f"leaks.min_churned is {fewest}"
        )
    return cohort


def _built(tables: Tables, dates: Sequence[date], params: Params) -> tuple[pd.DataFrame, tuple[Feature, ...]]:
    settings = params.snapshots.model_copy(update={"drop": ()})
    snapshots = build(
        tables,
        dates,
        revenue=params.revenue,
        settings=settings,
        budget=params.budget,
    )
    return snapshots.frame, snapshots.features


def _with_columns_of(cohort: Cohort, built: tuple[pd.DataFrame, tuple[Feature, ...]]) -> pd.DataFrame:
    """The cohort's rows with the features of contracts as the copy gives them; empty where it has no such row."""
    frame, features = built
    cohort_names = {feature.name for feature in cohort.features}
    names = [f.name for f in features if f.family == FAMILY and f.name in cohort_names and f.name in frame]
    keys = ["account_id", "as_of"]
    merged = cohort.frame[keys].merge(frame[[*keys, *names]], on=keys, how="left", validate="one_to_one")
    return cohort.frame.assign(**{name: merged[name].to_numpy() for name in names})


def _out_of_fold(frame: pd.DataFrame, cohort: Cohort, params: Params) -> Array:
    """Each row's log-odds by a model that has not seen its account."""
    inputs = learn_categories(inputs_of(cohort.features), frame)
    values, event = matrix(inputs, frame), cohort.left.astype(float)
    fold = pd.factorize(cohort.accounts, sort=True)[0] % FOLDS
    margin = np.empty(len(frame))
    for number in range(FOLDS):
        fold_rows = fold == number
        rows = Rows(values[~fold_rows], event[~fold_rows], np.ones(int((~fold_rows).sum())))
        model = TreeHazard(
            inputs,
            trees=TREES,
            leaves=LEAVES,
            learning_rate=LEARNING_RATE,
            min_rows_per_leaf=max(10, int(HELD_BY_A_LEAF * len(rows.event))),
            l2=L2,
            seed=params.seed,
            threads=1,  # so few rows are done sooner by one
            tuning=tuning_of(params),
        )
        margin[fold_rows] = model.fit(rows).margin(values[fold_rows])
    return margin


def _interval(honest: Array, naive: Array, cohort: Cohort, seed: int) -> tuple[float, float]:
    """95 % interval of the rise of the AUC, accounts drawn with replacement."""
    rng = np.random.default_rng([seed, STREAM])
    codes = pd.factorize(cohort.accounts, sort=True)[0]
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes))
    rows_of = np.split(order, ends[:-1])
    rises = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([rows_of[code] for code in rng.integers(len(rows_of), size=len(rows_of))])
        left = cohort.left[drawn]
        if 0 < left.sum() < left.size:
            rises.append(auc(naive[drawn], left) - auc(honest[drawn], left))
    low, high = np.quantile(rises, [0.025, 0.975])
    return float(low), float(high)
