"""What can be recorded of a run beside its model: numbers, plots, tables and pages."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from params import Params
from training.tracking.artifacts import Artifacts
from training.tracking.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

PAST_SCORES = "past_scores.parquet"
# what a backtest said at past dates names accounts: it lies in the data folder, where an erasure reaches it
PAST_COLUMNS = (
    "account_id", "origin", "horizon_months", "arr", "churned", "expanded", "churn_probability",
    "expansion_probability",
)  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """One number."""

    name: str
    value: float


@dataclass(frozen=True)
class Figure:
    """One plot."""

    name: str
    figure: "MatplotlibFigure"


@dataclass(frozen=True)
class Table:
    """One table."""

    name: str
    frame: "pd.DataFrame"


@dataclass(frozen=True)
class Page:
    """One page that needs nothing else."""

    name: str
    html: str


Evidence = Metric | Figure | Table | Page


def table_place(name: str) -> str:
    """Where a table lies among the files of its run."""
    return f"tables/{name}.csv"


def write_evidence(store: Store, run_id: str, files: Artifacts, evidence: Sequence[Evidence]) -> None:
    """Record what a run found; a number that is not defined on its data is left out."""
    numbers = {item.name: item.value for item in evidence if isinstance(item, Metric)}
    store.log(run_id, metrics={name: value for name, value in numbers.items() if value == value})
    for item in evidence:
        if isinstance(item, Figure):
            files.write(f"figures/{item.name}.png", _png(item.figure))
        elif isinstance(item, Page):
            files.write(f"{item.name}.html", item.html.encode())
        elif isinstance(item, Table):
            files.write(table_place(item.name), table_text(item.frame).encode())


def table_text(frame: "pd.DataFrame") -> str:
    """A table as CSV that a spreadsheet may open."""
    from features.tables.spreadsheet_text import write_csv  # heavy, and needed here only

    return write_csv(frame) or ""


def _png(figure: "MatplotlibFigure") -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def write_past_scores(accounts: "pd.DataFrame", params: Params) -> Path:
    """Keep the forecasts of the newest backtest, in the place of those of the one before.

    Parameters
    ----------
    accounts
        A row an account, origin and horizon, with `PAST_COLUMNS`.
    """
    file = params.data_dir / PAST_SCORES
    fresh = file.with_name(f".{PAST_SCORES}.{os.getpid()}")
    accounts[list(PAST_COLUMNS)].to_parquet(fresh, index=False)
    fresh.replace(file)
    return file


def read_past_scores(params: Params) -> "pd.DataFrame | None":
    """The forecasts of the newest backtest; None where there are none."""
    import pandas as pd

    file = params.data_dir / PAST_SCORES
    return pd.read_parquet(file) if file.exists() else None
