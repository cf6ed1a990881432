"""A pay plan over past quarters: what each person would have got, and how much of the differences is luck."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
NRR, AGAINST_EXPECTED = "nrr", "nrr_against_expected"
MEASURES = (NRR, AGAINST_EXPECTED)
DRAWS = 2000


@dataclass(frozen=True)
class Component:
    """A part of the variable pay.

    Attributes
    ----------
    measure
        `nrr` (1 = 100 %), or `nrr_against_expected` (the difference from the expectation, 0.01 = one point).
    weight
        Its share of the variable pay; all weights together are 1.
    threshold, target
        Where it begins to pay, and where it pays in full.
    at_threshold
        What it pays at the threshold, as a share of the full pay; nothing below.
    accelerator
        How much faster it rises above the target than between threshold and target.
    cap
        The most it pays, as a share of the full pay.
    """

    measure: str
    weight: float
    threshold: float
    target: float
    at_threshold: float
    accelerator: float
    cap: float


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
    return np.asarray(np.minimum(paid, component.cap))


def pay(plan: Plan, on_target: Array, actual: Array, expected: Array) -> Array:
    """Pay of quarters.

    Parameters
    ----------
    plan
        The plan.
    on_target
        On-target pay of a quarter.
    actual, expected
        NRR of the book, and what was expected of it; broadcast against `on_target`.
    """
    measures = {NRR: actual, AGAINST_EXPECTED: actual - expected}
    factor = sum((one.weight * payout(one, measures[one.measure]) for one in plan.components), start=np.zeros(1))
    return np.asarray(on_target * (1 - plan.variable + plan.variable * factor))


@dataclass(frozen=True)
class Replay:
    """A plan over past quarters.

    Attributes
    ----------
    people
        `person`, `quarters`, `on_target`, `pay`; sorted by name.
    luck_share
        The variance between people of pay had all been of average skill, over the variance seen; None where nobody's
        pay differs. It holds what the books themselves do, where a plan pays by them. It may be above 1.
    """

    people: pd.DataFrame
    luck_share: float | None


def replay(plan: Plan, quarters: pd.DataFrame, seed: int) -> Replay:
    """Run a plan over past quarters.

    Parameters
    ----------
    plan
        The plan.
    quarters
        A row a quarter and person: `person`, `on_target` (of the quarter), `actual` and `expected` (NRR), `sd` (of the
        actual NRR of a book of average skill).
    seed
        Of the draws of average people.
    """
    names = ("on_target", "actual", "expected", "sd")
    on_target, actual, expected, sd = (quarters[name].to_numpy(float) for name in names)
    seen = quarters.assign(pay=pay(plan, on_target, actual, expected))
    grouped = seen.groupby("person", sort=True)
    people = grouped.agg(quarters=("pay", "size"), on_target=("on_target", "sum"), pay=("pay", "sum")).reset_index()
    draws = np.random.default_rng(seed).normal(size=(DRAWS, len(quarters))) * sd + expected
    lucky = _by_person(pay(plan, on_target, draws, expected), seen["person"].to_numpy())
    relative = people["pay"].to_numpy(float) / people["on_target"].to_numpy(float)
    variance = float(relative.var())
    of_luck = float((lucky / people["on_target"].to_numpy(float)).var(axis=1).mean())
    return Replay(people, of_luck / variance if variance > 0 else None)


def _by_person(amounts: Array, person: "NDArray[np.object_]") -> Array:
    """Sums of columns by person, in the order of names."""
    names = np.unique(person.astype(str))
    return np.stack([amounts[:, person == name].sum(axis=1) for name in names], axis=1)
