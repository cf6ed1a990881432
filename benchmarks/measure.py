"""What a step costs, each step in a process of its own; and plain Markdown tables of it.

Nothing heavy is imported here: the system counts the memory of the process that starts a step as the step's.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BYTECODE = Path(__file__).with_name("out") / "bytecode"
KILOBYTES = 1 if sys.platform == "linux" else 1024  # the unit of ru_maxrss: kilobytes, or bytes on macOS


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds, peak resident memory, and what the step printed."""

    wall_seconds: float
    cpu_seconds: float
    peak_gb: float
    printed: str


def cost_of(command: Sequence[str]) -> Cost:
    """Run a command to its end and say what it cost.

    Raises
    ------
    RuntimeError
        It failed; with the end of what it said.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=said, env=_environment())
        _, status, used = os.wait4(child.pid, 0)
        wall_seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said.seek(0)
        if child.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}:\n{said.read()[-2000:]}")
        peak_gb = used.ru_maxrss / KILOBYTES / 1e6
        return Cost(wall_seconds, used.ru_utime + used.ru_stime, peak_gb, out.read())


def _environment() -> dict[str, str]:
    """Modules are compiled once and kept, as on a user's machine, whatever the environment here says of it."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return ours | {"PYTHONPYCACHEPREFIX": str(BYTECODE)}


def seconds_of(work: Callable[[], Any], *, repeats: int = 1) -> tuple[float, Any]:
    """Wall seconds of the fastest of some runs, and what the last one gave."""
    fastest, made = float("inf"), None
    for _ in range(repeats):
        start = time.perf_counter()
        made = work()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest, made


def markdown(title: str, rows: Sequence[dict[str, Any]], note: str = "") -> str:
    """Rows of one kind as a Markdown table under a title."""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([_shown(row[name]) for name in head] for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join(part for part in (f"## {title}", note, table) if part) + "\n"


def _shown(value: Any) -> str:
    """Three significant figures, or one decimal place of a number of ten and more."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
