"""Mutants of the arithmetic that everything rests on: how many the tests catch, and which they let live.

mutmut changes a line at a time of what `tool.mutmut` in pyproject.toml names, and runs the tests that pass there. What
it found stays in `mutants/`, so that a run that time ended is gone on with by the next.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "mutants"
OUT = Path(__file__).with_name("out") / "mutation.md"
TIMED_OUT = (24, 36, 152, 255, -24)
NO_TEST = (5, 33)
FATES = ("caught", "lived", "timed out", "no test", "not run")


@dataclass(frozen=True)
class Module:
    """What became of the mutants of one module: exit codes of the tests by mutant, None where they were not run."""

    name: str
    codes: dict[str, int | None]

    @property
    def counts(self) -> Counter[str]:
        """Mutants by what became of them."""
        return Counter(map(_fate, self.codes.values()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="when to stop")
    parser.add_argument("--processes", type=int, default=2, help="that run tests beside each other")
    parser.add_argument("mutants", nargs="*", help="only these, as mutmut names them: models.scores.*")
    arguments = parser.parse_args()
    run(arguments.minutes, arguments.processes, arguments.mutants)
    report = "\n".join(_report(list(modules())))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(report + "\n", encoding="utf-8")
    print(f"{report}\nWritten to {OUT}. Which ones lived: mutmut results; what one changes: mutmut show NAME")


def run(minutes: float, processes: int, mutants: list[str]) -> None:
    """Let mutmut work until it is done or time is up."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(processes), *mutants]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True) as work:
        try:
            if work.wait(minutes * 60):
                raise SystemExit("mutmut failed: see above.")
        except subprocess.TimeoutExpired:
            os.killpg(work.pid, signal.SIGINT)
            work.wait()


def modules() -> Iterator[Module]:
    """What is known of each module that has mutants."""
    for file in sorted(RESULTS.rglob("*.meta")):
        codes = json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
        if codes:
            yield Module(str(file.relative_to(RESULTS).with_suffix("")), codes)


def _fate(code: int | None) -> str:
    if code is None:
        return "not run"
    if code == 0:
        return "lived"
    if code in NO_TEST:
        return "no test"
    return "timed out" if code in TIMED_OUT else "caught"


def _report(found: list[Module]) -> Iterator[str]:
    """Markdown: a row a module whose mutants were run, and all of them together."""
    yield f"| module | run | {' | '.join(FATES)} |"
    yield "| --- " + "| ---: " * (1 + len(FATES)) + "|"
    tried = [module for module in found if module.counts.total() > module.counts["not run"]]
    for name, counts in (*((module.name, module.counts) for module in tried), ("all", _together(found))):
        fates = " | ".join(str(counts[fate]) for fate in FATES)
        yield f"| {name} | {counts.total() - counts['not run']} | {fates} |"


def _together(found: list[Module]) -> Counter[str]:
    return sum((module.counts for module in found), Counter())


if __name__ == "__main__":
    main()
