"""The process that starts the workers and starts them anew: BentoML's, with a home that goes when it ends.

A worker outlives none: where the kernel can be asked to (Linux), it dies with its arbiter, however that ended, so that
the port is free for the next one.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from features.tables.scratch import held

ARBITER = "HOLDFAST_ARBITER"  # its process id, for its workers
_PR_SET_PDEATHSIG = 1


def main(home: Path, arguments: Sequence[str]) -> None:
    """Run BentoML's command line until it is stopped; its temporary files lie in `home`."""
    with held(home):
        (home / "tmp").mkdir()
        os.environ |= {"TMPDIR": str(home / "tmp"), ARBITER: str(os.getpid())}
        from bentoml_cli.cli import cli

        cli(args=list(arguments), prog_name="bentoml", standalone_mode=False)


def die_with_arbiter() -> None:
    """Let the kernel end this process with the one that started it, if that is an arbiter."""
    arbiter = int(os.environ.get(ARBITER, 0))
    if sys.platform != "linux" or arbiter in (0, os.getpid()):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != arbiter:  # it has died before
        signal.raise_signal(signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
