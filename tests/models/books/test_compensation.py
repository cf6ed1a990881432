"""Pay under a plan: by hand at each bend, and luck that is all of it where nobody is better than another."""

import numpy as np
import pandas as pd
import pytest

from models.books.average_people import AGAINST_EXPECTED, Measure, exchanged_accounts, expected_books
from models.books.compensation import Component, Plan, Quarters, Replay, pay, payout, replay

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
    paid = pay(plan, np.array([1000.0]), {"nrr": np.array([0.95]), AGAINST_EXPECTED: np.array([-0.05])})
    assert paid == pytest.approx([1000 * (0.8 + 0.2 * (0.75 * 0.75 + 0.25 * 0.5))])


def quarters(skill: float, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    people = np.repeat([f"P{number:02d}" for number in range(40)], 4)
    better = np.repeat(np.where(np.arange(40) % 2, skill, -skill), 4)
    sd = np.full(len(people), 0.04)
    expected = np.full(len(people), 0.97)
    return pd.DataFrame(
        {"person": people, "on_target": 25_000.0, "quarter": 1, "expected": expected, "sd": sd,
         "nrr": expected + better + rng.normal(0, sd)}
    )  # fmt: skip


def replayed(plan: Plan, rows: pd.DataFrame, seed: int = 1) -> Replay:
    return replay(plan, Quarters(rows, {}, expected_books(rows, seed)))


def test_without_skill_all_differences_are_luck_and_with_much_few_are() -> None:
    plan = Plan(0.3, [Component("nrr", 1.0, threshold=0.5, target=1.0, at_threshold=0.0, accelerator=1.0, cap=5.0)])
    assert replayed(plan, quarters(0.0)).luck_share == pytest.approx(1.0, abs=0.25)
    skilled = replayed(plan, quarters(0.08)).luck_share
    assert skilled == pytest.approx(0.0016 / 4 / (0.0016 / 4 + 0.0064), abs=0.03), "variances of the mean of 4 quarters"


def test_a_plan_that_pays_all_the_same_has_no_luck() -> None:
    result = replayed(Plan(0.0, [NRR]), quarters(0.05))
    assert result.luck_share is None
    assert result.people["pay"].tolist() == [100_000.0] * 40


def test_a_floor_pays_below_the_threshold() -> None:
    floored = Component(**{**vars(NRR), "floor": 0.3})
    assert payout(floored, np.array([0.5, 0.9, 2.0])) == pytest.approx([0.3, 0.5, 1.8])


def test_what_cannot_be_measured_leaves_its_weight_to_the_others_and_nothing_at_all_pays_the_target() -> None:
    goals = Component(**{**vars(NRR), "measure": "goals_reached", "weight": 0.4, "at_threshold": 0.0})
    plan = Plan(0.5, [Component(**{**vars(NRR), "weight": 0.6}), goals])
    measures = {"nrr": np.array([0.95, 0.95, np.nan]), "goals_reached": np.array([1.0, np.nan, np.nan])}
    assert pay(plan, np.full(3, 100.0), measures) == pytest.approx(
        [50 + 50 * (0.6 * 0.75 + 0.4), 50 + 50 * 0.75, 100.0]
    )


def test_a_component_counts_in_its_quarters() -> None:
    first, rest = (Component(**{**vars(NRR), "weight": 0.5, "measure": name}) for name in ("nrr", "grr"))
    plan = Plan(
        1.0, [Component(**{**vars(first), "in_quarters": (1, 3)}), Component(**{**vars(rest), "in_quarters": (2, 3)})]
    )
    measures = {"nrr": np.full(4, 1.0), "grr": np.full(4, 0.9)}
    assert pay(plan, np.ones(4), measures, np.array([1, 2, 3, 4])) == pytest.approx([1.0, 0.5, 0.75, 1.0])


def test_what_is_taken_back_is_pay_less_pay_without_it_and_never_given() -> None:
    rows = pd.DataFrame({"person": ["a", "b"], "on_target": 100.0, "quarter": 1, "nrr": [1.0, 0.95],
                         "expected": 1.0, "sd": 0.1})  # fmt: skip
    remainder = {"nrr": np.array([0.95, 0.99])}
    result = replay(Plan(0.4, [NRR]), Quarters(rows, remainder, expected_books(rows, 1)))
    assert result.people["clawback"].tolist() == pytest.approx([40 * 0.25, 0.0])
    assert result.people["pay"].tolist() == pytest.approx([100 - 10, 60 + 40 * 0.75])


OF_ARR = (
    Measure("nrr", "ending_arr", "starting_arr", by_arr=True),
    Measure("grr", "kept_arr", "starting_arr", by_arr=True),
)
OF_GOALS = Measure("goals_reached", "reached", "due", by_arr=False)


def exchange(people: int = 3, each: int = 8, seed: int = 5) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    count = people * each
    start = rng.lognormal(9, 1, count)
    share = rng.choice([0.0, 0.8, 1.0, 1.3], count, p=[0.1, 0.2, 0.5, 0.2])
    due = rng.integers(0, 3, count)
    accounts = pd.DataFrame({
        "period": "2025-01-01", "person": np.repeat([f"P{n}" for n in range(people)], each), "starting_arr": start,
        "ending_arr": start * share, "kept_arr": start * np.minimum(share, 1), "due": due,
        "reached": rng.binomial(due, 0.6),
    })  # fmt: skip
    rows = pd.DataFrame(
        {"period": "2025-01-01", "person": [f"P{n}" for n in range(people)], "expected": 0.9, "sd": 0.05}
    )
    return rows, accounts


def test_an_exchange_has_the_mean_and_the_variance_of_its_formula() -> None:
    """Shares drawn with equal chances: their mean, and their variance times the sum of squares of the weights."""
    rows, accounts = exchange()
    drawn = exchanged_accounts(rows, accounts, [*OF_ARR, OF_GOALS], seed=2)
    share = accounts["kept_arr"] / accounts["starting_arr"]
    for place, person in enumerate(rows["person"]):
        weight = accounts.loc[accounts["person"] == person, "starting_arr"]
        weight = weight / weight.sum()
        spread = share.std(ddof=0) * np.sqrt((weight**2).sum())
        assert drawn["grr"][:, place].mean() == pytest.approx(share.mean(), abs=5 * spread / np.sqrt(2000))
        assert drawn["grr"][:, place].std() == pytest.approx(spread, rel=0.08)
    assert drawn["nrr"].mean(axis=0) == pytest.approx([0.9] * 3)
    assert drawn["nrr"].std(axis=0) == pytest.approx([0.05] * 3)
    assert np.corrcoef(drawn["nrr"][:, 0], drawn["grr"][:, 0])[0, 1] > 0.5, "both are of the same exchange"


def test_an_exchange_of_counts_is_a_slow_loop_s() -> None:
    rows, accounts = exchange()
    drawn = exchanged_accounts(rows, accounts, [*OF_ARR, OF_GOALS], seed=2)["goals_reached"][:, 0]
    rng, goals = np.random.default_rng(77), list(zip(accounts["reached"], accounts["due"], strict=True))
    slow = []
    for _ in range(4000):
        pairs = [goals[rng.integers(len(goals))] for _ in range(8)]
        due = sum(pair[1] for pair in pairs)
        slow.append(sum(pair[0] for pair in pairs) / due if due else np.nan)
    assert np.nanmean(drawn) == pytest.approx(np.nanmean(slow), abs=0.02)
    assert np.nanstd(drawn) == pytest.approx(np.nanstd(slow), rel=0.08)


OF_TOUCHES = Measure("cadence_kept", "touches_kept", "touches_due", by_arr=False)


def book(shares: list[float], newcomers: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One person's quarter: accounts that keep these shares of their ARR, and newcomers who miss a touch each."""
    count = len(shares)
    arr = np.r_[np.linspace(1000.0, 3000.0, count), np.zeros(newcomers)]
    retained_arr = arr * np.r_[shares, np.zeros(newcomers)]
    touches_kept = np.r_[np.ones(count), np.zeros(newcomers)]
    accounts = pd.DataFrame({
        "period": "2025-01-01", "person": "Ada", "starting_arr": arr, "ending_arr": retained_arr,
        "kept_arr": retained_arr, "touches_due": 1.0, "touches_kept": touches_kept,
    })  # fmt: skip
    return pd.DataFrame({"period": ["2025-01-01"], "person": "Ada", "expected": 0.9, "sd": 0.05}), accounts


def test_a_newcomer_is_no_loss_to_an_account_with_arr() -> None:
    drawn = exchanged_accounts(*book([1.0] * 100, newcomers=25), [*OF_ARR, OF_TOUCHES], seed=2)
    assert drawn["grr"] == pytest.approx(1.0), "all keep their ARR, so there is no luck in it"
    assert drawn["cadence_kept"] == pytest.approx(0.8), "newcomers do as newcomers did"


def test_newcomers_leave_the_exchange_of_arr_as_it_is() -> None:
    shares = [0.0] * 5 + [0.5] * 5 + [1.0] * 30
    alone, among = (exchanged_accounts(*book(shares, newcomers), OF_ARR, seed=2)["grr"] for newcomers in (0, 20))
    assert among.mean() == pytest.approx(np.mean(shares), abs=0.01)
    assert among.std() == pytest.approx(alone.std(), rel=0.08)


def test_the_only_account_with_arr_keeps_its_own() -> None:
    rows, accounts = book([0.7], newcomers=3)
    drawn = exchanged_accounts(rows, accounts, OF_ARR, seed=2)
    assert drawn["grr"] == pytest.approx(0.7)
    assert drawn["nrr"] == pytest.approx(0.9), "no more than rounding to stretch"


def test_the_only_newcomer_keeps_its_own() -> None:
    drawn = exchanged_accounts(*book([1.0, 0.0], newcomers=1), [*OF_ARR, OF_TOUCHES], seed=2)
    assert drawn["cadence_kept"] == pytest.approx(2 / 3)
    assert set(np.round(drawn["grr"].ravel(), 6)) == {0.0, 0.25, 0.75, 1.0}
