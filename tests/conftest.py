"""How tests are shared out among workers: a file stays with one, and so do files that share a costly fixture."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TOGETHER = (
    "serving/service",  # one published company, one running server
    "holdfast",  # one demo
    "training",  # one company, its snapshots, and what is learned from them
)
LONGEST = (*TOGETHER, "test_killed.py", "test_notebooks.py", "features/engines/test_engines.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the files of kept SQL anew (`make golden`)")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left alone with it; otherwise the order is random."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: _group(item) not in LONGEST)


def _group(item: pytest.Item) -> str:
    file = item.path.relative_to(TESTS)
    return next((folder for folder in TOGETHER if file.is_relative_to(folder)), str(file))
