"""How often cohort cells that the forecast completes hold what then happened: `python -m benchmarks.cohort_coverage`.

Each company is simulated, from a seed that nothing was tuned on. A model learns from what was known a year before its
data end, and completes the cohort triangles from that day on as `holdfast cohorts` does; the cells are then held
against those that came. Each cell is told with an 80 % interval, so four of five should hold.

Cells of one company are no independent tries: those of a cohort are sums over the same accounts at growing age, and all
cohorts of a company share its model and its year. So the interval of the share is over companies, not over cells.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from benchmarks.measure import markdown
from features.inputs.load import load_tables
from features.kpis.cohorts import cohorts, triangle
from features.revenue.paths import add_months
from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from features.tables.progress import silent
from models.outcomes.outcome import OutcomeModel
from params import Params, load
from serving.forecast.batch import customers_of
from serving.forecast.spread.scoring import path_settings, predict
from serving.kpis.cohorts_ahead import MONTHS_AHEAD, cells_ahead
from training.learn.dataset import assemble, settings_of
from training.tracking.champion import Champion

FIRST_SEED = 4100
FIGURES = ("nrr", "grr", "logo_retention")
KEY = ["cohort", "age_quarters"]
QUARTERS = ("1st quarter ahead", "2nd", "3rd", "4th")


def main() -> None:
    """Complete the triangles of simulated companies, and count what held."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cohort_coverage", description=__doc__)
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--accounts", type=int, default=150)
    parser.add_argument("--months", type=int, default=48)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    arguments = parser.parse_args()
    start, cells = time.process_time(), pd.DataFrame()
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.worlds):
        with tempfile.TemporaryDirectory() as folder:
            cells = pd.concat([cells, _company(_params(Path(folder), seed, arguments))])
        print(f"company {seed}: {len(cells)} cells so far, {time.process_time() - start:.0f} CPU s", flush=True)
        print(markdown("So far", [_held(cells, figure) for figure in FIGURES]), flush=True)
    print(markdown("All cells", [_held(cells, figure) for figure in FIGURES]))
    print(markdown("By how far ahead the cell's last account is", _by_quarter(cells)))


def _params(folder: Path, seed: int, arguments: argparse.Namespace) -> Params:
    size = [f"simulated.accounts={arguments.accounts}", f"simulated.months={arguments.months}"]
    return load(overrides=[f"seed={seed}", f"data_dir={folder}", "threads=1", "forecast.draws=1000", *size])


def _company(params: Params) -> pd.DataFrame:
    """The cells that a year filled: what was told of each, and what came (`actual_` and the figure)."""
    tables = load_tables(params).tables
    as_of = add_months(tables.data_until, -MONTHS_AHEAD)
    dates = [day for day in month_starts(tables, params.snapshots) if day <= as_of]
    known = assemble(tables, stored(tables, dates, params=params), as_of=as_of, params=params)
    model = OutcomeModel(known.inputs, settings_of(params)).fit(known.frame, known.paths)
    customers = customers_of(tables, as_of, params, silent)
    told = cells_ahead(
        cohorts(tables, as_of=as_of, rules=params.revenue, budget=params.budget),
        customers["account_id"],
        predict(Champion(model, "1", "run", as_of, "digest"), customers),
        as_of=as_of,
        months=MONTHS_AHEAD,
        settings=path_settings(params),
        threads=1,
    )
    after = cohorts(tables, as_of=tables.data_until, rules=params.revenue, budget=params.budget)
    came = triangle(after.ages, tables.data_until)[[*KEY, "accounts", *FIGURES]]
    came = came.rename(columns={name: f"actual_{name}" for name in ("accounts", *FIGURES)})
    cells = pd.DataFrame(told).merge(came, on=KEY, validate="one_to_one")
    last = cells["cohort"].map(lambda cohort: pd.Period(cohort.replace("-", ""), "Q").end_time.normalize())
    days = (last - pd.Timestamp(as_of)).dt.days + cells["age_quarters"] * 365.25 / 4
    return cells.assign(company=params.seed, quarter=np.ceil(days / (365.25 / 4)).clip(1, 4).astype(int))


def _held(cells: pd.DataFrame, figure: str) -> dict[str, Any]:
    """The share of cells that hold a figure, with a 95 % interval over companies."""
    low, high, actual = cells[f"{figure}_low"], cells[f"{figure}_high"], cells[f"actual_{figure}"]
    inside = (low - 1e-9 <= actual) & (actual <= high + 1e-9)
    shares = inside.groupby(cells["company"]).mean()
    error = 100 * (cells[figure] - actual)
    return {
        "figure": figure,
        "companies": len(shares),
        "cells": len(cells),
        "median accounts a cell": int(cells["accounts"].median()),
        "held, %": 100 * float(inside.mean()),
        "95 % of that": _range(100 * shares.to_numpy()),
        "below, %": 100 * float((actual < low - 1e-9).mean()),
        "above, %": 100 * float((actual > high + 1e-9).mean()),
        "median width, points": 100 * float((high - low).median()),
        "mean error, points": float(error.mean()),
    }


def _range(shares: Sequence[float] | np.ndarray[Any, Any]) -> str:
    """The 95 % interval of a mean over companies."""
    if len(shares) < 2:
        return "–"
    half = student.ppf(0.975, len(shares) - 1) * np.std(shares, ddof=1) / np.sqrt(len(shares))
    return f"{np.mean(shares) - half:.0f} to {np.mean(shares) + half:.0f}"


def _by_quarter(cells: pd.DataFrame) -> list[dict[str, Any]]:
    return [{"ahead": QUARTERS[int(quarter) - 1]} | _held(part, "nrr") for quarter, part in cells.groupby("quarter")]


if __name__ == "__main__":
    main()
