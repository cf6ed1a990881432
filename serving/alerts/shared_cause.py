"""What accounts that alarm have in common: of whom scores rose, who left against the odds, whose signals fell.

Three scans over the same slices, with one threshold: of columns of `accounts`, the parts of the product in use, and low
and high ARR and tenure, alone and in pairs, all as known before anything moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from features.kpis.parts_in_use import parts_in_use
from features.revenue import add_months
from features.revenue.cut_labels import NO_LABEL, labels_in_force
from features.snapshots.dates import first_date
from features.tables.checked import Tables
from models.slices.conditions import Condition, in_thirds, slices_of
from models.slices.joint_scan import Common, Lost, Moved, Scan, beyond, common_causes, normal_scores
from params import Params
from serving.alerts.rules import PROBABILITIES, RISK, active
from serving.health.panel import customers_at
from serving.ledger.past import scores_between
from serving.ledger.record import Record

Array = NDArray[np.float64]
SCORES, LOSSES, SIGNALS = "score rose", "left against the odds", "signals fell"
SAYS = {
    SCORES: "Their churn probability rose",
    LOSSES: "More of them left than was forecast",
    SIGNALS: "Their leading signals got worse",
}
LEFT_MONTHS = 3  # whose forecast losses are held against
_FEWEST_DAYS, _MOST_DAYS = 25, 100  # between two forecasts that are compared
_IN_USE_DAYS = 90
_NOT_SLICED = ("name", "parent_account_id", "account_id", "customer_since", "critical_event_on", "valid_from")
_TENURE, _DUE, _ARR = "tenure_days", "days_to_term_end", "arr"
_DUE_WITHIN = (30, 90, 180)
USES = "uses "


@dataclass(frozen=True)
class Cause:
    """What accounts have in common.

    Attributes
    ----------
    scan
        Which figure moved: `SCORES`, `LOSSES` or `SIGNALS`.
    since
        From when on.
    conditions
        One or two pairs of a column and its value.
    accounts
        Who they are.
    arr, arr_at_risk
        Of those that are customers now.
    z, threshold
        How far they stand out, and from which on something is named, in standard deviations.
    p_value
        How often anything would stand out as much by chance, in any scan.
    """

    scan: str
    since: date
    conditions: tuple[Condition, ...]
    accounts: tuple[str, ...]
    arr: float
    arr_at_risk: float
    z: float
    threshold: float
    p_value: float

    @property
    def says(self) -> str:
        """It in words."""
        return f"{SAYS[self.scan]}: {self.slice}"

    @property
    def heading(self) -> str:
        """Which figure moved, and in which slice: what an escalation of it is of."""
        return f"{self.scan}: {self.slice}"

    @property
    def slice(self) -> str:
        """What they have in common, in words."""
        return in_words(self.conditions)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        pairs = [{"column": column, "value": value} for column, value in self.conditions]
        whole = {**vars(self), "since": self.since.isoformat(), "conditions": pairs, "accounts": len(self.accounts)}
        return {**whole, "slice": self.slice, "says": self.says, "account_ids": list(self.accounts)}


def in_words(conditions: Sequence[Condition]) -> str:
    """Conditions as a reader takes them: `region is EMEA and uses exports`."""
    return " and ".join(
        f"uses {column.removeprefix(USES)}" if column.startswith(USES) else f"{column} is {value}"
        for column, value in conditions
    )


def shared_causes(
    tables: Tables, as_of: date, probabilities: pd.DataFrame, record: Record, params: Params
) -> list[Cause]:
    """What accounts whose figures moved since earlier forecasts have in common; mostly nothing.

    Parameters
    ----------
    tables
        The checked tables.
    as_of
        The date.
    probabilities
        The forecast of that date over its longest horizon: `account_id`, `arr`, `churn_probability`.
    record
        Where the earlier forecasts are.
    params
        The settings.
    """
    scores = scores_between(record, as_of - timedelta(days=_MOST_DAYS), as_of - timedelta(days=_FEWEST_DAYS))
    settled = add_months(as_of, -LEFT_MONTHS)
    losses = scores_between(record, settled - timedelta(days=_MOST_DAYS), settled, LEFT_MONTHS)
    since = _day(scores) or (as_of - timedelta(days=_FEWEST_DAYS)).replace(day=1)
    first = _day(losses) or since
    if first < first_date(tables, params.snapshots):
        return []
    ends = [add_months(first, LEFT_MONTHS)] if len(losses) else []
    panel = _panel(tables, sorted({first, since, as_of, *ends}), params)
    labels = _labels(tables, first, panel, params)
    start, now = (_at(panel, day, labels.index) for day in (since, as_of))
    scans: list[Scan] = [Moved(SIGNALS, _signals(start, now, params))]
    if len(scores) and _same_model(scores, probabilities):
        scans.append(Moved(SCORES, _rise(scores, probabilities, start, now)))
    if len(losses):
        scans.append(_lost(losses, _at(panel, ends[0], labels.index)))
    from_day = {SIGNALS: since, SCORES: since, LOSSES: first}
    return _causes(scans, labels, from_day, probabilities, params.seed)


def _causes(
    scans: Sequence[Scan], labels: pd.DataFrame, since: Mapping[str, date], probabilities: pd.DataFrame, seed: int
) -> list[Cause]:
    now = probabilities.set_index("account_id")
    arr = now["arr"].reindex(labels.index).fillna(0.0).to_numpy()
    risk = arr * now["churn_probability"].reindex(labels.index).fillna(0.0).to_numpy()

    def cause(one: Common) -> Cause:
        here = list(one.accounts)
        ids = tuple(str(labels.index[place]) for place in here)
        amounts = float(arr[here].sum()), float(risk[here].sum())
        return Cause(one.scan, since[one.scan], one.conditions, ids, *amounts, one.z, one.threshold, one.p_value)

    return [cause(one) for one in common_causes(scans, slices_of(labels), seed)]


def _day(scores: pd.DataFrame) -> date | None:
    return date.fromisoformat(str(scores["as_of"].iloc[0])) if len(scores) else None


def _same_model(scores: pd.DataFrame, probabilities: pd.DataFrame) -> bool:
    """Whether one model made both: what another model says otherwise happened to no account."""
    version = "model_version"
    return version not in probabilities.columns or set(scores[version]) == set(probabilities[version].astype(str))


def _panel(tables: Tables, dates: Sequence[date], params: Params) -> pd.DataFrame:
    columns = {rule.feature for rule in active(params.alerts).values()} | {_TENURE, _DUE}
    return customers_at(tables, dates, columns - set(PROBABILITIES), params)


def _at(panel: pd.DataFrame, day: date, accounts: "pd.Index[str]") -> pd.DataFrame:
    """The customers of a date, a row for each of some accounts; who was none has no figures."""
    rows: pd.DataFrame = panel[panel["as_of"] == pd.Timestamp(day)].set_index("account_id").reindex(accounts)
    return rows


def _labels(tables: Tables, day: date, panel: pd.DataFrame, params: Params) -> pd.DataFrame:
    """What may be named, as known at a date, of all customers of the panel: '' where it does not hold."""
    accounts = pd.Index(sorted(panel["account_id"].unique()), name="account_id")
    columns = [name for name in tables.attribute_columns if name not in _NOT_SLICED]
    numbers = set(tables.numbers.get("accounts", ()))
    texts = [name for name in columns if name not in numbers]
    labels = labels_in_force(tables, day, texts, params.budget).reindex(accounts).fillna(NO_LABEL).replace(NO_LABEL, "")
    there = _at(panel, day, accounts)
    for name in (_ARR, _TENURE):
        if name in there.columns:
            labels[name] = in_thirds(there[name].astype(float))
    parts = parts_in_use(tables, day, _IN_USE_DAYS, params.budget)
    for part, rows in parts.groupby("part"):
        labels[f"{USES}{part}"] = np.where(accounts.isin(rows["account_id"]), "yes", "")
    return labels


def _rise(scores: pd.DataFrame, probabilities: pd.DataFrame, start: pd.DataFrame, now: pd.DataFrame) -> Array:
    """The rise of log-odds, less what the level before and the calendar of renewals had it rise by."""
    before = _log_odds(scores, start.index)
    rise = _log_odds(probabilities, start.index) - before
    level = np.where(np.isnan(before), 0.0, before)
    dues = [_due(rows) for rows in (start, now)]
    return beyond(rise, np.column_stack([level, level**2, *dues]))


def _log_odds(scores: pd.DataFrame, accounts: "pd.Index[str]") -> Array:
    chances = scores.set_index("account_id")["churn_probability"].reindex(accounts).to_numpy(float)
    return np.asarray(logit(np.clip(chances, 1e-4, 1 - 1e-4)))


def _due(rows: pd.DataFrame) -> Array:
    """Within how many days terms end, a column a step."""
    days = rows[_DUE].to_numpy(float) if _DUE in rows.columns else np.full(len(rows), np.nan)
    return np.column_stack([(days <= within).astype(float) for within in _DUE_WITHIN])


def _signals(start: pd.DataFrame, now: pd.DataFrame, params: Params) -> Array:
    """How much worse an account's signals got: the mean over the rules of risk of the change, less what its level did.

    A signal is what a rule of risk watches, the calendar of renewals and the model's probabilities apart.
    """
    parts = []
    for rule in active(params.alerts).values():
        if rule.kind == RISK and rule.feature in start.columns and rule.feature != _DUE:
            sign = 1.0 if rule.at_least is not None else -1.0
            before, after = (sign * rows[rule.feature].to_numpy(float) for rows in (start, now))
            parts.append(_worse(before, after))
    whole = np.array(parts).reshape(len(parts), len(start))
    known = (~np.isnan(whole)).sum(axis=0)
    return np.where(known > 0, np.nansum(whole, axis=0) / np.sqrt(np.maximum(known, 1)), np.nan)


def _worse(before: Array, after: Array) -> Array:
    change = after - before
    there = ~np.isnan(change)
    scores = np.full(len(change), np.nan)
    if there.sum() > 1 and np.ptp(change[there]) > 0:
        level = normal_scores(before[there])
        scores[there] = beyond(normal_scores(change[there]), np.column_stack([level, level**2]))
    return scores


def _lost(scores: pd.DataFrame, end: pd.DataFrame) -> Lost:
    """Who was no customer any more when the window of a forecast ended, beside the probability that it had."""
    chances = scores.set_index("account_id")["churn_probability"].reindex(end.index).to_numpy(float)
    return Lost(LOSSES, end[_ARR].isna().to_numpy().astype(float), chances)
