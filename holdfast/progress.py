"""Progress of long work, on stderr."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

PLAIN_EVERY_SECONDS = 5.0


class Progress:
    """Progress of long work, on stderr: a bar in a terminal, plain lines otherwise.

    Called as `progress(what, done, total)`; `total` 0 means that the length is not known.
    """

    def __init__(self) -> None:
        self._in_terminal = sys.stderr.isatty()
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._last_line = ("", 0.0)

    def __enter__(self) -> Self:
        """Nothing is drawn before there is something to tell."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Take the bars away."""
        self.clear()

    def clear(self) -> None:
        """Take the bars away, so that results can be printed; the next call starts new ones."""
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._tasks = None, {}

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """Say how far the work is."""
        if self._in_terminal:
            self._draw(what, done, total)
        else:
            self._print(what, done, total)

    def _draw(self, what: str, done: int, total: int) -> None:
        if self._bars is None:
            self._bars = _bars_on_stderr()
            self._bars.start()
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total or None)
        self._bars.update(self._tasks[what], completed=done, total=total or None)

    def _print(self, what: str, done: int, total: int) -> None:
        last_what, printed_at = self._last_line
        if what == last_what and time.monotonic() - printed_at < PLAIN_EVERY_SECONDS:
            return
        self._last_line = (what, time.monotonic())
        print(f"{what} ({done} of {total})" if total > 1 else what, file=sys.stderr, flush=True)


def _bars_on_stderr() -> "Bars":
    """Bars on stderr; standard output stays where the user sent it."""
    from rich import progress
    from rich.console import Console

    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.TimeElapsedColumn())
    screen = Console(stderr=True, markup=False)
    return progress.Progress(*columns, console=screen, transient=True, redirect_stdout=False, redirect_stderr=False)
