"""The KPIs of some accounts, from their facts."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from features.kpis.account_facts import Window
from features.kpis.declared_kpis import (
    ANNUALISED,
    DAYS,
    FIRST_VALUE,
    FROM_KICKOFF,
    KICKOFF,
    MEDIAN,
    RATIOS,
    SHARE,
    SHARE_DAYS,
    Ratio,
)
from features.kpis.incidence import CENSORED, LEFT, REACHED, Incidence, incidence

MONTHS = 12
SCALE = 100  # amounts are to the cent, and added up in whole ones


@dataclass(frozen=True)
class Kpi:
    """A figure with what it says: NaN where there is nothing to say, and `note` then says why."""

    kpi: str
    cut: str
    value: str
    figure: float
    n: int
    unit: str
    definition: str
    as_of: date
    note: str = ""


def kpis_of(facts: pd.DataFrame, window: Window, cut: str, value: str) -> Iterator[Kpi]:
    """All KPIs that the facts of some accounts give, in the order in which they are declared."""
    columns = set(facts)
    ratios = [ratio for ratio in RATIOS if set(ratio.columns) <= columns]
    sums = _sums(facts, sorted({name for ratio in ratios for name in ratio.columns}))
    for ratio in ratios:
        yield from _ratio_rows(ratio, sums, window, cut, value)
    if "first_value" in columns:
        yield from _first_value_rows(facts, window, cut, value)
    yield from _onboarding_rows(facts, window, cut, value)


def added(facts: pd.DataFrame, name: str) -> float:
    """The sum of a column, in whole cents, so that the order of accounts does not matter."""
    return _sums(facts, [name])[name]


def annualised(rate: float, months: int) -> float:
    """A rate of so many months as one of a year: what is lost is lost of what was left, so not twelve times it."""
    return float(1 - (1 - rate) ** (MONTHS / months))


def meaning(ratio: Ratio, window: Window) -> str:
    """What a KPI means in a window."""
    days = {"start": window.start, "end": window.as_of, "months": window.months, "tolerance": window.tolerance_days}
    return ratio.definition.format(**days)


def first_value_times(facts: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The new customers of the window: `days` until first value, until it left or until now, and which `outcome`."""
    fresh = facts[facts["began"] >= pd.Timestamp(window.start)]
    reached = fresh["first_value"] <= fresh["lived_days"]
    outcome = np.select([reached, fresh["left_by_now"] == 1], [REACHED, LEFT], CENSORED)
    days = fresh["first_value"].where(reached, fresh["lived_days"]).astype("int64")
    return pd.DataFrame({"days": days, "outcome": outcome}, index=fresh.index)


def _sums(facts: pd.DataFrame, names: list[str]) -> dict[str, float]:
    """The sums of some columns, all at once."""
    cents = np.rint(facts[names].to_numpy(dtype=np.float64) * SCALE).sum(axis=0)
    return {name: int(total) / SCALE for name, total in zip(names, cents, strict=True)}


def _ratio_rows(ratio: Ratio, sums: Mapping[str, float], window: Window, cut: str, value: str) -> Iterator[Kpi]:
    over, n = sums[ratio.over], sums[ratio.counted]
    under = sums[ratio.under] if ratio.under else 1.0
    figure = over / under if under else math.nan
    note = "" if under else ratio.empty.format(end=window.as_of)
    words = meaning(ratio, window)
    yield Kpi(ratio.name, cut, value, figure, int(n), ratio.unit, words, window.as_of, note)
    if ratio.annual and window.months != MONTHS:
        words = f"1 - (1 - rate) ^ (12 / {window.months}); rate: {words}"
        yearly = annualised(figure, window.months)
        yield Kpi(ratio.name + ANNUALISED, cut, value, yearly, int(n), ratio.unit, words, window.as_of, note)


def _first_value_rows(facts: pd.DataFrame, window: Window, cut: str, value: str) -> Iterator[Kpi]:
    times = first_value_times(facts, window)
    curve = incidence(times["days"].to_numpy(np.int64), times["outcome"].to_numpy(np.int64))
    of_whom = (
        f"of the accounts that became customers from {window.start} to {window.as_of}, leaving before it competing"
    )
    nobody = "" if curve.accounts else "no account became a customer"
    for name, day in zip(FIRST_VALUE, SHARE_DAYS, strict=True):
        words = f"share that reached its first-value goal by day {day}, {of_whom} (Aalen and Johansen)"
        yield Kpi(name, cut, value, curve.by(day), curve.accounts, SHARE, words, window.as_of, nobody)
    words = f"day by which half have reached their first-value goal, {of_whom}"
    median = math.nan if curve.median_day is None else float(curve.median_day)
    yield Kpi(MEDIAN, cut, value, median, curve.accounts, DAYS, words, window.as_of, nobody or _not_reached(curve))


def _onboarding_rows(facts: pd.DataFrame, window: Window, cut: str, value: str) -> Iterator[Kpi]:
    """From signature to kickoff, and from kickoff to first value: medians, leaving before competing."""
    if "began" not in facts:
        return
    fresh = facts[facts["began"] >= pd.Timestamp(window.start)]
    whom = f"of the accounts that became customers from {window.start} to {window.as_of}, leaving before it competing"
    for name, start, end, words in (
        (KICKOFF, "signed_day", "kickoff_day", "days from the first signature until half have had their kickoff"),
        (FROM_KICKOFF, "kickoff_day", "first_value", "days from kickoff until half have reached first value"),
    ):
        if not {start, end} <= set(facts):
            continue
        here = fresh[fresh[start].notna() & (fresh[start] <= fresh["lived_days"])]
        reached = here[end] <= here["lived_days"]
        outcome = pd.Series(np.select([reached, here["left_by_now"] == 1], [REACHED, LEFT], CENSORED))
        days = (here[end].where(reached, here["lived_days"]) - here[start]).clip(lower=0).astype("int64")
        curve = incidence(np.asarray(days, dtype=np.int64), np.asarray(outcome, dtype=np.int64))
        median = math.nan if curve.median_day is None else float(curve.median_day)
        note = _not_reached(curve) if curve.accounts else "no such account"
        yield Kpi(name, cut, value, median, curve.accounts, DAYS, f"{words}, {whom}", window.as_of, note)


def _not_reached(curve: Incidence) -> str:
    if curve.median_day is not None:
        return ""
    return f"not reached: {curve.share[-1]:.0%} by day {curve.days[-1]}, the longest that any of them was followed"
