"""Verbs of facts about the business: KPIs, and what follows from them; none takes a model."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.lock import only_writer
from holdfast.output import print_lines
from holdfast.run import AsOfDate, Run

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from features.tables.checked import Tables
    from serving.kpis.cohort_report import CohortReport, Completion
    from serving.kpis.kpi_report import KpiReport, Row

ByColumn = Annotated[
    str | None, typer.Option("--by", metavar="COLUMN", help="Also by a column of accounts, or a feature")
]
AccountColumn = Annotated[str | None, typer.Option("--by", metavar="COLUMN", help="Also by a column of accounts")]
OutFile = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Also write .xlsx with live formulas, .csv or .parquet")
]
AGES_SHOWN = 13  # cohorts and quarters of age in the terminal
TableFile = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write .xlsx, .csv or .parquet")]
DISAGREEMENTS_SHOWN = 10
QUARTERS_SHOWN = 8
SHOWN = 30  # values of a column in the terminal; the JSON and the workbook have all


def kpis(
    run: Run,
    by: ByColumn = None,
    as_of: AsOfDate = None,
    months: Annotated[
        int, typer.Option("--months", min=1, max=36, help="Months before the date that rates are of")
    ] = 12,
    quarters: Annotated[
        int, typer.Option("--quarters", min=0, max=20, help="How many quarter starts before the date to show, too")
    ] = 0,
    out: OutFile = None,
) -> None:
    """Show KPIs with their definitions: churn, expansion, quick ratio, time to first value, cadence, targets."""
    from serving.forecast.declared.kpi_tables import KPI
    from serving.kpis.kpi_files import require_writable, write_facts
    from serving.kpis.kpi_report import kpi_report
    from serving.kpis.kpi_workbook import write_kpi_workbook

    require_writable(out)
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        day = as_of or tables.data_until
        report = kpi_report(
            tables, as_of=day, params=run.params, by=by, months=months, quarters=quarters, progress=run.progress
        )
    if out is not None:
        write_facts(report.rows, KPI, out, lambda file: write_kpi_workbook(report, file))
    content = report.to_json() | {"file": str(out) if out else None}
    run.show(content, lambda console: _print_kpis(console, report, out))


def cohorts(
    run: Run,
    by: AccountColumn = None,
    as_of: AsOfDate = None,
    ahead: Annotated[
        bool, typer.Option("--ahead", help="Also the next twelve months, by the model in charge, with intervals")
    ] = False,
    out: OutFile = None,
) -> None:
    """Show what became of accounts by the quarter they began in: logos kept, GRR and NRR by age."""
    from serving.forecast.declared.kpi_tables import COHORT
    from serving.kpis.cohort_report import cohort_report
    from serving.kpis.cohort_workbook import write_cohort_workbook
    from serving.kpis.cohorts_ahead import WORDS
    from serving.kpis.kpi_files import require_writable, write_facts

    require_writable(out)
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        day = as_of or tables.data_until
        completion, words = (_completion(run, tables, day), WORDS.format(as_of=day)) if ahead else (None, "")
        run.progress("following the accounts")
        report = cohort_report(tables, as_of=day, params=run.params, by=by, completion=completion, completed_by=words)
    if out is not None:
        write_facts(report.table_rows(), COHORT, out, lambda file: write_cohort_workbook(report, file))
    content = report.to_json() | {"file": str(out) if out else None}
    run.show(content, lambda console: _print_cohorts(console, report, out))


def _completion(run: Run, tables: "Tables", as_of: date) -> "Completion":
    """What forecasts the cells to come, by the model in charge."""
    from serving.forecast.batch import customers_of, require_usable
    from serving.forecast.spread.scoring import predict
    from serving.kpis.cohorts_ahead import completion_by
    from training.tracking.champion import load_champion

    params, champion = run.params, load_champion(run.params)
    require_usable(tables, champion, as_of, params)
    customers = customers_of(tables, as_of, params, run.progress)
    ids, prediction = customers["account_id"], predict(champion, customers)
    months = champion.model.horizon_months
    return completion_by(ids, prediction, as_of=as_of, horizon_months=months, params=params)


def behaviours(run: Run, as_of: AsOfDate = None, out: TableFile = None) -> None:
    """Show what customers who stay did when they were young: use of the product and content; goes with, not causes."""
    from serving.forecast.declared.customer_tables import BEHAVIOUR
    from serving.kpis.behaviour_report import behaviour_report
    from serving.kpis.kpi_files import require_writable, write_rows

    require_writable(out)
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        day = _within(as_of, tables.data_until)
        run.progress("comparing those who stayed with those who left")
        report = behaviour_report(tables, as_of=day, params=run.params)
    if out is not None:
        write_rows(report["rows"], BEHAVIOUR, out, report["definition"])
    run.show(report | {"file": str(out) if out else None}, lambda console: _print_behaviours(console, report, out))


def _print_behaviours(console: "Console", report: dict[str, Any], out: Path | None) -> None:
    from rich.table import Table

    rows = [row for row in report["rows"] if row["segment"] == "all"]
    confirmed = sum(row["confirmed"] for row in rows)
    console.print(f"{confirmed} of {len(rows)} behaviours go with staying, of {report['accounts']:,} accounts.")
    console.print(_power(report["power"]), soft_wrap=True)
    table = Table()
    for head in ("behaviour", "by day", "segment"):
        table.add_column(head)
    for head in ("kept with it", "kept without", "difference", "95 % interval", "accounts"):
        table.add_column(head, justify="right")
    for row in sorted(report["rows"], key=lambda row: (row["of"] != "use", row["p_value"])):
        if row["confirmed"] or row["segment"] == "all":
            table.add_row(row["behaviour"] + (" *" if row["confirmed"] else ""), f"{row['by_day']}", row["segment"],
                          f"{row['kept_above']:.0%}", f"{row['kept_below']:.0%}", f"{row['difference']:+.0%}",
                          f"{row['low']:+.0%} to {row['high']:+.0%}", f"{row['n']:,}")  # fmt: skip
    console.print(table)
    for row in (row for row in rows if row["confirmed"]):
        print_lines(console, [f"{row['behaviour']}, as a feature, a health target and an alert:"])
        print_lines(console, [row["yaml"], row["yaml_health"], row["yaml_alert"]])
        if row["effect"]:
            print_lines(console, [f"The action {row['effect']} is to bring it about: {row['effect_says']}."])
    for row in report["behind"][:SHOWN]:
        console.print(f"{row['name']} has {row['users']} by day {row['by_day']}, short of {row['behaviour']}.")
    console.print("* confirmed on newer accounts. It goes with staying; it need not cause it.", style="dim")
    if out is not None:
        console.print(f"Written: {out}", soft_wrap=True)


def _power(power: dict[str, Any]) -> str:
    """What so many accounts that left can show."""
    if power["detectable_ratio"] is None:
        return "Too few accounts have left to compare any."
    return (
        f"{power['leavings']:,} of the accounts that judge have left: a behaviour shows in four of five companies like "
        f"this one if those with it leave {1 - power['detectable_ratio']:.0%} less often, or more; for half as often "
        f"{power['leavings_for_half']:,} that left are enough."
    )


def icp(run: Run, as_of: AsOfDate = None, out: TableFile = None) -> None:
    """Show which accounts to sell to: what was known at signing against the first year, and the bad fit sold."""
    from serving.forecast.declared.customer_tables import ICP_TABLES
    from serving.kpis.ideal_customer import icp_report
    from serving.kpis.kpi_files import require_writable, write_many

    require_writable(out)
    with only_writer(run.params.data_dir):
        tables = run.load().tables
        report = icp_report(tables, as_of=_within(as_of, tables.data_until), params=run.params)
    if out is not None:
        write_many({name: report[name] for name in ICP_TABLES}, ICP_TABLES, out, report["definition"])
    run.show(report | {"file": str(out) if out else None}, lambda console: _print_icp(console, report, out))


def _print_icp(console: "Console", report: dict[str, Any], out: Path | None) -> None:
    console.print(f"{report['accounts']:,} accounts have had their first year. {report['note']}".strip())
    for rows, title in ((report["rows"], "By what was known at signing"), (report["given"], "By the fit as judged")):
        if rows:
            console.print(_first_years(rows, title))
    _print_sold(console, report["sold"])
    for row in report["disagreements"][:DISAGREEMENTS_SHOWN]:
        console.print(f"{row['name']}: judged {row['given_fit']}, the data say {row['proposed_fit']}: {row['why']}",
                      soft_wrap=True, markup=False)  # fmt: skip
    if len(report["disagreements"]) > DISAGREEMENTS_SHOWN:
        console.print(f"{len(report['disagreements']) - DISAGREEMENTS_SHOWN:,} more: --json or --out has all.")
    console.print(report["definition"], soft_wrap=True, style="dim")
    if out is not None:
        console.print(f"Written: {out}", soft_wrap=True)


def _first_years(rows: list[dict[str, Any]], title: str) -> "Table":
    from rich.table import Table

    table = Table(title=f"{title}: --json and --out have the interval of each figure", title_justify="left")
    for head in ("attribute", "value", "fit"):
        table.add_column(head)
    for head in ("GRR", "NRR", "average kept", "first value by day 90", "median", "payback", "accounts"):
        table.add_column(head, justify="right")
    for row in rows:
        kept = f"{row['low']:.0%} to {row['high']:.0%}" if row["low"] is not None else ""
        ttfv = [_told(row["first_value_by_day_90"], "{:.0%}"), _told(row["ttfv_median"], "{:.0f} d")]
        table.add_row(row["attribute"], row["value"], row["proposed_fit"], f"{row['grr']:.0%}", f"{row['nrr']:.0%}",
                      kept, *ttfv, _told(row["cac_payback"], "{:.1f} m"), f"{row['n']:,}")  # fmt: skip
    return table


def _told(figure: float | None, form: str) -> str:
    return "-" if figure is None else form.format(figure)


def _print_sold(console: "Console", sold: list[dict[str, Any]]) -> None:
    """Bad fit by quarter, and by source and seller over all quarters."""
    from rich.table import Table

    totals = [row for row in sold if row["cut"] == "total" and row["quarter"] != "all"]
    others = [row for row in sold if row["cut"] != "total" and row["quarter"] == "all"]
    if not sold:
        return
    table = Table(title="Bad fit among the accounts that began, newest quarters and all by source and seller",
                  title_justify="left")  # fmt: skip
    table.add_column("quarter")
    table.add_column("of")
    for head in ("bad", "accounts", "share", "95 % interval"):
        table.add_column(head, justify="right")
    for row in (*totals[-QUARTERS_SHOWN:], *others):
        of = "all" if row["cut"] == "total" else f"{row['cut']} {row['value']}"
        table.add_row(row["quarter"], of, f"{row['bad']:,}", f"{row['accounts']:,}", f"{row['share']:.0%}",
                      f"{row['low']:.0%} to {row['high']:.0%}")  # fmt: skip
    console.print(table)


def _within(as_of: date | None, data_until: date) -> date:
    from serving.forecast.refusals import BadRequest

    if as_of is not None and as_of > data_until:
        raise BadRequest(f"--as-of {as_of} lies after {data_until}, where the data end. Ask for a day up to then.")
    return as_of or data_until


def _print_cohorts(console: "Console", report: "CohortReport", out: Path | None) -> None:
    from rich.table import Table

    for figure, by_cohort in report.triangles().items():
        newest = dict(list(by_cohort.items())[-AGES_SHOWN:])
        ages = min(max(map(len, newest.values())), AGES_SHOWN)
        table = Table(title=f"{_words(figure)} by age in quarters", title_justify="left")
        table.add_column("began in")
        for age in range(ages):
            table.add_column(f"{age}", justify="right")
        for cohort, shares in newest.items():
            table.add_row(cohort, *(f"{share:.0%}" for share in shares[:ages]))
        console.print(table)
        if report.ahead:
            console.print(_ahead(report, figure))
    if report.left_out:
        console.print(f"{report.left_out:,} accounts began before their first contract line on file: in no cohort.")
    console.print(report.definition, soft_wrap=True, style="dim")
    if out is not None:
        console.print(f"Written: {out}", soft_wrap=True)


def _ahead(report: "CohortReport", figure: str) -> "Table":
    """The cells to come of a figure: the newest cohorts down, quarters of age on from the last one known across."""
    from rich.table import Table

    by_cohort: dict[str, list[Row]] = {}
    for row in report.ahead:
        by_cohort.setdefault(row["cohort"], []).append(row)
    newest = dict(list(by_cohort.items())[-AGES_SHOWN:])
    table = Table(title=f"{_words(figure)}, forecast [80 % interval]", title_justify="left")
    table.add_column("began in")
    for place in range(max(map(len, newest.values()))):
        table.add_column(f"+{place + 1}", justify="right")
    for cohort, rows in newest.items():
        cells = (f"{row[figure]:.0%} [{row[f'{figure}_low']:.0%}, {row[f'{figure}_high']:.0%}]" for row in rows)
        table.add_row(f"{cohort}, from {rows[0]['age_quarters']}", *cells)
    return table


def _print_kpis(console: "Console", report: "KpiReport", out: Path | None) -> None:
    from rich.table import Table

    window = report.window
    console.print(f"KPIs as of {window.as_of}; rates are of {window.months} months, from {window.start}.")
    table = Table()
    table.add_column("KPI")
    days = sorted({row["as_of"] for row in report.rows}, reverse=True)
    for head in (*map(str, days), "target", "n"):
        table.add_column(head, justify="right")
    totals = [row for row in report.rows if row["cut"] == "total"]
    for row in (row for row in totals if row["as_of"] == window.as_of):
        past = {other["as_of"]: other for other in totals if other["kpi"] == row["kpi"]}
        figures = [_figure(past.get(day)) for day in days]
        table.add_row(_words(row["kpi"]), *figures, _target(row), f"{row['n']:,}")
    console.print(table)
    _print_by_value(console, report)
    _print_grid(console, report)
    notes = [f"{_words(row['kpi'])}: {row['note']}." for row in totals if row["note"] and row["as_of"] == window.as_of]
    print_lines(console, [*notes, *report.warnings])
    console.print("--json and --out have the definition of each, and every value.", style="dim")
    if out is not None:
        console.print(f"Written: {out}", soft_wrap=True)


def _print_by_value(console: "Console", report: "KpiReport") -> None:
    """A row a KPI, a column a value, of the newest date."""
    from rich.table import Table

    cuts: dict[str, dict[str, dict[str, Row]]] = {}
    for row in report.rows:
        if row["cut"] != "total" and row["as_of"] == report.window.as_of:
            cuts.setdefault(row["cut"], {}).setdefault(row["value"], {})[row["kpi"]] = row
    for cut, values in cuts.items():
        names = list(dict.fromkeys(name for kpis in values.values() for name in kpis))
        table = Table(title=f"By {cut}", title_justify="left")
        table.add_column(cut)
        shown = [name for name in names if name in _IN_BRIEF or len(names) == 1]
        for name in shown:
            table.add_column(_words(name), justify="right")
        for value, kpis in list(values.items())[:SHOWN]:
            table.add_row(value, *(_figure(kpis.get(name)) for name in shown))
        console.print(table)
        if len(values) > SHOWN:
            console.print(f"{len(values) - SHOWN:,} more values: --json or --out shows all.")


_IN_BRIEF = (
    "nrr", "grr", "churn_rate_logo", "churn_rate_revenue", "expansion_rate", "quick_ratio", "ttfv_median",
    "goals_reached", "cadence_kept", "contact_redundancy", "phase_on_time", "phase_stalled", "phase_days_late",
    "phase_stalled_arr",
)  # fmt: skip


def _print_grid(console: "Console", report: "KpiReport") -> None:
    from rich.table import Table

    if not report.grid:
        return
    counts = {(row["customer_people"], row["vendor_people"]): row["accounts"] for row in report.grid}
    table = Table(title="Customers by people active in 90 days", title_justify="left")
    for head in ("the customer's", *(f"{number} of ours" for number in range(4))):
        table.add_column(head, justify="right")
    for customer in range(4):
        table.add_row(f"{customer}", *(f"{counts.get((customer, vendor), 0):,}" for vendor in range(4)))
    console.print(table)


def _words(name: str) -> str:
    return " ".join(word.upper() if word in ("nrr", "grr", "ttfv", "arr") else word for word in name.split("_"))


def _figure(row: "Row | None") -> str:
    if row is None or row["figure"] is None:
        return ">" if row is not None and row["unit"] == "ratio" and row["n"] else "-"
    return f"{row['figure']:.1%}" if row["unit"] == "share" else f"{row['figure']:,.2f}"


def _target(row: "Row") -> str:
    if row["target"] is None:
        return ""
    text = f"{row['target']:.1%}" if row["unit"] == "share" else f"{row['target']:,.2f}"
    moved = " (moved)" if row["first_target"] != row["target"] else ""
    return f"{text} {'reached' if row['reached'] else 'missed'}{moved}"
