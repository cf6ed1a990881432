"""What speaks against promoting a model at all: a proven leak in its data, or a test that it did too well in."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.leaks import Leak, proven_leaks
from features.leaks.rank import Separation, auc, auc_interval
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.scores.findings import too_few
from models.words import months_ahead
from params import Params
from training.backtest.origin import OriginResult
from training.learn.dataset import Dataset

ACCEPT = "--accept-leaks"
OUTCOMES = {"churn": "churned", "expansion": "expanded"}
MOST_NAMED = 5


@dataclass(frozen=True)
class TooGood:
    """An outcome that was told too well at a horizon: the AUC out of time and its 95 % interval."""

    outcome: str
    horizon_months: int
    auc: float
    auc_low: float
    auc_high: float


@dataclass(frozen=True)
class Suspicion:
    """What was found; `limit` is the AUC above which a test is too good, `accepted` whether the user takes it."""

    leaks: tuple[Leak, ...]
    too_good: tuple[TooGood, ...]
    limit: float
    accepted: bool

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self.leaks or self.too_good)

    @property
    def refuses(self) -> bool:
        """Whether the model may not take charge."""
        return bool(self) and not self.accepted

    @property
    def reason(self) -> str:
        """What was found, in a few words."""
        places = [f"{leak.place} ({leak.kind})" for leak in self.leaks[:MOST_NAMED]]
        what = [f"its data give the future away: {', '.join(places)}"] if places else []
        what += [f"it did too well to be true: {'; '.join(map(_told, self.too_good))}"] if self.too_good else []
        return " and ".join(what)

    def lines(self) -> list[str]:
        """All of it, to be read before anything else."""
        lines = [f"LEAK. {leak} In a backtest: {leak.backtest} Do: {leak.todo}" for leak in self.leaks]
        lines += [
            f"TOO GOOD TO BE TRUE. Out of time, {_told(item)}, all of it above model.suspicious_auc ({self.limit:g}): "
            "honest data hardly ever do that, some column seems to know what came. See `holdfast check --leaks`."
            for item in self.too_good
        ]
        if self.refuses:
            lines.append(
                "NOT PROMOTED. Correct what is named above and train again. If you know better, "
                f"`holdfast train {ACCEPT}` promotes it, and every forecast made with it will say so."
            )
        elif lines:
            lines.append(f"ACCEPTED with {ACCEPT}: every forecast made with this model will say so.")
        return lines

    @property
    def cautions(self) -> list[str]:
        """What whoever reads the model's forecasts must know."""
        how = f"it was promoted with {ACCEPT}" if self.accepted else "it was not to take charge"
        return [f"LEAK: do not rely on this model: {self.reason}; {how}."] if self else []

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "leaks": [asdict(leak) for leak in self.leaks],
            "too_good": [asdict(item) for item in self.too_good],
            "leaks_accepted": bool(self) and self.accepted,
        }


def _told(item: TooGood) -> str:
    interval = f"{item.auc:.3f} [{item.auc_low:.3f}, {item.auc_high:.3f}]"
    return f"{item.outcome} {months_ahead([item.horizon_months])} was told with an AUC of {interval}"


def suspicion(
    tables: Tables,
    dataset: Dataset,
    test: OriginResult | None,
    *,
    params: Params,
    accepted: bool,
    progress: Progress = silent,
) -> Suspicion:
    """Look for what speaks against promoting a model that learned from `dataset` and did as `test` shows.

    Parameters
    ----------
    test
        Its recipe out of time; None if there is none.
    accepted
        Whether the user wants the model all the same.

    Raises
    ------
    BadInput
        A currency in force has no rate.
    """
    features = {item.name for item in dataset.inputs}
    leaks = proven_leaks(tables, params=params, progress=progress)
    learned = tuple(leak for leak in leaks if not leak.feature or leak.feature in features)
    limit = params.model.suspicious_auc
    return Suspicion(learned, tuple(too_good(test, dataset, limit)) if test else (), limit, accepted)


def too_good(test: OriginResult, dataset: Dataset, limit: float) -> list[TooGood]:
    """The outcomes and horizons whose AUC lies above the limit with its whole interval, and is not the calendar's.

    Who has given notice, is overdue or has no term ending within the horizon is known. The AUC is honest if of the
    other accounts hardly any left, or if among them it is no longer above the limit.
    """
    found = []
    cohort = dataset.frame[dataset.cohort(test.origin)].set_index("account_id")
    for horizon in sorted({int(months) for months in test.accounts["horizon_months"]}):
        rows = test.accounts[test.accounts["horizon_months"] == horizon]
        ends = pd.Timestamp(test.origin) + pd.DateOffset(months=horizon)
        is_open = rows["account_id"].map(_is_open(cohort, ends)).to_numpy(dtype=bool)
        for outcome in OUTCOMES:
            whole = _separation(rows, outcome)
            honest = outcome == "churn" and _is_explained(rows[is_open], limit)
            if whole and whole.low > limit and not honest:
                found.append(TooGood(outcome, horizon, whole.auc, whole.low, whole.high))
    return found


def _is_open(cohort: pd.DataFrame, ends: pd.Timestamp) -> "pd.Series[bool]":
    """Which accounts may leave before a day, and have not said whether they will."""
    told = (cohort["notice_given"] > 0) | (cohort["overdue_days"] > 0)
    return ~told & ~(cohort["term_ends_on"] >= ends)


def _is_explained(rows: pd.DataFrame, limit: float) -> bool:
    """Whether what is known of the other accounts explains how well these are told apart."""
    if too_few(int(rows["account_id"][rows["churned"] > 0].nunique())):
        return True
    others = _separation(rows, "churn")
    return others is not None and others.low <= limit


def _separation(rows: pd.DataFrame, outcome: str) -> Separation | None:
    """How well the probabilities rank the accounts; None where too few had either to tell."""
    event = rows[OUTCOMES[outcome]].to_numpy(dtype=float) > 0
    gone, stayed = (int(rows["account_id"][which].nunique()) for which in (event, ~event))
    if too_few(gone) or too_few(stayed):
        return None
    area = auc(np.asarray(rows[f"{outcome}_probability"], dtype=float), event)
    low, high = auc_interval(area, gone, stayed)
    return Separation(area, low, high, float("nan"), True, gone)
