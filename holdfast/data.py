"""Verbs of the data: check what a company brings, simulate one, make the snapshots that training reads."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.lock import only_writer
from holdfast.money import print_revenue
from holdfast.output import print_lines
from holdfast.run import Run, date_option
from models.words import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from features.families.feature import Feature
    from features.inputs.load import Loaded
    from features.leaks import Grade, Leak, Leaks
    from features.tables.checked import Tables
    from features.tables.problems import Finding
    from features.traps import SecondLook
    from params import Params
    from training.backtest.leak_cost import LeakCost, NotMeasured

DIALECTS = ("postgres", "spark", "snowflake", "bigquery", "databricks")
FEATURES_NAMED = 4
LEAK_HEADS: "dict[Grade, str]" = {
    "leak": "Leaks: here the past shows what happened later, and no cut by date can help",
    "risk": "Risks: the data do not say, or contradict, when this was known",
    "cut": "Known later than it happened. Snapshots deal with it; a cut by event date would show it early:",
}


def check(
    run: Run,
    leaks: Annotated[bool, typer.Option("--leaks", help="Also look for what the past could not have known")] = False,
) -> None:
    """Read the input, check it, store the checked tables, and say what they come to in money."""
    from features.families.catalogue import catalogue
    from features.inputs.checks.own_rows import without_rows

    with only_writer(run.params.data_dir):
        loaded = run.load()
        empty = without_rows(loaded.tables, run.params)
        look = _second_look(run, loaded)
        look = replace(look, warnings=(*look.warnings, *empty))
        search = _search_for_leaks(run, loaded) if leaks else None
    leaks_json = {"leaks": {**search[0].to_json(), "cost": search[1].to_json()}} if search else {}
    features = catalogue(loaded.tables, run.params.declared)
    content = _report_json(loaded, look, features, tuple(run.params.features)) | leaks_json
    run.show(content, lambda console: _print_report(console, loaded, look, features, tuple(run.params.features)))
    if search and not run.as_json:
        _print_leaks(run.console, *search)


def simulate(
    run: Run,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write a Parquet file a table")],
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="Also write the true probabilities, for --as-of")
    ] = None,
    as_of: Annotated[date | None, date_option("The date that --truth is for")] = None,
) -> None:
    """Write the tables of a simulated company, of the size that `simulated` sets."""
    from features.simulation import write_company
    from serving.forecast.refusals import BadRequest

    if (truth is None) != (as_of is None):
        raise BadRequest("--truth FILE and --as-of DATE go together: the truth is that of a date.")
    company = {**run.params.simulated.model_dump(), "seed": run.params.seed}
    run.progress("simulating a company")
    try:
        write_company(folder, **company)
        if truth is not None and as_of is not None:
            run.progress("replaying its futures")
            _write_truth(truth, company, as_of, run.params)
    except (ValueError, FileExistsError) as error:  # a size, a date or a folder that cannot be
        raise BadRequest(str(error)) from None
    content = {"folder": str(folder), "truth": truth and str(truth), **company}
    run.show(content, lambda console: console.print(f"Wrote {folder}" + (f" and {truth}" if truth else "")))


def snapshots(
    run: Run,
    dialect: Annotated[
        str | None, typer.Option("--sql", metavar="DIALECT", help=f"Print the SQL instead, in {', '.join(DIALECTS)}")
    ] = None,
) -> None:
    """Make the snapshots that training reads: every account at every month start."""
    from features.inputs.checks.own_rows import without_rows
    from features.snapshots.dates import month_starts
    from features.snapshots.snapshot_files import make

    _require_dialect(dialect)
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        dates = month_starts(tables, run.params.snapshots)
        if dialect is not None:
            _print_sql(run, tables, dates, dialect)
            return
        empty = without_rows(tables, run.params)
        result = make(tables, dates, params=run.params, progress=run.progress)
    rows, accounts = result.totals()
    content = {
        "rows": rows,
        "accounts": accounts,
        "dates": len(dates),
        "first": dates[0].isoformat(),
        "last": dates[-1].isoformat(),
        "made": [day.isoformat() for day in result.missing],
        "why": list(result.why),
        "warnings": [warning.to_json() for warning in empty],
        "features": [feature.name for feature in result.features],
        "folder": str(run.params.data_dir / "snapshots"),
    }
    run.show(content, lambda console: _print_snapshots(console, content, result.features, empty))


def report_lines(loaded: "Loaded") -> list[str]:
    """The check in a few lines: what was read, and what it warns of."""
    report = loaded.report
    read, left_out = (sum(getattr(t, name) for t in report.tables) for name in ("rows_read", "rows_quarantined"))
    head = (
        f"{counted(read, 'row')} in {counted(len(report.tables), 'table')}, {left_out:,} left out; "
        f"the data end before {report.data_until}: {report.data_until_why}."
    )
    return [head, *(f"Warning: {warning}" for warning in report.warnings)]


def _search_for_leaks(run: Run, loaded: "Loaded") -> "tuple[Leaks, LeakCost | NotMeasured]":
    from features.leaks import find_leaks
    from training.backtest.leak_cost import leak_cost

    leaks = find_leaks(loaded.tables, loaded.report.warnings, params=run.params, progress=run.progress)
    leaking = leaks.leaking_features
    return leaks, leak_cost(loaded.tables, params=run.params, without=leaking, progress=run.progress)


def _second_look(run: Run, loaded: "Loaded") -> "SecondLook":
    from features.traps import second_look

    return second_look(loaded.tables, params=run.params, progress=run.progress)


def _report_json(
    loaded: "Loaded", look: "SecondLook", features: "Sequence[Feature]", own: Sequence[str]
) -> dict[str, Any]:
    """The check as plain data; `own` are the features that the settings declare."""
    content: dict[str, Any] = json.loads(loaded.report.to_json())
    told = ("name", "family", "unit", "meaning", "sentence", "signal", "expected", "needs")
    return content | {
        "lost": loaded.report.lost({feature.name: feature.needs for feature in features}),
        "own_features": [{key: getattr(feature, key) for key in told} for feature in features if feature.name in own],
        "digest": loaded.tables.digest,
        "revenue": look.revenue,
        "warnings": [warning.to_json() for warning in (*loaded.report.warnings, *look.warnings)],
    }


def _print_report(
    console: "Console", loaded: "Loaded", look: "SecondLook", features: "Sequence[Feature]", own: Sequence[str]
) -> None:
    from rich.table import Table

    grid = Table("table", "rows", "kept", "left out", "from", "to", "optional columns that are absent")
    for table in loaded.report.tables:
        counts = (f"{n:,}" for n in (table.rows_read, table.rows_kept, table.rows_quarantined))
        days = (str(day or "-") for day in (table.first_day, table.last_day))
        grid.add_row(table.table, *counts, *days, ", ".join(table.absent) or "-")
    console.print(grid)
    if own:
        listed = [feature for feature in features if feature.name in own]
        console.print(_features_listed(listed, look.warnings))
    for place, lost in loaded.report.lost({feature.name: feature.needs for feature in features}).items():
        names = ", ".join(lost[:FEATURES_NAMED]) + (", ..." if len(lost) > FEATURES_NAMED else "")
        console.print(f"Without {place}: {counted(len(lost), 'feature')} less ({names})", soft_wrap=True)
    head, *warnings = report_lines(loaded)
    print_lines(console, [head])
    if look.revenue:
        print_revenue(console, look.revenue)
    print_lines(console, [*warnings, *(f"Warning: {warning}" for warning in look.warnings)])


def _print_leaks(console: "Console", leaks: "Leaks", cost: "LeakCost | NotMeasured") -> None:
    """What the search for leaks found: the worst first, what is dealt with as a table."""
    for grade in ("leak", "risk"):
        none = f"No {grade} found{', as far as could be told' if leaks.not_told else ''}."
        print_lines(console, ["", LEAK_HEADS[grade] if leaks.of_grade(grade) else none])
        for number, leak in enumerate(leaks.of_grade(grade), start=1):
            print_lines(
                console, [f"  {number}. {leak}", f"     In a backtest: {leak.backtest}", f"     Do: {leak.todo}"]
            )
    if leaks.of_grade("cut"):
        print_lines(console, ["", LEAK_HEADS["cut"]])
        console.print(_known_later(leaks.of_grade("cut")))
    print_lines(console, [str(cost), *_tried_lines(leaks)])


def _known_later(leaks: "Sequence[Leak]") -> "Table":
    from rich.table import Table

    grid = Table("column", "rows known later", "of", "times too early", "days later: median", "9 in 10")
    for leak in leaks:
        days = (f"{leak.figures[name]:,.0f}" for name in ("median_days", "p90_days"))
        grid.add_row(leak.place, f"{leak.rows:,}", f"{leak.of:,}", f"{leak.figures['early_views']:,.0f}", *days)
    return grid


def _tried_lines(leaks: "Leaks") -> list[str]:
    """What single columns were tried on, and the honest ones that tell most."""
    lines = [f"Each column alone was tried on {leaks.looked_at}."] if leaks.looked_at else []
    if leaks.strongest:
        lines.append(f"Strongest that is no leak (AUC): {'; '.join(map(str, leaks.strongest))}.")
    if leaks.known:
        lines.append(f"Known facts of the renewal calendar, no leaks: {'; '.join(map(str, leaks.known))}.")
    return [*lines, *(f"Not told: {reason}." for reason in leaks.not_told)]


def _write_truth(file: Path, company: dict[str, Any], as_of: date, params: "Params") -> None:
    from features.simulation.truth import replay, write_truth

    months = params.model.horizon_months
    write_truth(file, replay(**company, as_of=as_of, horizon_months=months, futures=params.forecast.draws))


def _require_dialect(dialect: str | None) -> None:
    from params import SettingsError

    if dialect not in (None, *DIALECTS):
        raise SettingsError(f"--sql {dialect}: there is no such dialect. Give one of {', '.join(DIALECTS)}.")


def _print_sql(run: Run, tables: "Tables", dates: Sequence[date], dialect: str) -> None:
    from features.snapshots.script import script

    params = run.params
    own = params.declared
    statements = list(script(tables, dates, dialect, revenue=params.revenue, settings=params.snapshots, own=own))
    text = "".join(f"{statement};\n\n" for statement in statements)
    run.show({"dialect": dialect, "statements": statements}, lambda _: print(text, end=""))


def _print_snapshots(
    console: "Console", content: dict[str, Any], features: Sequence["Feature"], empty: "Sequence[Finding]"
) -> None:
    console.print(
        f"{counted(content['rows'], 'row')}: {counted(content['accounts'], 'account')} at "
        f"{counted(content['dates'], 'date')}, {content['first']} to {content['last']}; "
        f"{counted(len(features), 'feature')}"
    )
    if content["made"]:
        console.print(_features_listed(features, empty))
    print_lines(console, [*content["why"], *(f"Warning: {warning}" for warning in empty)])
    there = content["dates"] - len(content["made"])
    console.print(
        f"{counted(len(content['made']), 'date')} made now, {there} there. Stored in {content['folder']}",
        soft_wrap=True,
    )


def _features_listed(features: Sequence["Feature"], warnings: "Sequence[Finding]") -> "Table":
    """The features with what they mean, and those marked that nothing is counted for."""
    from rich.table import Table

    grid = Table("feature", "family", "unit", "meaning")
    for feature in features:
        empty = any(warning.table == f"features.{feature.name}" for warning in warnings)
        grid.add_row(feature.name, feature.family, feature.unit, feature.meaning + " (no row yet)" * empty)
    return grid
