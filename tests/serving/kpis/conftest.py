"""A small simulated company, checked once for all tests here, and its rows as pandas sees them."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import params
from features.inputs.frames import tables_from_frames
from features.inputs.load import load_tables
from features.tables.checked import Tables
from params import Params

LINES = (  # account, starts, ended, MRR
    ("grows", "2024-01-15", "2024-06-01", 100),
    ("grows", "2024-06-01", None, 150),
    ("leaves soon", "2024-02-01", "2024-03-20", 50),
    ("comes back", "2024-03-01", "2024-07-01", 50),
    ("comes back", "2024-10-01", None, 80),
    ("of spring", "2024-05-01", None, 40),
)


@pytest.fixture(scope="session")
def cohort_company(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Four accounts of two cohorts, of 2024, whose data end with the year."""
    rows = [
        {"contract_id": f"c{n}", "account_id": account, "starts_on": starts, "ends_on": None, "ended_on": ended,
         "product": "p", "mrr": mrr}
        for n, (account, starts, ended, mrr) in enumerate(LINES)
    ]  # fmt: skip
    accounts = pd.DataFrame({"account_id": sorted({line[0] for line in LINES})}).assign(region=["x", "x", "y", "y"])
    frames = {"accounts": accounts, "contracts": pd.DataFrame(rows, dtype=object)}
    return tables_from_frames(frames, tmp_path_factory.mktemp("cohorts") / "tables.duckdb", data_until=date(2025, 1, 1))


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
