"""A small simulated company, checked once for all tests here, and its rows as pandas sees them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import params
from features.inputs.load import load_tables
from features.tables.checked import Tables
from params import Params


@pytest.fixture(scope="session")
def team_params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    folder = tmp_path_factory.mktemp("team")
    settings = ("simulated.accounts=150", "simulated.months=36", "threads=1", f"data_dir={folder}")
    return params.load(overrides=settings)


@pytest.fixture(scope="session")
def team_tables(costly: None, team_params: Params) -> Tables:
    return load_tables(team_params).tables


@pytest.fixture(scope="session")
def raw_rows(team_tables: Tables) -> Callable[[str], pd.DataFrame]:
    """The rows of a table as they are stored, without what knows when they count."""

    def rows(table: str) -> pd.DataFrame:
        with duckdb.connect(str(team_tables.database), read_only=True) as connection:
            return connection.execute(f"SELECT * FROM {table}").df()

    return rows


@pytest.fixture(scope="session")
def _spreadsheet_module() -> Mapping[str, object]:
    import importlib.util

    file = Path(__file__).parents[1] / "retention" / "conftest.py"
    spec = importlib.util.spec_from_file_location("worked_out_anew", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


@pytest.fixture
def spreadsheet(_spreadsheet_module: Mapping[str, Callable[[Path], object]]) -> Callable[[Path], object]:
    """Opens a workbook without its cached results."""
    return _spreadsheet_module["Spreadsheet"]
