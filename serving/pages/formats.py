"""Figures as people read them."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

from models.words import counted
from serving.forecast.declared.column import Kind, OutColumn
from serving.forecast.declared.output_tables import METRIC_OF, Metric

DASH = "–"
MINUS = "−"


def percent(share: float | None, digits: int = 1) -> str:
    """A share in percent."""
    return DASH if share is None else f"{100 * share:.{digits}f} %".replace("-", MINUS)


def points(change: float | None) -> str:
    """A change of a probability, in points, signed."""
    if change is None:
        return DASH
    return _signed(100 * change, 1)


def whole_points(change: float | None) -> str:
    """A change of a score in points, whole and signed."""
    return DASH if change is None else _signed(change, 0)


def _signed(value: float, digits: int) -> str:
    """A number with its sign, but for what reads as zero."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def money(amount: float | None) -> str:
    """An amount, whole."""
    return DASH if amount is None else f"{amount:z,.0f}".replace("-", MINUS)


def short(amount: float | None) -> str:
    """An amount to three digits or so, with k, M or B."""
    if amount is None:
        return DASH
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(amount) >= size * 0.9995:
            scaled = amount / size
            return f"{scaled:,.{0 if abs(scaled) >= 99.95 else 1}f}{letter}".replace("-", MINUS)
    return f"{amount:,.0f}".replace("-", MINUS)


def month(day: str) -> str:
    """A month as `Jan 2026`."""
    return date.fromisoformat(day).strftime("%b %Y")


def day(text: str) -> str:
    """A day as `21 Feb 2026`."""
    return f"{date.fromisoformat(text):%-d %b %Y}"


def until(day: str | None, as_of: str) -> str:
    """How far a day lies ahead."""
    if day is None:
        return "evergreen"
    days = (date.fromisoformat(day) - date.fromisoformat(as_of)).days
    return f"in {counted(days, 'day')}" if days >= 0 else f"{counted(-days, 'day')} overdue"


_REASON = re.compile(r"(Raises|Lowers) .* by ((?:less than )?[\d.]+) points: (.*)", re.DOTALL)


def reason(text: str) -> Markup:
    """A reason as people read it: what happened first, then what it does in points."""
    parts = _REASON.fullmatch(text)
    if parts is None:
        return escape(text)
    sign = "+" if parts[1] == "Raises" else MINUS
    size = parts[2].replace("less than ", "<") if parts[2].startswith("less") else sign + parts[2]
    what = parts[3][:1].upper() + parts[3][1:]
    return Markup('{} <span class="small brief">{} points</span>').format(what, size)


def what_happened(text: str) -> str:
    """A reason without what it does in points."""
    parts = _REASON.fullmatch(text)
    return parts[3] if parts else text


LEVELS = ((0.05, "low"), (0.15, "some"), (0.30, "elevated"), (1.01, "high"))


def level(probability: float) -> str:
    """How high a churn probability is, in a word."""
    return next(word for limit, word in LEVELS if probability < limit)


def account_address(account_id: str, under: str = "/accounts") -> str:
    """The address of an account's page, below the service's own; of another page of each account with `under`.

    What browsers and proxies would make another address of goes where they leave it as it is: into the query.
    """
    steps = account_id.split("/")
    if all(step not in ("", ".", "..") for step in steps) and account_id.isprintable():
        return f"{under}/{quote(account_id)}"
    return f"{under}/?{urlencode({'id': account_id})}"


def label(name: str) -> str:
    """A name from the data or the code as a heading: `logo_retention` -> `Logo retention`."""
    special = {metric.name: metric.title for metric in METRIC_OF.values()}
    special |= {"csm": "CSM", "arr": "ARR", "arr_at_risk": "ARR at risk", "kpis": "KPIs"}
    if name in special:
        return special[name]
    text = name.replace("_arr", " ARR").replace("_", " ")
    return text[:1].upper() + text[1:]


def number(value: float | None) -> str:
    """A number to four digits."""
    return DASH if value is None else f"{value:,.4g}".replace("-", MINUS)


def text(value: str | None) -> str:
    """Text, or a dash where there is none."""
    return value or DASH


_BY_KIND: Mapping[Kind, Any] = {
    Kind.TEXT: text,
    Kind.INTEGER: money,
    Kind.MONEY: money,
    Kind.SHARE: percent,
    Kind.NUMBER: number,
    Kind.DATE: text,
    Kind.TIME: text,
}


def figure(row: Mapping[str, Any], column: OutColumn | Metric) -> str:
    """A row's figure, as its kind is read."""
    return str(_BY_KIND[column.kind](row[column.name]))


def interval(row: Mapping[str, Any], column: OutColumn) -> str:
    """The interval of a row's mean."""
    if column.interval is None:
        return ""
    show = short if column.interval.brief else _BY_KIND[column.kind]
    return f"{show(row[column.interval.low])} {DASH} {show(row[column.interval.high])}"
