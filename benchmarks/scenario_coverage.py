"""How often `holdfast scenario` holds what is true, on simulated companies: `python -m benchmarks.scenario_coverage`.

Each pair is a company and a kind of action that is done with every account in the first month ahead. The truth is lived
from the hidden state of that day, twice by the same draws: with the action and as the team would have done by itself.
Beside the mean over many such futures, a pair of single futures is what a company would see if it could live twice; the
80 % interval is of the latter, as far as the effect of the action is known.

The size of the effect is what the settings assume, since no study was made: of churn alone. What is told is NRR, and
the ARR of those who leave, which is what the assumption is about.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import markdown
from benchmarks.truth import Array
from features.inputs.load import load_tables
from features.simulation.action_truth import HORIZON, _copy, _year_on
from features.simulation.history import live_through, start_company
from features.simulation.line_book import LineBook
from features.simulation.state import Company, Forced, mrr_at
from features.simulation.world import TEAMS
from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from models.outcomes.outcome import OutcomeModel
from params import Params, load
from serving.actions.scenario_file import PlannedPlay, Scenario
from serving.actions.scenarios import Bench
from training.learn.dataset import assemble, settings_of
from training.tracking.champion import Champion

FIRST_SEED = 900
FUTURES = 100
TEAM = "stretched"
NRR, CHURNED = "nrr", "churned_arr"
KINDS = ("executive_call", "success_plan", "business_review", "training", "newsletter")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenario_coverage", description=__doc__)
    parser.add_argument("--worlds", type=int, default=6)
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    arguments = parser.parse_args()
    start, rows = time.process_time(), list[dict[str, Any]]()
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.worlds):
        with tempfile.TemporaryDirectory() as folder:
            rows += _world(_params(Path(folder), seed, arguments))
            print(markdown("So far", [_summary(metric, part) for metric, part in _by_metric(rows).items()]))
            print(f"company {seed}: {time.process_time() - start:.0f} CPU s", flush=True)
    print(markdown("Points of ARR in 12 months: with the action done in month 1, less without", rows))
    print(markdown("All pairs", [_summary(metric, part) for metric, part in _by_metric(rows).items()]))


def _by_metric(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {metric: [row for row in rows if row["metric"] == metric] for metric in (NRR, CHURNED)}


def _params(folder: Path, seed: int, arguments: argparse.Namespace) -> Params:
    size = [f"simulated.accounts={arguments.accounts}", f"simulated.months={arguments.months}"]
    plays = [f"actions.kinds.{kind}.exclude=[]" for kind in KINDS]
    return load(overrides=[f"seed={seed}", f"data_dir={folder}", f"simulated.team={TEAM}", "threads=1",
                           "forecast.draws=1000", *size, *plays])  # fmt: skip


def _world(params: Params) -> Iterator[dict[str, Any]]:
    """A row a kind."""
    company, day = _lived(params)
    bench, rng = _bench(params), np.random.default_rng(params.seed)
    for place, each in enumerate(TEAMS[TEAM].actions):
        if each.name in KINDS:
            told = _told(bench, each.name)
            for metric, true in _differences(company, day, place, params.seed).items():
                one, (mean, low, high) = (
                    float(rng.choice(true)),
                    (told[metric][name] for name in ("mean", "p10", "p90")),
                )
                yield {
                    "seed": params.seed,
                    "kind": each.name,
                    "metric": metric,
                    "true": true.mean(),
                    "one pair": one,
                    "expected": mean,
                    "p10": low,
                    "p90": high,
                    "holds the mean": low <= true.mean() <= high,
                    "holds one pair": low <= one <= high,
                    "futures inside": np.mean((low <= true) & (true <= high)),
                }


def _lived(params: Params) -> tuple[Company, int]:
    """The company as it is on the last day of its data."""
    about = params.simulated
    company, edges = start_company(
        accounts=about.accounts, months=about.months, ends_on=about.ends_on, seed=params.seed, rules=TEAMS[TEAM],
        line_book=LineBook(),
    )  # fmt: skip
    for month in range(about.months):
        live_through(company, edges, month, params.seed, LineBook())
    return company, int(edges[about.months])


def _bench(params: Params) -> Bench:
    """Where scenarios are tried, by a model of all that is known."""
    tables = load_tables(params).tables
    dates = month_starts(tables, params.snapshots)
    known = assemble(tables, stored(tables, dates, params=params), as_of=dates[-1], params=params)
    model = OutcomeModel(known.inputs, settings_of(params)).fit(known.frame, known.paths)
    champion = Champion(model, "1", "run", dates[-1], "digest")
    return Bench(tables, champion, as_of=tables.data_until, params=params)


def _told(bench: Bench, kind: str) -> dict[str, dict[str, float]]:
    """Mean, p10 and p90 of the differences over the longest horizon, in points of ARR, by metric."""
    outcome = bench.try_out(Scenario(name=kind, actions=(PlannedPlay(kind=kind, month=1),)))
    arr = float(bench.ground.prediction.arr.sum())
    over = {NRR: 0.01, CHURNED: arr / 100}
    return {
        metric: {name: value / unit for name, value in outcome.futures.less(outcome.base, metric, HORIZON).items()}
        for metric, unit in over.items()
    }


def _differences(company: Company, day: int, action: int, seed: int) -> dict[str, Array]:
    """With the action done with everybody in the first month less without, points of ARR, a future each, by metric."""
    rows = np.flatnonzero(mrr_at(company.state, day) > 0)
    start = mrr_at(company.state, day)[rows]
    ends = [
        _year_on(_copy(company, rows, FUTURES, forced), day, seed, ("scenario", action))[0].reshape(FUTURES, len(rows))
        for forced in (Forced(action, True), None)
    ]
    nrr = [end.sum(axis=1) for end in ends]
    churned = [((end == 0) * start).sum(axis=1) for end in ends]
    return {name: 100 * (pair[0] - pair[1]) / start.sum() for name, pair in ((NRR, nrr), (CHURNED, churned))}


def _summary(metric: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    expected, true = (np.array([row[name] for row in rows]) for name in ("expected", "true"))
    return {
        "metric": metric,
        "pairs": len(rows),
        "interval holds the true mean": f"{np.mean([row['holds the mean'] for row in rows]):.0%}",
        "holds one pair of futures": f"{np.mean([row['holds one pair'] for row in rows]):.0%}",
        "futures inside, mean": f"{np.mean([row['futures inside'] for row in rows]):.0%}",
        "expected, mean": expected.mean(),
        "true, mean": true.mean(),
        "mean error, points": np.abs(expected - true).mean(),
    }


if __name__ == "__main__":
    main()
