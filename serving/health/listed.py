"""The health of accounts as plain data: the list, the table of a publication, and one account down to its measures."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from features.families.catalogue import catalogue
from features.revenue.cut_labels import account_names
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.scores.health import measures_of
from params import Params
from params_signals import Health
from serving.forecast.declared.column import Place, names_of
from serving.forecast.declared.team_tables import HEALTH, HEALTH_SCORE
from serving.health.account_health import FROZEN, AccountHealth, account_health

_PLACES = 2  # decimals of points
_ROUNDED = ("score", "csm_half", "customer_half", "change", "coverage")
DEFINITION = (
    "Health: {csm:.0%} what the team did + {customer:.0%} what the customer did, each the mean of measures held "
    "against targets, as of {as_of}; a rule of the business (`health` in the settings), and no probability"
)


def listed_health(
    tables: Tables, as_of: date, params: Params, *, csm: str | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """What `holdfast health` gives: a row an account, worst first, and how many have which colour.

    Raises
    ------
    BadRequest
        There is no such CSM.
    """
    health = account_health(tables, as_of, params, progress)
    rows = health_rows(health, account_names(tables, as_of, params.budget))
    if csm is not None:
        _require_csm(csm, rows)
        rows = [row for row in rows if row["csm"] == csm]
    colours = Counter(row["colour"] for row in rows if row["status"] != FROZEN)
    return {
        "as_of": as_of.isoformat(),
        "definition": definition_of(health.rule, as_of),
        "colours": {colour: colours[colour] for colour in ("green", "yellow", "red", "") if colours[colour]},
        "rows": rows,
        "notes": list(health.notes),
    }


@dataclass(frozen=True)
class PublishedHealth:
    """What the service answers from: the rows of the list, each account's details, and what goes with them."""

    rows: pd.DataFrame
    details: Mapping[str, dict[str, Any]]
    about: dict[str, Any]


def published(health: AccountHealth, tables: Tables, params: Params) -> PublishedHealth:
    """The health of accounts as it is published."""
    about = {
        "definition": definition_of(health.rule, health.as_of),
        "rule": rule_in_words(health.rule),
        "notes": list(health.notes),
    }
    names = account_names(tables, health.as_of, params.budget)
    rows = named(health, names)[names_of(HEALTH.at(Place.API))]
    return PublishedHealth(rows.round(dict.fromkeys(_ROUNDED, _PLACES)), details(health, tables, params), about)


def health_table(health: AccountHealth, run: Mapping[str, Any]) -> pd.DataFrame:
    """The table `health_score` of a publication, with the columns of its run."""
    return HEALTH_SCORE.shape(health.rows.assign(definition=definition_of(health.rule, health.as_of), **run))


def definition_of(rule: Health, as_of: date) -> str:
    """What the score means, in a sentence."""
    return DEFINITION.format(csm=rule.csm_actions.weight, customer=rule.customer_actions.weight, as_of=as_of)


def health_rows(health: AccountHealth, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of the list `HEALTH`, plain: nothing is NaN."""
    frame = named(health, names)[names_of(HEALTH.at(Place.API))]
    days = frame["frozen_on"].dt.strftime("%Y-%m-%d")
    return [plain(row) for row in frame.assign(frozen_on=days).to_dict(orient="records")]


def named(health: AccountHealth, names: Mapping[str, str]) -> pd.DataFrame:
    """The rows with the names of accounts."""
    ids = health.rows["account_id"]
    return health.rows.assign(name=[names.get(account, account) for account in ids])


def details(health: AccountHealth, tables: Tables, params: Params) -> dict[str, dict[str, Any]]:
    """Of each customer: the score down to its measures, with value, points, weight and targets, and what it was."""
    meanings = {feature.name: feature.meaning for feature in catalogue(tables, params.declared)}
    measures = _measures(health, meanings)
    history: dict[str, list[dict[str, Any]]] = {}
    for row in health.history.assign(as_of=health.history["as_of"].dt.strftime("%Y-%m-%d")).to_dict(orient="records"):
        history.setdefault(row.pop("account_id"), []).append(plain(row))
    rows = health_rows(health, {})
    return {
        row["account_id"]: {
            **{name: value for name, value in row.items() if name not in ("account_id", "name", "csm", "arr")},
            "measures": measures[row["account_id"]],
            "history": history.get(row["account_id"], []),
        }
        for row in rows
        if row["status"] != FROZEN
    }


def rule_in_words(rule: Health) -> dict[str, Any]:
    """The rule as plain data, for whoever asks where a score comes from."""
    return rule.model_dump(mode="json")


def _measures(health: AccountHealth, meanings: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    ids = health.customers["account_id"].tolist()
    lists: dict[str, list[dict[str, Any]]] = {account: [] for account in ids}
    for measure in measures_of(health.customers, health.rule):
        settings = health.rule.halves[measure.half].measures[measure.name]
        about = {"half": measure.half, "measure": measure.name, "meaning": meanings.get(measure.name, "")}
        targets = [
            *(elsewhere.targets or settings.targets for elsewhere in settings.by),
            settings.targets,
        ]  # -1 is last
        arrays = (measure.value, measure.points, measure.weight, measure.stale, measure.place)
        for account, value, points, weight, stale, place in zip(ids, *(a.tolist() for a in arrays), strict=True):
            figures = {"value": value, "points": points, "weight": weight, "stale": stale}
            lists[account].append({**about, **plain(figures), "targets": [list(pair) for pair in targets[place]]})
    return lists


def plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row without NaN, numbers to a few places."""
    return {str(name): _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT:
        return None
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, _PLACES)
    return value


def _require_csm(csm: str, rows: list[dict[str, Any]]) -> None:
    import difflib

    from serving.forecast.refusals import BadRequest

    names = sorted({row["csm"] for row in rows})
    if csm not in names:
        near = difflib.get_close_matches(csm, names, n=1)
        raise BadRequest(f"--csm {csm}: no account is in that book" + (f"; did you mean {near[0]}?" if near else "."))
