"""The quarterly review as the terminal shows it, and as rows of a table."""

from typing import TYPE_CHECKING, Any

from serving.forecast.declared.acting_tables import FOLLOWS, MEASURE, PROCESS_REVIEW

if TYPE_CHECKING:
    from rich.table import Table


def review_rows(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The whole review as rows of the table `process_review`."""
    quarter = {f"quarter_{end}": content["quarter"][end] for end in ("from", "to")}
    shared = {**quarter, "definition": content["definition"]}
    empty = dict.fromkeys(PROCESS_REVIEW.names) | {"change": "", "text": ""}
    measures = [
        {"part": MEASURE, "name": row["measure"], "unit": row["unit"], "figure": row["now"], "before": row["before"],
         "word": row["went"], "text": row["definition"]}
        for row in content["measures"]
    ]  # fmt: skip
    kinds = [
        {"part": row["level"], "name": row["kind"], "unit": "times done", "figure": row["done"],
         "before": row["before"]["done"], "word": row["verdict"], "text": row["conclusion"],
         **{name: row[name] for name in ("kept_share", "coverage", "churn_points", "low", "high")}}
        for row in content["processes"]
    ]  # fmt: skip
    follows = [
        {"part": FOLLOWS, "name": row["kind"], "change": row["change"], "unit": "points of NRR",
         "figure": row["nrr_points"], "low": row["low"], "high": row["high"], "word": row["mark"]}
        for row in content["follows"]
    ]  # fmt: skip
    return [{**empty, **row, **shared} for row in (*measures, *kinds, *follows)]


def measures_table(content: dict[str, Any]) -> "Table":
    """What the team's work was, against the quarter before."""
    from rich.table import Table

    grid = Table("measure", "unit")
    for head in ("quarter", "before", "change"):
        grid.add_column(head, justify="right")
    grid.add_column("went")
    for row in content["measures"]:
        figures = (_figure(row[name], row["unit"]) for name in ("now", "before", "change"))
        grid.add_row(row["measure"], row["unit"], *figures, row["went"])
    return grid


def processes_table(content: dict[str, Any]) -> "Table":
    """What was done of each kind, and what is known of its effect."""
    from rich.table import Table

    grid = Table("level", "kind")
    for head in ("done", "before", "kept", "coverage", "churn, points"):
        grid.add_column(head, justify="right")
    grid.add_column("verdict")
    for row in content["processes"]:
        shares = (_figure(row[name], "share") for name in ("kept_share", "coverage"))
        done = (f"{row['done']:,}", f"{row['before']['done']:,}")
        grid.add_row(row["level"], row["kind"], *done, *shares, _effect(row), row["verdict"])
    return grid


def follows_table(content: dict[str, Any]) -> "Table":
    """What would follow for NRR."""
    from rich.table import Table

    grid = Table("kind", "if it were")
    for head in ("more a year and account", "NRR, points", "80 %"):
        grid.add_column(head, justify="right")
    grid.add_column("mark")
    for row in content["follows"]:
        interval = f"{row['low']:+.2f} to {row['high']:+.2f}"
        grid.add_row(
            row["kind"], row["change"], f"{row['per_year']:+.2f}", f"{row['nrr_points']:+.2f}", interval, row["mark"]
        )
    return grid


def _effect(row: dict[str, Any]) -> str:
    if row["churn_points"] is None:
        return "-"
    return f"{row['churn_points']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if unit == "share" else f"{value:,.1f}"
