"""One run at a time writes to a data folder."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from holdfast.lock import only_writer
from holdfast.run import Failure


def test_two_runs_do_not_write_at_once(run: Callable[..., Result], tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with (data_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = run("check", data_dir=data_dir)
    assert result.exit_code == 1
    assert f"Another run is writing to {data_dir}" in result.stderr


def test_waiting_for_another_run_is_told_and_ends(tmp_path: Path) -> None:
    told: list[str] = []
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with (
            pytest.raises(Failure, match="Another run is writing to"),
            only_writer(tmp_path, 0.5, told.append),
        ):
            pass
    assert set(told) == {f"another run is writing to {tmp_path}; waiting for it, at most 0 seconds"}


def test_who_waits_goes_on_when_the_other_run_ends(tmp_path: Path) -> None:
    lock = (tmp_path / ".lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    with only_writer(tmp_path, 60.0, lambda _: lock.close()):
        assert lock.closed


def test_a_folder_that_cannot_be_written_to_is_a_setting_to_mend(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("check", data_dir=tmp_path / "file" / "data")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"data_dir {tmp_path / 'file' / 'data'} cannot be written to: Not a directory. Set another one." in (
        result.stderr
    )
