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
    start = chance.uniform(50, 200, ACCOUNTS)
    account, draw = np.divmod(np.flatnonzero(chance.random(ACCOUNTS * DRAWS) < 0.6), DRAWS)
    before = start[account] * chance.choice([0.5, 1.0, 1.5], account.size)
    after = before * chance.choice([0.0, 0.8, 1.3], account.size)
    expected = np.zeros((4, GROUPS, MONTHS, DRAWS))
    for one, place, old, new in zip(account, draw, before, after, strict=True):
        first = start[one]
        for cut in group[one]:
            expected[0, cut, 1, place] += first * (new == 0)
            expected[1, cut, 1, place] += (max(first - new, 0) if new else 0) - max(first - old, 0)
            expected[2, cut, 1, place] += max(new - first, 0) - max(old - first, 0)
            expected[3, cut, 1, place] += new == 0
    sums = np.zeros_like(expected)
    add_changes(sums, 1, group, start, account, draw, before, after)
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
