"""The health of accounts as plain data: the list, the table of a publication, and one account down to its measures."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
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
_DETAILED = [name for name in names_of(HEALTH.at(Place.API)) if name not in ("name", "csm", "arr")]
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


def details(health: AccountHealth, tables: Tables, params: Params) -> "HealthDetails":
    """Of each customer: the score down to its measures, with value, points, weight and targets, and what it was."""
    meanings = {feature.name: feature.meaning for feature in catalogue(tables, params.declared)}
    return HealthDetails(health, meanings)


class HealthDetails(Mapping[str, dict[str, Any]]):
    """The health of each customer in detail, made when it is asked for: of all accounts it would not fit.

    Parameters
    ----------
    health
        The health of accounts.
    meanings
        Of features, by name.
    """

    def __init__(self, health: AccountHealth, meanings: Mapping[str, str]) -> None:
        self._rows = named(health, {})[_DETAILED].reset_index(drop=True)
        self._rows["frozen_on"] = self._rows["frozen_on"].dt.strftime("%Y-%m-%d")
        customers = np.flatnonzero(self._rows["status"].to_numpy() != FROZEN)
        ids = self._rows["account_id"].to_numpy()[customers]
        self._row = dict(zip(ids.tolist(), customers.tolist(), strict=True))
        self._columns = {name: self._rows[name].tolist() for name in _DETAILED if name != "account_id"}
        history = health.history.assign(as_of=health.history["as_of"].dt.strftime("%Y-%m-%d"))
        self._history = {name: history[name].tolist() for name in history.columns if name != "account_id"}
        self._past = history.groupby("account_id").indices
        self._measured = {account: place for place, account in enumerate(health.customers["account_id"].tolist())}
        self._measures = _measures(health, meanings)

    def __getitem__(self, account_id: str) -> dict[str, Any]:
        row, customer = self._row[account_id], self._measured[account_id]
        past = self._past.get(account_id, ())
        return {
            **plain({name: values[row] for name, values in self._columns.items()}),
            "measures": [measure.of(customer) for measure in self._measures],
            "history": [plain({name: values[place] for name, values in self._history.items()}) for place in past],
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)


def rule_in_words(rule: Health) -> dict[str, Any]:
    """The rule as plain data, for whoever asks where a score comes from."""
    return rule.model_dump(mode="json")


@dataclass(frozen=True)
class _Measured:
    """A measure of all customers: what it is, its figures, and its targets, of which each has those at its `place`."""

    about: dict[str, Any]
    figures: dict[str, list[Any]]
    targets: list[Any]
    place: list[int]

    def of(self, customer: int) -> dict[str, Any]:
        """The measure of one customer."""
        figures = plain({name: values[customer] for name, values in self.figures.items()})
        return {**self.about, **figures, "targets": [list(pair) for pair in self.targets[self.place[customer]]]}


def _measures(health: AccountHealth, meanings: Mapping[str, str]) -> list[_Measured]:
    measures = []
    for measure in measures_of(health.customers, health.rule):
        settings = health.rule.halves[measure.half].measures[measure.name]
        about = {"half": measure.half, "measure": measure.name, "meaning": meanings.get(measure.name, "")}
        targets = [
            *(elsewhere.targets or settings.targets for elsewhere in settings.by),
            settings.targets,
        ]  # -1 is last
        figures = {name: getattr(measure, name).tolist() for name in ("value", "points", "weight", "stale")}
        measures.append(_Measured(about, figures, targets, measure.place.tolist()))
    return measures


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
