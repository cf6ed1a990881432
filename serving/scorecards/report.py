"""`holdfast scorecard`: each person's book beside what it was expected to do, with what must be said of it."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from features.revenue.cut_labels import GRACE_DAYS, NO_LABEL, usable_cuts
from features.tables.checked import Tables
from models.books.scorecards import FEWEST_EFFECTIVE, FEWEST_PERIODS, scorecards
from params import Params
from serving.forecast.refusals import BadRequest
from serving.ledger.record import open_record
from serving.scorecards.periods import REPLAYED, book_periods, expected_quarters

DEFINITION = (
    "NRR of a book over quarters, each of the accounts that were its owner's at the quarter's start; accounts that "
    f"changed hands within {GRACE_DAYS} days before count for nobody. Expected is the forecast made at the start, "
    "moved to the level at which all other books came out. In 8 of 10 quarters an average book ends between low "
    f"and high. A word takes {FEWEST_PERIODS} quarters and accounts worth {FEWEST_EFFECTIVE:g} of one size. People are "
    "compared with their own expectation, never with each other."
)
NONE_YET = (
    "No quarter can be judged yet: it takes an official forecast that is a quarter and the grace old, or "
    "`holdfast backtest`, whose forecasts stand in."
)


@dataclass(frozen=True)
class Scorecards:
    """The cards, a dict a person; and the notes that belong to them."""

    role: str
    rows: list[dict[str, Any]]
    notes: list[str]
    periods: pd.DataFrame

    def table_rows(self) -> list[dict[str, Any]]:
        """Rows of the table `scorecard`."""
        return [{**row, "role": self.role, "definition": DEFINITION} for row in self.rows]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {"by": self.role, "rows": self.rows, "definition": DEFINITION, "notes": self.notes}


def scorecard_report(tables: Tables, role: str, params: Params, quarters: int | None = None) -> Scorecards:
    """Each person of a role over the last quarters that are settled.

    Raises
    ------
    BadRequest
        `accounts` has no such column.
    """
    require_role(tables, role)
    with open_record(params) as record:
        expected = expected_quarters(record, tables, role, params)
    if quarters is not None:
        expected = expected[-quarters:]
    periods = book_periods(expected, tables, role, params)
    if periods.empty:
        return Scorecards(role, [], [NONE_YET], periods)
    cards = scorecards(periods)
    named = cards[cards["person"] != NO_LABEL]
    basis = periods.groupby("person")["basis"].agg(lambda one: ", ".join(sorted(set(one))))
    rows = [
        {str(key): _plain(value) for key, value in row.items()} | {"basis": basis[row["person"]]}
        for row in named.to_dict("records")
    ]
    return Scorecards(role, rows, _notes(periods), periods)


def require_role(tables: Tables, role: str) -> None:
    """Refuse a role that accounts have no column for."""
    if not usable_cuts(tables, (role,))[0]:
        raise BadRequest(f"accounts has no column {role}: map it in source.tables.accounts.columns.")


def _notes(periods: pd.DataFrame) -> list[str]:
    days = sorted(periods["period"].unique())
    replayed = sorted(periods.loc[periods["basis"] == REPLAYED, "period"].unique())
    notes = [f"Quarters from {', '.join(days)}."]
    if replayed:
        notes.append(
            f"Of the quarters from {', '.join(replayed)} there is no official forecast: a backtest's stands in, made "
            "with what was known then. It is not on record, and no pay should rest on it."
        )
    return notes


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if pd.isna(value) else round(value, 6)
    return value
