"""The verb of the record: what was forecast, whether it was changed since, how good it was."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import Refused, Run

if TYPE_CHECKING:
    from rich.console import Console

    from serving.ledger.record import Record

ACTIONS = ("list", "verify", "score", "export", "withdraw")
SHOWN = 40  # rows in the terminal; the JSON and the export have all
TOTAL = "total"


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
    content = track.to_json()
    cuts = sorted({row["cut"] for row in track.rows} - {TOTAL})
    if options["by"] and track.rows and options["by"] not in cuts:
        raise BadRequest(f"--by {options['by']}: the scored forecasts have no such cut; they have {', '.join(cuts)}.")
    return lambda: run.show(content, lambda console: _print_scores(console, content, options["by"]))


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
    for row in rows[:SHOWN]:
        table.add_row(row["as_of"], row["kind"], row["run_id"], row["model_version"], str(row["made_at"])[:16],
                      f"{row['accounts']:,}", f"{row['actuals']}")  # fmt: skip
    console.print(table)
    for row in rows[:SHOWN]:
        if row["reason"]:
            console.print(f"Withdrawn: run {row['run_id']} as of {row['as_of']}: {row['reason']}", soft_wrap=True)
    if len(rows) > SHOWN:
        console.print(f"{len(rows) - SHOWN:,} more runs: --json shows all.")


def _print_scores(console: "Console", content: dict[str, Any], by: str) -> None:
    from serving.track_record.score_tables import account_table, miss_table, portfolio_table

    print_lines(console, content["answer"])
    for table in (
        portfolio_table(content, TOTAL, SHOWN),
        portfolio_table(content, by, SHOWN) if by else None,
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
