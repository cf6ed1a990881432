"""A forecast's tables written out: into the data folder, and by Spark where the raw tables live."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from features.engines.engine import as_arrow, plain
from features.engines.spark import Spark
from params import Params
from serving.forecast.batch import Forecast
from serving.forecast.export import publish


def write_everywhere(
    forecast: Forecast,
    params: Params,
    names: Mapping[str, str] | None = None,
    beside: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, Any]:
    """Write a forecast's tables into the data folder, see `serving.forecast.export.publish`, and where tables live.

    Gives the `folder`, the `forms`, and the address of the `tables` that Spark wrote, if it did.
    """
    folder = publish(forecast, params.data_dir / "forecasts", params.export, names, beside)
    elsewhere = write_where_tables_live(forecast, params)
    return {"folder": str(folder), "forms": list(params.export)} | ({"tables": elsewhere} if elsewhere else {})


def write_where_tables_live(forecast: Forecast, params: Params) -> str:
    """Write each table as Parquet to `scoring.tables`/<as_of>/<table>, in place of what is there; gives where.

    Spark puts `_SUCCESS` beside the files of a table once all of them are there. Empty where nothing is to be written.
    """
    if params.scoring.spark is None or params.scoring.tables is None:
        return ""
    folder = f"{params.scoring.tables.rstrip('/')}/{forecast.as_of.isoformat()}"
    with Spark(params.scoring.spark, budget=params.budget, setting="scoring.spark") as spark:
        for name, frame in forecast.tables.items():
            with spark.failing(f"{folder}/{name}"):
                rows = spark.session.createDataFrame(plain(as_arrow(_in_utc(frame))))
                rows.write.mode("overwrite").parquet(f"{folder}/{name}")
    return folder


def _in_utc(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with moments in UTC and without a zone, as the session takes them."""
    zoned = frame.select_dtypes("datetimetz")
    return frame.assign(**{str(name): moments.dt.tz_convert(None) for name, moments in zoned.items()})
