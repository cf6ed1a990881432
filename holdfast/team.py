"""Verbs of the team: the health of accounts by rule, who should be told of what, and the review of those at risk."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import AsOfDate, Run

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from features.tables.checked import Tables

SHOWN = 30  # accounts in the terminal; the JSON has all
BY = {
    "health": "health score",
    "model": "model, out of time",
    "days_to_renewal": "days to renewal",
    "base_rate": "base rate",
}


def health(
    run: Run,
    check: Annotated[
        bool, typer.Option("--check", help="Instead: hold the rule against what happened, and beside the model")
    ] = False,
    csm: Annotated[str | None, typer.Option("--csm", metavar="NAME", help="The book of this CSM alone")] = None,
    as_of: AsOfDate = None,
) -> None:
    """Score the health of accounts by the rule of `health`, which is no probability; takes no model."""
    from serving.forecast.refusals import BadRequest

    if check and (csm is not None or as_of is not None):
        raise BadRequest("--check is of all accounts and dates: leave --csm and --as-of out.")
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        if check:
            from serving.health.rule_check import check_rule

            content = check_rule(tables, run.params, run.progress).to_json()
        else:
            from serving.health.listed import listed_health

            content = listed_health(tables, as_of or tables.data_until, run.params, csm=csm, progress=run.progress)
    run.show(content, lambda console: (_print_check if check else _print_health)(console, content))


def alerts(
    run: Run,
    replay: Annotated[
        bool, typer.Option("--replay", help="Instead: how every rule would have done over the past, and against what")
    ] = False,
    as_of: AsOfDate = None,
) -> None:
    """Score the rules of `alerts` as of a date: who is to be told of which account, with a playbook for each."""
    from serving.forecast.refusals import BadRequest

    if replay and as_of is not None:
        raise BadRequest("--replay is of all dates: leave --as-of out.")
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        if replay:
            from serving.alerts.replaying import replay_rules

            content = replay_rules(tables, run.params, run.progress)
        else:
            content = _watched(run, tables, as_of or tables.data_until)
    run.show(content, lambda console: (_print_replay if replay else _print_alerts)(console, content))


def _watched(run: Run, tables: "Tables", day: "date") -> dict[str, Any]:
    """The open alerts; probabilities are those of the published forecast of the date."""
    from serving.alerts.rule_scoring import longest_of, watch
    from serving.forecast.export import read_published
    from serving.ledger.record import open_record

    forecast = read_published(run.params.data_dir / "forecasts", day)
    longest = None if forecast is None else longest_of(forecast.account_forecast)
    with open_record(run.params) as record:
        return watch(tables, day, run.params, record, longest, run.progress).to_json()


def _print_alerts(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    rows = [row for row in content["rows"] if row["delivery"] == "new" and row["status"] == "open"]
    digest = sum(row["delivery"] == "digest" for row in content["rows"])
    console.print(f"{len(rows):,} open alerts as of {content['as_of']}, and {digest:,} in the digest.", soft_wrap=True)
    table = Table("account", "csm", "since", "what", "first step", title="Most ARR first", title_justify="left")
    for row in rows[:SHOWN]:
        first = row["steps"][0]
        table.add_row(row["name"], row["csm"], row["fired_on"], row["says"], f"{first['step']} ({first['due_on']})")
    console.print(table)
    passed = [
        f"Tell leadership: {row['says']}; {row['by'] or 'nobody'} has taken it up." for row in content["escalations"]
    ]
    passed += [f"In common: {cause['says']} ({cause['accounts']:,} accounts)." for cause in content["shared_causes"]]
    print_lines(console, [*passed, *(f"Note: {note}" for note in content["notes"])])


def _print_replay(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    console.print(content["definition"], soft_wrap=True)
    table = Table("rule")
    for name in ("fired", "right", "lead days", "at random", "by model", "missed ARR"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for row in content["replay"]:
        shares = [_share(row[name]) for name in ("precision", "random_precision", "by_probability_precision")]
        lead = "-" if row["lead_days"] is None else f"{row['lead_days']:.0f}"
        figures = (f"{row['fired']:,}", shares[0], lead, *shares[1:], f"{row['missed_arr']:,.0f}")
        table.add_row(row["rule"], *figures, row["verdict"])
    console.print(table)
    print_lines(console, [f"Note: {note}" for note in content["notes"]])


def _print_health(console: "Console", content: dict[str, Any]) -> None:
    from rich.table import Table

    rows = [row for row in content["rows"] if row["status"] != "frozen"]
    counts = ", ".join(f"{count:,} {name or 'without a colour'}" for name, count in content["colours"].items())
    console.print(f"Health as of {content['as_of']}: {counts}. A rule, and no probability.", soft_wrap=True)
    table = Table(title="Worst first", title_justify="left")
    for name in ("account", "csm"):
        table.add_column(name)
    for name in ("score", "team", "customer", "known"):
        table.add_column(name, justify="right")
    for name in ("band", "trend", "held down by"):
        table.add_column(name)
    for row in sorted(rows, key=lambda row: (row["score"] is None, row["score"]))[:SHOWN]:
        points = [_points(row[name]) for name in ("score", "csm_half", "customer_half")]
        shown = row["band"] or row["status"]
        table.add_row(row["name"], row["csm"], *points, f"{row['coverage']:.0%}", shown, row["trend"], row["cap"])
    console.print(table)
    more = [f"{len(rows) - SHOWN:,} more: --json shows all."] if len(rows) > SHOWN else []
    print_lines(console, [*more, *(f"Note: {note}" for note in content["notes"])])


def _print_check(console: "Console", content: dict[str, Any]) -> None:
    console.print(f"Today's rule at each month start from {content['from']} to {content['to']}.", soft_wrap=True)
    console.print(_bands_listed(content["bands"]))
    if content["against"]:
        console.print(_rivals_listed(content["against"]))
    green = [
        f"Of the ARR that left, {row['green_share']:.0%} was green {row['days']} days before: "
        f"{row['accounts']:,} accounts left."
        for row in content["green_before"]
        if row["green_share"] is not None
    ]
    print_lines(console, [*green, content["advice"], *(f"Note: {note}" for note in content["notes"])])


def _bands_listed(bands: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table("band", title="What came of each band", title_justify="left")
    horizons = sorted({row["horizon_months"] for row in bands})
    for months in horizons:
        for name in (f"churn {months} m", "NRR"):
            table.add_column(name, justify="right")
    table.add_column("accounts", justify="right")
    for band in dict.fromkeys(row["band"] for row in bands):
        here = {row["horizon_months"]: row for row in bands if row["band"] == band}
        figures = [_share(here[months][name]) for months in horizons for name in ("churn", "nrr")]
        table.add_row(band or "not enough data", *figures, f"{here[horizons[0]]['accounts']:,}")
    return table


def _rivals_listed(rivals: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table("months", "told by", title="Who leaves, told at the same dates of the same accounts")
    for name in ("AUC", "log-loss", "left"):
        table.add_column(name, justify="right")
    for row in rivals:
        figures = (f"{row['auc']:.3f}", f"{row['log_loss']:.4f}", f"{row['events']:,} of {row['rows']:,}")
        table.add_row(str(row["horizon_months"]), BY[row["by"]], *figures)
    return table


def _points(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


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
