"""A forecast whose accounts are worked on by Spark is the one made in this process, whatever the number of shares."""

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.engines.spark import Spark
from params import Budget, Params
from serving.forecast.batch import Forecast
from serving.forecast.spread.results import write_where_tables_live

JAVA = shutil.which("java") and importlib.util.find_spec("pyspark")
needs_java = pytest.mark.skipif(not JAVA, reason="Spark is not installed (Debian: default-jre-headless; make spark)")


def on_spark(params: Params, **changes: Any) -> dict[str, Any]:
    return {"scoring": params.scoring.model_copy(update={"spark": "local[2]", **changes})}


@pytest.fixture(scope="module")
def here(world) -> Forecast:
    return world.forecast()


@pytest.fixture(scope="module")
def spark(light_spark: None) -> Iterator[None]:
    """A Spark that runs already, which each forecast joins."""
    with Spark("local[2]", budget=Budget(2, 1.0)):
        yield


@pytest.fixture(scope="module")
def three_shares(world, spark: None) -> Forecast:
    return world.forecast(**on_spark(world.params, shares=3))


@pytest.fixture(scope="module")
def seven_shares(world, spark: None) -> Forecast:
    return world.forecast(**on_spark(world.params, shares=7))


@needs_java
def test_spark_gives_the_same_forecast(here: Forecast, three_shares: Forecast) -> None:
    assert three_shares.describe() == here.describe()
    for name, table in here.tables.items():
        require_near(three_shares.tables[name], table)


@needs_java
def test_the_number_of_shares_changes_no_digit(three_shares: Forecast, seven_shares: Forecast) -> None:
    for name, table in three_shares.tables.items():
        pd.testing.assert_frame_equal(seven_shares.tables[name], table, check_exact=True)
    assert json.dumps(seven_shares.norms.as_data()) == json.dumps(three_shares.norms.as_data())


@needs_java
def test_shares_without_accounts_are_none(world, here: Forecast, spark: None) -> None:
    more_than_accounts = len(here.tables["account_forecast"]["account_id"].unique()) + 10
    many = world.forecast(**on_spark(world.params, shares=more_than_accounts))
    for name, table in here.tables.items():
        require_near(many.tables[name], table)


@needs_java
def test_tables_are_written_where_spark_writes(world, three_shares: Forecast, tmp_path: Path, spark: None) -> None:
    params = world.params.model_copy(update=on_spark(world.params, tables=str(tmp_path / "out")))
    assert write_where_tables_live(three_shares, params) == f"{tmp_path}/out/2026-01-01"
    for name, table in three_shares.tables.items():
        folder = tmp_path / "out" / "2026-01-01" / name
        assert (folder / "_SUCCESS").is_file()
        assert len(pd.read_parquet(folder)) == len(table)


def test_nothing_is_written_elsewhere_unless_asked(world, here: Forecast) -> None:
    assert write_where_tables_live(here, world.params) == ""


def require_near(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Texts and whole numbers the same, other numbers to 1e-9."""
    assert list(one.columns) == list(other.columns)
    for column in other.columns:
        if other[column].dtype == np.float64:
            np.testing.assert_allclose(one[column], other[column], rtol=1e-9, atol=1e-12)
        else:
            pd.testing.assert_series_equal(one[column], other[column])
