"""Verbs of books and pay: each person beside what their book was expected to do, and a pay plan replayed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import Run

if TYPE_CHECKING:
    from rich.console import Console

Quarters = Annotated[
    int, typer.Option("--quarters", min=1, max=40, help="How many of the last quarters that can be judged")
]


TableFile = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write .xlsx, .csv or .parquet")]


def scorecard(
    run: Run,
    by: Annotated[Literal["csm", "seller"], typer.Option("--by", help="Whose books")] = "csm",
    quarters: Quarters = 4,
    out: TableFile = None,
) -> None:
    """Show each person's book beside what it was expected to do, with the range that luck leaves."""
    from serving.forecast.declared.book_tables import SCORECARD
    from serving.kpis.kpi_files import require_writable, write_rows
    from serving.scorecards.report import scorecard_report

    require_writable(out)
    with only_writer(run.params.data_dir):
        report = scorecard_report(run.load().tables, by, run.params, quarters)
    content = report.to_json() | {"file": str(out) if out else None}
    if out is not None:
        write_rows(report.table_rows(), SCORECARD, out, content["definition"])
    run.show(content, lambda console: _print_cards(console, content))


def comp(
    run: Run,
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, as YAML (docs/scorecards.md)")],
    quarters: Quarters = 4,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="PLAN", help="A plan to compare with, instead of what was paid"),
    ] = None,
    out: TableFile = None,
) -> None:
    """Replay a pay plan over past quarters: pay by person, cost, and the share of the differences that is luck."""
    from serving.forecast.declared.book_tables import COMP_REPLAY
    from serving.kpis.kpi_files import require_writable, write_rows
    from serving.scorecards.pay_plan import read_plan
    from serving.scorecards.pay_replay import replay_plan

    require_writable(out)
    file, other = read_plan(plan), None if against is None else read_plan(against)
    with only_writer(run.params.data_dir):
        result = replay_plan(run.load().tables, file, run.params, quarters, other)
    content = result.to_json() | {"file": str(out) if out else None}
    if out is not None:
        write_rows(result.table_rows(), COMP_REPLAY, out, content["definition"])
    run.show(content, lambda console: _print_pay(console, content))


def _print_cards(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    if content["rows"]:
        table = Table(title=f"Books by {content['by']}: NRR over the quarters", title_justify="left")
        table.add_column(content["by"])
        for head in ("quarters", "accounts", "worth", "expected", "range", "actual", "points", "without largest"):
            table.add_column(head, justify="right")
        table.add_column("so")
        for row in content["rows"]:
            rest = row["without_largest_points"]
            table.add_row(
                row["person"],
                f"{row['periods']}",
                f"{row['accounts']}",
                f"{row['effective_n']:.0f}",
                f"{row['expected']:.1%}",
                f"{row['low']:.0%} to {row['high']:.0%}",
                f"{row['actual']:.1%}",
                f"{row['difference_points']:+.1f}",
                "" if rest is None else f"{rest:+.1f}",
                row["verdict"],
            )
        console.print(table)
    written = [f"Written: {content['file']}"] if content["file"] else []
    definition = [content["definition"]] if content["rows"] else []
    print_lines(console, [*content["notes"], *definition, *written])


def _print_pay(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title="Pay under the plan", title_justify="left")
    table.add_column("person")
    for head in ("quarters", "on target", "pay", "of target", "taken back", *_compared_heads(content)):
        table.add_column(head, justify="right")
    for row in content["people"]:
        amounts = [f"{row['on_target']:,.0f}", f"{row['pay']:,.0f}", f"{row['pay'] / row['on_target']:.0%}"]
        table.add_row(
            row["person"], f"{row['quarters']}", *amounts, f"{row['clawback']:,.0f}", *_compared(content, row)
        )
    console.print(table)
    print_lines(console, [*_pay_lines(content), *content["notes"], content["definition"]])


def _compared_heads(content: dict[str, Any]) -> list[str]:
    if not content["compared_with"]:
        return []
    return ["other plan" if content["compared_with"] == "plan" else "was paid", "change"]


def _compared(content: dict[str, Any], row: dict[str, Any]) -> list[str]:
    if not content["compared_with"]:
        return []
    amounts = (row["compared_pay"], row["difference"])
    return [
        "-" if amount is None else f"{amount:{form}}" for amount, form in zip(amounts, (",.0f", "+,.0f"), strict=True)
    ]


def _pay_lines(content: dict[str, Any]) -> list[str]:
    luck = content["luck_share"]
    told = "Nobody's pay differs." if luck is None else f"Luck makes {min(luck, 1):.0%} of the differences in pay."
    lines = [f"Cost: {content['cost']:,.0f}. {told}"]
    if content["compared_cost"] is not None:
        gains, loses = (sum(row["outcome"] == word for row in content["people"]) for word in ("gains", "loses"))
        lines.append(f"Compared cost: {content['compared_cost']:,.0f}; {gains} would gain and {loses} lose.")
    if content["steady_ranking"] is not None:
        lines.append(
            f"Rank correlation of the first half of the quarters with the second: {content['steady_ranking']:.2f}."
        )
    return [*lines, *([f"Written: {content['file']}"] if content["file"] else [])]
