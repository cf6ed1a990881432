"""How tests are shared out among workers, and what tests of several floors use.

A file stays with one worker, and so do files that share a costly fixture.
"""

from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
TOGETHER = (
    "serving/service",  # one published company, one running server
    "training",  # one company, its snapshots, and what is learned from them
)
LONGEST = (*TOGETHER, "test_holdfast.py", "test_killed.py", "test_notebooks.py", "features/test_engines.py")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left alone with it; otherwise the order is random."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: _group(item) not in LONGEST)


def _group(item: pytest.Item) -> str:
    file = item.path.relative_to(TESTS)
    return next((folder for folder in TOGETHER if file.is_relative_to(folder)), str(file))


@pytest.fixture
def scored() -> Any:
    """A score from columns: scored(probability=[...], base=[...], event=[...]), an account a row unless given.

    The rates by segment and term end are the base rate unless given as `segments`.
    """
    import pandas as pd

    from models.scores.evaluation import AccountScore, score_accounts

    def score(
        outcome: str = "churn", horizon_months: int = 3, *, accounts: Any = None, **columns: list[float]
    ) -> AccountScore:
        columns = {"segments": columns["base"]} | columns
        arrays = {name: pd.Series(values, dtype=float).to_numpy() for name, values in columns.items()}
        names = accounts or [f"account {number}" for number in range(len(arrays["event"]))]
        return score_accounts(outcome, horizon_months, account_id=pd.Series(names), **arrays)

    return score


@pytest.fixture
def months() -> Any:
    """So many month starts in a row."""
    import pandas as pd

    return lambda number: [day.date() for day in pd.date_range("2020-01-01", periods=number, freq="MS")]
