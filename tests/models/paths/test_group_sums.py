"""The compiled sums, against the plainest loops that say the same."""

import numpy as np
import pytest

from models.paths.group_sums import add_changes, add_rows

pytestmark = pytest.mark.usefixtures("costly")

GROUPS, MONTHS, DRAWS, ACCOUNTS = 6, 2, 5, 9


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def group(chance: np.random.Generator) -> np.ndarray:
    """Two cuts: all accounts in group 0, and one of five others."""
    return np.stack([np.zeros(ACCOUNTS, dtype=np.int64), chance.integers(1, GROUPS, ACCOUNTS)], axis=1)


def test_changes_are_added_to_the_groups_of_their_accounts(chance: np.random.Generator, group: np.ndarray) -> None:
    """Accounts shrink, grow, leave, come back and stay as they are; months beyond those asked for are not read."""
    start = chance.uniform(50, 200, ACCOUNTS)
    arr = start[:, None, None] * chance.choice([0.0, 0.5, 1.0, 1.0, 1.5], (ACCOUNTS, MONTHS + 1, DRAWS))
    expected = np.zeros((4, GROUPS, MONTHS, DRAWS))
    for (one, month, draw), new in np.ndenumerate(arr[:, :MONTHS]):
        first, old = start[one], arr[one, month - 1, draw] if month else start[one]
        for cut in group[one]:
            expected[0, cut, month, draw] += first * (int(new == 0) - int(old == 0))
            expected[1, cut, month, draw] += (new > 0) * max(first - new, 0) - (old > 0) * max(first - old, 0)
            expected[2, cut, month, draw] += max(new - first, 0) - max(old - first, 0)
            expected[3, cut, month, draw] += int(new == 0) - int(old == 0)
    sums = np.zeros_like(expected)
    add_changes(sums, group, start, arr)
    np.testing.assert_array_equal(sums, expected)


def test_rows_are_added_between_nothing_and_the_most(chance: np.random.Generator, group: np.ndarray) -> None:
    rows = chance.uniform(0, 100, (ACCOUNTS, DRAWS))
    chosen = np.array([1, 4, 7])
    less, most = np.array([0.0, 30.0, 50.0]), np.array([np.inf, 20.0, 40.0])
    expected = np.zeros((GROUPS, MONTHS, DRAWS))
    for place, one in enumerate(chosen):
        for cut in group[one]:
            expected[cut, 0] += np.clip(rows[one] - less[place], 0, most[place])
    sums = np.zeros_like(expected)
    add_rows(sums, 0, group, chosen, rows, less, most)
    np.testing.assert_array_equal(sums, expected)
