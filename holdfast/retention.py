"""Verbs between two dates: the NRR that came to pass, and why the forecast changed."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from holdfast.lock import only_writer
from holdfast.run import Run, day_option

if TYPE_CHECKING:
    from rich.console import Console

    from serving.retention.realised_nrr import RealisedNrr

SHOWN = 30  # values of a column in the terminal; the JSON and the workbook have all


def nrr(
    run: Run,
    start: Annotated[date, day_option("--from", "The cohort's date: the accounts with ARR when this day began")],
    end: Annotated[date, day_option("--to", "What they came to when this day began")],
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMN", help="Also by a column of accounts, or a feature")
    ] = None,
    known_by: Annotated[
        date | None, day_option("--known-by", "Only what was known before this day counts [default: all]")
    ] = None,
    weight: Annotated[
        Literal["arr", "account"], typer.Option("--weight", help="By ARR, or each account the same")
    ] = "arr",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.xlsx", help="Also write a workbook with live formulas")
    ] = None,
) -> None:
    """Show the NRR, GRR, logo retention and movements between two dates, exact to the cent; takes no model."""
    from serving.forecast.refusals import BadRequest
    from serving.retention.realised_nrr import realised_nrr
    from serving.retention.workbook import write_workbook

    if out is not None and (out.suffix.lower() != ".xlsx" or not out.parent.is_dir()):
        raise BadRequest(f"--out {out}: give a file that ends with .xlsx, in a folder that is there.")
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        result = realised_nrr(
            tables,
            start=start,
            end=end,
            params=run.params,
            by=by,
            known_by=known_by,
            weight=weight,
            progress=run.progress,
        )
    if out is not None:
        run.progress("writing the workbook")
        write_workbook(result, out)
    content = result.to_json() | {"file": str(out) if out else None}
    run.show(content, lambda console: _print(console, result, out))


def bridge(
    run: Run,
    start: Annotated[date, day_option("--from", "Date of the earlier forecast")],
    end: Annotated[date, day_option("--to", "Date of the later forecast")],
    by: Annotated[str | None, typer.Option("--by", metavar="COLUMN", help="Also by a column of accounts")] = None,
    rolling: Annotated[
        bool, typer.Option("--rolling", help="To the later forecast's own window and cohort, not the earlier one's")
    ] = False,
    shapley: Annotated[
        bool, typer.Option("--shapley", help="Also what data, market and model are worth over all orders of steps")
    ] = False,
    top: Annotated[int, typer.Option("--top", min=0, help="Accounts with a line of their own")] = 10,
) -> None:
    """Show why the forecast changed between two dates, step by step and account by account, to the cent."""
    from serving.forecast.refusals import BadRequest
    from serving.ledger.bridging.answer import bridge_json
    from serving.ledger.bridging.printed_bridge import print_bridge
    from serving.ledger.bridging.recorded import recorded_bridge
    from serving.ledger.record import open_record

    if start > end:
        raise BadRequest(f"--from {start} lies after --to {end}: put the earlier forecast first.")
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        run.progress("making each step's forecast anew")
        with open_record(run.params) as record:
            between = recorded_bridge(
                record, start, end, tables=tables, params=run.params, rolling=rolling, all_orders=shapley
            )
    content = bridge_json(between, by=by, top=top)
    run.show(content, lambda console: print_bridge(console, content))


def _print(console: "Console", result: "RealisedNrr", out: Path | None) -> None:
    from rich.table import Table

    total = result.rows[0]
    console.print(
        f"NRR {_share(total['nrr'])}, GRR {_share(total['grr'])}, logo retention {_share(total['logo_retention'])} "
        f"from {result.start} to {result.end}: {total['accounts']:,} accounts, ARR {total['starting_arr']:,.2f} -> "
        f"{total['ending_arr']:,.2f} {result.currency}.",
        soft_wrap=True,
    )
    table = Table(title=f"ARR, {result.currency} a year", title_justify="left")
    table.add_column("total" if len(result.rows) == 1 else result.cut)
    for name in ("accounts", "starting ARR", "ending ARR", "NRR", "GRR", "logos kept"):
        table.add_column(name, justify="right")
    for row in result.rows[: SHOWN + 1]:
        table.add_row(row["value"], f"{row['accounts']:,}", f"{row['starting_arr']:,.2f}", f"{row['ending_arr']:,.2f}",
                      *(_share(row[name]) for name in ("nrr", "grr", "logo_retention")))  # fmt: skip
    console.print(table)
    if len(result.rows) > SHOWN + 1:
        console.print(f"{len(result.rows) - SHOWN - 1:,} more values: --json or --out shows all.")
    _print_movements(console, result, total)
    for row in result.paused_rows()[:SHOWN]:
        console.print(f"Paused since {row['paused_from']}: {row['name']}, until {row['runs_out_on']} at most.")
    if len(result.paused) > SHOWN:
        console.print(f"{len(result.paused) - SHOWN:,} more are paused: --json or --out shows all.")
    console.print(result.definition, soft_wrap=True, style="dim")
    if out is not None:
        console.print(f"Workbook: {out}", soft_wrap=True)


def _print_movements(console: "Console", result: "RealisedNrr", total: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title=f"Movements of all accounts, {result.currency} a year", title_justify="left")
    table.add_column("movement")
    table.add_column("ARR", justify="right")
    for name, amount in total["movements"].items():
        if amount:
            table.add_row(name.replace("_", " "), f"{amount:+,.2f}")
    table.add_section()
    table.add_row("gross losses of the cohort", f"{total['gross_losses']:,.2f}")
    table.add_row("netted within accounts", f"{total['netted_within_accounts']:,.2f}")
    console.print(table)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
