"""Verbs that judge: people's calls beside the model's figures, and whether the model still fits."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.lock import only_writer
from holdfast.model import require_store
from holdfast.output import figure, print_lines
from holdfast.run import Run

if TYPE_CHECKING:
    from rich.console import Console

ROWS_SHOWN = 40  # in the terminal; the JSON has all


def calls(
    run: Run,
    record: Annotated[bool, typer.Option("--record", help="How each caller did, instead of the calls")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also write the table call_record: .csv or .parquet")
    ] = None,
) -> None:
    """Show people's own calls beside the model's figures, and how each caller did against it."""
    from features.revenue.cut_labels import account_names
    from serving.forecast.declared.ledger_tables import CALL_RECORD
    from serving.forecast.refusals import BadRequest
    from serving.forecast.take_away import write_table_file
    from serving.ledger.record import open_record
    from serving.track_record.call_pairs import paired_calls
    from serving.track_record.call_record import DEFINITIONS, call_record, callers, calls_json, rungs

    if out is not None and (out.suffix not in (".csv", ".parquet") or not out.parent.is_dir()):
        raise BadRequest(f"--out {out}: give a file that ends with .csv or .parquet, in a folder that is there.")
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        run.progress("comparing calls with the model's forecasts")
        with open_record(run.params) as opened:
            paired = paired_calls(opened, tables, budget=run.params.budget)
        names = account_names(tables, tables.data_until, run.params.budget)
    if out is not None:
        write_table_file(CALL_RECORD, call_record(paired), out)
    rows = calls_json(paired, names)
    judged = {"callers": callers(paired), "rungs": rungs(paired), "definitions": DEFINITIONS}
    content = {"rows": rows, **judged, "file": str(out) if out else None}
    run.show(content, lambda console: _print_callers(console, content) if record else _print_calls(console, content))


def _print_calls(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    rows = content["rows"]
    if not rows:
        print_lines(console, ["No calls yet: write one on an account's page, or bring the table calls."])
        return
    resolved = sum(row["kept"] is not None for row in rows)
    compared = sum(row["model_probability"] is not None for row in rows)
    print_lines(
        console, [f"{len(rows):,} calls, {compared:,} beside an official forecast, {resolved:,} with a known outcome."]
    )
    table = Table()
    for name in ("account", "called on", "by", "call", "for"):
        table.add_column(name)
    for name in ("kept, call", "kept, model", "ARR, call", "ARR, model", "actual"):
        table.add_column(name, justify="right")
    for row in rows[:ROWS_SHOWN]:
        said = row["category"] or row["outcome"] or "-"
        table.add_row(row["name"], row["called_on"], row["called_by"] or "-", said, row["for_date"] or "-",
                      figure(row["probability"], ".0%"), figure(row["model_probability"], ".0%"),
                      figure(row["amount"], ",.0f"), figure(row["model_expected_arr"], ",.0f"),
                      figure(row["actual_arr"], ",.0f"))  # fmt: skip
    console.print(table)
    if len(rows) > ROWS_SHOWN:
        console.print(f"{len(rows) - ROWS_SHOWN:,} older calls: --json shows all.")


def _print_callers(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    rows = content["callers"]
    told = [row for row in rows if row["verdict"] in ("better", "worse")]
    words = ", ".join(f"{row['called_by']} {row['verdict']}" for row in told) or "nobody can be told from the model"
    print_lines(console, [f"{len(rows):,} callers: {words}."])
    table = Table()
    table.add_column("caller")
    for name in ("calls", "resolved", "skill", "interval", "bias, ARR", "model's", "verdict"):
        table.add_column(name, justify="right")
    for row in rows[:ROWS_SHOWN]:
        interval = f"{figure(row['low'], '+.2f')} to {figure(row['high'], '+.2f')}"
        table.add_row(row["called_by"], f"{row['calls']:,}", f"{row['resolved']:,}", figure(row["skill"], "+.3f"),
                      interval, figure(row["bias_arr"], "+,.0f"), figure(row["model_bias_arr"], "+,.0f"),
                      row["verdict"])  # fmt: skip
    console.print(table)
    console.print(content["definitions"]["skill"], soft_wrap=True, style="dim")
    if content["rungs"]:
        _print_rungs(console, content)


def _print_rungs(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title="On the same calls", title_justify="left")
    table.add_column("rung")
    for name in ("on", "calls", "log-loss", "Brier score"):
        table.add_column(name, justify="right")
    for row in content["rungs"]:
        table.add_row(row["rung"], row["on"], f"{row['calls']:,}", f"{row['log_loss']:.3f}", f"{row['brier']:.3f}")
    console.print(table)
    console.print(content["definitions"]["rungs"], soft_wrap=True, style="dim")


def watch(run: Run) -> None:
    """Say whether data, inputs and calibration are as they were: a bad month, or a bad model, and what to do."""
    from serving.publication.last_watch import note_watch
    from serving.publication.publication_file import folder_of
    from training.climbing import rung_of
    from training.watch.watching import watch as look

    require_store(run.params)
    with only_writer(run.params.data_dir):
        found = look(run.load().tables, params=run.params, progress=run.progress)
        rung = rung_of(run.params, found)
    content = found.to_json() | {"ladder": rung.to_json()}
    note_watch(folder_of(run.params.data_dir), content)
    run.show(content, lambda console: _print_watch(console, content))


def _print_watch(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    from models.watch.verdict import VERDICT_WORDS

    charts, inputs = content["calibration"]["charts"], content["inputs"]
    print_lines(console, [f"{VERDICT_WORDS[content['verdict']]} {content['todo']}".strip()])
    if content["verdict"] == "model":
        print_lines(console, [f"A night would {_RUNGS[content['ladder']['action']]}: {content['ladder']['reason']}."])
    alarms = [row for row in content["data"] if row["alarm"]]
    tables = f"{len(content['data'])} tables looked at, {len(alarms)} unusual"
    print_lines(console, [f"Data: {tables}{': ' + '; '.join(map(_unusual, alarms)) if alarms else ''}."])
    moved = [row["name"] for row in inputs["rows"] if row["moved"]]
    named = f" ({', '.join(moved[:NAMED])})" if moved else ""
    print_lines(console, [f"Inputs: {inputs['moved_share']:.0%} of what the model looks at has moved{named}."])
    months = content["calibration"]["months"]
    if not charts:
        print_lines(console, ["Calibration: no month is over and known since the model learned."])
        return
    table = Table(
        title=f"Calibration of version {content['model_version']}, {len(months)} months", title_justify="left"
    )
    table.add_column("chart")
    for name in ("standard deviations", "limit", "since", "says"):
        table.add_column(name, justify="right")
    for row in charts:
        table.add_row(row["name"], f"{row['statistic']:+.1f}", f"{row['limit']:.1f}", row["since"][:7],
                      f"the {row['cause']} moved" if row["alarm"] else "-")  # fmt: skip
    console.print(table)


NAMED = 5
_RUNGS = {"train": "train again", "wait": "wait", "go back": "go back a version", "leave": "leave it"}


def _unusual(row: dict[str, Any]) -> str:
    """What is unusual of a table."""
    parts = [f"its newest row is {row['age_days']} days old"] if row["stale"] else []
    parts += (
        [f"{row['rows']:,} rows in four weeks, {row['volume_score']:+.1f} deviations from usual"]
        if abs(row["volume_score"]) > 5
        else []
    )
    parts += [f"{name} {jump:+.0%} empty" for name, jump in row["missing"].items()]
    return f"{row['table']}, {' and '.join(parts)}"
