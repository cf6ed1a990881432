"""A bridge between two forecasts in the terminal: the answer, the steps, a cut, and the accounts that moved most."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

VALUES_SHOWN = 12  # of a column; the JSON has all


def print_bridge(console: Console, bridge: Mapping[str, Any]) -> None:
    """The answer, then the steps, the accounts that moved most, and what it means."""
    _print_lines(console, [_headline(bridge), *_caveats(bridge), ""])
    console.print(_steps(bridge))
    if bridge["by"]:
        console.print(_by_value(bridge["by"]))
        if len(bridge["by"]["rows"]) > VALUES_SHOWN:
            console.print(f"{len(bridge['by']['rows']) - VALUES_SHOWN:,} more values: --json shows all.")
    console.print(_accounts(bridge["accounts"]))
    _print_lines(console, _other_orders(bridge))
    console.print(bridge["definition"], soft_wrap=True, style="dim")


def _print_lines(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


def _headline(bridge: Mapping[str, Any]) -> str:
    change, nrr = bridge["end"] - bridge["start"], bridge["nrr"]
    verb = "did not change" if not change else f"{'rose' if change > 0 else 'fell'} by {abs(change):,.0f}"
    moved = [item for item in bridge["steps"] if item["amount"]]
    most = max(moved, key=lambda item: abs(item["amount"]), default=None)
    ratio = f"; NRR {nrr['start']:.1%} -> {nrr['end']:.1%}" if nrr else ""
    largest = f" The largest step: {most['title'].lower()}, {most['amount']:+,.0f}." if most else ""
    return (
        f"Expected ARR on {bridge['target']} {verb}: {bridge['start']:,.0f} by the forecast of "
        f"{bridge['from']['as_of']}, {bridge['end']:,.0f} by that of {bridge['to']['as_of']}, "
        f"{bridge['currency']}{ratio}.{largest}"
    )


def _caveats(bridge: Mapping[str, Any]) -> list[str]:
    return [f"Note: {bridge['not_split']}."] if bridge["not_split"] else []


def _steps(bridge: Mapping[str, Any]) -> Table:
    """From the first forecast to the second; steps of nothing are left out."""
    points = {item["step"]: item["amount"] for item in bridge["nrr"]["steps"]} if bridge["nrr"] else {}
    table = Table(title=f"Expected ARR, {bridge['currency']} a year", title_justify="left")
    table.add_column("step")
    for head in ("ARR", *(["NRR, points"] if points else [])):
        table.add_column(head, justify="right")
    ends = {name: [f"{100 * bridge['nrr'][name]:.2f}"] if points else [] for name in ("start", "end")}
    table.add_row(f"Forecast of {bridge['from']['as_of']}", f"{bridge['start']:,.0f}", *ends["start"])
    for item in bridge["steps"]:
        if item["amount"]:
            row = [f"{100 * points[item['step']]:+.2f}"] if points else []
            table.add_row(item["title"], f"{item['amount']:+,.0f}", *row)
    restated = {name: amount for name, amount in points.items() if name.startswith("starting_arr") and amount}
    for name, amount in restated.items():
        table.add_row(name.replace("_arr_", " ARR ").capitalize(), "", f"{100 * amount:+.2f}")
    table.add_section()
    table.add_row(f"Forecast of {bridge['to']['as_of']}", f"{bridge['end']:,.0f}", *ends["end"])
    return table


def _by_value(cut: Mapping[str, Any]) -> Table:
    rows = sorted(cut["rows"], key=lambda row: -abs(row["end"] - row["start"]))[:VALUES_SHOWN]
    moved = [
        item["step"] for item in cut["rows"][0]["steps"] if any(_amounts(row)[item["step"]] for row in cut["rows"])
    ]
    titles = {item["step"]: item["title"] for item in cut["rows"][0]["steps"]}
    table = Table(title=f"By {cut['column']}", title_justify="left")
    table.add_column(cut["column"])
    for head in ("from", *(titles[step] for step in moved), "to"):
        table.add_column(head, justify="right")
    for row in rows:
        amounts = (f"{_amounts(row)[step]:+,.0f}" for step in moved)
        table.add_row(_cell(row["value"]), f"{row['start']:,.0f}", *amounts, f"{row['end']:,.0f}")
    return table


def _amounts(row: Mapping[str, Any]) -> dict[str, float]:
    return {item["step"]: item["amount"] for item in row["steps"]}


def _accounts(accounts: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Accounts that moved most", title_justify="left")
    for head in ("account", "change", "why"):
        table.add_column(head, justify="right" if head == "change" else "left")
    for account in accounts:
        table.add_row(_cell(account["name"]), f"{account['amount']:+,.0f}", account["reason"])
    return table


def _other_orders(bridge: Mapping[str, Any]) -> list[str]:
    """What the steps would be worth in another order."""
    lines = []
    if bridge["model_change_in_reverse_order"] is not None:
        here = _amounts({"steps": bridge["steps"]})["model_change"]
        lines.append(
            f"The order matters: taken first and not last, the model change is "
            f"{bridge['model_change_in_reverse_order']:+,.0f} and not {here:+,.0f}."
        )
    if bridge["shapley"]:
        worth = ", ".join(f"{name} {amount:+,.0f}" for name, amount in bridge["shapley"].items())
        lines.append(f"On average over all orders (Shapley): {worth}.")
    return lines


def _cell(text: str) -> str:
    """Text from the data without control characters, which a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
