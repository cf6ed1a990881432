"""What the bridge between two forecasts costs, were the company larger: `python -m benchmarks.bridge DATA FROM TO`.

The accounts of both forecasts are taken several times, each time under other ids, with their lines. Timed are the
bridge of one model, and that of two: the second forecast's with another market level and calibration.
"""

import argparse
import dataclasses
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.measure import markdown
from features.inputs.load import load_tables
from models.outcomes.outcome import OutcomeModel
from models.paths.bridge import Bridge
from params import load
from serving.ledger.bridging.between import between
from serving.ledger.bridging.made_of import Ingredients, MadeOf
from serving.ledger.bridging.recorded import recorded_bridge
from serving.ledger.record import open_record

BOUND_CPU_SECONDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bridge", description=__doc__)
    parser.add_argument("data", type=Path, help="a data folder with forecasts on record")
    parser.add_argument("first", type=date.fromisoformat, metavar="FROM")
    parser.add_argument("second", type=date.fromisoformat, metavar="TO")
    parser.add_argument("--accounts", type=int, default=10_000)
    arguments = parser.parse_args()
    params = load(overrides=[f"data_dir={arguments.data}"])
    with open_record(params) as record:
        tables = load_tables(params).tables
        small = recorded_bridge(record, arguments.first, arguments.second, tables=tables, params=params)
    times = -(-arguments.accounts // len(small.accounts))
    first, second = (_enlarged(made, times) for made in (small.first, small.second))
    rows = [_row("one model", times, small.bridge, first, second, params)]
    rows.append(_row("another model", times, None, first, _retrained(second), params))
    print(markdown(f"The bridge between two forecasts, {times * len(small.accounts):,} accounts", rows))


def _row(
    what: str, times: int, small: Bridge | None, first: MadeOf, second: MadeOf, params: Any, **more: Any
) -> dict[str, Any]:
    start = time.process_time()
    bridge = between(first, second, budget=params.budget, **more).bridge
    seconds = time.process_time() - start
    same = small is None or int(bridge.end.sum()) == times * int(small.end.sum())
    kept = seconds < BOUND_CPU_SECONDS and bridge.residual == 0 and same
    return {"bridge": what, "CPU s": seconds, "bound s": BOUND_CPU_SECONDS, "kept": "yes" if kept else "NO"}


def _enlarged(made: MadeOf, times: int) -> MadeOf:
    """A forecast of so many times its accounts."""
    kept = made.ingredients
    if kept is None:
        raise SystemExit(f"The forecast of {made.as_of} cannot be split: {made.lacking}.")
    larger = Ingredients(
        snapshot=pd.concat([_as_other(kept.snapshot, copy).pipe(_with_ids) for copy in range(times)]),
        labels=pd.concat([_as_other(kept.labels, copy) for copy in range(times)]),
        lines=pd.concat([_lines(kept.lines, copy) for copy in range(times)], ignore_index=True),
        rates=kept.rates,
        model=kept.model,
    )
    expected = pd.concat([_as_other(made.expected, copy) for copy in range(times)])
    return dataclasses.replace(made, ingredients=larger, expected=expected)


def _as_other(frame: pd.DataFrame, copy: int) -> pd.DataFrame:
    return frame.set_axis([f"{account}/{copy}" for account in frame.index], axis=0)


def _with_ids(snapshot: pd.DataFrame) -> pd.DataFrame:
    return snapshot.assign(account_id=snapshot.index)


def _lines(lines: pd.DataFrame, copy: int) -> pd.DataFrame:
    return lines.assign(**{name: lines[name].astype(str) + f"/{copy}" for name in ("account_id", "contract_id")})


def _retrained(made: MadeOf) -> MadeOf:
    """The same forecast by another model."""
    kept = made.ingredients
    assert kept is not None
    files = kept.model.to_files()
    described = json.loads(files["model.json"])
    for fitted in described["outcomes"].values():
        fitted["calibrator"]["intercept"] += 0.1
    for state in described["luck"]:
        state["mean"][0] += 0.1
    model = OutcomeModel.from_files(files | {"model.json": json.dumps(described)}, threads=kept.model.settings.threads)
    return dataclasses.replace(
        made, model_digest="another", model_version="another", ingredients=dataclasses.replace(kept, model=model)
    )


if __name__ == "__main__":
    main()
