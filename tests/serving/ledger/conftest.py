"""A record in each database it may lie in, and forecasts of a company whose accounts name people."""

import dataclasses
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from params import Params, Record
from serving.forecast.batch import Forecast
from serving.ledger import record as opening
from serving.ledger.recording import record_forecast

PEOPLE = {"csm": ("Ada A.", "Ben B."), "seller": ("Ada A.", "Zoë Z.", None)}
NAMES = [f"Company {number:02d}" for number in range(60)]


def new_database(cluster: str) -> str:
    import psycopg

    name = f"r{uuid.uuid4().hex}"
    with psycopg.connect(f"{cluster}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{cluster}/{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "sqlite" else new_database(request.getfixturevalue("cluster"))


@dataclasses.dataclass(frozen=True)
class Books:
    """A company whose accounts name people, and forecasts of it."""

    world: Any
    make: Callable[..., Forecast]
    params: Params
    accounts: pd.DataFrame
    contracts: pd.DataFrame

    def record(self, record: opening.Record, made: Forecast) -> tuple[str, ...]:
        return record_forecast(
            record, self.world.tables, self.world.champion, made, params=self.params, code_version="of tests"
        )


@pytest.fixture(scope="session")
def books(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Books:
    folder = tmp_path_factory.mktemp("books")
    company = world.company()
    accounts = company["accounts"].assign(
        name=NAMES, **{role: [names[i % len(names)] for i in range(60)] for role, names in PEOPLE.items()}
    )
    center = company["contracts"]["account_id"].map(lambda account: f"Office of Mr {account}")
    contracts = company["contracts"].assign(buying_center=center, product="Core")
    cuts = world.params.forecast.model_copy(update={"cuts": ("region", "csm")})
    params = world.params.model_copy(update={"data_dir": folder, "forecast": cuts})
    tables = tables_from_frames(
        {"accounts": accounts, "contracts": contracts}, folder / "tables.duckdb", data_until=date(2026, 1, 1)
    )
    peopled = dataclasses.replace(world, tables=tables, params=params)
    return Books(peopled, peopled.forecast, params, accounts, contracts)


@pytest.fixture(scope="session")
def official(books: Books) -> Forecast:
    return books.make()


Open = Callable[[], AbstractContextManager[opening.Record]]


@pytest.fixture
def open_one(url: str | None, books: Books, tmp_path: Path) -> Open:
    """Opens one record, anew each time."""
    place = {"data_dir": tmp_path, "record": Record(url=url, folder=None)}
    params = books.params.model_copy(update=place)
    return lambda: opening.open_record(params)


def other_run(made: Forecast, run_id: str, **changes: Any) -> Forecast:
    """The same forecast as another run."""
    stamped = {name: frame.assign(run_id=run_id) for name, frame in made.tables.items()}
    return dataclasses.replace(made, run_id=run_id, **stamped | changes)


@pytest.fixture
def another() -> Callable[..., Forecast]:
    return other_run


@pytest.fixture
def pandas_rows() -> Callable[..., pd.DataFrame]:
    """All rows of a table of the record."""

    def rows(record: opening.Record, table: Any) -> pd.DataFrame:
        import sqlalchemy as sa

        with record.reading() as connection:
            found = connection.execute(sa.select(table))
            return pd.DataFrame(found.all(), columns=list(found.keys()), dtype=object)

    return rows
