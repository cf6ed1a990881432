"""How often a shared cause is named, and which: `python -m benchmarks.shared_causes --data DIR`.

Scores of the model in charge at past month starts, as `holdfast publish` keeps them, beside what really happened: three
scans a month. Once as they are, with a label that means nothing, and once with the scores of the 40 accounts that have
one value of it moved by one standard deviation of all changes.
"""

import argparse
import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

from benchmarks.measure import markdown
from features.inputs.load import load_tables
from features.tables.checked import Tables
from params import Params, load
from serving.alerts import shared_cause
from serving.ledger.record import open_record
from serving.publication.publication_file import folder_of, newest

ACCOUNTS = 40
LABEL, PLANTED = "release", "9.2"
FIRST_SEED = 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shared_causes", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a data folder that was published from")
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    arguments = parser.parse_args()
    params = load(overrides=[f"data_dir={arguments.data}"])
    tables = load_tables(params).tables
    history = _history(arguments.data)
    rows = [_study(tables, params, history, shift, arguments.seed) for shift in (0.0, 1.0)]
    print(markdown("Shared causes, by standard deviations planted", rows))


def _history(data: Path) -> pd.DataFrame:
    """The scores of the model in charge at past month starts."""
    file = newest(folder_of(data))
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        rows: pd.DataFrame = pd.read_sql("SELECT * FROM history WHERE kind = 'rescored'", connection)
    return rows


def _study(tables: Tables, params: Params, history: pd.DataFrame, shift: float, seed: int) -> dict[str, Any]:
    found = [*_months(tables, params, history, shift, seed)]
    right = sum(bool(causes) and causes[0].conditions == ((LABEL, PLANTED),) for causes in found)
    return {"planted": shift, "months": len(found), "alarms": sum(map(bool, found)), "named first": right}


def _months(tables: Tables, params: Params, history: pd.DataFrame, shift: float, seed: int) -> Iterator[list[Any]]:
    labels_of, rise_of = shared_cause._labels, shared_cause._rise
    for place, day in enumerate(sorted(history["as_of"].unique())[1:]):
        rng = np.random.default_rng(seed + place)
        now = history[history["as_of"] == day]
        chosen = set(rng.choice(now["account_id"].to_numpy(), ACCOUNTS, replace=False))

        def labels(*given: Any, chosen: set[str] = chosen, rng: np.random.Generator = rng) -> pd.DataFrame:
            frame = labels_of(*given)
            other = np.where(rng.random(len(frame)) < 0.5, "9.1", "9.0")
            return frame.assign(**{LABEL: np.where(frame.index.isin(chosen), PLANTED, other)})

        def rise(*given: Any, chosen: set[str] = chosen) -> Any:
            change = rise_of(*given)
            return change + shift * np.nanstd(change) * given[2].index.isin(chosen)

        past = mock.patch.object(shared_cause, "scores_between", lambda *asked: _before(history, *asked[1:]))
        marked = mock.patch.object(shared_cause, "_labels", labels)
        settings = params.model_copy(update={"seed": seed + place})
        with past, marked, mock.patch.object(shared_cause, "_rise", rise), open_record(params) as record:
            yield shared_cause.shared_causes(tables, date.fromisoformat(day), now, record, settings)


def _before(history: pd.DataFrame, first: date, last: date, horizon_months: int | None = None) -> pd.DataFrame:
    """The newest scores between two days; over fewer months as if risk were spread evenly."""
    days = [day for day in sorted(history["as_of"].unique()) if first.isoformat() <= day <= last.isoformat()]
    rows = history[history["as_of"] == (days[-1] if days else "")]
    if horizon_months is None:
        return rows
    return rows.assign(churn_probability=1 - (1 - rows["churn_probability"]) ** (horizon_months / 12))


if __name__ == "__main__":
    main()
