"""What a study of effects costs: `python -m benchmarks.effects_cost DATA --trials 100000 --kinds 5`.

`DATA` is a data folder whose tables are checked (`holdfast demo`). Its study is copied, each copy as other accounts,
until it has so many account-months: the columns, gaps and counts of events are those of real snapshots, and only what
`holdfast effects` does once it has its trials is measured, refuters and sensitivity included.
"""

import argparse
import resource
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import markdown
from features.inputs.load import load_tables
from features.snapshots.dates import month_starts
from features.snapshots.snapshot_files import stored
from params import Params, load
from training.effects.design import Study, Treatments, make_study
from training.effects.estimates import effects_of


def main() -> None:
    """Print CPU seconds, seconds and memory of one study."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.effects_cost", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--kinds", type=int, default=5)
    arguments = parser.parse_args()
    params = load(overrides=[f"data_dir={arguments.data}", "effects.levels=[action]"])
    study = enlarged(_study(params), arguments.trials, arguments.kinds)
    before, start, wall = _peak_gb(), time.process_time(), time.perf_counter()
    effects = effects_of(study, params=params)
    row = {
        "trials": len(study.frame),
        "inputs": len(study.inputs),
        "kinds estimated": sum(effect.logit is not None for effect in effects),
        "CPU s": time.process_time() - start,
        "s": time.perf_counter() - wall,
        "GB before": before,
        "GB at the peak": _peak_gb(),
    }
    print(markdown("A study of effects", [row]))


def _study(params: Params) -> Study:
    tables = load_tables(params).tables
    snapshots = stored(tables, month_starts(tables, params.snapshots), params=params)
    return make_study(tables, snapshots, known_by=tables.data_until, params=params)


def enlarged(study: Study, trials: int, kinds: int) -> Study:
    """Copies of a study's accounts, each as other accounts, up to so many trials; its first so many kinds."""
    copies = -(-trials // len(study.frame))
    accounts = int(study.account.max()) + 1
    frames = [study.frame.assign(account_id=study.frame["account_id"] + f"/{copy}") for copy in range(copies)]
    return replace(
        study,
        frame=pd.concat(frames, ignore_index=True).iloc[:trials],
        paths=np.tile(study.paths, (copies, 1))[:trials],
        account=np.concatenate([study.account + copy * accounts for copy in range(copies)])[:trials],
        levels=tuple(_copied(level, copies, trials, kinds) for level in study.levels),
    )


def _copied(level: Treatments, copies: int, trials: int, kinds: int) -> Treatments:
    done, missed = (np.tile(each[:, :kinds], (copies, 1))[:trials] for each in (level.done, level.missed))
    return Treatments(level.level, level.names[:kinds], done, missed)


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
