"""Where the stored tables lie in a data folder, and how new ones take their place: all at once, by renaming."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.tables.scratch import scratch_folder

DATABASE = "tables.duckdb"
PAST = "tables-{fingerprint}-{place}.duckdb"  # rolled up by a hierarchy that is past
QUARANTINE = "quarantine"
WORKING = ".checking-"
SPILL = ".spill"  # of what did not fit into memory; no lock tells whether it is still needed
STALE_SECONDS = 86_400


@contextmanager
def working_folder(data_dir: Path) -> Iterator[Path]:
    """A folder beside the stored tables; what runs that were killed left behind is removed."""
    data_dir.mkdir(parents=True, exist_ok=True)
    for left in data_dir.glob(f"*{SPILL}"):
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    with scratch_folder(data_dir, WORKING) as working:
        yield working


def put_in_place(working: Path, data_dir: Path) -> None:
    """Rename the new tables over the old ones; the database last, since its fingerprint vouches for all."""
    quarantine = data_dir / QUARANTINE
    if quarantine.exists():
        quarantine.rename(working / "old")
    if (working / QUARANTINE).exists():
        (working / QUARANTINE).rename(quarantine)
    pattern = PAST.format(fingerprint="*", place="*")
    stale = {file.name for file in data_dir.glob(pattern)} - {file.name for file in working.glob(pattern)}
    for file in [*working.glob(pattern), working / DATABASE]:
        file.replace(data_dir / file.name)
    for name in stale:
        (data_dir / name).unlink(missing_ok=True)
