"""How tests are shared out among workers: a file stays with one, and so do files that share a costly fixture."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TOGETHER = ("serving/service",)  # one published company, one running server


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item.path.relative_to(TESTS))))


def _group(file: Path) -> str:
    return next((folder for folder in TOGETHER if file.is_relative_to(folder)), str(file))
