"""A pay plan over past quarters: what each person would have got, and how much of the differences is luck."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.books.average_people import AGAINST_EXPECTED, NRR

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
ALL_QUARTERS = (1, 2, 3, 4)
__all__ = ["AGAINST_EXPECTED", "NRR", "Component", "Plan", "Quarters", "Replay", "pay", "payout", "replay"]


@dataclass(frozen=True)
class Component:
    """A part of the variable pay.

    Attributes
    ----------
    measure
        `nrr` (1 = 100 %), `nrr_against_expected` (the difference from the expectation, 0.01 = one point), or any other
        that the quarters have.
    weight
        Its share of the variable pay; all weights together are 1.
    threshold, target
        Where it begins to pay, and where it pays in full.
    at_threshold
        What it pays at the threshold, as a share of the full pay; nothing below.
    accelerator
        How much faster it rises above the target than between threshold and target.
    cap, floor
        The most and the least it pays, as shares of the full pay.
    in_quarters
        In which quarters of the year it counts.
    """

    measure: str
    weight: float
    threshold: float
    target: float
    at_threshold: float
    accelerator: float
    cap: float
    floor: float = 0.0
    in_quarters: tuple[int, ...] = ALL_QUARTERS


@dataclass(frozen=True)
class Plan:
    """A pay plan: the share that varies, and what it depends on."""

    variable: float
    components: Sequence[Component]


def payout(component: Component, value: Array) -> Array:
    """The share of the full pay of a component at values of its measure."""
    rise = (1 - component.at_threshold) / (component.target - component.threshold)
    below = component.at_threshold + rise * (value - component.threshold)
    above = 1 + component.accelerator * rise * (value - component.target)
    paid = np.where(value < component.threshold, 0.0, np.where(value < component.target, below, above))
    return np.asarray(np.clip(paid, component.floor, component.cap))


def pay(plan: Plan, on_target: Array, measures: Mapping[str, Array], quarter: Ints | None = None) -> Array:
    """Pay of quarters.

    A component counts in its quarters, and where its measure is known; the weight of one that does not goes to the
    others, and where none counts the variable pay is that of the target.

    Parameters
    ----------
    plan
        The plan.
    on_target
        On-target pay of a quarter.
    measures
        What each measure came to, NaN where there is nothing to measure; broadcast against `on_target`.
    quarter
        Which quarter of the year each is, 1 to 4; None counts every component.
    """
    weights, earned = np.zeros(1), np.zeros(1)
    for one in plan.components:
        value = measures[one.measure]
        counts = ~np.isnan(value) & (True if quarter is None else np.isin(quarter, one.in_quarters))
        weight = one.weight * counts
        weights = weights + weight
        earned = earned + weight * np.nan_to_num(payout(one, value))
    factor = np.where(weights > 0, earned / np.where(weights > 0, weights, 1), 1.0)
    return np.asarray(on_target * (1 - plan.variable + plan.variable * factor))


@dataclass(frozen=True)
class Quarters:
    """What a plan is replayed over.

    Attributes
    ----------
    rows
        A row a quarter and person: `person`, `on_target` (of the quarter), `quarter` (1 to 4), a column a measure.
    remainder
        The measures without what was taken back since, by name; those that are not in it are as they were.
    lucky
        The measures had everybody been of average skill, by name, of shape (draws, rows).
    """

    rows: pd.DataFrame
    remainder: Mapping[str, Array]
    lucky: Mapping[str, Array]


@dataclass(frozen=True)
class Replay:
    """A plan over past quarters.

    Attributes
    ----------
    people
        `person`, `quarters`, `on_target`, `pay` (less what was taken back), `clawback`; sorted by name.
    by_quarter
        The quarters' rows with `pay` and `clawback`.
    luck_share
        The variance between people of pay had all been of average skill, over the variance seen, both before anything
        is taken back; None where nobody's pay differs. It holds what the books themselves do, where a plan pays by
        them. It may be above 1.
    """

    people: pd.DataFrame
    by_quarter: pd.DataFrame
    luck_share: float | None


def replay(plan: Plan, quarters: Quarters) -> Replay:
    """Run a plan over past quarters."""
    rows = quarters.rows
    on_target, quarter = rows["on_target"].to_numpy(float), rows["quarter"].to_numpy("int64")
    measures = {one.measure: rows[one.measure].to_numpy(float) for one in plan.components}
    earned = pay(plan, on_target, measures, quarter)
    remainder = {name: quarters.remainder.get(name, values) for name, values in measures.items()}
    clawback = np.maximum(earned - pay(plan, on_target, remainder, quarter), 0.0)
    by_quarter = rows.assign(pay=earned - clawback, clawback=clawback)
    summed = {name: (name, "sum") for name in ("on_target", "pay", "clawback")}
    people = by_quarter.groupby("person", sort=True).agg(quarters=("pay", "size"), **summed).reset_index()
    lucky = pay(plan, on_target, quarters.lucky, quarter)
    return Replay(people, by_quarter, _luck_share(people, earned, lucky, rows["person"].to_numpy()))


def _luck_share(people: pd.DataFrame, earned: Array, lucky: Array, person: "NDArray[np.object_]") -> float | None:
    on_target = people["on_target"].to_numpy(float)
    variance = float((_by_person(earned[None, :], person)[0] / on_target).var())
    of_luck = float((_by_person(lucky, person) / on_target).var(axis=1).mean())
    return of_luck / variance if variance > 0 else None


def _by_person(amounts: Array, person: "NDArray[np.object_]") -> Array:
    """Sums of columns by person, in the order of names."""
    names = np.unique(person.astype(str))
    return np.stack([amounts[:, person == name].sum(axis=1) for name in names], axis=1)
