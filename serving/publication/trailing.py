"""Realised NRR and GRR of the last twenty-four months: at each month start that of the twelve months before it."""

from datetime import date
from typing import Any

from features.revenue import add_months, trailing_retention
from features.tables.checked import Tables
from params import Params

MONTHS = 24
FEWEST_ACCOUNTS = 20  # a year that began with fewer says more of them than of the business


def realised_trailing(tables: Tables, as_of: date, params: Params) -> list[dict[str, Any]]:
    """Trailing NRR and GRR at each of the last month starts and at `as_of`, by what is known at `as_of`.

    Returns
    -------
    list of dict
        `as_of` (ISO text), `nrr`, `grr`, `accounts`, oldest first; a year that began with fewer than 20 accounts is
        left out.
    """
    ends = sorted({as_of, *(add_months(as_of.replace(day=1), -months) for months in range(MONTHS + 1))})
    years = trailing_retention(tables, ends, known_by=as_of, rules=params.revenue, budget=params.budget)
    return [
        {"as_of": end.isoformat(), "nrr": year.nrr, "grr": year.grr, "accounts": year.accounts}
        for end, year in zip(ends, years, strict=True)
        if year.accounts >= FEWEST_ACCOUNTS
    ]
