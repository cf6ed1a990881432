"""What was known of accounts when they signed, against what they came to in a year: which values go with keeping."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from features.asof.view import AsOf, day_number
from features.kpis.account_facts import GOALS
from features.kpis.cohorts import cohorts
from features.kpis.going_with import FEWEST, Flags, confirmed, difference, one_sided
from features.kpis.intervals import NONE, Between, mean_of, median_day, ratio_of, share_of
from features.revenue.known_lines import load
from features.revenue.number_ranges import as_text, in_ranges
from features.tables.checked import Tables
from features.tables.sql import named
from params import Budget, Forecast, Revenue
from params_team import IdealCustomer

FITS = ("technical_fit", "functional_fit", "experience_fit", "support_fit", "buy_in_fit")
AT_SIGNING = (
    *("industry", "region", "segment", "touch_model", "use_case", "seller", "source", "potential_seats"),
    *("acquisition_cost", *FITS),
)
YEAR_QUARTERS = 4
FIRST_YEAR_DAYS = 365
MONTHS = 12
FEWEST_CLOSED = 100
GOOD, STRETCH, BAD = "good", "stretch", "bad"
CLASSES = (GOOD, STRETCH, BAD)
GIVEN = "given_fit"


@dataclass(frozen=True)
class ValueFit:
    """A value of an attribute: what its accounts came to in a year, and the fit that follows.

    `kept` is the share of its ARR that the average account kept, `first_value_by_90` the share that reached first value
    by day 90, `ttfv` the median day, and `payback` the months of gross profit that it cost to win them. `given` are the
    shares of its accounts in each class of fit, as they were judged.
    """

    attribute: str
    value: str
    n: int
    grr: Between
    nrr: Between
    kept: Between
    first_value_by_90: Between
    ttfv: Between
    payback: Between
    given: dict[str, float]
    proposed_fit: str


def signed_accounts(
    tables: Tables, *, as_of: date, rules: Revenue, budget: Budget, fit_rule: IdealCustomer
) -> pd.DataFrame:
    """All accounts that began on file, with what was known at signing.

    Of an account with several rows the first one counts; without `valid_from` that is what `accounts` says now.

    Returns
    -------
    pandas.DataFrame
        Index `account_id`: `cohort` (such as 2024-Q1), `arr_now`, `here` (a customer now), the columns of `AT_SIGNING`
        that there are, `given_fit` (as judged, else by `fit_rule`; None), `is_derived`. Of those whose first year is
        over, else empty: `starting_arr`, `arr` a year later, `customer` then, `monthly_arr` (mean over the year, / 12),
        and `first_value` (day of the first year, inf where it was not reached; absent without such goals).
    """
    told = cohorts(tables, as_of=as_of, rules=rules, budget=budget)
    now = told.now.set_index("account_id").rename(columns={"arr": "arr_now", "customer": "here"})
    accounts = now[["cohort", "first_day", "arr_now", "here"]].join(_first_year(told.ages))
    accounts = accounts.join(_as_signed(tables, as_of, budget))
    accounts = accounts.join(_given(accounts, fit_rule))
    reached = _first_value(tables, accounts, as_of, budget)
    return accounts if reached is None else accounts.assign(first_value=reached)


def closed(accounts: pd.DataFrame) -> pd.DataFrame:
    """Those whose first year is over."""
    return accounts[accounts["starting_arr"].notna()]


def value_fits(closed: pd.DataFrame, ranges: Forecast, gross_margin: float) -> list[ValueFit]:
    """Each value of each attribute that has enough accounts, with its fit: out of time, and of so many tried.

    A value is good or bad if older accounts of it stayed the year more, or less, often than all others, and newer ones
    confirm it; else it is stretch.
    """
    older = (closed["cohort"] <= closed["cohort"].sort_values().iloc[len(closed) // 2]).to_numpy()
    kept = closed["customer"].to_numpy(dtype=bool)
    whole = np.full(len(closed), "")
    tried = []
    for attribute, value, here in values_of(closed, ranges):
        old, new = (difference(kept[half], here[half], whole[half]) for half in (older, ~older))
        p_value = one_sided(np.sign(old.z) * new.z) if old is not None and new is not None and old.z else 1.0
        tried.append((attribute, value, here, old.z if old is not None else 0.0, float(p_value)))
    stands = confirmed([p_value for *_, p_value in tried])
    return [
        outcome(closed[here], attribute, value, gross_margin, (GOOD if z > 0 else BAD) if stand else STRETCH)
        for (attribute, value, here, z, _), stand in zip(tried, stands, strict=True)
    ]


def values_of(accounts: pd.DataFrame, ranges: Forecast) -> Iterator[tuple[str, str, Flags]]:
    """Attribute, value and whose it is, of values with enough accounts; numbers are taken by ranges."""
    for attribute in (name for name in AT_SIGNING if name in accounts):
        cells = in_ranges(accounts[attribute], bins=ranges.cut_bins, edges=ranges.cut_edges.get(attribute))
        labels = as_text(cells)
        for value, count in labels.value_counts(sort=False).sort_index().items():
            if count >= FEWEST:
                yield attribute, str(value), (labels == value).to_numpy()


def outcome(part: pd.DataFrame, attribute: str, value: str, gross_margin: float, proposed: str) -> ValueFit:
    """What some accounts came to in their first year."""
    kept = part[["arr", "starting_arr"]].min(axis=1)
    reached = part["first_value"].to_numpy(dtype=float) if "first_value" in part else None
    return ValueFit(
        attribute,
        value,
        len(part),
        grr=ratio_of(kept, part["starting_arr"]),
        nrr=ratio_of(part["arr"], part["starting_arr"]),
        kept=mean_of(kept / part["starting_arr"]),
        first_value_by_90=NONE if reached is None else share_of(int((reached <= 90).sum()), len(part)),
        ttfv=NONE if reached is None else median_day(reached),
        payback=_payback(part, gross_margin),
        given={name: float((part[GIVEN] == name).mean()) for name in CLASSES} if GIVEN in part else {},
        proposed_fit=proposed,
    )


def _payback(part: pd.DataFrame, gross_margin: float) -> Between:
    """Months of the first year's gross profit that it cost to win them, of those with a cost."""
    if "acquisition_cost" not in part or "monthly_arr" not in part:
        return NONE
    cost = pd.to_numeric(part["acquisition_cost"], errors="coerce")
    known = cost > 0
    return ratio_of(cost[known], part.loc[known, "monthly_arr"] * gross_margin)


def _first_year(ages: pd.DataFrame) -> pd.DataFrame:
    """What the accounts whose first year is over came to; ARR between the ends of quarters lies on straight lines."""
    arr = ages.pivot(index="account_id", columns="age_quarters", values="arr")
    if YEAR_QUARTERS not in arr:
        return pd.DataFrame(columns=["starting_arr", "arr", "customer", "monthly_arr"], dtype=float)
    quarters = arr[list(range(YEAR_QUARTERS + 1))].dropna()
    mean = (quarters.sum(axis=1) - (quarters[0] + quarters[YEAR_QUARTERS]) / 2) / YEAR_QUARTERS
    year = ages[ages["age_quarters"] == YEAR_QUARTERS].set_index("account_id")
    return year[["starting_arr", "arr", "customer"]].join((mean / MONTHS).rename("monthly_arr"))


def _as_signed(tables: Tables, as_of: date, budget: Budget) -> pd.DataFrame:
    columns = [name for name in (*AT_SIGNING, "fit") if tables.has("accounts", name)]
    order = "valid_from NULLS FIRST" if tables.has("accounts", "valid_from") else "account_id"
    names = ", ".join(map(named, ("account_id", *columns)))
    with tables.at(as_of).connect(budget=budget) as connection:
        rows = connection.execute(f"""
            SELECT {names} FROM raw.accounts
            QUALIFY ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY {order}) = 1""").df()
    return rows.set_index("account_id")


def _given(accounts: pd.DataFrame, rule: IdealCustomer) -> pd.DataFrame:
    """The overall fit of each account: as it was judged, else by the mean of the fits that are known."""
    judged = accounts["fit"] if "fit" in accounts else pd.Series(None, index=accounts.index, dtype=object)
    scores = accounts[[name for name in FITS if name in accounts]].astype(float)
    mean = scores.mean(axis=1).where(scores.notna().sum(axis=1) >= rule.fewest_fits)
    derived = pd.Series(np.select([mean >= rule.good_from, mean < rule.bad_below], [GOOD, BAD], STRETCH), mean.index)
    derived = derived.astype(object).where(mean.notna(), None)
    is_derived = judged.isna() & derived.notna()
    return pd.DataFrame({GIVEN: judged.astype(object).where(judged.notna(), derived), "is_derived": is_derived})


def _first_value(tables: Tables, accounts: pd.DataFrame, as_of: date, budget: Budget) -> "pd.Series[float] | None":
    """The day of its first year on which an account reached first value; inf where it did not, or had left before."""
    if not tables.has("goals", "achieved_on", "horizon"):
        return None
    asof = AsOf(tables, (as_of,))
    events = asof.events("goals", day="achieved_on", where=GOALS.format("first_value"))
    with tables.at(as_of).connect(budget=budget) as connection:
        load(connection, asof.frames())
        select = f"SELECT account_id, MIN(day) AS n FROM ({events}) e WHERE kv = 1 GROUP BY account_id"
        reached = connection.execute(select).df().set_index("account_id")["n"]
    began = accounts["first_day"].map(day_number)
    age = (reached.reindex(accounts.index) - began).clip(lower=0)
    return age.where(age <= FIRST_YEAR_DAYS, np.inf).astype(float)
