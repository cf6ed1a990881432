"""Results on standard output: JSON for machines, lines for people, and commands that can be pasted."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_IN_FILES = 120


def new_console() -> "Console":
    """Where tables are printed; data are never read as markup."""
    from rich.console import Console

    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else WIDTH_IN_FILES)


def keep_for_results() -> None:
    """Keep standard output for results alone: what libraries print there by C goes to standard error.

    The solver of `holdfast actions` does so on some books, and a line before the JSON is no JSON.
    """
    ours = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = os.fdopen(ours, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)


def print_json(content: dict[str, Any]) -> None:
    """Print a result for machines."""
    print(json.dumps(content, indent=1, default=str, allow_nan=False))


def print_lines(console: "Console", lines: Sequence[str]) -> None:
    """Print sentences; the terminal breaks them where it ends."""
    for line in lines:
        console.print(line, soft_wrap=True)


def figure(value: float | None, form: str) -> str:
    """A figure of a table, `-` where there is none."""
    return "-" if value is None else format(value, form)


def command(*words: str) -> str:
    """A command of this command line as it was called, to be pasted into the same shell."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return shlex.join([sys.executable, "-m", "holdfast", *words])
    if shutil.which(program.name) == str(program):
        return shlex.join([program.name, *words])
    inside = program.is_absolute() and program.is_relative_to(Path.cwd())
    return shlex.join([str(program.relative_to(Path.cwd()) if inside else program), *words])
