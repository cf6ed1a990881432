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
        The data do not reach `as_of`, or no account has ARR then.
    """
    require_covered(tables, as_of)
    progress("scoring accounts", 0, 1)
    customers = _customers(tables, as_of, params, progress)
    prediction = champion.model.predict(customers)
    progress("simulating the portfolio", 0, 1)
