"""The rules of `alerts` in the settings, and the values that they watch."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.tables.checked import Tables
from models.scores.crossings import Crossing
from params import Params
from params_signals import AlertRule, Alerts
from serving.health.panel import named_in, numbers_known, require_known

PROBABILITIES = ("churn_probability", "contraction_probability", "expansion_probability", "cross_sell_probability")
"""What a rule may name beside the numbers of snapshots: the model's, over its longest horizon."""
RISK = "risk"
Array = NDArray[np.float64]


def active(alerts: Alerts) -> dict[str, AlertRule]:
    """The rules that are switched on, by name."""
    return {name: rule for name, rule in alerts.rules.items() if rule.enabled}


def crossing_of(rule: AlertRule, alerts: Alerts) -> Crossing:
    """A rule's threshold, with what holds for all rules where it does not say otherwise."""
    hold = alerts.hold_days if rule.hold_days is None else rule.hold_days
    return Crossing(rule.at_least is not None, rule.enter, rule.leave, hold, alerts.cooldown_days)


def columns_needed(alerts: Alerts) -> set[str]:
    """The columns of snapshots that the rules read."""
    names: set[str] = set()
    for rule in active(alerts).values():
        names |= {rule.feature, *(name for _, name in named_in("", rule.where))}
    return names - set(PROBABILITIES)


def require_rules(tables: Tables, params: Params) -> None:
    """Refuse rules that name what there is not.

    Raises
    ------
    SettingsError
        Which, and where.
    """
    places: dict[str, str] = {}
    for name, rule in params.alerts.rules.items():
        places[f"alerts.rules.{name}.feature"] = rule.feature
        places |= dict(named_in(f"alerts.rules.{name}.where", rule.where))
    require_known(places, {*numbers_known(tables, params), *PROBABILITIES})


def absent(alerts: Alerts, columns: Iterable[str]) -> list[str]:
    """The rules that watch what these tables cannot give."""
    known = set(columns)
    return [name for name, rule in active(alerts).items() if rule.feature not in known]


def wide(panel: pd.DataFrame, column: str) -> Array:
    """A column of a panel by date and account, NaN where an account was not there; rows have `date` and `account`."""
    shape = (int(panel["date"].max()) + 1, int(panel["account"].max()) + 1)
    values = np.full(shape, np.nan)
    if column in panel.columns:
        values[panel["date"], panel["account"]] = panel[column].to_numpy(float)
    return values


def placed(panel: pd.DataFrame) -> tuple[pd.DataFrame, list[pd.Timestamp], list[str]]:
    """A panel with the places of its dates and accounts, and what stands there."""
    dates, accounts = np.sort(panel["as_of"].unique()), np.sort(panel["account_id"].unique())
    rows = panel.assign(
        date=np.searchsorted(dates, panel["as_of"].to_numpy()),
        account=np.searchsorted(accounts, panel["account_id"].to_numpy()),
    )
    return rows, [pd.Timestamp(day) for day in dates], [str(account) for account in accounts]


def about(name: str, rule: AlertRule, alerts: Alerts) -> Mapping[str, Any]:
    """A rule as plain data, its playbook with it."""
    content = rule.model_dump(mode="json", exclude={"enabled"})
    steps = [step.model_dump(mode="json") for step in alerts.playbooks[rule.playbook]]
    return {"rule": name, **content, "steps": steps}
