"""Scoring the rules as of a date: who is to be told of what, within the budget of each CSM, and what to pass up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.revenue.cut_labels import account_names, labels_in_force, usable_cuts
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.scores.conditions import holds
from models.scores.crossings import Watched, step
from params import Params
from serving.alerts.episodes import (
    Fired,
    alerts_of,
    scored_until,
    states_of,
    threshold_of,
    write_scoring,
)
from serving.alerts.escalating import (
    EXPECTED_LOSS_ROSE,
    LOST_BEYOND_LUCK,
    escalations_of,
    measures_of,
    most_at_risk,
    pass_up,
)
from serving.alerts.lost_beyond_luck import lost_beyond_luck, most_lost
from serving.alerts.rise_of_loss import most_risen, rise_of_loss
from serving.alerts.rules import PROBABILITIES, absent, active, columns_needed, crossing_of, placed, wide
from serving.alerts.rules import require_rules as require_rules
from serving.alerts.shared_cause import Cause, shared_causes
from serving.alerts.standing import DIGEST, NEW, open_alerts
from serving.forecast.declared.team_tables import ALERT, SHARED_CAUSE
from serving.health.panel import customers_at, past_month_starts
from serving.ledger.record import Record
from serving.ledger.subjects import subjects_of

FIRST_MONTHS = 3  # a rule that was never scored begins so far back: what is across then has not crossed
DEFINITION = "Alert: a value crossed its threshold and has not come back, as known before {as_of}; see `alerts`"
CAUSE_DEFINITION = (
    "Shared cause: accounts whose figures moved have this in common; at most 2 % of months without any name one"
)


@dataclass(frozen=True)
class Alerts:
    """Alerts that are open as of a date, what is to be passed up, and what whoever reads it should know."""

    as_of: date
    rows: list[dict[str, Any]] = field(repr=False)
    escalations: list[dict[str, Any]]
    shared_causes: list[dict[str, Any]]
    notes: tuple[str, ...]

    def tables(self, run: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
        """The tables `alert` and `shared_cause` of a publication, with the columns of its run."""
        frame = pd.DataFrame(self.rows, columns=[name for name in ALERT.names if name not in (*run, "definition")])
        days = {name: pd.to_datetime(frame[name]) for name in ("fired_on", "expires_on")}
        alerts = frame.assign(**days, definition=DEFINITION.format(as_of=self.as_of), **run)
        return {ALERT.name: ALERT.shape(alerts), SHARED_CAUSE.name: self._causes(run)}

    def _causes(self, run: Mapping[str, Any]) -> pd.DataFrame:
        columns = [name for name in SHARED_CAUSE.names if name not in (*run, "definition", "rank")]
        frame = pd.DataFrame([row | _columns_of(row["conditions"]) for row in self.shared_causes], columns=columns)
        ranks, since = range(1, len(frame) + 1), pd.to_datetime(frame["since"])
        return SHARED_CAUSE.shape(frame.assign(rank=ranks, since=since, definition=CAUSE_DEFINITION, **run))

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "as_of": self.as_of.isoformat(),
            "rows": self.rows,
            "escalations": self.escalations,
            "shared_causes": self.shared_causes,
            "notes": list(self.notes),
        }


def _columns_of(conditions: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """One or two conditions as columns of the table."""
    texts = [text for one in conditions for text in (one["column"], one["value"])]
    return dict(zip(("cut", "value", "second_cut", "second_value"), [*texts, "", ""], strict=False))


def watch(
    tables: Tables,
    as_of: date,
    params: Params,
    record: Record,
    probabilities: pd.DataFrame | None,
    progress: Progress = silent,
) -> Alerts:
    """Score all rules as of a date and keep how accounts stand; a date that was scored already changes nothing.

    Parameters
    ----------
    probabilities
        The forecast of that date: `account_id`, `arr` and the model's probabilities over its longest horizon; None
        where there is none, and rules on them then wait.

    Raises
    ------
    SettingsError
        A rule names what there is not.
    """
    require_rules(tables, params)
    progress("scoring the rules of alerts", 0, 1)
    scoring = _Scoring(tables, as_of, params, record, probabilities)
    scoring.go()
    names = account_names(tables, as_of, params.budget)
    passed, causes = _passed_up(tables, as_of, params, record, probabilities, names)
    rows = open_alerts(record, params, as_of, names, scoring.csms, scoring.arrs)
    waiting = absent(params.alerts, scoring.columns)
    notes = [f"These rules watch what is not known here, and wait: {', '.join(waiting)}."] if waiting else []
    return Alerts(as_of, rows, passed, causes, tuple(notes))


def longest_of(forecast: pd.DataFrame) -> pd.DataFrame:
    """The probabilities of a table `account_forecast` over its longest horizon."""
    longest: pd.DataFrame = forecast[forecast["horizon_months"] == forecast["horizon_months"].max()]
    return longest


def _passed_up(
    tables: Tables,
    as_of: date,
    params: Params,
    record: Record,
    probabilities: pd.DataFrame | None,
    names: Mapping[str, str],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What stands before leadership, raised now or before, and what accounts that alarm have in common."""
    if probabilities is None or probabilities.empty:
        return escalations_of(record, as_of, params), []
    limits = params.alerts.escalate
    causes = shared_causes(tables, as_of, probabilities, record, params)
    cuts, _ = usable_cuts(tables, limits.cuts)
    labels = labels_in_force(tables, as_of, cuts, params.budget)
    losses = lost_beyond_luck(record, tables, as_of, params)
    rise = rise_of_loss(record, probabilities, as_of, params)
    if as_of >= max((day for _, day in scored_until(record).values()), default=as_of):
        beside = [one.measure for one in (losses, rise) if one is not None]
        pass_up(record, [*measures_of(probabilities, labels, limits), *beside], causes, as_of, params)
    most = {LOST_BEYOND_LUCK: most_lost(losses, names), EXPECTED_LOSS_ROSE: most_risen(rise, names)}
    rows = []
    for row in escalations_of(record, as_of, params):
        at_risk = most_at_risk(_members(row, probabilities, labels, causes), names)
        rows.append(row | {"accounts": most.get(row["what"], at_risk)})
    return rows, [cause.to_json() for cause in causes]


def _members(
    row: Mapping[str, Any], probabilities: pd.DataFrame, labels: pd.DataFrame, causes: Sequence[Cause]
) -> pd.DataFrame:
    """The accounts that an escalation is of, as far as its column tells; of a cause those that have it in common."""
    is_member = np.ones(len(probabilities), bool)
    if row["what"] == SHARED_CAUSE.name:
        accounts = {account for cause in causes if cause.heading == row["group"] for account in cause.accounts}
        is_member = probabilities["account_id"].isin(accounts).to_numpy()
    elif row["cut"] in labels.columns:
        is_member = labels[row["cut"]].reindex(probabilities["account_id"]).to_numpy() == row["group"]
    members: pd.DataFrame = probabilities.loc[is_member]
    return members


class _Scoring:
    """One scoring of all rules: what is read, what fires, what is written."""

    def __init__(
        self, tables: Tables, as_of: date, params: Params, record: Record, probabilities: pd.DataFrame | None
    ) -> None:
        self._as_of, self._params, self._record = as_of, params, record
        self._before = self._usable(scored_until(record))
        days = {day for _, day in self._before.values()} | set(past_month_starts(tables, as_of, FIRST_MONTHS, params))
        panel = customers_at(tables, sorted(days), columns_needed(params.alerts) | {"csm"}, params)
        if probabilities is not None:
            panel = _with_probabilities(panel, probabilities, as_of)
        self.columns = set(panel.columns)
        self._panel, dates, self._accounts = placed(panel)
        self._dates = [day.date() for day in dates]
        self._present = ~np.isnan(wide(self._panel, "arr"))
        today = panel[panel["as_of"] == pd.Timestamp(as_of)]
        csm = today["csm"].fillna("") if "csm" in today.columns else pd.Series("", index=today.index)
        self.csms: dict[str, str] = dict(zip(today["account_id"], csm, strict=True))
        self.arrs: dict[str, float] = dict(zip(today["account_id"], today["arr"], strict=True))

    def go(self) -> None:
        """Score, and write down what came of it."""
        due = {
            name: rule
            for name, rule in active(self._params.alerts).items()
            if rule.feature in self.columns and (name not in self._before or self._before[name][1] < self._as_of)
        }
        known = {name: self._present[self._dates.index(day)] for name, (_, day) in self._before.items() if name in due}
        states = states_of(self._record, self._accounts, known)
        after: dict[str, tuple[str, Watched]] = {}
        fired: list[Fired] = []
        for name in due:
            state = states.get(name, Watched.nobody(len(self._accounts)))
            after[name] = (threshold_of(crossing_of(due[name], self._params.alerts)), self._stepped(name, state, fired))
        if after:
            write_scoring(
                self._record,
                after,
                self._accounts,
                subjects_of(self._record, {"account_id": self._accounts}),
                as_of=self._as_of,
                fired=self._within_budget(fired),
                expires_days=self._params.alerts.expires_days,
            )

    def _usable(self, before: Mapping[str, tuple[str, date]]) -> dict[str, tuple[str, date]]:
        """Of the rules that watch for the same as when they were scored last, before the date, that scoring."""
        rules = active(self._params.alerts)
        same = {
            name: threshold_of(crossing_of(rule, self._params.alerts)) for name, rule in rules.items() if name in before
        }
        return {name: before[name] for name, threshold in same.items() if before[name][0] == threshold}

    def _stepped(self, name: str, state: Watched, fired: list[Fired]) -> Watched:
        """Bring a rule up to the date; what fires is added to the list."""
        rule, last = self._params.alerts.rules[name], self._before.get(name)
        values, crossing = wide(self._panel, rule.feature), crossing_of(rule, self._params.alerts)
        fits = np.ones(values.shape, dtype=bool)
        if rule.where is not None:
            fits[self._panel["date"], self._panel["account"]] = holds(self._panel, rule.where)
        newest: dict[str, Fired] = {}  # one an account: it had come back in between, so the earlier one is over
        for place, day in enumerate(self._dates):
            if last is not None and day != self._as_of:
                continue  # nights on which nothing ran were no scorings
            present = self._present[place] & (~np.isnan(values[place]) if rule.feature in PROBABILITIES else True)
            state, now = step(state, values[place], present, fits[place], day.toordinal(), crossing)
            for account in np.flatnonzero(now):
                one = Fired(name, self._accounts[account], day, float(values[place, account]), NEW)
                if one.account_id in self.csms:
                    newest[one.account_id] = one
        fired += newest.values()
        return state

    def _within_budget(self, fired: Sequence[Fired]) -> list[Fired]:
        """The same, where what goes beyond the budget of a CSM and week is for the digest: the least ARR first."""
        used: Counter[tuple[str, str]] = Counter()
        for row in alerts_of(self._record, open_only=False):
            if row["delivery"] == NEW:
                used[self.csms.get(row["account_id"], ""), _week(date.fromisoformat(row["fired_on"]))] += 1
        result = []
        for one in sorted(fired, key=lambda one: (-self.arrs[one.account_id], one.account_id, one.rule)):
            key = (self.csms[one.account_id], _week(one.fired_on))
            used[key] += 1
            delivery = NEW if used[key] <= self._params.alerts.weekly_budget else DIGEST
            result.append(Fired(one.rule, one.account_id, one.fired_on, one.value, delivery))
        return result


def _with_probabilities(panel: pd.DataFrame, probabilities: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The panel with the model's probabilities at the date."""
    names = [name for name in PROBABILITIES if name in probabilities.columns]
    rows = probabilities[["account_id", *names]].assign(as_of=pd.Timestamp(as_of))
    return panel.merge(rows.astype({"as_of": panel["as_of"].dtype}), on=["account_id", "as_of"], how="left")


def _week(day: date) -> str:
    """The week that a day lies in, from Monday on."""
    year, week, _ = day.isocalendar()
    return f"{year}-{week:02d}"
