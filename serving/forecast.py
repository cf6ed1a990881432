"""The batch forecast: score every account, simulate the portfolio, explain, and say what each figure means."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from features.revenue import add_months
from features.snapshots import stored
from features.tables import Tables
from models.outcome import Prediction
from params import Params
from serving.definitions import Rules
from serving.problems import BadRequest
from serving.registry import Champion
from serving.tables import ACCOUNT_DRIVER, ACCOUNT_FORECAST, NRR_FORECAST, RENEWAL_FORECAST, OutTable

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Forecast:
    """One forecast: its four tables, what it was made from, and what whoever reads it should know."""

    run_id: str
    as_of: date
    model_version: str
    made_at: datetime
    currency: str
    definition: str
    red_flag: str
    notes: tuple[str, ...]
    account_forecast: pd.DataFrame = field(repr=False)
    account_driver: pd.DataFrame = field(repr=False)
    nrr_forecast: pd.DataFrame = field(repr=False)
    renewal_forecast: pd.DataFrame = field(repr=False)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The four tables by name."""
        named = (ACCOUNT_FORECAST, ACCOUNT_DRIVER, NRR_FORECAST, RENEWAL_FORECAST)
        return {table.name: getattr(self, table.name) for table in named}

    def describe(self) -> dict[str, Any]:
        """Everything but the tables, as plain data."""
        return {
            "run_id": self.run_id,
            "as_of": self.as_of.isoformat(),
            "model_version": self.model_version,
            "made_at": self.made_at.isoformat(),
            "currency": self.currency,
            "definition": self.definition,
            "red_flag": self.red_flag,
            "notes": list(self.notes),
        }


def forecast(
    tables: Tables,
    champion: Champion,
    *,
    as_of: date,
    params: Params,
    made_at: datetime,
    progress: Progress = lambda *_: None,
) -> Forecast:
    """Forecast every account with ARR at a date, and the portfolio they make up.

    Parameters
    ----------
    tables
        The checked tables.
    champion
        The model in charge.
    as_of
        Nothing that became known on this day or later is used.
    params
        All settings.
    made_at
        The time to write into the tables; nothing else depends on the clock.
    progress
        Told how far the work is.

    Raises
    ------
    BadRequest
        The data do not reach `as_of`, no account has ARR then, or the model was trained on other rules or features.
    """
    require_usable(tables, champion, as_of, params)
    customers = _customers(tables, as_of, params, progress)
    progress("scoring the accounts", 0, 1)
    prediction = _predict(champion, customers)
    progress("simulating the portfolio", 0, 1)
    cuts, cut_notes = usable_cuts(tables, params.forecast.cuts)
    rolled = _roll_up(tables, champion, customers, prediction, cuts, as_of=as_of, params=params)
    progress("finding the reasons", 0, 1)
    drivers = _drivers(champion, customers, params)
    rules = Rules(as_of, params.revenue.currency, params.revenue.grace_days, params.revenue.reactivation)
    stamp = Stamp(run_id(tables, champion, as_of, params), as_of, champion.version, made_at)
    return _assemble(customers, rolled, drivers, rules, stamp, (*cut_notes, *_notes(champion, as_of, params)))


def run_id(tables: Tables, champion: Champion, as_of: date, params: Params) -> str:
    """Identifies a forecast by what decides it: model, data, date and settings, but not the machine or the clock."""
    content = {
        "model": champion.digest,
        "version": champion.version,
        "data": [tables.digest, tables.data_until.isoformat(), dict(tables.lag_days)],
        "as_of": as_of.isoformat(),
        "settings": params.model_dump(mode="json", include={"seed", "revenue", "snapshots", "forecast", "model"}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def require_usable(tables: Tables, champion: Champion, as_of: date, params: Params) -> None:
    """Refuse a date that the data do not reach, and a model of other rules.

    Raises
    ------
    BadRequest
        Which of them, and what to do.
    """
    if as_of > tables.data_until:
        raise BadRequest(
            f"The data end before {tables.data_until}, so nothing is known about the days up to {as_of}. "
            f"Forecast as of {tables.data_until} or earlier, or bring newer data."
        )
    trained = champion.model.settings.grace_days
    if trained != params.revenue.grace_days:
        raise BadRequest(
            f"revenue.grace_days is {params.revenue.grace_days}, but the champion learned from {trained}: "
            "set it back, or run `holdfast train`."
        )


def _customers(tables: Tables, as_of: date, params: Params, progress: Progress) -> pd.DataFrame:
    """The snapshot rows of the accounts with ARR."""
    frame = stored(tables, [as_of], params=params, progress=progress).frame
    customers = frame[frame["arr"] > 0].reset_index(drop=True)
    if customers.empty:
        raise BadRequest(f"No account has ARR on {as_of}, as known then: there is nothing to forecast.")
    return customers


def _predict(champion: Champion, customers: pd.DataFrame) -> Prediction:
    try:
        return champion.model.predict(customers)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def _notes(champion: Champion, as_of: date, params: Params) -> tuple[str, ...]:
    """What a reader would otherwise take wrongly."""
    notes = []
    if as_of < champion.trained_as_of:
        notes.append(
            f"The model learned from data up to {champion.trained_as_of}, after {as_of}: "
            "this shows how it fits the past, not how well it forecasts. Use `holdfast backtest` for that."
        )
    if champion.model.horizon_months != params.model.horizon_months:
        notes.append(
            f"The champion looks {champion.model.horizon_months} months ahead, not the "
            f"{params.model.horizon_months} of model.horizon_months: train again to change it."
        )
    return tuple(notes)
