"""The track record in a terminal."""

from typing import TYPE_CHECKING, Any

from serving.forecast.declared.output_tables import METRIC_OF

if TYPE_CHECKING:
    from rich.table import Table

Content = dict[str, Any]


def portfolio_table(content: Content, cut: str, most: int) -> "Table | None":
    """How NRR, GRR and logo retention of a cut were forecast; None where nothing is scored."""
    rows = [row for row in content["rows"] if row["cut"] == cut and row["unit"] == "points"]
    if not rows:
        return None
    table = _table("In points of starting ARR" if cut == "total" else f"By {cut}, in points of starting ARR")
    for name in ("figure", *(() if cut == "total" else (cut,))):
        table.add_column(name)
    for name in ("months", "forecasts", "not overlapping", "error", "bias", "CRPS", "in 50 %", "in 80 %", "in 90 %"):
        table.add_column(name, justify="right")
    for row in rows[:most]:
        inside = [_share(row[f"inside_{percent}"]) for percent in (50, 80, 90)]
        value = () if cut == "total" else (row["value"],)
        table.add_row(METRIC_OF[row["metric"]].title, *value, str(row["horizon_months"]), str(row["forecasts"]),
                      str(row["not_overlapping"]), f"{row['error']:.1f}", f"{row['bias']:+.1f}", f"{row['crps']:.2f}",
                      *inside)  # fmt: skip
    return table


def account_table(content: Content) -> "Table | None":
    """How the accounts' probabilities did."""
    if not content["accounts"]:
        return None
    table = _table("The accounts' probabilities")
    table.add_column("outcome")
    for name in ("months", "forecasts", "rows", "accounts", "predicted", "actual", "log-loss", "Brier", "calibration"):
        table.add_column(name, justify="right")
    for row in content["accounts"]:
        table.add_row(row["outcome"], str(row["horizon_months"]), str(row["forecasts"]), f"{row['rows']:,}",
                      f"{row['accounts']:,}", _share(row["mean_predicted"]), _share(row["mean_observed"]),
                      f"{row['log_loss']:.3f}", f"{row['brier']:.3f}", _share(row["calibration_error"]))  # fmt: skip
    return table


def miss_table(content: Content) -> "Table | None":
    """The accounts that the newest forecast whose longest window is over missed by most."""
    if not content["misses"]:
        return None
    longest = max(row["horizon_months"] for row in content["misses"])
    rows = [row for row in content["misses"] if row["horizon_months"] == longest]
    table = _table(f"Largest misses of the forecast as of {rows[0]['as_of']}, {longest} months ahead")
    table.add_column("account")
    for name in ("expected ARR", "actual ARR", "difference", "by leaving or staying", "by size", "churn"):
        table.add_column(name, justify="right")
    table.add_column("it")
    for row in rows:
        table.add_row(row["name"], f"{row['expected_arr']:,.0f}", f"{row['actual_arr']:,.0f}",
                      f"{row['difference']:+,.0f}", f"{row['from_leaving']:+,.0f}", f"{row['from_size']:+,.0f}",
                      _share(row["churn_probability"]), row["happened"])  # fmt: skip
    return table


def _table(title: str) -> "Table":
    from rich.table import Table

    return Table(title=title, title_justify="left")


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
