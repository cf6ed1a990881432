"""The backtest's forecasts account by account: what was said at past dates by models that did not know the rest.

They name accounts, so they lie in the data folder, where an erasure reaches them, and not beside the report.
"""

import os
from pathlib import Path

import pandas as pd

from params import Params

FILE = "past_scores.parquet"
COLUMNS = (
    "account_id", "origin", "horizon_months", "arr", "churned", "expanded", "churn_probability",
    "expansion_probability",
)  # fmt: skip


def write_past_scores(accounts: pd.DataFrame, params: Params) -> Path:
    """Keep the forecasts of the newest backtest, in the place of those of the one before.

    Parameters
    ----------
    accounts
        A row an account, origin and horizon, with `COLUMNS`.
    """
    file = params.data_dir / FILE
    fresh = file.with_name(f".{FILE}.{os.getpid()}")
    accounts[list(COLUMNS)].to_parquet(fresh, index=False)
    fresh.replace(file)
    return file


def read_past_scores(params: Params) -> pd.DataFrame | None:
    """The forecasts of the newest backtest; None where there are none."""
    file = params.data_dir / FILE
    return pd.read_parquet(file) if file.exists() else None
