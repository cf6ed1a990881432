"""What the checked tables come to in money, as the terminal shows it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from holdfast.output import print_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_revenue(console: "Console", revenue: Mapping[str, Any]) -> None:
    """Customers, ARR and retention in a few lines, then month by month, then what the figures mean."""
    print_lines(console, ["", *_now(revenue), *_year(revenue)])
    if revenue["months"]:
        console.print(_by_month(revenue["months"], revenue))
    print_lines(console, [f"Figures: {revenue['definition']}", ""])


def _now(revenue: Mapping[str, Any]) -> list[str]:
    if not revenue["accounts"]:
        return [f"Revenue as of {revenue['as_of']}: no account has any."]
    largest, currency = revenue["largest"], revenue["currency"]
    name = f"{largest['name']} ({largest['account_id']})" if largest["name"] else largest["account_id"]
    return [
        f"Revenue as of {revenue['as_of']}: {revenue['accounts']:,} customers, ARR {currency} {revenue['arr']:,.0f}; "
        f"median {revenue['median_arr']:,.0f}, largest {largest['arr']:,.0f} ({largest['share']:.1%}): {name}."
    ]


def _year(revenue: Mapping[str, Any]) -> list[str]:
    if revenue["nrr_12m"] is None:
        return ["A year before there were no customers, so that NRR cannot be told."]
    return [
        f"A year before: {revenue['accounts_12m_ago']:,} customers, ARR {revenue['currency']} "
        f"{revenue['arr_12m_ago']:,.0f}. Of these: NRR {revenue['nrr_12m']:.1%}, GRR {revenue['grr_12m']:.1%}, "
        f"logo retention {revenue['logo_retention_12m']:.1%} ({revenue['churned_accounts_12m']:,} left)."
    ]


def _by_month(months: Sequence[Mapping[str, Any]], revenue: Mapping[str, Any]) -> "Table":
    """A row a month: what there was on its first day, and what came and went since the one before."""
    from rich.table import Table

    with_returns = any(month["returned"] for month in months)
    grid = Table()
    for head in ("on", "customers", f"ARR, {revenue['currency']}", "new", "their ARR"):
        grid.add_column(head, justify="left" if head == "on" else "right")
    for head in (*(["returned"] if with_returns else []), "churned", "their ARR"):
        grid.add_column(head, justify="right")
    for month in months:
        returned = [f"{month['returned']:,}"] if with_returns else []
        came = (f"{month['new']:,}", f"{month['new_arr']:,.0f}")
        went = (f"{month['churned']:,}", f"{month['churned_arr']:,.0f}")
        grid.add_row(month["month"], f"{month['accounts']:,}", f"{month['arr']:,.0f}", *came, *returned, *went)
    return grid
