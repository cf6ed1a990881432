"""The way from raw tables to a forecast, as a user runs it: every verb in a process of its own."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Cost, cost_of

BOUND_SECONDS = {"snapshots": 30, "train": 180, "forecast": 30, "--help": 0.3}
PEAK_GB = 3
HOLDFAST = (sys.executable, "-m", "holdfast")
HELP_RUNS = 5
COMPILE = (
    "import training.fit, serving.forecast.batch, serving.forecast.export, mlflow.pyfunc, mlflow.tracking, holdfast.app"
)


@dataclass(frozen=True)
class Size:
    """The simulated company."""

    accounts: int
    months: int


def pipeline(folder: Path, size: Size) -> list[dict[str, Any]]:
    """Costs of every step beside their bounds, a row a step; what they made stays in `folder`."""
    cost_of([sys.executable, "-c", COMPILE])
    company = [f"simulated.accounts={size.accounts}", f"simulated.months={size.months}"]
    rows = [_row("simulate", cost_of([*HOLDFAST, "simulate", str(folder / "company"), *_set(company)]))]
    for verb in ("check", "snapshots", "train", "forecast"):
        rows.append(_row(verb, cost_of([*HOLDFAST, verb, *_set(settings(folder))])))
    helped = [cost_of([*HOLDFAST, "--help"]) for _ in range(HELP_RUNS)]
    return [*rows, _row("--help", sorted(helped, key=lambda cost: cost.wall_seconds)[HELP_RUNS // 2])]


def settings(folder: Path) -> list[str]:
    """The settings that the steps share."""
    return ["source.kind=files", f"source.path={folder / 'company'}", f"data_dir={folder / 'data'}"]


def ratios(folder: Path) -> list[dict[str, Any]]:
    """The same work done by others, on the same data in the same run; see `benchmarks.peers`."""
    found: list[dict[str, Any]] = []
    for part in ("snapshots", "shap"):
        found += json.loads(cost_of([sys.executable, "-m", "benchmarks.peers", part, *settings(folder)]).printed)
    return found


def _set(values: list[str]) -> list[str]:
    return [part for value in values for part in ("--set", value)]


def _row(step: str, cost: Cost) -> dict[str, Any]:
    bound = BOUND_SECONDS.get(step)
    kept = cost.peak_gb < PEAK_GB and (bound is None or cost.wall_seconds < bound)
    return {
        "step": step,
        "wall s": cost.wall_seconds,
        "bound s": bound or "",
        "CPU s": cost.cpu_seconds,
        "peak GB": cost.peak_gb,
        "bound GB": PEAK_GB,
        "kept": "yes" if kept else "NO",
    }
