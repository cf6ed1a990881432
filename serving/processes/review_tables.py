"""The quarterly review as the terminal shows it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


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
