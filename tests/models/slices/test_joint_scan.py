"""Shared causes: nothing is named where there is nothing, a planted one is, and by its simplest name."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models.slices.conditions import HIGH, LOW, in_thirds, slices_of
from models.slices.joint_scan import Common, Lost, Moved, at_level, beyond, common_causes, normal_scores

Array = NDArray[np.float64]
PLANTED = ("release", "9.2")
MONTHS = 100


def company(rng: np.random.Generator, accounts: int, planted: int = 40) -> pd.DataFrame:
    """Labels of accounts: six attributes, of which one value is that of so many accounts."""
    columns = {f"column{n}": rng.integers(0, 4 + n, accounts).astype(str) for n in range(5)}
    release = np.array([*["9.2"] * planted, *["9.1"] * (accounts // 2), *["9.0"] * accounts])[:accounts]
    return pd.DataFrame({**columns, "release": rng.permutation(release)})


def scans_of(rng: np.random.Generator, labels: pd.DataFrame, shift: float) -> list[Moved | Lost]:
    """Three scans in which nothing is to be seen, but for a shift of the first in one slice; its own sd is 1.15."""
    inside = (labels["release"] == "9.2").to_numpy()
    common = rng.normal(size=len(labels))
    change = 0.7 * common + 0.71 * rng.standard_t(5, size=len(labels)) + shift * inside
    chance = rng.beta(1, 20, len(labels))
    lost = (rng.random(len(labels)) < chance).astype(float)
    return [Moved("change", change), Lost("lost", lost, chance), Moved("signals", common)]


def named(seed: int, shift: float, accounts: int = 500, draws: int = 150) -> list[Common]:
    rng = np.random.default_rng(seed)
    labels = company(rng, accounts)
    return common_causes(scans_of(rng, labels, shift), slices_of(labels), seed, draws=draws)


@pytest.mark.slow
def test_with_nothing_planted_few_months_alarm_and_a_planted_cause_is_named() -> None:
    alarms = sum(bool(named(10_000 + month, 0.0)) for month in range(MONTHS))
    assert alarms <= 5, "at most 5 % of months, three scans together"
    first = [named(20_000 + month, 1.15) for month in range(MONTHS // 4)]
    hits = sum(bool(causes) and causes[0].conditions == (PLANTED,) for causes in first)
    assert hits >= 0.8 * len(first)


def test_a_slice_has_enough_accounts_and_its_pairs_differ_from_its_parents() -> None:
    labels = pd.DataFrame(
        {
            "region": ["EMEA"] * 40 + ["APAC"] * 50 + ["LATAM"] * 10,
            "plan": (["a"] * 20 + ["b"] * 20) * 2 + ["b"] * 20,
            "all": ["same"] * 100,
        }
    )
    slices = slices_of(labels)
    names = dict(zip(slices.conditions, slices.members.sum(axis=1).ravel().tolist()[0], strict=True))
    assert names[(("region", "EMEA"),)] == 40
    assert names[(("region", "EMEA"), ("plan", "a"))] == 20
    assert not [name for name in names if ("region", "LATAM") in name or ("all", "same") in name]
    single = {name: place for place, name in enumerate(slices.conditions)}
    pair = single[(("region", "EMEA"), ("plan", "a"))]
    assert {slices.conditions[parent][0] for parent in slices.parents[pair]} == set(slices.conditions[pair])


def test_a_cause_is_named_by_one_condition_where_the_second_adds_little() -> None:
    rng = np.random.default_rng(3)
    labels = company(rng, 400)
    change = rng.normal(size=400) + 3.0 * (labels["release"] == "9.2")
    (cause,) = common_causes([Moved("change", change.to_numpy())], slices_of(labels), 3, draws=100)
    assert cause.conditions == (PLANTED,)
    assert set(cause.accounts) == set(np.flatnonzero(labels["release"] == "9.2"))
    assert cause.z > cause.threshold > 2
    assert cause.p_value == pytest.approx(1 / 101), "no repetition came near; it counts itself"


def test_a_cause_that_takes_two_conditions_is_named_by_both() -> None:
    rng = np.random.default_rng(4)
    labels = pd.DataFrame({name: rng.integers(0, 3, 600).astype(str) for name in ("plan", "region", "size")})
    both = ((labels["plan"] == "1") & (labels["region"] == "2")).to_numpy()
    cause = common_causes([Moved("change", rng.normal(size=600) + 1.5 * both)], slices_of(labels), 4, draws=100)[0]
    assert set(cause.conditions) == {("plan", "1"), ("region", "2")}


def test_losses_are_held_against_their_probabilities_at_the_level_of_all() -> None:
    rng = np.random.default_rng(5)
    labels = company(rng, 400, planted=60)
    inside = (labels["release"] == "9.2").to_numpy()
    chance = np.where(inside, 0.5, 0.05)
    as_expected = (rng.random(400) < np.minimum(2 * chance, 0.9)).astype(float)  # twice as many of all kinds
    assert common_causes([Lost("lost", as_expected, chance)], slices_of(labels), 5, draws=100) == []
    surprise = np.where(inside, rng.random(400) < 0.5, rng.random(400) < 0.05).astype(float)
    (cause,) = common_causes([Lost("lost", surprise, np.full(400, 0.05))], slices_of(labels), 5, draws=100)
    assert cause.conditions == (PLANTED,)


def test_what_is_not_known_counts_for_nothing() -> None:
    rng = np.random.default_rng(6)
    labels = company(rng, 300)
    inside = (labels["release"] == "9.2").to_numpy()
    assert common_causes([Moved("change", np.where(inside, np.nan, 0.0))], slices_of(labels), 6, draws=50) == []
    assert common_causes([Moved("change", np.full(300, np.nan))], slices_of(labels), 6, draws=50) == []
    assert common_causes([], slices_of(labels), 6) == []
    nobody = slices_of(labels.iloc[:5])
    assert len(nobody) == 0
    assert common_causes([Moved("change", np.zeros(5))], nobody, 6) == []


def test_what_was_known_before_is_taken_off_a_change() -> None:
    before = np.linspace(-1, 1, 50)
    change = 2 + 3 * before
    left = beyond(np.where(before > 0.9, np.nan, change), before[:, None])
    assert np.allclose(left[before <= 0.9], 0)
    assert np.isnan(left[before > 0.9]).all()


def test_probabilities_move_to_a_level() -> None:
    chance = np.array([0.1, 0.2, 0.3])
    assert at_level(chance, 1.2).sum() == pytest.approx(1.2)
    assert at_level(chance, 0.0).tolist() == [0, 0, 0]
    assert at_level(chance, 0.6) == pytest.approx(chance)


def test_scores_and_thirds() -> None:
    scores = normal_scores(np.array([5.0, 5.0, 9.0]))
    assert scores[0] == scores[1] < scores[2]
    assert abs(scores.mean()) < 1e-12
    thirds = in_thirds(pd.Series([1.0, 2, 3, 4, 5, 6, 7, 8, 9, np.nan]))
    assert thirds.tolist() == [LOW] * 3 + [""] * 3 + [HIGH] * 3 + [""]
    assert set(in_thirds(pd.Series([1.0] * 9))) == {""}
