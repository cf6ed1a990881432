"""A forecast as people read it in a terminal, and the same as plain data for machines."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from models.words import counted, nothing_unusual
from serving.forecast.account_reasons import EXPLAINED
from serving.forecast.batch import Forecast
from serving.forecast.declared.column import Form, Interval, Kind, OutColumn, Place, names_of
from serving.forecast.declared.output_tables import (
    ACCOUNT_DRIVER,
    ACCOUNT_FACTS,
    ACCOUNT_FORECAST,
    ACCOUNT_PEERS,
    CUT_METRICS,
    INTERVAL,
    METRICS,
    NRR_FORECAST,
    RENEWAL_FORECAST,
    horizons_shown,
)

_WHAT = {
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
Row = Mapping[str, Any]
INTERVAL_HEAD = "80 % interval"


def summarise(forecast: Forecast, names: Mapping[str, str] | None = None) -> Summary:
    """What is printed of a forecast, as plain data: the portfolio, each cut, renewals, and ARR at risk.

    `names` are those of the accounts, by id; an account without one is called by its id.
    """
    longest = int(forecast.nrr_forecast["horizon_months"].max())
    return {
        **forecast.describe(),
        "portfolio": _portfolio(forecast.nrr_forecast, horizons_shown(longest)),
        "cuts": _cuts(forecast.nrr_forecast, longest),
        "renewals": _renewals(forecast.renewal_forecast),
        "at_risk": _at_risk(forecast, longest, names or {}),
    }


def print_forecast(console: Console, summary: Summary) -> None:
    """Print a summary as tables."""
    _print_portfolio(console, summary)
    _print_cuts(console, summary)
    _print_renewals(console, summary["renewals"])
    _print_at_risk(console, summary["at_risk"])


def explanation(forecast: Forecast, account_id: str, name: str = "") -> Summary:
    """One account's probabilities by horizon and the reasons behind them, as plain data."""
    rows = forecast.account_forecast[forecast.account_forecast["account_id"] == account_id]
    drivers = forecast.account_driver[forecast.account_driver["account_id"] == account_id]
    horizons = records(rows[names_of(ACCOUNT_FORECAST.at(Place.DATA))])
    skewed = any(_is_skewed(row, ACCOUNT_FORECAST.at(Place.TERMINAL)) for row in horizons)
    peers = forecast.account_peers[forecast.account_peers["account_id"] == account_id]
    return {
        "account_id": account_id,
        "name": name or account_id,
        "as_of": forecast.as_of.isoformat(),
        "model_version": forecast.model_version,
        **records(rows[names_of(ACCOUNT_FACTS)].head(1))[0],
        "horizons": horizons,
        "drivers": records(drivers[names_of(ACCOUNT_DRIVER.at(Place.DATA))]),
        "peers": records(peers[names_of(ACCOUNT_PEERS.at(Place.DATA))]),
        "definition": str(rows["definition"].iloc[-1]),
        "notes": [*forecast.notes, *([SKEWED] if skewed else [])],
    }


def print_explanation(console: Console, explained: Summary) -> None:
    """Print one account's probabilities and reasons."""
    ends = explained["renews_on"] or "never: evergreen"
    who = explained["name"]
    who += f" ({explained['account_id']})" if who != explained["account_id"] else ""
    console.print(f"{_cell(who)}: ARR {_money(explained['arr'])}, term ends {ends}")
    columns = ACCOUNT_FORECAST.laid_out(Place.TERMINAL)
    table = _table("", *_heads(columns))
    for row in explained["horizons"]:
        table.add_row(*_cells(columns, row))
    _print_table(console, table)
    for outcome in EXPLAINED:
        _print_reasons(console, explained, outcome)
    _print_definition(console, explained["definition"])
    _print_notes(console, [note for note in explained["notes"] if note != SKEWED])  # told under the table


_GROUP_HEADS = {
    "customer": "What the customer does",
    "team": "What we do",
    "contract": "The contract: calendar, price, size and fit",
}


def _print_reasons(console: Console, explained: Summary, outcome: str) -> None:
    """The reasons by group, and how their points add up from the peers' probability to the account's."""
    console.print(f"\nReasons for {_WHAT[outcome]}, against its peers:")
    peers = next((row for row in explained["peers"] if row["outcome"] == outcome), None)
    if peers:
        console.print(
            f"  {_percent(peers['peer_probability'])} on average of {counted(peers['peers'], 'peer')} "
            f"({_cell(peers['peer_group'])})"
        )
    for group, head in _GROUP_HEADS.items():
        _print_group(console, head, explained, outcome, group, peers)
    if peers:
        console.print(
            f"  {_points(peers['other_effect'])} all else\n  {_percent(peers['probability'])} of this account"
        )


def _print_group(console: Console, head: str, explained: Summary, outcome: str, group: str, peers: Row | None) -> None:
    rows = [row for row in explained["drivers"] if (row["outcome"], row["group"]) == (outcome, group)]
    if peers:
        head = f"{_points(peers[f'{group}_effect'])} {head}"
    if peers or rows:
        console.print(f"  {head}")
    for row in sorted(rows, key=lambda row: row["display_rank"]):
        console.print(f"    {_cell(row['text'])}")


def _points(effect: float) -> str:
    return f"{100 * effect:+.1f} points"


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
    return records(here[names_of(NRR_FORECAST.at(Place.DATA))])


def _cuts(nrr: pd.DataFrame, horizon: int) -> dict[str, list[dict[str, Any]]]:
    """Each cut's values at one horizon, largest ARR first."""
    here = nrr[(nrr["cut"] != "total") & (nrr["horizon_months"] == horizon)]
    wide = here.pivot(index=["cut", "value", "accounts", "starting_arr"], columns="metric", values="mean")
    interval = here[here["metric"] == "nrr"].set_index(["cut", "value"])[list(INTERVAL[:2])]
    wide = wide.reset_index().join(interval, on=["cut", "value"])
    wide = wide.sort_values(["cut", "starting_arr", "value"], ascending=[True, False, True])
    figures = ["value", "accounts", "starting_arr", *INTERVAL[:2], *(metric.name for metric in CUT_METRICS)]
    return {str(cut): records(part[figures]) for cut, part in wide.groupby("cut")}


def _renewals(renewals: pd.DataFrame) -> list[dict[str, Any]]:
    return records(renewals.loc[renewals["cut"] == "total", names_of(RENEWAL_FORECAST.at(Place.DATA))])


def _at_risk(forecast: Forecast, horizon: int, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The accounts with the most ARR at risk, each with what raises its churn most that somebody can act on."""
    accounts = forecast.account_forecast
    worst = accounts[accounts["horizon_months"] == horizon]
    worst = worst.sort_values(["arr_at_risk", "account_id"], ascending=[False, True]).head(MOST_AT_RISK)
    columns = ["account_id", *names_of(ACCOUNT_FORECAST.at(Place.AT_RISK))]
    rows, reasons = records(worst[columns]), _leading_reasons(forecast)
    return [
        {
            "name": names.get(row["account_id"], row["account_id"]),
            **row,
            "reason": reasons.get(row["account_id"]) or nothing_unusual(row["renews_on"], forecast.as_of.isoformat()),
        }
        for row in rows
    ]


def _leading_reasons(forecast: Forecast) -> dict[str, str]:
    """By account, what the customer or the team does that raises its churn probability most."""
    reasons = forecast.account_driver
    leading = reasons[(reasons["outcome"] == "churn") & (reasons["effect"] > 0) & (reasons["leads"] == 1)]
    first = leading.sort_values(["account_id", "display_rank"]).drop_duplicates("account_id")
    return dict(zip(first["account_id"], first["text"], strict=True))


def _print_portfolio(console: Console, summary: Summary) -> None:
    rows = {(row["metric"], row["horizon_months"]): row for row in summary["portfolio"]}
    horizons = sorted({horizon for _, horizon in rows})
    first = summary["portfolio"][0]
    console.print(
        f"Forecast as of {summary['as_of']} by model version {summary['model_version']}: "
        f"{counted(first['accounts'], 'account')}, ARR {_money(first['starting_arr'])} {summary['currency']}"
    )
    table = _table("", f"mean [{INTERVAL_HEAD}]", *(counted(horizon, "month") for horizon in horizons))
    for metric in METRICS:
        show = _short if metric.kind is Kind.MONEY else _percent
        here = [rows[metric.name, horizon] for horizon in horizons if (metric.name, horizon) in rows]
        table.add_row(metric.title, *(" ".join(_mean_and_interval(row, show, "mean", INTERVAL)) for row in here))
    _print_table(console, table)
    if summary["red_flag"]:
        console.print(f"RED FLAG: {summary['red_flag']}", style="bold red")
    _print_definition(console, summary["definition"])
    _print_notes(console, summary["notes"])


def _print_cuts(console: Console, summary: Summary) -> None:
    horizon = max(row["horizon_months"] for row in summary["portfolio"])
    for cut, rows in summary["cuts"].items():
        title = f"By {cut}, {counted(horizon, 'month')}"
        nrr, *others = CUT_METRICS
        heads = (nrr.cut_head, INTERVAL_HEAD, *(_inside(metric.cut_head) for metric in others))
        table = _table(title, cut, "accounts", "ARR", *heads)
        for row in rows[:MOST_VALUES]:
            table.add_row(
                _cell(row["value"]),
                f"{row['accounts']:,}",
                _money(row["starting_arr"]),
                *_mean_and_interval(row, _percent, nrr.name, INTERVAL),
                *(_SHOW[metric.kind](row[metric.name]) for metric in others),
            )
        _print_table(console, table)
        if len(rows) > MOST_VALUES:
            console.print(f"... and {len(rows) - MOST_VALUES} more with less ARR; the files hold all.")


def _print_renewals(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = RENEWAL_FORECAST.laid_out(Place.TERMINAL)
    table = _table("Renewals by month in which the term ends", *_heads(columns))
    for row in rows:
        table.add_row(*_cells(columns, row))
    _print_table(console, table)


def _heads(columns: Sequence[OutColumn]) -> list[str]:
    """The heads of columns, a mean's followed by that of its interval."""
    heads = [[_inside(column.heading), *([INTERVAL_HEAD] if column.interval else [])] for column in columns]
    return list(itertools.chain(*heads))


def _inside(head: str) -> str:
    """A head that begins with a small letter, unless with an abbreviation."""
    return head[:1].lower() + head[1:] if head[1:2].islower() else head


def _cells(columns: Sequence[OutColumn], row: Row) -> list[str]:
    """A row's cells under `_heads`."""
    cells: list[str] = []
    for column in columns:
        if column.interval:
            cells += _mean_and_interval(row, _SHOW[column.kind], column.name, column.interval)
        else:
            cells.append(_month(row) if column.form is Form.MONTH else _SHOW[column.kind](row[column.name]))
    return cells


def _month(row: Mapping[str, Any]) -> str:
    """The month of a renewal row, and which part of it is counted where it is not the whole."""
    month, start, end = (date.fromisoformat(row[name]) for name in ("month", "from_day", "until_day"))
    late = f" from the {start.day}{_ordinal(start.day)}" if start > month else ""
    early = f" until the {end.day - 1}{_ordinal(end.day - 1)}" if end.day > 1 else ""
    return f"{month:%Y-%m}{late}{early}"


def _ordinal(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _print_at_risk(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = ACCOUNT_FORECAST.at(Place.AT_RISK)
    table = _table("Most ARR at risk (ARR x churn probability)", "account", *_heads(columns), "what raises it most")
    table.columns[-1].justify = "left"
    for row in rows:
        table.add_row(_cell(row["name"]), *_cells(columns, row), _cell(row["reason"]))
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


def _mean_and_interval(row: Row, show: Show, name: str, interval: Interval) -> tuple[str, str]:
    """A mean, marked where it lies outside its interval, and the interval."""
    mean, low, high = row[name], row[interval.low], row[interval.high]
    mark = "*" if _lies_outside(mean, low, high, show) else ""
    return f"{show(mean)}{mark}", f"[{show(low)}, {show(high)}]"


def _is_skewed(row: Row, columns: Sequence[OutColumn]) -> bool:
    """Whether a mean among the columns is marked."""
    return any(
        _lies_outside(row[c.name], row[c.interval.low], row[c.interval.high], _SHOW[c.kind])
        for c in columns
        if c.interval
    )


def _lies_outside(mean: float | None, low: float, high: float, show: Show) -> bool:
    """Whether a mean lies outside its interval, as far as the printed digits show."""
    if mean is None or low <= mean <= high:
        return False
    return show(mean) not in (show(low), show(high))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _money(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:,.0f}"


def _short(amount: float | None) -> str:
    """An amount to four digits or so, with k for thousands and M for millions."""
    if amount is None or abs(amount) < 10_000:
        return _money(amount)
    return f"{amount / 1e3:,.0f}k" if abs(amount) < 10_000_000 else f"{amount / 1e6:,.1f}M"


def _number(number: float | None) -> str:
    return "-" if number is None else f"{number:,.4g}"


def _text(text: str | None) -> str:
    return _cell(text) if text else "-"


_SHOW: Mapping[Kind, Callable[[Any], str]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _money,
    Kind.MONEY: _money,
    Kind.SHARE: _percent,
    Kind.NUMBER: _number,
    Kind.DATE: _text,
    Kind.TIME: _text,
}


def _day(day: pd.Timestamp) -> str | None:
    return None if pd.isna(day) else day.date().isoformat()


def _cell(text: str) -> str:
    """Text from the data without control characters, which a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
