"""What a fair reading of a person's book needs: what was expected of it, its own luck, and what the level does."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.outcomes.prediction import OUTCOMES, Prediction
from models.paths.given_luck import given_expected_luck, level_slopes
from models.paths.rollup import QUANTILES, roll_up
from models.paths.simulate import PathSettings

Labels = Mapping[str, NDArray[np.object_]]
POINTS = tuple(f"p{percent:02d}" for percent in QUANTILES)
SLOPES = tuple(f"{outcome}_slope" for outcome in OUTCOMES)


def book_rows(
    prediction: Prediction,
    forecast: pd.DataFrame,
    roles: Labels,
    *,
    horizons: tuple[int, ...],
    settings: PathSettings,
    threads: int,
) -> pd.DataFrame:
    """A row a person and horizon.

    Parameters
    ----------
    prediction
        Of the accounts, in the order of `roles`.
    forecast
        `account_id`, `horizon_months` and `expected_arr` as published, sorted by both.
    roles
        Of each role (csm, seller) the person of each account, in the order of the accounts' ids.
    horizons
        Months ahead to keep.
    settings, threads
        How the accounts' own luck is drawn.

    Returns
    -------
    pandas.DataFrame
        `role`, `person`, `horizon_months`, `accounts`, `starting_arr`; `expected_arr` as published; the quantiles p05
        to p95 of the book's ARR given that the shared luck is as expected; and of each outcome the change of the
        book's expected ARR for one unit of log-odds of all its accounts in all months.
    """
    given, months = given_expected_luck(prediction), int(forecast["horizon_months"].max())
    table = roll_up(given, settings, horizon_months=months, cuts=roles, threads=threads).table()
    chosen = (table["metric"] == "ending_arr") & table["cut"].isin(list(roles)) & table["horizon_months"].isin(horizons)
    keys = ["cut", "value", "horizon_months"]
    rows = table.loc[chosen, [*keys, "accounts", "starting_arr", *POINTS]]
    sums = _sums(forecast, level_slopes(given)[:, :months], roles)
    return rows.merge(sums, on=keys, validate="one_to_one").rename(columns={"cut": "role", "value": "person"})


def _sums(forecast: pd.DataFrame, slopes: NDArray[np.float64], roles: Labels) -> pd.DataFrame:
    """What adds up over the accounts of a book, by role, person and horizon."""
    months = slopes.shape[1]
    accounts: dict[str, Any] = {"horizon_months": np.tile(np.arange(1, months + 1), len(slopes))}
    accounts["expected_arr"] = forecast["expected_arr"].to_numpy(dtype=float)
    accounts |= {name: slopes[:, :, place].ravel() for place, name in enumerate(SLOPES)}
    parts = [
        pd.DataFrame(accounts | {"cut": role, "value": np.repeat(people.astype(str), months)})
        for role, people in roles.items()
    ]
    return pd.concat(parts).groupby(["cut", "value", "horizon_months"], as_index=False).sum()
