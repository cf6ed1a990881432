"""Verbs of those who lead: what was passed up to them, and the review of accounts at risk."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.output import print_lines
from holdfast.run import Run

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 30  # accounts in the terminal; the JSON has all


def escalations(
    run: Run,
    acknowledge: Annotated[
        int | None, typer.Option("--acknowledge", metavar="NUMBER", help="Take this one up, by name")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who takes it up")] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What is to be said with it")] = "",
) -> None:
    """List what was passed up to leadership and stands, or take one up by name."""
    from serving.alerts.escalating import escalations_of
    from serving.ledger.record import open_record

    _require_both(acknowledge, by)
    as_of = _published_day(run)
    with open_record(run.params) as record:
        if acknowledge is not None and by is not None:
            _take_up(record, as_of, run, acknowledge, by, note)
        rows = escalations_of(record, as_of, run.params)
    content = {"as_of": as_of.isoformat(), "rows": rows}
    run.show(content, lambda console: _print_escalations(console, content))


def review(
    run: Run,
    csm: Annotated[str | None, typer.Option("--csm", metavar="NAME", help="The book of this CSM alone")] = None,
    decide: Annotated[
        str | None, typer.Option("--decide", metavar="ACCOUNT_ID", help="Write down what comes next for this account")
    ] = None,
    step: Annotated[str, typer.Option("--step", metavar="TEXT", help="What is to be done")] = "",
    owner: Annotated[str, typer.Option("--owner", metavar="NAME", help="Who does it")] = "",
    due_on: Annotated[
        datetime | None, typer.Option("--due-on", formats=["%Y-%m-%d"], metavar="DATE", help="By when")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decides")] = None,
) -> None:
    """List the accounts at risk with owner, next step and due date, or write a step down; takes what is published."""
    from serving.access.tokens import Caller
    from serving.desk.escalation_desk import decide as write_decision
    from serving.desk.escalation_desk import review_of
    from serving.publication import publication_file
    from serving.publication.reader import open_newest

    wanted = _decision(decide, step, owner, due_on, by)
    with open_newest(publication_file.folder_of(run.params.data_dir)) as published:
        if wanted is not None:
            write_decision(run.params, published, Caller(name=str(by), role="admin"), wanted)
        reader = Caller(name="", role="admin")
        content = {"as_of": published.about["as_of"], **review_of(run.params, published, reader, csm)}
    run.show(content, lambda console: _print_review(console, content))


def _require_both(acknowledge: int | None, by: str | None) -> None:
    from serving.forecast.refusals import BadRequest

    if (acknowledge is None) != (by is None):
        raise BadRequest("--acknowledge and --by go together: which escalation, and who takes it up.")


def _take_up(record: Any, as_of: date, run: Run, number: int, by: str, note: str) -> None:
    from serving.alerts.escalating import acknowledge, escalations_of
    from serving.forecast.refusals import BadRequest
    from serving.journal.entries import write

    standing = [row["number"] for row in escalations_of(record, as_of, run.params)]
    if number not in standing:
        there = ", ".join(map(str, standing)) or "none"
        raise BadRequest(f"--acknowledge {number}: no such escalation stands as of {as_of}; there is {there}.")
    write(record, [acknowledge(number, by, note)])


def _decision(account: str | None, step: str, owner: str, due_on: datetime | None, by: str | None) -> Any:
    """What is to be written down; None where nothing is."""
    from serving.forecast.refusals import BadRequest
    from serving.wire.team_schemas import DecisionRequest

    if account is None:
        return None
    if len(step.strip()) < 3 or not owner or due_on is None or not by:
        raise BadRequest("--decide asks for --step, --owner, --due-on and --by: what, who, by when, and who decides.")
    return DecisionRequest(account_id=account, step=step, owner=owner, due_on=due_on.date())


def _published_day(run: Run) -> date:
    """The date of what is published.

    Raises
    ------
    NoPublication
        Nothing is.
    """
    from serving.publication import publication_file
    from serving.publication.reader import open_newest

    with open_newest(publication_file.folder_of(run.params.data_dir)) as published:
        return date.fromisoformat(published.about["as_of"])


def _print_escalations(console: "Console", content: dict[str, Any]) -> None:
    rows = content["rows"]
    waiting = sum(row["status"] == "open" for row in rows)
    lines = [f"{len(rows):,} escalations stand as of {content['as_of']}; {waiting:,} wait for somebody."]
    for row in rows:
        taken = f"{row['by']} took it up" if row["status"] == "acknowledged" else "nobody has taken it up"
        lines.append(f"  {row['number']}: {row['says']} (since {row['raised_on']}; {taken})")
        lines += [f"     in common: {cause}" for cause in row["causes"]]
    print_lines(console, lines)


def _print_review(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    rows = content["rows"]
    console.print(f"{len(rows):,} accounts at risk as of {content['as_of']}, most ARR at risk first.", soft_wrap=True)
    table = Table("account", "csm")
    for name in ("ARR", "leaves", "at risk"):
        table.add_column(name, justify="right")
    for name in ("owner", "next step", "due", "state"):
        table.add_column(name)
    for row in rows[:SHOWN]:
        figures = (f"{row['arr']:,.0f}", f"{row['churn_probability']:.0%}", f"{row['arr_at_risk']:,.0f}")
        due = f"{row['due_on'] or '-'}{' (overdue)' if row['overdue'] else ''}"
        table.add_row(row["name"], row["csm"], *figures, row["owner"], row["step"] or "-", due, row["state"])
    console.print(table)
    outcomes = [
        f"{row['name']}: {row['outcome']}. ARR {row['arr_then']:,.0f} on {row['decided_on']}, when {row['owner']} was "
        f"to act, and {row['arr_now']:,.0f} now."
        for row in content["outcomes"]
    ]
    print_lines(console, outcomes)
