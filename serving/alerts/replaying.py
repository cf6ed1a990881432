"""`holdfast alerts --replay`: every rule over the past month starts, from what was known at each of them."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.revenue.paths import cohort_paths
from features.snapshots.dates import month_starts
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.scores.alert_replay import MONTHS, aftermath, replay_row
from models.scores.conditions import holds
from models.scores.crossings import replay
from params import Params
from params_signals import AlertRule
from serving.alerts.rules import (
    PROBABILITIES,
    RISK,
    active,
    columns_needed,
    crossing_of,
    placed,
    require_rules,
    wide,
)
from serving.health.panel import customers_at
from training.tracking.evidence import read_past_scores

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
AHEAD = max(MONTHS.values())
OF_KIND = {"risk": "churn_probability", "opportunity": "expansion_probability"}
NO_SCORES = (
    "There are no past probabilities yet: run `holdfast backtest`. Until then rules on probabilities are not replayed, "
    "and no rule is compared with them."
)


def replay_rules(tables: Tables, params: Params, progress: Progress = silent) -> dict[str, Any]:
    """What each rule would have been worth over the months for which there are snapshots.

    Probabilities are those of the newest backtest, at its own dates alone: each is by a model that had not seen what
    came. A ranking by them may be as old as the dates of the backtest lie apart.

    Raises
    ------
    SettingsError
        A rule names what there is not.
    """
    require_rules(tables, params)
    dates = month_starts(tables, params.snapshots)
    panel = customers_at(tables, dates, columns_needed(params.alerts), params, progress)
    progress("replaying the rules", 0, 1)
    history = History(tables, panel, params)
    rows = [history.row(name, rule) for name, rule in active(params.alerts).items()]
    notes = [] if history.has_scores else [NO_SCORES]
    return {
        "from": dates[0].isoformat(),
        "to": dates[-1].isoformat(),
        "replay": rows,
        "notes": notes,
        "definition": (
            f"Month starts from {dates[0]} to {dates[-1]}, each by what was known then. A risk is true if ARR was "
            "lost, an opportunity if ARR was won, within 180 days (six months; true_90: three). Random: as many "
            "accounts of the same dates. By probability: as many of the most likely ones, by out-of-time forecasts. "
            "Missed ARR: lost, or won, by accounts that the rule had not told of in the half year before."
        ),
    }


class History:
    """The past as rules are replayed on it: made once for all of them.

    Parameters
    ----------
    tables
        The checked tables.
    panel
        The snapshot rows of customers at all dates.
    params
        All settings.
    """

    def __init__(self, tables: Tables, panel: pd.DataFrame, params: Params) -> None:
        self._params = params
        self._panel, self._dates, self._accounts = placed(panel)
        self._days = [int(day.value // 86_400_000_000_000) for day in self._dates]
        self._present = ~np.isnan(wide(self._panel, "arr"))
        paths = self._paths(tables)
        change = params.model.min_change
        self._after = {kind: aftermath(paths, loses=kind == RISK, min_change=change) for kind in OF_KIND}
        scores = read_past_scores(params)
        self.has_scores = scores is not None and len(scores) > 0
        self._probabilities = {name: self._of_backtest(scores, name) for name in OF_KIND.values()}

    def row(self, name: str, rule: AlertRule) -> dict[str, Any]:
        """One rule's record."""
        is_probability = rule.feature in PROBABILITIES
        values = self._probabilities.get(rule.feature) if is_probability else wide(self._panel, rule.feature)
        if values is None:
            values = np.full(self._present.shape, np.nan)
        present = self._present & ~np.isnan(values) if is_probability else self._present
        fired = replay(values, present, self._fits(rule), self._days, crossing_of(rule, self._params.alerts))
        ranking = _carried(self._probabilities[OF_KIND[rule.kind]], self._params.backtest.every_months)
        after = self._after[rule.kind].since_first(present)
        return {"rule": name, "kind": rule.kind, **replay_row(fired, self._present, after, ranking)}

    def _fits(self, rule: AlertRule) -> Flags:
        if rule.where is None:
            return np.ones(self._present.shape, dtype=bool)
        fits = np.zeros(self._present.shape, dtype=bool)
        fits[self._panel["date"], self._panel["account"]] = holds(self._panel, rule.where)
        return fits

    def _paths(self, tables: Tables) -> Array:
        """ARR by date, account and month ahead, as known now; NaN where not known, or paused."""
        found = cohort_paths(
            tables,
            self._panel[["account_id", "as_of", "arr"]],
            months=AHEAD,
            known_by=tables.data_until,
            rules=self._params.revenue,
            budget=self._params.budget,
        )
        paths = np.full((*self._present.shape, AHEAD + 1), np.nan)
        paths[self._panel["date"], self._panel["account"]] = np.where(found.paused, np.nan, found.arr)
        return paths

    def _of_backtest(self, scores: pd.DataFrame | None, name: str) -> Array:
        """The longest horizon's probability at the dates of the backtest; NaN elsewhere."""
        values = np.full(self._present.shape, np.nan)
        if scores is None or scores.empty:
            return values
        rows = scores.sort_values("horizon_months").drop_duplicates(["account_id", "origin"], keep="last")
        date_place = pd.Index(self._dates).get_indexer(pd.DatetimeIndex(rows["origin"]))
        account_place = pd.Index(self._accounts).get_indexer(pd.Index(rows["account_id"]))
        here = (date_place >= 0) & (account_place >= 0)
        values[date_place[here], account_place[here]] = rows[name].to_numpy(float)[here]
        return values


def _carried(values: Array, months: int) -> Array:
    """Values where there are any, else those of up to so many dates before."""
    carried = values.copy()
    for ago in range(1, months):
        older = np.full(values.shape, np.nan)
        older[ago:] = values[:-ago]
        carried = np.where(np.isnan(carried), older, carried)
    return carried
