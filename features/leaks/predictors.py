"""Columns that predict too well: each feature alone against who left soon after, and the renewal calendar apart."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.families.feature import Feature
from features.leaks.cohort import Cohort
from features.leaks.finding import Known, Leak, Strongest
from features.leaks.rank import Array, Separation, rates_of_others, separation, share_low
from features.tables.problems import EXAMPLES
from params import Leaks as Settings
from params import Revenue

CALENDAR = "renewal"  # the signal of features that say where on the renewal calendar the account is
SHOWN = 3


@dataclass(frozen=True)
class Tried:
    """One feature tried alone: its values, or whether it has one (`missing`)."""

    feature: Feature
    missing: bool
    separation: Separation

    def knows(self, settings: Settings) -> bool:
        """Whether it ranks better than anything honest does, beyond chance."""
        return self.separation.left >= settings.min_churned and self.separation.low > settings.max_auc


def tried(cohort: Cohort) -> list[Tried]:
    """Every feature that is no fact of the renewal calendar, and every one's being missing, tried alone."""
    items = []
    for feature in cohort.features:
        if feature.signal == CALENDAR or feature.name in cohort.attributes:
            continue
        values = _numbers(feature, cohort)
        for missing, numbers in ((False, values), (True, np.isnan(values).astype(float))):
            measure = separation(numbers, cohort.left, cohort.accounts)
            if measure is not None:
                items.append(Tried(feature, missing, measure))
    return items


def _numbers(feature: Feature, cohort: Cohort) -> Array:
    """A feature as numbers that can be ranked: a category by how many of its other accounts left."""
    values = cohort.frame[feature.name]
    if feature.kind == "category":
        return rates_of_others(values, cohort.left, cohort.accounts)
    return np.asarray(values, dtype=np.float64)


def too_good(items: list[Tried], cohort: Cohort, settings: Settings) -> Iterator[Leak]:
    """The features that know what came; one that does so by its values is not named again for being missing."""
    named: set[str] = set()
    for item in items:
        if item.feature.name not in named and item.knows(settings):
            named.add(item.feature.name)
            yield _leak(item, cohort)


def _leak(item: Tried, cohort: Cohort) -> Leak:
    table, column = item.feature.needs[-1].split(".")
    measure, feature = item.separation, item.feature
    which = "being empty or not" if item.missing else ("more" if measure.higher else "less") + " of it"
    sources = ", ".join(feature.needs)
    return Leak(
        kind="predicts too well",
        grade="leak",
        table=table,
        column=column,
        what=f"it feeds the feature {feature.name}, and {which} alone tells who leaves within {cohort.months} months: "
        f"{measure.interval}, precision {measure.lift:.1f} times the base rate",
        backtest="Any model that reads it looks nearly perfect on the past and fails on the future, where nobody has "
        "filled it in yet.",
        todo=f"See when {sources} is written. Give it a recorded_at or lag_days that is true, or leave the feature "
        f"out: snapshots.drop: [{feature.name}].",
        examples=_examples(item, cohort),
        feature=feature.name,
        figures={"auc": measure.auc, "auc_low": measure.low, "auc_high": measure.high, "lift": measure.lift},
    )


def _examples(item: Tried, cohort: Cohort) -> tuple[str, ...]:
    rows = cohort.frame[cohort.left][["account_id", "as_of", item.feature.name]].head(EXAMPLES)
    return tuple(
        f"{account} as of {day.date()}: {_text(value)}" for account, day, value in rows.itertuples(index=False)
    )


def _text(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return "empty"
    return f"{value:g}" if isinstance(value, float) else str(value)


def strongest(items: list[Tried], settings: Settings) -> tuple[Strongest, ...]:
    """The features that tell most among those that are no leak, best first."""
    honest = [item for item in items if not item.missing and item.separation.left >= settings.min_churned]
    honest = sorted((item for item in honest if not item.knows(settings)), key=lambda item: -item.separation.low)
    named = ((item.feature.name, item.separation) for item in honest[:SHOWN])
    return tuple(Strongest(name, s.auc, s.low, s.high, s.lift) for name, s in named)


def known_facts(cohort: Cohort) -> tuple[Known, ...]:
    """Facts of the renewal calendar, and how many of whom they hold for left soon after."""
    frame = cohort.frame
    ends = frame["term_ends_on"] < _ahead(cohort)
    silent = ~(frame["notice_given"] > 0) & ~(frame["overdue_days"] > 0)
    facts = {
        "notice given": frame["notice_given"] > 0,
        "renewal overdue": frame["overdue_days"] > 0,
        f"a term that ends within {cohort.months} months, no notice": ends & silent,
        "renewal signed ahead": frame["presigned"] > 0,
    }
    return tuple(
        Known(fact, int(holds.sum()), int((holds & cohort.left).sum())) for fact, holds in facts.items() if holds.any()
    )


def _ahead(cohort: Cohort) -> "pd.Series[pd.Timestamp]":
    """The end of each row's window."""
    return cohort.frame["as_of"] + pd.DateOffset(months=cohort.months)


def end_is_the_answer(cohort: Cohort, settings: Settings, rules: Revenue) -> Iterator[Leak]:
    """Scheduled ends that hardly anybody is renewed at: they were filled in when the customer had left.

    A term that ends within the window, with the grace after it, is the last of an honest account now and then only.
    """
    frame = cohort.frame
    due = (frame["term_ends_on"] + pd.Timedelta(days=rules.grace_days) < _ahead(cohort)) & (frame["due_share"] > 0.999)
    due &= ~(frame["notice_given"] > 0) & ~(frame["overdue_days"] > 0)
    rows, left = int(due.sum()), int((due & cohort.left).sum())
    gone = int(frame["account_id"][due & cohort.left].nunique())
    if gone < settings.min_churned or share_low(left, rows) <= settings.left_share:
        return
    elsewhere = int((cohort.left & ~due).sum())
    examples = frame[due & cohort.left][["account_id", "as_of", "term_ends_on"]].head(EXAMPLES)
    yield Leak(
        kind="scheduled end filled in later",
        grade="leak",
        table="contracts",
        column="ends_on",
        what=f"with all its terms ending within {cohort.months} months, and nobody had given notice, left: the end "
        f"seems to have been written when the customer left (only {elsewhere:,} others left)",
        backtest="Days to the term's end become the answer: every snapshot already knows who is going to leave, and "
        "accuracy on the past is not what it will be.",
        todo="Map the date on which customers left to ended_on, and to ends_on only what the contract said from its "
        "first day on; leave it empty (evergreen) where nothing did.",
        rows=left,
        of=rows,
        unit="snapshot rows",
        examples=tuple(f"{a} as of {d.date()}: ends {e.date()}" for a, d, e in examples.itertuples(index=False)),
        figures={"left_share": left / rows, "left_share_low": share_low(left, rows)},
    )
