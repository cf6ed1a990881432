"""Temporary folders hold customers' data: they go with what made them, however that ended."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from features.tables.scratch import HELD, new_folder, remove_left, scratch_folder

KILLED = """
import os, pathlib, signal, sys
from features.tables.scratch import scratch_folder
with scratch_folder(pathlib.Path(sys.argv[1])) as folder:
    (folder / "customers.csv").write_text("a")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_is_its_owner_s_and_goes_at_the_end(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_it_goes_where_an_error_ends_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError), scratch_folder(tmp_path):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("costly")
def test_what_a_killed_process_left_goes_with_the_next(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path(__file__).parents[3], check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "customers.csv").exists()
    with scratch_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_what_is_in_use_or_nobody_s_stays(tmp_path: Path) -> None:
    mine = tmp_path / "holdfast-data"  # no temporary folder, but somebody's data
    mine.mkdir()
    waiting = new_folder(tmp_path)
    with scratch_folder(tmp_path) as held:
        remove_left(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([mine, waiting, held])
        assert [file.name for file in held.iterdir()] == [HELD]
