"""Effects of actions against the truth, on simulated companies: `python -m benchmarks.action_effects --worlds 5`.

Each world has another seed, a team with too little time, five kinds of actions that change something (one of them for
the worse) and one that changes nothing. The truth is that of `features.simulation.action_truth`.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import markdown
from features.inputs.load import load_tables
from features.simulation.action_truth import true_effects
from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from models.effects.action_effect import HELPFUL
from params import Params, load
from training.effects.design import make_study
from training.effects.estimates import effects_of

NULL = "newsletter"
FIRST_SEED = 500


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.action_effects", description=__doc__)
    parser.add_argument("--worlds", type=int, default=5)
    parser.add_argument("--accounts", type=int, default=3000)
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.worlds):
        with tempfile.TemporaryDirectory() as folder:
            rows += _world(_params(Path(folder), seed, arguments.accounts, arguments.months))
    print(markdown("Effects of actions, points of 12-month churn", rows))
    print(markdown("All worlds and kinds", [_summary(rows)]))
    print(f"Peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


def _params(folder: Path, seed: int, accounts: int, months: int) -> Params:
    size = [f"simulated.accounts={accounts}", f"simulated.months={months}", "simulated.team=stretched"]
    return load(overrides=[f"seed={seed}", f"data_dir={folder}", "effects.levels=[action]", *size])


def _world(params: Params) -> list[dict[str, Any]]:
    """A row a kind that could be estimated."""
    tables = load_tables(params).tables
    snapshots = stored(tables, month_starts(tables, params.snapshots), params=params)
    start = time.process_time()
    study = make_study(tables, snapshots, known_by=tables.data_until, params=params)
    effects = {effect.action: effect for effect in effects_of(study, params=params)}
    seconds = time.process_time() - start
    company = params.simulated.model_dump() | {"seed": params.seed}
    truth = true_effects(**company, every=5, futures=20)
    return [
        {
            "seed": params.seed,
            "kind": name,
            "done": effects[name].treated_rows,
            "true": 100 * true.churn,
            "estimate": effects[name].churn_points,
            "from": effects[name].low,
            "to": effects[name].high,
            "expansion, true": 100 * true.expansion,
            "expansion": effects[name].expansion_points,
            "verdict": effects[name].verdict,
            "trials": len(study.frame),
            "CPU s of the world": seconds,
        }
        for name, true in truth.items()
        if effects[name].logit is not None
    ]


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    inside = [row["from"] <= row["true"] <= row["to"] for row in rows]
    off = [abs(row["estimate"] - row["true"]) for row in rows]
    nulls = list(_of_null(rows))
    return {
        "estimates": len(rows),
        "interval holds the truth": f"{sum(inside) / len(inside):.0%}",
        "mean error, points": sum(off) / len(off),
        "null kind called helpful": f"{sum(row['verdict'] == HELPFUL for row in nulls)} of {len(nulls)}",
    }


def _of_null(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (row for row in rows if row["kind"] == NULL)


if __name__ == "__main__":
    main()
