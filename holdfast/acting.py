"""Verbs of what to do: the next best action within the hours there are, and what would follow if."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.forecast import champion_of, made_at
from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import AsOfDate, Run

OutFile = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Also write the table to a .xlsx, .csv or .parquet file")
]

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
    of_record: Annotated[
        bool, typer.Option("--record", help="Show instead what came of those on record: done, stayed, left, expanded")
    ] = False,
) -> None:
    """Recommend what to do next for each account, within each CSM's hours, by the ARR that it saves."""
    if of_record:
        _on_record(run, asked=csm is not None or as_of is not None, out=out)
        return
    champion = champion_of(run)
    from serving.actions.recommending import recommend
    from serving.actions.told import actions_json, actions_lines, actions_table, capacity_table, in_book
    from serving.forecast.declared.acting_tables import RECOMMENDED_ACTION
    from serving.forecast.take_away import write_tables

    with only_writer(run.params.data_dir):
        tables = run.load().tables
        options: dict[str, Any] = {"params": run.params, "made_at": made_at(), "progress": run.progress}
        recommended = recommend(tables, champion, as_of=as_of or tables.data_until, **options)
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


def _on_record(run: Run, *, asked: bool, out: Path | None) -> None:
    """What came of the recommendations on record."""
    from serving.actions.followed_up import followed_rows
    from serving.actions.told import record_json, record_lines, record_table
    from serving.forecast.refusals import BadRequest
    from serving.ledger.record import open_record

    if asked or out is not None:
        raise BadRequest("actions --record shows all that is on record: leave --csm, --as-of and --out away.")
    with open_record(run.params) as record:
        content = record_json(followed_rows(record), run.params.actions.outcome_months)

    def show(console: "Console") -> None:
        print_lines(console, record_lines(content))
        console.print(record_table(content))

    run.show(content, show)


def holdout(
    run: Run,
    share: Annotated[
        float | None,
        typer.Option("--share", metavar="SHARE", help="Of the eligible accounts [default: settings, or 0.1]"),
    ] = None,
    results: Annotated[bool, typer.Option("--results", help="Show what the holdout on record showed")] = False,
    as_of: AsOfDate = None,
    out: OutFile = None,
) -> None:
    """Show what withholding recommendations by lot would cost and could show, or what it showed; changes nothing."""
    from serving.actions.holdout_told import plan_row, result_rows
    from serving.forecast.declared.acting_tables import HOLDOUT_PLAN, HOLDOUT_RESULT
    from serving.forecast.refusals import BadRequest
    from serving.kpis.kpi_files import require_writable, write_rows

    if share is not None and not 0 < share <= MOST_WITHHELD:
        raise BadRequest(f"--share {share:g}: give a share above 0 and up to {MOST_WITHHELD}, such as 0.2.")
    require_writable(out)
    content, lines = _results(run, as_of) if results else _planned(run, as_of, share)
    if out is not None:
        table = HOLDOUT_RESULT if results else HOLDOUT_PLAN
        write_rows(result_rows(content) if results else [plan_row(content)], table, out, table.meaning)
    content["file"] = str(out) if out else None
    run.show(content, lambda console: print_lines(console, [*lines, *_written(out)]))


def _written(file: Path | None) -> list[str]:
    return [] if file is None else [f"Written: {file}"]


MOST_WITHHELD = 0.5


def _planned(run: Run, as_of: "date | None", share: float | None) -> tuple[dict[str, Any], list[str]]:
    """What a holdout would cost and could show."""
    from serving.actions.followed_up import take_up_on_record
    from serving.actions.holdout_told import with_share
    from serving.actions.recommending import open_plan
    from serving.actions.withheld import holdout_plan, plan_lines

    champion, settings = champion_of(run), with_share(run.params.actions, share)
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        day = as_of or tables.data_until
        plan, customers = open_plan(tables, champion, as_of=day, params=run.params, progress=run.progress)
        content = holdout_plan(plan, customers, settings, take_up_on_record(run.params))
    content = {"as_of": day.isoformat(), "currency": run.params.revenue.currency, **content}
    return content, plan_lines(content, content["currency"])


def _results(run: Run, as_of: "date | None") -> tuple[dict[str, Any], list[str]]:
    """What the holdout on record showed."""
    from serving.actions.recommending import known_enrolments, studied_effects
    from serving.actions.trial_results import results_lines, trial_results

    with only_writer(run.params.data_dir):
        tables = run.load().tables
        day = as_of or tables.data_until
        studied = studied_effects(run.params, day)
        content = trial_results(known_enrolments(run.params), tables, studied, params=run.params, as_of=day)
    return content, results_lines(content)


def process(run: Run, as_of: AsOfDate = None, out: OutFile = None) -> None:
    """Review the quarter: what the team's processes were, their effects, and what would follow for NRR if changed."""
    from serving.forecast.declared.acting_tables import PROCESS_REVIEW
    from serving.kpis.kpi_files import require_writable, write_rows
    from serving.processes.review import process_review, review_lines
    from serving.processes.review_tables import follows_table, measures_table, processes_table, review_rows

    require_writable(out)
    champion = champion_of(run)

    with only_writer(run.params.data_dir):
        tables = run.load().tables
        day = as_of or tables.data_until
        content = process_review(tables, champion, as_of=day, params=run.params, progress=run.progress)
    if out is not None:
        write_rows(review_rows(content), PROCESS_REVIEW, out, content["definition"])
    content["file"] = str(out) if out else None

    def show(console: "Console") -> None:
        print_lines(console, review_lines(content))
        for table in (measures_table(content), processes_table(content), follows_table(content)):
            console.print(table)
        print_lines(console, _written(out))

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
