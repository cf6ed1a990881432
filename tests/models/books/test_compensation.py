"""Pay under a plan: by hand at each bend, and luck that is all of it where nobody is better than another."""

import numpy as np
import pandas as pd
import pytest

from models.books.compensation import Component, Plan, pay, payout, replay

NRR = Component("nrr", 1.0, threshold=0.90, target=1.00, at_threshold=0.5, accelerator=2.0, cap=1.8)


@pytest.mark.parametrize(
    ("value", "share"),
    [(0.8999, 0.0), (0.90, 0.5), (0.95, 0.75), (1.00, 1.0), (1.05, 1.5), (1.08, 1.8), (2.0, 1.8)],
)
def test_a_component_pays_by_hand(value: float, share: float) -> None:
    assert payout(NRR, np.array([value])) == pytest.approx([share])


def test_pay_is_the_fixed_part_and_the_weighted_rest() -> None:
    against = Component(
        "nrr_against_expected", 0.25, threshold=-0.1, target=0.0, at_threshold=0.0, accelerator=1.0, cap=2.0
    )
    plan = Plan(0.2, [Component(**{**vars(NRR), "weight": 0.75}), against])
    paid = pay(plan, np.array([1000.0]), np.array([0.95]), np.array([1.0]))
    assert paid == pytest.approx([1000 * (0.8 + 0.2 * (0.75 * 0.75 + 0.25 * 0.5))])


def quarters(skill: float, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    people = np.repeat([f"P{number:02d}" for number in range(40)], 4)
    better = np.repeat(np.where(np.arange(40) % 2, skill, -skill), 4)
    sd = np.full(len(people), 0.04)
    expected = np.full(len(people), 0.97)
    return pd.DataFrame(
        {"person": people, "on_target": 25_000.0, "expected": expected, "sd": sd,
         "actual": expected + better + rng.normal(0, sd)}
    )  # fmt: skip


def test_without_skill_all_differences_are_luck_and_with_much_few_are() -> None:
    plan = Plan(0.3, [Component("nrr", 1.0, threshold=0.5, target=1.0, at_threshold=0.0, accelerator=1.0, cap=5.0)])
    assert replay(plan, quarters(0.0), 1).luck_share == pytest.approx(1.0, abs=0.25)
    skilled = replay(plan, quarters(0.08), 1).luck_share
    assert skilled == pytest.approx(0.0016 / 4 / (0.0016 / 4 + 0.0064), abs=0.03), "variances of the mean of 4 quarters"


def test_a_plan_that_pays_all_the_same_has_no_luck() -> None:
    result = replay(Plan(0.0, [NRR]), quarters(0.05), 1)
    assert result.luck_share is None
    assert result.people["pay"].tolist() == [100_000.0] * 40
