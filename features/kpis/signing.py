"""What was known of accounts when they signed, against what they came to in a year: which values go with keeping."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from features.kpis.cohorts import cohorts
from features.kpis.going_with import FEWEST, confirmed, difference, one_sided
from features.revenue.number_ranges import as_text, in_ranges
from features.tables.checked import Tables
from features.tables.sql import named
from params import Budget, Forecast, Revenue

AT_SIGNING = (
    *("industry", "region", "segment", "touch_model", "use_case", "seller", "potential_seats", "acquisition_cost"),
    *("technical_fit", "functional_fit", "experience_fit", "support_fit", "buy_in_fit"),
)
YEAR_QUARTERS = 4
FEWEST_CLOSED = 100
GOOD, STRETCH, BAD = "good", "stretch", "bad"
Z95 = 1.959964


@dataclass(frozen=True)
class ValueFit:
    """A value of an attribute: what its accounts came to in a year, and the fit that follows.

    `low` and `high` bound the share of its ARR that the average account kept (95 %).
    """

    attribute: str
    value: str
    n: int
    grr: float
    nrr: float
    low: float
    high: float
    proposed_fit: str


def closed_accounts(tables: Tables, *, as_of: date, rules: Revenue, budget: Budget) -> pd.DataFrame:
    """The accounts whose first year is over: `starting_arr`, `arr` after it, `cohort`, and what was known at signing.

    The row that came first counts of an account with several; without `valid_from` that is what `accounts` says now.
    """
    ages = cohorts(tables, as_of=as_of, rules=rules, budget=budget).ages
    closed = ages[ages["age_quarters"] == YEAR_QUARTERS].set_index("account_id")
    columns = [name for name in AT_SIGNING if tables.has("accounts", name)]
    order = "valid_from NULLS FIRST" if tables.has("accounts", "valid_from") else "account_id"
    names = ", ".join(map(named, ("account_id", *columns)))
    with tables.at(as_of).connect(budget=budget) as connection:
        rows = connection.execute(f"""
            SELECT {names} FROM raw.accounts
            QUALIFY ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY {order}) = 1""").df()
    return closed.join(rows.set_index("account_id"))


def value_fits(closed: pd.DataFrame, ranges: Forecast) -> list[ValueFit]:
    """Each value of each attribute that has enough accounts, with its fit: out of time, and of so many tried.

    A value is good or bad if older accounts of it stayed the year more, or less, often than all others, and newer ones
    confirm it; else it is stretch.
    """
    older = (closed["cohort"] <= closed["cohort"].sort_values().iloc[len(closed) // 2]).to_numpy()
    kept = closed["customer"].to_numpy(dtype=bool)
    whole = np.full(len(closed), "")
    tried = []
    for attribute, value, here in _values(closed, ranges):
        old, new = (difference(kept[half], here[half], whole[half]) for half in (older, ~older))
        p_value = one_sided(np.sign(old.z) * new.z) if old is not None and new is not None and old.z else 1.0
        tried.append((attribute, value, here, old.z if old is not None else 0.0, float(p_value)))
    stands = confirmed([p_value for *_, p_value in tried])
    return [_fit(closed, each, stand) for each, stand in zip(tried, stands, strict=True)]


def _values(closed: pd.DataFrame, ranges: Forecast) -> Iterator[tuple[str, str, np.ndarray]]:
    for attribute in (name for name in AT_SIGNING if name in closed):
        cells = in_ranges(closed[attribute], bins=ranges.cut_bins, edges=ranges.cut_edges.get(attribute))
        labels = as_text(cells)
        for value, count in labels.value_counts(sort=False).sort_index().items():
            if count >= FEWEST:
                yield attribute, str(value), (labels == value).to_numpy()


def _fit(closed: pd.DataFrame, tried: tuple[str, str, np.ndarray, float, float], stands: bool) -> ValueFit:
    attribute, value, here, z, _ = tried
    part = closed[here]
    kept = part[["arr", "starting_arr"]].min(axis=1)
    shares = kept / part["starting_arr"]
    spread = Z95 * float(shares.std(ddof=1)) / np.sqrt(len(part))
    starting = float(part["starting_arr"].sum())
    return ValueFit(
        attribute,
        value,
        len(part),
        float(kept.sum()) / starting,
        float(part["arr"].sum()) / starting,
        max(float(shares.mean()) - spread, 0.0),
        min(float(shares.mean()) + spread, 1.0),
        (GOOD if z > 0 else BAD) if stands else STRETCH,
    )
