"""A forecast as people read it in a terminal, and the same as plain data for machines."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from models.words import NO_REASON, counted
from serving.forecast.batch import Forecast

SHOWN_HORIZONS = (3, 6, 12)
RATIOS = {"nrr": "NRR", "grr": "GRR", "logo_retention": "Logo retention", "reported_nrr": "Reported NRR"}
AMOUNTS = {
    "ending_arr": "Ending ARR",
    "churned_arr": "Churned ARR",
    "contracted_arr": "Contracted ARR",
    "expanded_arr": "Expanded ARR",
}
_EXPLAINED = {
    "churn": "its churn probability",
    "expansion": "the chance of at least one expansion within the horizon, should it stay",
}
SKEWED = (
    "The mean lies outside the 80 % interval where a few futures with large changes draw it away from where most lie."
)
MOST_VALUES = 10
MOST_AT_RISK = 10

Summary = dict[str, Any]
Show = Callable[[float | None], str]
_OF_AN_ACCOUNT = ("expected_arr", "arr_p10", "arr_p90")


def summarise(forecast: Forecast) -> Summary:
    """What is printed of a forecast, as plain data: the portfolio, each cut, renewals, and ARR at risk."""
    longest = int(forecast.nrr_forecast["horizon_months"].max())
    horizons = sorted({h for h in SHOWN_HORIZONS if h < longest} | {longest})
    return {
        **forecast.describe(),
        "portfolio": _portfolio(forecast.nrr_forecast, horizons),
        "cuts": _cuts(forecast.nrr_forecast, longest),
        "renewals": _renewals(forecast.renewal_forecast),
        "at_risk": _at_risk(forecast, longest),
    }


def print_forecast(console: Console, summary: Summary) -> None:
    """Print a summary as tables."""
    _print_portfolio(console, summary)
    _print_cuts(console, summary)
    _print_renewals(console, summary["renewals"])
    _print_at_risk(console, summary["at_risk"])


def explanation(forecast: Forecast, account_id: str) -> Summary:
    """One account's probabilities by horizon and the reasons behind them, as plain data."""
    rows = forecast.account_forecast[forecast.account_forecast["account_id"] == account_id]
    drivers = forecast.account_driver[forecast.account_driver["account_id"] == account_id]
    figures = ["horizon_months", "churn_probability", "contraction_probability", "expansion_probability"]
    figures += ["cross_sell_probability", "expected_arr", "arr_p10", "arr_p90"]
    horizons = records(rows[figures])
    skewed = any(_is_skewed(row, _money, *_OF_AN_ACCOUNT) for row in horizons)
    return {
        "account_id": account_id,
        "as_of": forecast.as_of.isoformat(),
        "model_version": forecast.model_version,
        "arr": float(rows["arr"].iloc[0]),
        "renews_on": _day(rows["renews_on"].iloc[0]),
        "horizons": horizons,
        "drivers": records(drivers[["outcome", "rank", "feature", "value", "effect", "text"]]),
        "definition": str(rows["definition"].iloc[-1]),
        "notes": [*forecast.notes, *([SKEWED] if skewed else [])],
    }


def print_explanation(console: Console, explained: Summary) -> None:
    """Print one account's probabilities and reasons."""
    ends = explained["renews_on"] or "never: evergreen"
    console.print(f"{_cell(explained['account_id'])}: ARR {_money(explained['arr'])}, term ends {ends}")
    table = _table("", "months", "churn", "contraction", "expansion", "expected ARR", "80 % interval")
    for row in explained["horizons"]:
        chances = [_percent(row[f"{outcome}_probability"]) for outcome in ("churn", "contraction", "expansion")]
        table.add_row(str(row["horizon_months"]), *chances, *_mean_and_interval(row, _money, *_OF_AN_ACCOUNT))
    _print_table(console, table)
    for outcome in ("churn", "expansion"):
        console.print(f"\nReasons for {_EXPLAINED[outcome]}, against the average account:")
        for row in (row for row in explained["drivers"] if row["outcome"] == outcome):
            console.print(f"  {row['rank']}. {_cell(row['text'])}")
    _print_definition(console, explained["definition"])
    _print_notes(console, [note for note in explained["notes"] if note != SKEWED])  # told under the table


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data; what is missing is None and dates are text."""
    rows = frame.to_dict(orient="records")
    return [{str(key): _plain(value) for key, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    return _day(value) if isinstance(value, pd.Timestamp) else value


def _portfolio(nrr: pd.DataFrame, horizons: Sequence[int]) -> list[dict[str, Any]]:
    here = nrr[(nrr["cut"] == "total") & nrr["horizon_months"].isin(horizons)]
    return records(here[["metric", "horizon_months", "mean", "p10", "p50", "p90", "starting_arr", "accounts"]])


def _cuts(nrr: pd.DataFrame, horizon: int) -> dict[str, list[dict[str, Any]]]:
    """Each cut's values at one horizon, largest ARR first."""
    here = nrr[(nrr["cut"] != "total") & (nrr["horizon_months"] == horizon)]
    wide = here.pivot(index=["cut", "value", "accounts", "starting_arr"], columns="metric", values="mean")
    interval = here[here["metric"] == "nrr"].set_index(["cut", "value"])[["p10", "p90"]]
    wide = wide.reset_index().join(interval, on=["cut", "value"])
    wide = wide.sort_values(["cut", "starting_arr", "value"], ascending=[True, False, True])
    figures = ["value", "accounts", "starting_arr", "nrr", "p10", "p90", "grr", "logo_retention", "churned_arr"]
    return {str(cut): records(part[figures]) for cut, part in wide.groupby("cut")}


def _renewals(renewals: pd.DataFrame) -> list[dict[str, Any]]:
    columns = ["month", "from_day", "until_day", "accounts_due"]
    columns += ["available_to_renew", "expected_renewed", "renewal_rate", "p10", "p90"]
    return records(renewals.loc[renewals["cut"] == "total", columns])


def _at_risk(forecast: Forecast, horizon: int) -> list[dict[str, Any]]:
    """The accounts with the most ARR at risk, each with the strongest reason that raises its churn, if any does."""
    accounts = forecast.account_forecast
    worst = accounts[accounts["horizon_months"] == horizon]
    worst = worst.sort_values(["arr_at_risk", "account_id"], ascending=[False, True]).head(MOST_AT_RISK)
    reasons = forecast.account_driver
    reasons = reasons[(reasons["outcome"] == "churn") & (reasons["effect"] > 0)].sort_values(["account_id", "rank"])
    reason = reasons.drop_duplicates("account_id").set_index("account_id")["text"]
    columns = ["account_id", "arr", "churn_probability", "arr_at_risk", "renews_on"]
    return records(worst[columns].assign(reason=worst["account_id"].map(reason)))


def _print_portfolio(console: Console, summary: Summary) -> None:
    rows = {(row["metric"], row["horizon_months"]): row for row in summary["portfolio"]}
    horizons = sorted({horizon for _, horizon in rows})
    first = summary["portfolio"][0]
    console.print(
        f"Forecast as of {summary['as_of']} by model version {summary['model_version']}: "
        f"{counted(first['accounts'], 'account')}, ARR {_money(first['starting_arr'])} {summary['currency']}"
    )
    table = _table("", "mean [80 % interval]", *(counted(horizon, "month") for horizon in horizons))
    for names, show in ((RATIOS, _percent), (AMOUNTS, _short)):
        for metric, title in names.items():
            cells = [_estimate(rows[metric, horizon], show) for horizon in horizons if (metric, horizon) in rows]
            table.add_row(title, *cells)
    _print_table(console, table)
    if summary["red_flag"]:
        console.print(f"RED FLAG: {summary['red_flag']}", style="bold red")
    _print_definition(console, summary["definition"])
    _print_notes(console, summary["notes"])


def _print_cuts(console: Console, summary: Summary) -> None:
    horizon = max(row["horizon_months"] for row in summary["portfolio"])
    for cut, rows in summary["cuts"].items():
        title = f"By {cut}, {counted(horizon, 'month')}"
        table = _table(title, cut, "accounts", "ARR", "NRR", "80 % interval", "GRR", "logos kept", "churned ARR")
        for row in rows[:MOST_VALUES]:
            table.add_row(
                _cell(row["value"]),
                f"{row['accounts']:,}",
                _money(row["starting_arr"]),
                *_mean_and_interval(row, _percent, "nrr", "p10", "p90"),
                _percent(row["grr"]),
                _percent(row["logo_retention"]),
                _money(row["churned_arr"]),
            )
        _print_table(console, table)
        if len(rows) > MOST_VALUES:
            console.print(f"... and {len(rows) - MOST_VALUES} more with less ARR; the files hold all.")


def _print_renewals(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    titles = ("month", "accounts due", "available to renew", "expected renewed", "rate", "80 % interval")
    table = _table("Renewals by month in which the term ends", *titles)
    for row in rows:
        expected, interval = _mean_and_interval(row, _money, "expected_renewed", "p10", "p90")
        table.add_row(
            _month(row),
            f"{row['accounts_due']:,}",
            _money(row["available_to_renew"]),
            expected,
            _percent(row["renewal_rate"]),
            interval,
        )
    _print_table(console, table)


def _month(row: Mapping[str, Any]) -> str:
    """The month of a renewal row, and which part of it is counted where it is not the whole."""
    month, start, end = (date.fromisoformat(row[name]) for name in ("month", "from_day", "until_day"))
    late = f" from the {start.day}{_ordinal(start.day)}" if start > month else ""
    early = f" until the {end.day - 1}{_ordinal(end.day - 1)}" if end.day > 1 else ""
    return f"{month:%Y-%m}{late}{early}"


def _ordinal(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _print_at_risk(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    titles = ("account", "ARR", "churn", "ARR at risk", "renews on", "what raises it most")
    table = _table("Most ARR at risk (ARR x churn probability)", *titles)
    table.columns[-1].justify = "left"
    for row in rows:
        figures = (_money(row["arr"]), _percent(row["churn_probability"]), _money(row["arr_at_risk"]))
        table.add_row(_cell(row["account_id"]), *figures, row["renews_on"] or "-", _cell(row["reason"] or NO_REASON))
    console.print(table)


def _print_definition(console: Console, definition: str) -> None:
    console.print(definition, style="dim")


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title or None, title_justify="left", title_style="bold")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _print_table(console: Console, table: Table) -> None:
    """Print a table and, if a figure of it is marked, what the mark says."""
    console.print(table)
    if any("*" in str(cell) for column in table.columns[1:] for cell in column.cells):
        console.print(f"* {SKEWED}", style="dim")


def _print_notes(console: Console, notes: Sequence[str]) -> None:
    for note in notes:
        console.print(f"Note: {_cell(note)}")


def _estimate(row: Mapping[str, Any], show: Show) -> str:
    return " ".join(_mean_and_interval(row, show, "mean", "p10", "p90"))


def _mean_and_interval(row: Mapping[str, Any], show: Show, mean: str, low: str, high: str) -> tuple[str, str]:
    """A mean, marked where it lies outside its interval, and the interval."""
    mark = "*" if _is_skewed(row, show, mean, low, high) else ""
    return f"{show(row[mean])}{mark}", f"[{show(row[low])}, {show(row[high])}]"


def _is_skewed(row: Mapping[str, Any], show: Show, mean: str, low: str, high: str) -> bool:
    """Whether a mean lies outside its interval, as far as the printed digits show."""
    if row[mean] is None or row[low] <= row[mean] <= row[high]:
        return False
    return show(row[mean]) not in (show(row[low]), show(row[high]))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _money(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:,.0f}"


def _short(amount: float | None) -> str:
    """An amount to four digits or so, with k for thousands and M for millions."""
    if amount is None or abs(amount) < 10_000:
        return _money(amount)
    return f"{amount / 1e3:,.0f}k" if abs(amount) < 10_000_000 else f"{amount / 1e6:,.1f}M"


def _day(day: pd.Timestamp) -> str | None:
    return None if pd.isna(day) else day.date().isoformat()


def _cell(text: str) -> str:
    """Text from the data without control characters, which a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
