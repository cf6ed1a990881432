"""Figures as people read them."""

from datetime import date

DASH = "–"
MINUS = "−"


def percent(share: float | None, digits: int = 1) -> str:
    """A share in percent."""
    return DASH if share is None else f"{100 * share:.{digits}f} %".replace("-", MINUS)


def points(change: float | None) -> str:
    """A change of a probability, in points, signed."""
    if change is None:
        return DASH
    return f"{100 * change:+.1f}".replace("-", MINUS)


def money(amount: float | None) -> str:
    """An amount, whole."""
    return DASH if amount is None else f"{amount:,.0f}".replace("-", MINUS)


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


def until(day: str | None, as_of: str) -> str:
    """How far a day lies ahead."""
    if day is None:
        return "evergreen"
    days = (date.fromisoformat(day) - date.fromisoformat(as_of)).days
    return f"in {days:,} days" if days >= 0 else f"{-days:,} days overdue"


def label(name: str) -> str:
    """A name from the data or the code as a heading: `logo_retention` -> `Logo retention`."""
    special = {
        "nrr": "NRR",
        "grr": "GRR",
        "reported_nrr": "Reported NRR",
        "csm": "CSM",
        "arr": "ARR",
        "arr_at_risk": "ARR at risk",
    }
    if name in special:
        return special[name]
    text = name.replace("_arr", " ARR").replace("_", " ")
    return text[:1].upper() + text[1:]
