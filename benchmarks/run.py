"""Run the benchmarks, print what they found and write it to benchmarks/out/benchmarks.md."""

import argparse
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import markdown
from benchmarks.pipeline import Size, pipeline, ratios

OUT = Path(__file__).with_name("out") / "benchmarks.md"


def main() -> None:
    arguments = _arguments()
    parts = []
    for part in _parts(arguments):
        print(part, flush=True)
        parts.append(part)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("\n".join(["# Benchmarks\n", *parts]), encoding="utf-8")
    print(f"Written to {OUT}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--only", choices=["pipeline", "truth"], help="one of the two")
    parser.add_argument("--accounts", type=int, default=2000, help="of the company that is timed")
    parser.add_argument("--months", type=int, default=48, help="of both kinds of companies")
    parser.add_argument(
        "--world", choices=["first", "second"], default="first", help="the product's own, or by other rules"
    )
    parser.add_argument("--worlds", type=int, default=3, help="that are held against their truth")
    parser.add_argument("--first-seed", type=int, default=1, help="of these worlds")
    parser.add_argument("--world-accounts", type=int, default=600, help="of each of them")
    parser.add_argument("--origins", type=int, default=2, help="dates each is forecast from, three months apart")
    parser.add_argument("--set", action="append", default=[], help="a setting, as of holdfast: model.trees=100")
    parser.add_argument("--processes", type=int, default=2, help="that share the worlds")
    return parser.parse_args()


def _parts(arguments: argparse.Namespace) -> Iterator[str]:
    load = f"load {os.getloadavg()[0]:.1f} before"
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, {load}, Python {platform.python_version()}."
    with tempfile.TemporaryDirectory() as folder:
        if arguments.only != "truth":
            yield from _pipeline(Path(folder) / "pipeline", Size(arguments.accounts, arguments.months), machine)
        if arguments.only != "pipeline":
            yield _truth(Path(folder) / "truth", arguments)


def _pipeline(folder: Path, size: Size, machine: str) -> Iterator[str]:
    title = f"From raw tables to a forecast: {size.accounts} accounts, {size.months} months"
    note = f"{machine} Each step is a process of its own, started as a user does; imports count, compiled before."
    yield markdown(title, pipeline(folder, size), note)
    yield markdown("The same work done by others", ratios(folder), "Without imports; results were compared first.")


def _truth(folder: Path, arguments: argparse.Namespace) -> str:
    # Imported late: what this process holds would count as the memory of the steps it starts.
    from benchmarks.truth import FUTURES, against_truth, summary
    from benchmarks.worlds import Worlds

    worlds = Worlds(
        count=arguments.worlds,
        first_seed=arguments.first_seed,
        accounts=arguments.world_accounts,
        months=arguments.months,
        origins=arguments.origins,
        apart=3,
        kind=arguments.world,
        more_settings=tuple(arguments.set),
    )
    OUT.parent.mkdir(exist_ok=True)
    scores = against_truth(folder, worlds, processes=arguments.processes, out=OUT.with_name(f"truth-{worlds.kind}.csv"))
    note = (
        f"{worlds.count} worlds ({worlds.kind}) of {worlds.accounts} accounts, {worlds.months} months, forecast from "
        f"{worlds.origins} dates each, against {FUTURES} futures of the hidden state of that day; the standard error "
        f"takes worlds as the units of chance. Every pair is in truth-{worlds.kind}.csv."
    )
    return markdown(f"Against the truth: the {worlds.kind} world", summary(scores), note)


if __name__ == "__main__":
    main()
