"""Verbs between two dates: the NRR that came to pass, and why the forecast changed."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import Refused, Run, day_option

if TYPE_CHECKING:
    from rich.console import Console

    from serving.ledger.record import Record
    from serving.retention.realised_nrr import RealisedNrr
    from serving.track_record.track_record import TrackRecord

RUNS_SHOWN = 40  # of the record in the terminal; the JSON and the export have all
ACTIONS = ("list", "verify", "score", "export", "withdraw")
WHOLE = "total"
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


def ledger(
    run: Run,
    action: Annotated[str, typer.Argument(metavar="|".join(ACTIONS), help="What to do")] = "list",
    run_id: Annotated[str, typer.Argument(metavar="[RUN]", help="Which run to withdraw")] = "",
    head: Annotated[
        str, typer.Option("--head", metavar="HASH", help="verify: a head noted earlier, which must be in the chain")
    ] = "",
    latest: Annotated[
        bool, typer.Option("--latest", help="score, export: on the latest actuals [default: the first]")
    ] = False,
    by: Annotated[str, typer.Option("--by", metavar="CUT", help="score: also show the values of a cut")] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="withdraw: why; it stays on record")] = "",
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="export: where to, a new folder")] = None,
) -> None:
    """Show what is on record, prove that nothing was changed, score past forecasts, export or withdraw."""
    from serving.forecast.refusals import BadRequest
    from serving.ledger.record import open_record

    work = {"list": _list, "verify": _verify, "score": _score, "export": _export, "withdraw": _withdraw}
    if action not in work:
        raise BadRequest(f"ledger {action}: there is no such thing to do; give {', '.join(ACTIONS)}.")
    options = {"run_id": run_id, "head": head, "latest": latest, "by": by, "reason": reason, "out": out}
    if run.erasures_due:
        with only_writer(run.params.data_dir):
            run.finish_erasures()
    with open_record(run.params) as record:
        show = work[action](run, record, options)
    show()


def _list(run: Run, record: "Record", options: dict[str, Any]) -> Any:
    from serving.ledger.chain.head import head_of
    from serving.track_record.run_list import recorded

    rows = recorded(record)
    content = {"runs": rows, "head": head_of(record)}
    return lambda: run.show(content, lambda console: _print_runs(console, content))


def _verify(run: Run, record: "Record", options: dict[str, Any]) -> Any:
    from serving.forecast.refusals import BadRequest
    from serving.ledger.chain.head import HASH, noted_head
    from serving.ledger.chain.verifying import verify
    from serving.publication.publication_file import folder_of, kept_head

    if options["head"] and not HASH.fullmatch(options["head"]):
        raise BadRequest(f"--head {options['head']}: a head is 8 to 64 of the characters 0-9 and a-f.")
    published = kept_head(folder_of(run.params.data_dir))
    heads = {
        "--head": options["head"],
        "the record's folder": noted_head(record),
        "the publications' folder": published,
    }
    kept_days = run.params.retention.revision_accounts_days
    verdict = verify(record, heads, today=datetime.now(tz=UTC).date(), kept_days=kept_days, progress=run.progress)
    content = {
        "ok": verdict.ok,
        "rows": verdict.rows,
        "entries": verdict.entries,
        "files": verdict.files,
        "head": verdict.head,
        "first_broken": verdict.first_broken or None,
    }

    def show() -> None:
        run.show(content, lambda console: print_lines(console, verdict.lines()))
        if not verdict.ok:
            raise Refused("The record is not what it was: restore it from a backup, and find out who changed it.")

    return show


def _score(run: Run, record: "Record", options: dict[str, Any]) -> Any:
    from serving.forecast.refusals import BadRequest
    from serving.track_record.track_record import track_record

    run.progress("scoring the forecasts on record")
    track = track_record(record, run.params, latest=options["latest"])
    content = track.to_json() | {"backtest": _beside_backtest(run, track)}
    cuts = sorted({row["cut"] for row in track.rows} - {WHOLE})
    if options["by"] and track.rows and options["by"] not in cuts:
        raise BadRequest(f"--by {options['by']}: the scored forecasts have no such cut; they have {', '.join(cuts)}.")
    return lambda: run.show(content, lambda console: _print_scores(console, content, options["by"]))


def _beside_backtest(run: Run, track: "TrackRecord") -> dict[str, Any] | None:
    """How the version in charge did on past dates, beside the record; None where none is in charge or can be asked."""
    from serving.track_record.beside_backtest import beside_backtest
    from training.tracking.errors import StoreUnreachable
    from training.tracking.versions import in_charge_of, versions_of

    try:
        version = in_charge_of(versions_of(run.params))
    except StoreUnreachable:
        return None
    if version is None:
        return None
    tested = {"version": version.version, **asdict(version.record)}
    return beside_backtest(track.rows, track.accounts, tested)


def _export(run: Run, record: "Record", options: dict[str, Any]) -> Any:
    from serving.track_record.record_export import export_record
    from serving.track_record.track_record import track_record

    folder = options["out"] or run.params.data_dir / "record-export"
    run.progress("writing the tables")
    track = track_record(record, run.params, latest=options["latest"])
    counts = export_record(record, track, folder)
    content = {"folder": str(folder), "head": track.head, "rows": counts}
    lines = [f"{name}: {count:,} rows" for name, count in counts.items()]
    lines = [f"The record is written to {folder}, as Parquet, CSV and XLSX.", *lines, f"Head: {track.head or 'none'}"]
    return lambda: run.show(content, lambda console: print_lines(console, lines))


def _withdraw(run: Run, record: "Record", options: dict[str, Any]) -> Any:
    from serving.ledger.withdrawals import withdraw

    numbers = withdraw(record, options["run_id"], options["reason"])
    content = {"run_id": options["run_id"], "numbers": numbers, "reason": options["reason"]}
    lines = [
        f"Withdrawn: run {options['run_id']} ({options['reason'].strip()}). It stays on record and counts in no score.",
        "The next forecast of its month start that is made at its time takes its place.",
    ]
    return lambda: run.show(content, lambda console: print_lines(console, lines))


def _print_runs(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    from models.words import counted

    rows = content["runs"]
    if not rows:
        console.print("Nothing is on record yet: `holdfast publish` puts every forecast there.")
        return
    officials = sum(row["kind"] == "official" for row in rows)
    answer = f"{counted(len(rows), 'run')} on record, {officials:,} official. Head: {content['head']}"
    print_lines(console, [answer])
    table = Table()
    for name in ("as of", "kind", "run", "model", "made at"):
        table.add_column(name)
    for name in ("accounts", "windows with an actual"):
        table.add_column(name, justify="right")
    for row in rows[:RUNS_SHOWN]:
        table.add_row(row["as_of"], row["kind"], row["run_id"], row["model_version"], str(row["made_at"])[:16],
                      f"{row['accounts']:,}", f"{row['actuals']}")  # fmt: skip
    console.print(table)
    for row in rows[:RUNS_SHOWN]:
        if row["reason"]:
            console.print(f"Withdrawn: run {row['run_id']} as of {row['as_of']}: {row['reason']}", soft_wrap=True)
    if len(rows) > RUNS_SHOWN:
        console.print(f"{len(rows) - RUNS_SHOWN:,} more runs: --json shows all.")


def _print_scores(console: "Console", content: dict[str, Any], by: str) -> None:
    from serving.track_record.score_tables import account_table, miss_table, portfolio_table

    print_lines(console, content["answer"])
    if content["backtest"] and content["scored"]:
        print_lines(console, [content["backtest"]["words"]])
    for table in (
        portfolio_table(content, WHOLE, RUNS_SHOWN),
        portfolio_table(content, by, RUNS_SHOWN) if by else None,
        account_table(content),
        miss_table(content),
    ):
        if table is not None:
            console.print(table)
    if content["waiting"] and content["scored"]:
        more = f" The next is known on {content['next_known_on']} at the earliest." if content["next_known_on"] else ""
        console.print(f"{content['waiting']:,} windows are not over, or not known yet.{more}", soft_wrap=True)
    if content["rows"]:
        console.print(f"On the {content['basis']}. {content['definitions']['error']}", soft_wrap=True, style="dim")
