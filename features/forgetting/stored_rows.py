"""Who was erased taken out of what features keep: stored tables and snapshots are dropped and made again without them.

Stored tables are never edited: a database file keeps the bytes of rows that are deleted in it.
"""

import shutil
from pathlib import Path

import pyarrow.parquet as pq

from features.forgetting.rows import COLUMNS, without_erased
from features.forgetting.suppression import Suppressed

PAST_SCORES = "past_scores.parquet"  # of the newest backtest
UNFINISHED = f".{PAST_SCORES}.*"  # what a backtest that was killed left half written
DERIVED = ("tables.*", "tables-*.duckdb", "quarantine", ".checking-*", "second_look.json*", UNFINISHED)
SIMULATED, SNAPSHOTS = "simulated", "snapshots"


def forget_stored(data_dir: Path, suppressed: Suppressed) -> dict[str, int]:
    """Drop the stored tables, the rows left out of them and snapshots that name anyone; gives how many files.

    The tables are read anew by whatever needs them next, and snapshots are made again. The simulated company's files,
    which stand for a source, and the backtest's forecasts are written again without them.
    """
    derived = [place for pattern in DERIVED for place in data_dir.glob(pattern)]
    for place in derived:
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    snapshots = [file for file in (data_dir / SNAPSHOTS).glob("*/*") if _names_any(file, suppressed)]
    for file in snapshots:
        file.unlink()
    rewritten = forget_files(data_dir / SIMULATED, suppressed)
    scores = forget_files(data_dir, suppressed, PAST_SCORES)
    counts = {"stored tables": len(derived), "snapshots": len(snapshots), "simulated tables": rewritten}
    return {**counts, "backtested scores": scores}


def forget_files(folder: Path, suppressed: Suppressed, pattern: str = "*.parquet") -> int:
    """Write the Parquet files of a folder, a table each, without them; gives how many named any."""
    named = [file for file in sorted(folder.glob(pattern)) if _names_any(file, suppressed)]
    for file in named:
        part = file.with_name(f"{file.name}.part")
        pq.write_table(without_erased(pq.read_table(file), file.stem, suppressed), part, compression="zstd")
        part.replace(file)
    return len(named)


def _names_any(file: Path, suppressed: Suppressed) -> bool:
    """Whether a file of rows names anyone; half a file, which a killed run left, might."""
    if file.suffix != ".parquet":
        return file.is_file()
    columns = [name for name in pq.read_schema(file).names if name in COLUMNS]
    rows = pq.read_table(file, columns=columns)
    return any(suppressed.among(COLUMNS[name], rows[name].unique().to_pylist()) for name in columns)
