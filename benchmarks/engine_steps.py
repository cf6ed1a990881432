"""One step of `benchmarks.engine`, in a process of its own: `python -m benchmarks.engine_steps STEP SIZE`."""

import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

import params as settings
from benchmarks import company
from benchmarks.peers import DECLARED, usage_by_loop
from features.asof.knowledge import finish
from features.families.catalogue import FEATURES, select
from features.revenue import add_months
from features.snapshots.dates import month_starts
from features.snapshots.on_demand import LiveSnapshots
from features.snapshots.snapshot_files import make
from features.tables import contract
from features.tables.checked import Tables, open_tables, write_table
from params import Budget, Params

OUT = Path(__file__).with_name("out")
MEMORY_GB = {"S": 0.4, "M10": 0.4, "M": 0.3, "L": 1.6}
LIVE_ACCOUNTS = 40
PROTOTYPE = 72  # features
SCAN = """
    SELECT sum(hash(account_id)), sum(hash(used_on)), sum(hash(feature)), sum(hash(user_id)), sum(quantity),
        sum(hash(recorded_at)) FROM {relation}"""
Told = dict[str, Any]


def prepare(size: str) -> Told:
    """Make the raw files and the checked tables of a size, once; each appears when it is whole."""
    home = _home(size)
    if not (home / "raw").exists():
        part = home / "raw.part"
        shutil.rmtree(part, ignore_errors=True)
        company.write(part, company.SIZES[size])
        part.rename(home / "raw")
    if not (home / "tables.duckdb").exists():
        _store(home, size)
    return {}


def scan_raw(size: str) -> Told:
    """Scan the six columns of the raw usage files: the least that any engine must do."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        return _cheapest(lambda: connection.execute(SCAN.format(relation=_files(_home(size), "usage"))).fetchall())


def scan_checked(size: str) -> Told:
    """Scan the checked usage table."""
    with _tables(size).connect(budget=Budget(2, 1.0)) as connection:
        return _cheapest(lambda: connection.execute(SCAN.format(relation="raw.usage")).fetchall())


def snapshots(size: str) -> Told:
    """Make and store the snapshots of all month starts."""
    return _built(size, _params(size))


def prototype(size: str) -> Told:
    """The same with as many features as the prototype had, spread evenly over all of them."""
    there = [feature.name for feature in select(_tables(size)).features]
    kept = {there[place * len(there) // PROTOTYPE] for place in range(PROTOTYPE)}
    return _built(size, _params(size, kept))


def declared(size: str) -> Told:
    """The same with the few features that the loop in pandas makes."""
    return _built(size, _params(size, DECLARED))


def one_month(size: str) -> Told:
    """Make the newest date of a store that lacks only that."""
    tables, params = _tables(size), _params(size)
    dates = month_starts(tables, params.snapshots)
    for file in (params.data_dir / "snapshots").glob(f"*/{dates[-1]}*"):
        file.unlink()
    return _timed(lambda: make(tables, dates, params=params))[0]


def live(size: str) -> Told:
    """Snapshots of single accounts, one after another; the median."""
    with LiveSnapshots(_tables(size), _until(size), params=_params(size)) as session:
        spent = [_timed(lambda number=n: session.of(f"A-{number:06d}"))[0] for n in range(LIVE_ACCOUNTS)]
    return {name: statistics.median(one[name] for one in spent) for name in ("cpu_s", "wall_s")}


def pandas(size: str) -> Told:
    """Five features of the usage by a loop in pandas."""
    tables = _tables(size)
    dates = month_starts(tables, _params(size).snapshots)
    return _timed(lambda: usage_by_loop(tables, dates, Budget(2, 8.0)))[0]


def spark(size: str) -> Told:
    """The same snapshots by Spark, over the same raw files; the CPU is that of its own process, the JVM."""
    home = _home(size)
    source = ["source.engine=spark", "source.url=local[2]", "source.kind=files", f"source.path={home / 'raw'}"]
    params = settings.load(None, [*source, f"data_dir={home / 'spark'}", "memory_gb=6"])
    from features.inputs.load import load_tables

    shutil.rmtree(params.data_dir, ignore_errors=True)
    tables = load_tables(params).tables
    dates = month_starts(tables, params.snapshots)
    before = _children_cpu()
    spent, _ = _timed(lambda: make(tables, dates, params=params))
    return {**spent, "cpu_s": spent["cpu_s"] + _children_cpu() - before}


def _children_cpu() -> float:
    """CPU seconds of the processes that this one started and that still run."""
    total, ticks = 0.0, 100.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = stat.read_text().rsplit(")", 1)
        except OSError:
            continue
        if "(java" in name:
            total += sum(int(field) for field in fields.split()[11:13]) / ticks
    return total


def _store(home: Path, size: str) -> None:
    """The checked tables, as `features.inputs.load` writes them but for the rules."""
    part = home / "part.duckdb"
    part.unlink(missing_ok=True)
    columns: dict[str, tuple[str, ...]] = {}
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2; SET memory_limit = '4GB'; SET preserve_insertion_order = false")
        connection.execute(f"ATTACH '{part}' AS made")
        for name, table in contract.TABLES.items():
            if not ((home / "raw" / name).is_dir() or (home / "raw" / f"{name}.parquet").exists()):
                continue
            files = _files(home, name)
            there = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {files}").fetchall()]
            columns[name] = tuple(column.name for column in table if column.name in there)
            typed = ", ".join(f"CAST({c} AS {table.column(c).type.sql}) AS {c}" for c in columns[name])
            write_table(connection, name, columns[name], f"SELECT {typed} FROM {files}")
    with duckdb.connect(str(part)) as connection:
        finish(connection, Tables(part, columns, {}, _until(size), "", ""))
    part.rename(home / "tables.duckdb")


def _files(home: Path, table: str) -> str:
    folder = home / "raw" / table
    return f"'{folder}/*.parquet'" if folder.is_dir() else f"'{folder}.parquet'"


def _home(size: str) -> Path:
    return OUT / f"engine-{size}"


def _tables(size: str) -> Tables:
    return open_tables(_home(size) / "tables.duckdb")


def _params(size: str, kept: Collection[str] = ()) -> Params:
    """The settings; with `kept` all other features are dropped, and the store is another."""
    dropped = [feature.name for feature in FEATURES if kept and feature.name not in kept]
    data = _home(size) / (f"data-{len(kept)}" if kept else "data")
    return settings.load(
        None, [f"data_dir={data}", f"memory_gb={MEMORY_GB[size]}", f"snapshots.drop={json.dumps(dropped)}"]
    )


def _built(size: str, params: Params) -> Told:
    """What it costs to make and store the snapshots of all month starts, and how many there are."""
    tables = _tables(size)
    shutil.rmtree(params.data_dir, ignore_errors=True)
    dates = month_starts(tables, params.snapshots)
    spent, made = _timed(lambda: make(tables, dates, params=params))
    rows, accounts = made.totals()
    return {**spent, "rows": rows, "accounts": accounts, "dates": len(dates), "features": len(made.features)}


def _until(size: str) -> date:
    return add_months(company.FIRST, company.SIZES[size].months)


def _timed(work: Callable[[], Any]) -> tuple[Told, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}, made


def _cheapest(work: Callable[[], Any], repeats: int = 3) -> Told:
    return min((_timed(work)[0] for _ in range(repeats)), key=lambda spent: spent["cpu_s"])


STEPS: dict[str, Callable[[str], Told]] = {
    made.__name__: made
    for made in (
        prepare,
        scan_raw,
        scan_checked,
        snapshots,
        one_month,
        live,
        prototype,
        declared,
        pandas,
        spark,
    )
}

if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](sys.argv[2])))
