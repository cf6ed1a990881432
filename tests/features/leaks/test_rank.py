"""The rank statistics behind the search for leaks, against other ways to reckon them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from features.leaks.rank import auc, auc_interval, rates_of_others, separation, share_low

pytestmark = pytest.mark.usefixtures("costly")


def test_auc_and_lift_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    left = rng.random(400) < 0.2
    values = np.round(rng.standard_normal(400) - left, 1)  # ties, and less means churn
    accounts = pd.Series([f"account {number}" for number in range(400)])
    found = separation(np.append(values, np.nan), np.append(left, True), pd.concat([accounts, pd.Series(["none"])]))
    assert found is not None
    assert found.higher is False
    assert found.auc == pytest.approx(roc_auc_score(left, -values))
    assert found.lift == pytest.approx(average_precision_score(left, -values) / left.mean())
    assert found.left == left.sum()


def test_one_class_alone_separates_nothing() -> None:
    assert separation(np.array([1.0, 2.0]), np.array([True, True]), pd.Series(["a", "b"])) is None


@pytest.mark.parametrize(
    ("found", "events", "others", "low_between", "high_between"),
    [
        (1.0, 15, 300, (0.88, 0.99), (1.0, 1.0)),  # perfect, and not certain
        (1.0, 150, 3000, (0.985, 0.999), (1.0, 1.0)),  # more of it is more certain
        (0.5, 50, 50, (0.38, 0.40), (0.60, 0.62)),
        (0.8, 5, 500, (0.5, 0.65), (0.88, 0.95)),
    ],
)
def test_auc_interval(
    found: float, events: int, others: int, low_between: tuple[float, float], high_between: tuple[float, float]
) -> None:
    low, high = auc_interval(found, events, others)
    assert low_between[0] <= low <= low_between[1]
    assert high_between[0] <= high <= high_between[1]


def test_auc_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Scores of two normals a distance d apart have AUC Phi(d / sqrt 2); 0.944 at d = 2.25."""
    rng, truth, held = np.random.default_rng(5), 0.94422, 0
    event = np.repeat([True, False], [30, 200])
    for _ in range(400):
        low, high = auc_interval(auc(rng.standard_normal(230) + 2.25 * event, event), 30, 200)
        held += low <= truth <= high
    assert 0.92 <= held / 400 <= 0.98


@pytest.mark.parametrize(
    ("events", "rows", "low"), [(40, 41, 0.8740), (0, 10, 0.0), (10, 10, 0.7225), (50, 100, 0.4038)]
)
def test_share_low_is_wilsons(events: int, rows: int, low: float) -> None:
    assert share_low(events, rows) == pytest.approx(low, abs=5e-4)


def test_a_name_of_its_own_tells_nothing() -> None:
    """A category seen in one account only: its own outcome would tell it perfectly, the others' cannot."""
    rng = np.random.default_rng(1)
    accounts = pd.Series([f"account {number:03}" for number in range(300)])
    left = rng.random(300) < 0.3
    rates = rates_of_others(accounts, left, accounts)
    assert abs(auc(rates, left) - 0.5) < 0.1
    assert rates.std() < 0.05


def test_an_empty_category_stays_empty_and_a_telling_one_tells() -> None:
    accounts = pd.Series([f"account {number:03}" for number in range(100)])
    left = np.arange(100) % 4 == 0
    labels = pd.Series(np.where(left, "gone", "here"), dtype=object)
    labels[:5] = None
    rates = rates_of_others(labels, left, accounts)
    assert np.isnan(rates[:5]).all()
    assert auc(rates[5:], left[5:]) == 1.0
