"""The health of all accounts as of a date: score, band, what holds it down, which way it goes, and what it was."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.scores.health import NO_DATA, can_be_gamed, columns_needed, health_scores, moves
from params import Params
from params_signals import Health
from serving.health.panel import customers_at, named_in, numbers_known, past_month_starts, require_known

SCORED, FROZEN = "scored", "frozen"
STATUSES = (SCORED, NO_DATA, FROZEN)
_NEAR_DAYS = 16  # how far from the day that the trend looks back to a snapshot may lie
_LABELS = ("csm",)


@dataclass(frozen=True)
class AccountHealth:
    """The health of accounts as of a date.

    Attributes
    ----------
    rows
        A row an account: `account_id`, `csm`, `arr`, what `models.scores.health.health_scores` gives, `change` (points
        since the time before), `trend` (up, down, level or empty), `status` (one of `STATUSES`), `frozen_on` (the last
        snapshot of an account that left since; NaT for customers).
    history
        `account_id`, `as_of`, `score`, `band` of these accounts at each month start and at the date.
    customers
        The snapshot rows of today's customers, which the measures are read from.
    notes
        What whoever reads it should know.
    """

    as_of: date
    rule: Health
    rows: pd.DataFrame = field(repr=False)
    history: pd.DataFrame = field(repr=False)
    customers: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]


def account_health(tables: Tables, as_of: date, params: Params, progress: Progress = silent) -> AccountHealth:
    """Score all customers as of a date, and those who left in the months that are shown, as they were last.

    Raises
    ------
    SettingsError
        The rule names a feature that there is not.
    """
    rule = params.health
    require_rule(tables, params)
    back = -(-rule.trend_days // 28)
    dates = past_month_starts(tables, as_of, rule.history_months + back, params)
    progress("scoring the health of accounts", 0, 1)
    panel = customers_at(tables, dates, columns_needed(rule) | set(_LABELS), params)
    scored = panel[["account_id", "as_of"]].join(health_scores(panel, rule))
    rows = _newest(panel.join(scored.drop(columns=["account_id", "as_of"])), as_of)
    rows = rows.merge(_moved(scored, rule), left_on="account_id", right_index=True, how="left")
    shown = dates[-(rule.history_months + 1) :]
    kept = rows["frozen_on"].isna() | (rows["frozen_on"] >= pd.Timestamp(shown[0]))
    history = scored.loc[scored["as_of"] >= pd.Timestamp(shown[0]), ["account_id", "as_of", "score", "band"]]
    today = panel["as_of"] == pd.Timestamp(as_of)
    return AccountHealth(
        as_of,
        rule,
        rows[kept].sort_values("account_id", ignore_index=True),
        history.reset_index(drop=True),
        panel[today].reset_index(drop=True),
        tuple(_notes(tables, panel, params)),
    )


def require_rule(tables: Tables, params: Params) -> None:
    """Refuse a rule that names features which there are not.

    Raises
    ------
    SettingsError
        Which, and where.
    """
    places = {}
    for half in ("csm_actions", "customer_actions"):
        for name, measure in getattr(params.health, half).measures.items():
            places[f"health.{half}.measures.{name}"] = name
            if measure.age:
                places[f"health.{half}.measures.{name}.age"] = measure.age
    for name, cap in params.health.caps.items():
        if not cap.if_known:
            places |= dict(named_in(f"health.caps.{name}.when", cap.when))
    require_known(places, numbers_known(tables, params))


def _newest(panel: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Each account's last row; those before the date are of accounts that left since."""
    last = panel.sort_values("as_of", kind="stable").drop_duplicates("account_id", keep="last")
    is_now = last["as_of"] == pd.Timestamp(as_of)
    status = np.where(is_now, np.where(last["score"].isna(), NO_DATA, SCORED), FROZEN)
    csm = last["csm"] if "csm" in last.columns else pd.Series("", index=last.index)
    facts: dict[str, Any] = {"status": status, "frozen_on": last["as_of"].where(~is_now), "csm": csm.fillna("")}
    names = ["account_id", "arr", *_SCORES]
    return last[names].assign(**facts)


_SCORES = ("score", "csm_half", "customer_half", "coverage", "band", "colour", "cap", "stale")


def _moved(scored: pd.DataFrame, rule: Health) -> pd.DataFrame:
    """Of each account, the change of its score since the time before, and which way it goes."""
    wide = scored.pivot_table(index="as_of", columns="account_id", values="score", dropna=False)
    days = wide.index.to_numpy("datetime64[D]")
    changes = []
    for place, day in enumerate(days):
        apart = np.abs((day - days[: place + 1]).astype(int) - rule.trend_days)
        near = int(apart.argmin())
        before = wide.iloc[near].to_numpy(float) if apart[near] <= _NEAR_DAYS else np.full(wide.shape[1], np.nan)
        changes.append(wide.iloc[place].to_numpy(float) - before)
    trend = moves(changes, rule.trend_points)
    return pd.DataFrame({"change": changes[-1], "trend": trend}, index=wide.columns)


def _notes(tables: Tables, panel: pd.DataFrame, params: Params) -> list[str]:
    rule, notes = params.health, []
    names = [name for half in rule.halves.values() for name, m in half.measures.items() if m.weight > 0]
    absent = [name for name in names if name not in panel.columns]
    if absent:
        notes.append(f"Not to be had from these tables, and left out of the score: {', '.join(absent)}.")
    gamed = can_be_gamed(numbers_known(tables, params), rule)
    if gamed:
        notes.append(
            f"{', '.join(gamed)} can be gamed: touches and logins go up when someone wants them to, without any "
            "customer being better off. Measure what they are for instead."
        )
    return notes
