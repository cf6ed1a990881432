"""What years of record cost: 60 official forecasts of 10,000 accounts, and how long `verify` and `score` take on them.

Run as `python -m benchmarks.record_years [--accounts N] [--years N]`. Figures and account rows are made up, of the
columns and in the numbers that publishing writes; an archive is random bytes, of the size that the demo's takes.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from benchmarks.measure import cost_of, markdown
from params import Params, load

ARCHIVE_BYTES = 730  # an account
GROUPS = 25
SEED = 7
OUT = Path(__file__).with_name("out") / "record_years.md"


def fill(params: Params, accounts: int, years: int) -> None:
    """Put made-up forecasts, rivals and actuals of all but the last year on record."""
    from features.revenue import add_months
    from serving.ledger.record import open_record
    from serving.ledger.subjects import subjects_of

    names = [f"account {number:06d}" for number in range(accounts)]
    labels = [f"value {place:02d}" for place in range(GROUPS - 1)]
    with open_record(params) as record:
        subjects = subjects_of(record, {"account_id": names, "csm": labels})
        for month in range(12 * years):
            as_of = add_months(date(2020, 1, 1), month)
            _run(record, subjects, as_of, names, labels, with_actuals=month < 12 * (years - 1))


def _run(record: Any, subjects: Any, as_of: date, names: list[str], labels: list[str], *, with_actuals: bool) -> None:
    from serving.ledger import whole_numbers
    from serving.ledger.account_rows import account_rows, horizons_kept
    from serving.ledger.chain.entries import RUN as CHAINED
    from serving.ledger.chain.entries import append
    from serving.ledger.figure_rows import figure_rows, rival_rows
    from serving.ledger.record_tables import FIGURE, RIVAL, RUN

    numbers = np.random.default_rng([SEED, as_of.toordinal()])
    horizons = horizons_kept(as_of, 12)
    said = account_rows(_accounts(numbers, names, horizons), subjects)
    rows_kept, archive = record.files.add_table(said), _archive(record, numbers, len(names))
    row = {
        "run_id": f"run {as_of}", "as_of": as_of.isoformat(), "made_at": f"{as_of}T03:00:00+00:00", "kind": "official",
        "model_version": "1", "horizon_months": 12, "accounts": len(names), "account_rows": rows_kept,
        "archive": archive,
    }  # fmt: skip
    figures = figure_rows(_figures(numbers, labels, range(1, 13)), subjects, whole_numbers.unit_of)
    rivals = rival_rows(_rivals(numbers, labels, horizons), subjects)
    with record.writing() as connection:
        number = connection.execute(sa.select(sa.func.coalesce(sa.func.max(RUN.c.number), 0) + 1)).scalar_one()
        connection.execute(sa.insert(RUN), [row | {"number": number}])
        for table, rows in ((FIGURE, figures), (RIVAL, rivals)):
            connection.execute(sa.insert(table), [{"run_number": number, **one} for one in rows])
        append(connection, CHAINED, number)
    if with_actuals:
        _actuals(record, numbers, number, said, labels, subjects, horizons)


def _accounts(numbers: np.random.Generator, names: list[str], horizons: tuple[int, ...]) -> pd.DataFrame:
    from serving.forecast.declared.output_tables import ACCOUNT_FIGURES

    count = len(names)
    arr = np.round(numbers.lognormal(9, 1, count), 2)
    parts = []
    for months in horizons:
        figures = {
            figure.name: numbers.random(count) * (arr if figure.unit else 1) * months / 12 for figure in ACCOUNT_FIGURES
        }
        parts.append(pd.DataFrame({"account_id": names, "horizon_months": months, "arr": arr, **figures}))
    return pd.concat(parts, ignore_index=True)


def _figures(numbers: np.random.Generator, labels: list[str], horizons: range) -> pd.DataFrame:
    from serving.forecast.declared.output_tables import METRICS, QUANTILES

    keys = [
        (metric.name, months, cut, value)
        for metric in METRICS
        for months in horizons
        for cut, value in (("total", "total"), *(("csm", label) for label in labels))
    ]
    frame = pd.DataFrame(keys, columns=["metric", "horizon_months", "cut", "value"])
    spread = np.sort(numbers.normal(0.95, 0.05, (len(frame), len(QUANTILES))), axis=1)
    quantiles = dict(zip(QUANTILES, spread.T, strict=True))
    return frame.assign(mean=spread.mean(axis=1), **quantiles, starting_arr=1e8, accounts=400)


def _rivals(numbers: np.random.Generator, labels: list[str], horizons: tuple[int, ...]) -> pd.DataFrame:
    from models.scores.baselines import NRR_RIVALS

    keys = [
        (rival, "nrr", months, cut, value)
        for rival in NRR_RIVALS
        if rival != "logistic"
        for months in horizons
        for cut, value in (("total", "total"), *(("csm", label) for label in labels))
    ]
    frame = pd.DataFrame(keys, columns=["rival", "metric", "horizon_months", "cut", "value"])
    return frame.assign(mean=numbers.normal(0.97, 0.05, len(frame)))


def _archive(record: Any, numbers: np.random.Generator, accounts: int) -> str:
    rows = pa.table({"bytes": pa.array([numbers.bytes(ARCHIVE_BYTES) for _ in range(accounts)], pa.binary())})
    manifest = {"tables": {"snapshot": record.files.add_table(rows)}, "hidden": {"snapshot": []}}
    return str(record.files.add_manifest(manifest))


def _actuals(
    record: Any,
    numbers: np.random.Generator,
    number: int,
    said: pa.Table,
    labels: list[str],
    subjects: Any,
    horizons: tuple[int, ...],
) -> None:
    from serving.ledger.chain.entries import ACTUALS, append, next_number
    from serving.ledger.record_tables import ACTUAL, OUTCOME
    from serving.ledger.yardsticks.actual_rows import Cohort, actual_rows

    horizon = said["horizon_months"].to_numpy()
    ids = [bytes.fromhex(subjects.id_of("csm", label)) for label in labels]
    with record.writing() as connection:
        entry = next_number(connection)
        for months in horizons:
            here = said.filter(pa.array(horizon == months))
            start = here["arr"].to_numpy()
            end = np.where(numbers.random(len(start)) < 0.1 * months / 12, 0, start)
            table = pa.table({"subject_id": here["subject_id"], "starting_arr": start, "ending_arr": end,
                              "customer": (end > 0).astype("int64")})  # fmt: skip
            cut = np.array(ids, dtype=object)[numbers.integers(len(ids), size=len(start))]
            key = {"run_number": number, "horizon_months": months, "edition": 1, "entry_number": entry}
            outcome = {"known_on": "2025-01-01", "data_digest": "digest", "accounts": len(start)}
            digest = record.files.add_table(table)
            connection.execute(sa.insert(OUTCOME), [key | outcome | {"account_rows": digest}])
            came = actual_rows(table, Cohort(here["subject_id"].to_pylist(), {"csm": cut}))
            connection.execute(sa.insert(ACTUAL), [key | row for row in came])
        append(connection, ACTUALS)


def steps(folder: Path, accounts: int, years: int) -> Iterator[dict[str, Any]]:
    """What filling, `verify` and `score` cost, each in a process of its own."""
    settings = ["--set", f"data_dir={folder}"]
    commands = {
        "fill": [sys.executable, "-m", "benchmarks.record_years", "--fill", str(folder),
                 "--accounts", str(accounts), "--years", str(years)],
        "verify": [sys.executable, "-m", "holdfast", "ledger", "verify", "--json", *settings],
        "score": [sys.executable, "-m", "holdfast", "ledger", "score", "--json", *settings],
    }  # fmt: skip
    for name, command in commands.items():
        cost = cost_of(command)
        found = "" if name == "fill" else _found(json.loads(cost.printed))
        yield {
            "step": name,
            "wall s": cost.wall_seconds,
            "CPU s": cost.cpu_seconds,
            "peak GB": cost.peak_gb,
            "found": found,
        }
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    yield {"step": "on disk", "wall s": "", "CPU s": "", "peak GB": "", "found": f"{size / 1e9:.2f} GB"}


def _found(content: dict[str, Any]) -> str:
    if "ok" in content:
        return f"ok {content['ok']}, {content['rows']:,} rows, {content['files']:,} files"
    return f"{content['scored']:,} windows, {len(content['rows']):,} rows of scores"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record_years", description=__doc__)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill is not None:
        fill(load(overrides=[f"data_dir={arguments.fill}"]), arguments.accounts, arguments.years)
        return
    with tempfile.TemporaryDirectory() as folder:
        title = f"The record: {arguments.years} years of 12 official forecasts of {arguments.accounts:,} accounts"
        page = markdown(title, list(steps(Path(folder), arguments.accounts, arguments.years)))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
