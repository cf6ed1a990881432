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


def scorecard(
    run: Run,
    by: Annotated[Literal["csm", "seller"], typer.Option("--by", help="Whose books")] = "csm",
    quarters: Quarters = 4,
) -> None:
    """Show each person's book beside what it was expected to do, with the range that luck leaves."""
    from serving.scorecards.report import scorecard_report

    with only_writer(run.params.data_dir):
        content = scorecard_report(run.load().tables, by, run.params, quarters).to_json()
    run.show(content, lambda console: _print_cards(console, content))


def comp(
    run: Run,
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, as YAML (docs/scorecards.md)")],
    quarters: Quarters = 4,
) -> None:
    """Replay a pay plan over past quarters: pay by person, cost, and the share of the differences that is luck."""
    from serving.scorecards.pay_plan import read_plan, replay_plan

    file = read_plan(plan)
    with only_writer(run.params.data_dir):
        content = replay_plan(run.load().tables, file, run.params, quarters).to_json()
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
    print_lines(console, [*content["notes"], content["definition"]] if content["rows"] else content["notes"])


def _print_pay(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title="Pay under the plan", title_justify="left")
    table.add_column("person")
    for head in ("quarters", "on target", "pay", "of target"):
        table.add_column(head, justify="right")
    for row in content["people"]:
        amounts = [f"{row['on_target']:,.0f}", f"{row['pay']:,.0f}", f"{row['pay'] / row['on_target']:.0%}"]
        table.add_row(row["person"], f"{row['quarters']}", *amounts)
    console.print(table)
    luck = content["luck_share"]
    told = "Nobody's pay differs." if luck is None else f"Luck makes {min(luck, 1):.0%} of the differences in pay."
    print_lines(console, [f"Cost: {content['cost']:,.0f}. {told}", *content["notes"], content["definition"]])
