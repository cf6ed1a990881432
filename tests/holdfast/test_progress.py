"""Progress is drawn where it is seen, and nowhere else."""

import functools
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import holdfast


def test_progress_in_a_terminal_is_drawn_on_stderr_and_leaves_stdout_alone(tiny: list[str], tmp_path: Path) -> None:
    """The command's stderr is a terminal, its stdout a file, as in `holdfast snapshots --json > out.json`."""
    screen, terminal = pty.openpty()
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "holdfast", "snapshots", "--json", "--set", f"data_dir={tmp_path / 'data'}", *tiny]
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(Path(holdfast.__file__).parents[1])}
    with out.open("w") as file:
        running = subprocess.Popen(command, stdout=file, stderr=terminal, env=environment)
        os.close(terminal)
        drawn = b"".join(iter(functools.partial(_read, screen), b"")).decode()
    assert running.wait() == 0
    assert json.loads(out.read_text())["rows"] > 0
    assert "reading usage" in drawn
    assert "\x1b[" in drawn, "drawn in place, not line by line"


def _read(screen: int) -> bytes:
    """What is on the screen next; nothing once the process has closed it."""
    try:
        return os.read(screen, 4096)
    except OSError:
        return b""
