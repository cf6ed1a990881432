"""Verbs of what to do: the next best action within the hours there are, and what would follow if."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.forecast import champion_of, made_at
from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import AsOfDate, Run

if TYPE_CHECKING:
    from datetime import date

    from rich.console import Console


def actions(
    run: Run,
    as_of: AsOfDate = None,
    csm: Annotated[str | None, typer.Option("--csm", metavar="NAME", help="Only the book of this CSM")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Also write the table, as Parquet, CSV and XLSX")
    ] = None,
) -> None:
    """Recommend what to do next for each account, within each CSM's hours, by the ARR that it saves."""
    champion = champion_of(run)
    from serving.actions.recommending import recommend
    from serving.actions.told import actions_json, actions_lines, actions_table, capacity_table, in_book
    from serving.forecast.declared.acting_tables import RECOMMENDED_ACTION
    from serving.forecast.take_away import write_tables

    with only_writer(run.params.data_dir):
        tables = run.load().tables
        recommended = recommend(
            tables,
            champion,
            as_of=as_of or tables.data_until,
            params=run.params,
            made_at=made_at(),
            progress=run.progress,
        )
    content = actions_json(recommended, csm)
    if out is not None:
        table = recommended.table if csm is None else recommended.table[in_book(recommended.table, csm)]
        write_tables([(RECOMMENDED_ACTION, table)], out, {"as_of": content["as_of"]})
        content["folder"] = str(out)

    def show(console: "Console") -> None:
        print_lines(console, actions_lines(content))
        console.print(actions_table(content))
        console.print(capacity_table(content))

    run.show(content, show)


def scenario(
    run: Run,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="What is otherwise, as YAML")] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="base, momentum, plan, downside or severe")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="METRIC=NUMBER", help="What it takes to reach this: nrr=1.10")
    ] = None,
    as_of: AsOfDate = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Also write the table, as Parquet, CSV and XLSX")
    ] = None,
) -> None:
    """Show what NRR would be if things were otherwise: plays, prices, the market, hours, single accounts."""
    from serving.actions.scenario_file import preset as preset_named
    from serving.actions.scenario_file import read_scenario
    from serving.forecast.refusals import BadRequest

    if sum(given is not None for given in (file, preset, target)) != 1:
        raise BadRequest("scenario: give one of a file, --preset NAME and --target METRIC=NUMBER.")
    if target is not None:
        _reverse(run, target, as_of)
        return
    chosen = preset_named(preset) if preset is not None else read_scenario(file or Path())
    champion = champion_of(run)
    from serving.actions.scenarios import Bench, scenario_json, scenario_lines, scenario_table
    from serving.forecast.declared.acting_tables import SCENARIO_FORECAST
    from serving.forecast.take_away import write_tables

    with only_writer(run.params.data_dir):
        tables = run.load().tables
        day = as_of or tables.data_until
        bench = Bench(tables, champion, as_of=day, params=run.params, progress=run.progress)
        outcome = bench.try_out(chosen)
    content = scenario_json(outcome, bench)
    if out is not None:
        write_tables([(SCENARIO_FORECAST, bench.table([outcome], made_at()))], out, {"as_of": day.isoformat()})
        content["folder"] = str(out)

    def show(console: "Console") -> None:
        print_lines(console, scenario_lines(content))
        console.print(scenario_table(content))

    run.show(content, show)


def _reverse(run: Run, target: str, as_of: "date | None") -> None:
    """What it takes to reach a target."""
    from serving.actions.stress import target_of

    wanted = target_of(target)
    champion = champion_of(run)
    from serving.actions.scenarios import Bench
    from serving.actions.stress import stress, stress_lines

    with only_writer(run.params.data_dir):
        tables = run.load().tables
        day = as_of or tables.data_until
        content = stress(Bench(tables, champion, as_of=day, params=run.params, progress=run.progress), wanted)
    run.show(content, lambda console: print_lines(console, stress_lines(content)))
