"""What happened, month by month: the dynamics run once and recorded, for the tables to be shown from."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.simulation.dynamics import step
from features.simulation.founding import found_company, settle_first_accounts
from features.simulation.line_book import LineBook, Recorder
from features.simulation.months import Draws, Ints, month_edges
from features.simulation.state import Company, Deeds, Month
from features.simulation.world import RULES, Rules

Array = npt.NDArray[Any]
_KEPT = ("health", "growth", "care", "champion", "sponsor", "csm", "since", "until", "ends")


@dataclass(frozen=True)
class History:
    """The company at its last day, the contract lines, and the hidden state at each month's end `[month, account]`."""

    company: Company
    edges: Ints
    seed: int
    lines: pd.DataFrame
    states: dict[str, Array]

    @property
    def first_day(self) -> int:
        """The first day of the data."""
        return int(self.edges[0])

    @property
    def last_day(self) -> int:
        """The first day that the data do not cover."""
        return int(self.edges[-1])

    @property
    def months(self) -> int:
        """How many months."""
        return len(self.edges) - 1

    @property
    def accounts(self) -> int:
        """How many accounts."""
        return self.company.rows


def start_company(
    *, accounts: int, months: int, ends_on: date, seed: int, rules: Rules, line_book: LineBook
) -> tuple[Company, Ints]:
    """The company on its first day, and the month boundaries."""
    edges = month_edges(ends_on, months)
    company = found_company(accounts=accounts, months=months, ends_on=ends_on, seed=seed, rules=rules)
    settle_first_accounts(company, Draws(seed, ("settle",), accounts), line_book, int(edges[0]))
    return company, edges


def live_through(company: Company, edges: Ints, month: int, seed: int, line_book: LineBook) -> Deeds:
    """Live through the month with that number, as the company of this seed does."""
    days = Month(int(edges[month]), int(edges[month + 1]))
    return step(company, days, Draws(seed, ("month", month), company.rows), line_book)


def record_history(*, accounts: int, months: int, ends_on: date, seed: int, rules: Rules = RULES) -> History:
    """Run the company from its first day to its last."""
    book = Recorder()
    company, edges = start_company(
        accounts=accounts, months=months, ends_on=ends_on, seed=seed, rules=rules, line_book=book
    )
    records = []
    for month in range(months):
        deeds = live_through(company, edges, month, seed, book)
        records.append(_record(company, deeds))
    states = {name: np.stack([record[name] for record in records]) for name in records[0]}
    return History(company, edges, seed, book.frame(), states)


def _record(company: Company, deeds: Deeds) -> dict[str, Array]:
    state = company.state
    states = {name: _small(getattr(state, name)).copy() for name in _KEPT}
    seats = state.seats.sum(axis=1).astype(np.int32)
    mrr = state.mrr.sum(axis=1)
    return states | {"seats": seats, "mrr": mrr, "done": deeds.done, "missed": deeds.missed, "view": _small(deeds.view)}


def _small(values: Array) -> Array:
    kinds = {np.dtype(np.float64): np.float32, np.dtype(np.int64): np.int32}
    return values.astype(kinds.get(values.dtype, values.dtype))
