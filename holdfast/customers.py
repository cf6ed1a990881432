"""Verbs of what customers say and do: why they left, what they say, what they do not own; none takes a model."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import AsOfDate, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from serving.forecast.declared.column import OutTable

TableFile = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Also write the accounts as .xlsx, .csv or .parquet")
]
SHOWN = 20  # accounts in the terminal; the JSON and the file have all


def losses(
    run: Run,
    as_of: AsOfDate = None,
    months: Annotated[int, typer.Option("--months", min=1, max=120, help="Months before the date")] = 24,
    department: Annotated[
        str | None, typer.Option("--department", metavar="NAME", help="Only losses that this department owns")
    ] = None,
    out: TableFile = None,
) -> None:
    """Show why revenue was lost: ARR by cause and quarter, what showed before, and who owns the cause."""
    from serving.forecast.declared.customer_tables import LOSS
    from serving.kpis.kpi_files import require_writable
    from serving.kpis.loss_report import loss_report

    require_writable(out)
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        day = as_of or tables.data_until
        report = loss_report(tables, as_of=day, params=run.params, months=months, progress=run.progress)
    content = report.to_json(department)
    _hand_over(run, content, _print_losses, content["events"], LOSS, out)


def voice(
    run: Run,
    as_of: AsOfDate = None,
    months: Annotated[int, typer.Option("--months", min=1, max=60, help="Months before the date")] = 12,
    out: TableFile = None,
) -> None:
    """Show what customers say: scores by role and moment, response, themes and tickets, with the ARR behind each."""
    from serving.forecast.declared.customer_tables import VOICE
    from serving.kpis.kpi_files import require_writable
    from serving.kpis.voice_report import voice_report

    require_writable(out)
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        content = voice_report(tables, as_of=as_of or tables.data_until, params=run.params, months=months)
    _hand_over(run, content, _print_voice, content["rows"], VOICE, out)


def sheet(
    run: Run,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id or name")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it as a page: .html")] = None,
) -> None:
    """Show an account's impact review sheet, which may be handed to the customer; takes what is published."""
    from serving.access.tokens import Caller
    from serving.desk.impact_sheet import impact_sheet
    from serving.forecast.one_account import account_among
    from serving.forecast.refusals import BadRequest
    from serving.pages.business.customer_pages import sheet as as_page
    from serving.pages.render import standalone
    from serving.publication import publication_file
    from serving.publication.reader import open_newest

    if out is not None and (out.suffix != ".html" or not out.parent.is_dir()):
        raise BadRequest(f"--out {out}: give a file that ends with .html, in a folder that is there.")
    with open_newest(publication_file.folder_of(run.params.data_dir)) as published:
        names = {account_id: told[0] for account_id, told in published.directory(None).items()}
        account_id, _ = account_among(account, names, date.fromisoformat(published.about["as_of"]))
        content = impact_sheet(published, account_id, Caller(name="", role="admin"))
    if out is not None:
        out.write_text(standalone("sheet.html", **as_page(content)), encoding="utf-8")
    content["file"] = str(out) if out else None
    run.show(content, lambda console: _print_sheet(console, content))


def _print_sheet(console: "Console", content: dict[str, Any]) -> None:
    console.print(f"Impact review of {content['name']}, as of {content['as_of']}", style="bold", markup=False)
    for goal in content["goals"]:
        way = "" if goal["progress"] is None else f", {goal['progress']:.0%} of the way"
        console.print(f"{goal['goal'] or 'Other tasks'}: {goal['state'] or '-'}{way}", markup=False, soft_wrap=True)
        for task in goal["tasks"]:
            who = task["owner_side"] or "together"
            console.print(f"  {task['goal']} ({who}): {task['state']}", markup=False, soft_wrap=True)
    for row in content["use"]:
        usual = "" if row["usual"] is None else f", customers like it {row['usual']:.3g}"
        console.print(f"{row['title']}: {row['own']:.3g}{usual}", markup=False, soft_wrap=True)
    for row in content["steps"]:
        console.print(f"Next: {row['goal']}, due {row['due_on']}", markup=False, soft_wrap=True)
    if content["file"]:
        console.print(f"Written to {content['file']}", markup=False, soft_wrap=True)


def _hand_over(
    run: Run,
    content: dict[str, Any],
    show: "Callable[[Console, dict[str, Any]], None]",
    rows: list[dict[str, Any]],
    declared: "OutTable",
    out: Path | None,
) -> None:
    """Write the rows where a file is asked for, and show all that was found with its definition and the file."""
    from serving.kpis.kpi_files import write_rows

    if out is not None:
        write_rows(rows, declared, out, content["definition"])
    content |= {"file": str(out) if out else None}
    written = [f"Written: {out}"] if out else []

    def told(console: "Console") -> None:
        show(console, content)
        print_lines(console, [content["definition"], *written])

    run.show(content, told)


def _print_voice(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title=f"From {content['from']} to {content['as_of']}", title_justify="left")
    for head in ("survey", "role", "moment"):
        table.add_column(head)
    for head in ("figure", "95 % interval", "answers", "response", "ARR behind"):
        table.add_column(head, justify="right")
    for row in content["rows"]:
        between = "" if row["low"] is None else f"{row['low']:,.1f} to {row['high']:,.1f}"
        rate = "" if row["response_rate"] is None else f"{row['response_rate']:.0%} of {row['sent']:,}"
        figure = "" if row["figure"] is None else f"{row['figure']:,.1f}"
        table.add_row(row["kind"], row["role"], row["moment"], figure, between, f"{row['n']:,}", rate,
                      _amount(row["arr"]))  # fmt: skip
    console.print(table)
    for row in content["themes"]:
        console.print(
            f"{row['kind']}, {row['theme']}: {row['answers']:,} answers, {row['mean_score']:.1f} in the mean, of "
            f"{row['accounts']:,} accounts with {_amount(row['arr'])} {content['currency']} ARR.",
            soft_wrap=True,
        )
    for row in content["tickets"]:
        console.print(
            f"Tickets, {row['category']}: {row['tickets']:,}, of {row['accounts']:,} accounts with "
            f"{_amount(row['arr'])} {content['currency']} ARR.",
            soft_wrap=True,
        )


def whitespace(
    run: Run,
    as_of: AsOfDate = None,
    csm: Annotated[str | None, typer.Option("--csm", metavar="NAME", help="Only the book of this CSM")] = None,
    out: TableFile = None,
) -> None:
    """Show where customers can grow: products that similar ones own, seats they could use, and whose it is to sell."""
    from serving.forecast.declared.customer_tables import WHITESPACE
    from serving.kpis.kpi_files import require_writable
    from serving.kpis.whitespace_report import whitespace_report

    require_writable(out)
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        content = whitespace_report(tables, as_of=as_of or tables.data_until, params=run.params, csm=csm)
    _hand_over(run, content, _print_whitespace, content["rows"], WHITESPACE, out)


def _print_whitespace(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title="Not owned", title_justify="left")
    for head in ("what", "whose it is to sell"):
        table.add_column(head)
    for head in ("customers", "worth", "at the attach rate"):
        table.add_column(head, justify="right")
    for row in content["totals"]:
        table.add_row(row["what"], row["owner_role"], f"{row['accounts']:,}", _amount(row["arr"]),
                      _amount(row["arr_at_attach_rate"]))  # fmt: skip
    console.print(table)
    for row in content["rows"][:SHOWN]:
        rate = f"owned by {row['attach_rate']:.0%} of {row['similar']:,} similar" if row["attach_rate"] else ""
        seats = f"{row['missing']:,.0f} seats" if row["what"] == "seats" else row["what"]
        told = ", ".join(part for part in (seats, _amount(row["arr"]), rate, row["owner"]) if part)
        console.print(f"{row['name']}: {told}", soft_wrap=True)
    for row in content["log"]:
        console.print(f"Won since {content['from']}: {row['won']:,} of {row['source']} by {row['owner_role']}, "
                      f"{_amount(row['arr'])} {content['currency']} ARR")  # fmt: skip
    _print_leads(console, content)


def _print_leads(console: "Console", content: dict[str, Any]) -> None:
    """The leads by source and by owner: what came of them."""
    from rich.table import Table

    if not content["leads"]:
        return
    table = Table(title=f"Leads raised since {content['from']}", title_justify="left")
    for head in ("source", "owner"):
        table.add_column(head)
    for head in ("raised", "open", "won", "lost", "won of closed", "95 % interval", "ARR won", "ARR open"):
        table.add_column(head, justify="right")
    for row in (row for row in content["leads"] if "all" in (row["source"], row["owner"])):
        between = "" if row["low"] is None else f"{row['low']:.0%} to {row['high']:.0%}"
        rate = "" if row["conversion"] is None else f"{row['conversion']:.0%}"
        counts = [f"{row[name]:,}" for name in ("raised", "open", "won", "lost")]
        table.add_row(row["source"], row["owner"], *counts, rate, between, _amount(row["won_arr"]),
                      _amount(row["open_arr"]))  # fmt: skip
    console.print(table)


def _print_losses(console: "Console", content: dict[str, Any]) -> None:
    unknown = content["unknown_share"]
    console.print(
        f"{content['accounts']:,} accounts left from {content['from']} to {content['as_of']}, with "
        f"{content['arr_lost']:,.0f} {content['currency']} ARR"
        + (f"; of {unknown:.0%} of it the cause is unknown." if unknown is not None else ".")
    )
    _print_causes(console, content)
    _print_agreement(console, content)
    for row in content["events"][:SHOWN]:
        showed = ", ".join(row["showed"] or ()) or ("nothing" if row["showed"] is not None else "not known")
        line = f"{row['left_on']}  {row['name']}  {row['arr']:,.0f}  {row['cause']}  (showed before: {showed})"
        console.print(line, soft_wrap=True)
    if len(content["events"]) > SHOWN:
        console.print(f"{len(content['events']) - SHOWN:,} more: --json or --out has all.")


def _print_causes(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    now = {row["cause"]: row for row in content["at_risk"]}
    table = Table(title="By cause", title_justify="left")
    table.add_column("cause")
    for head in ("accounts", "ARR lost", "share", "something showed", "customers that show it now", "ARR", "at risk"):
        table.add_column(head, justify="right")
    for row in (row for row in content["rows"] if row["quarter"] == "all"):
        today = now.get(row["cause"])
        shown = (
            [f"{today['accounts']:,}", f"{today['arr']:,.0f}", _amount(today["arr_at_risk"])] if today else ["", "", ""]
        )
        table.add_row(row["cause"], f"{row['accounts']:,}", f"{row['arr_lost']:,.0f}", f"{row['share']:.0%}",
                      f"{row['showed_before']:,}", *shown)  # fmt: skip
    console.print(table)


def _print_agreement(console: "Console", content: dict[str, Any]) -> None:
    for row in content["agreement"]:
        console.print(
            f"Signs of {row['cause']}: shown before by {row['showed']:.0%} of the {row['n']:,} accounts that left for "
            f"it, and by {row['others_showed']:.0%} of the {row['n_others']:,} that left for something else "
            f"(difference {row['low']:+.0%} to {row['high']:+.0%}).",
            soft_wrap=True,
        )


def _amount(amount: float | None) -> str:
    return "" if amount is None else f"{amount:,.0f}"
