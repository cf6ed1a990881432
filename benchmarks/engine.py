"""The feature engine at the sizes of its usage table: costs beside a scan of it, pandas and Spark, in one run.

Run as `python -m benchmarks.engine [S] [M10] [M] [L]`. A size is made once and kept in benchmarks/out. Every step is a
process of its own and tells the CPU seconds of its work without the imports: CPU tells less of the machine's other
work than wall time does. Nothing heavy is imported here, see `benchmarks.measure`.
"""

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import cost_of, markdown

OUT = Path(__file__).with_name("out")
PEERS = ("S", "M10")  # where pandas and Spark are run beside it


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["S", "M"], help="S, M10 (a tenth of the accounts of M), M, L")
    parser.add_argument("--peers", nargs="*", default=PEERS, help="sizes at which pandas and Spark are run too")
    arguments = parser.parse_args()
    rows = [row for size in arguments.sizes for row in measured(size, peers=size in arguments.peers)]
    note = f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the end, 2 threads."
    text = markdown("The feature engine", rows, note + " Ratios are of CPU seconds.")
    (OUT / "engine.md").write_text(text, encoding="utf-8")
    print(text)


def measured(size: str, *, peers: bool) -> list[dict[str, Any]]:
    """A row a step of one size."""
    step("prepare", size)
    scan = step("scan_raw", size)
    full = step("snapshots", size)
    what = f"{full['features']} features, {full['rows']:,} rows at {full['dates']} dates"
    rows = [
        row(size, "scan of the raw usage table, in Parquet", scan, scan),
        row(size, "scan of the same as checked", step("scan_checked", size), scan),
        row(size, what, full, scan),
        row(size, "one month more", step("one_month", size), full, of="of all dates"),
        row(size, "one account on demand, p50", step("live", size), full, of="of all dates"),
    ]
    few = step("prototype", size)
    rows.append(row(size, f"{few['features']} features", few, scan))
    if peers:
        few = step("declared", size)
        rows.append(row(size, f"{few['features']} features", few, scan))
        rows.append(row(size, "the same by a loop in pandas", step("pandas", size), few, of="of these features"))
        rows.append(row(size, "all features by Spark", step("spark", size), full, of="of all dates"))
    return rows


def step(name: str, size: str) -> dict[str, Any]:
    """What a step says of itself, and the peak memory of its process."""
    print(f"{size}: {name}", file=sys.stderr, flush=True)
    cost = cost_of([sys.executable, "-m", "benchmarks.engine_steps", name, size])
    return {**json.loads(cost.printed), "peak_gb": cost.peak_gb}


def row(size: str, what: str, cost: dict[str, Any], base: dict[str, Any], of: str = "of the scan") -> dict[str, Any]:
    """A step beside what it is compared with."""
    ratio = cost["cpu_s"] / base["cpu_s"]
    return {"size": size, "step": what, "CPU s": cost["cpu_s"], "wall s": cost["wall_s"], "ratio": ratio, "of": of,
            "peak GB": cost["peak_gb"]}  # fmt: skip


if __name__ == "__main__":
    main()
