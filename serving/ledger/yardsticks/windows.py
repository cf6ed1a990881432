"""The windows of official forecasts, and when it is settled what came."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from features.revenue import add_months
from features.tables.checked import Tables
from params import Params, Revenue
from serving.ledger.account_rows import horizons_kept
from serving.ledger.record import Record
from serving.ledger.record_tables import OFFICIAL, OUTCOME, RUN
from serving.ledger.withdrawals import WITHDRAWN


@dataclass(frozen=True)
class Window:
    """A window of an official forecast.

    Attributes
    ----------
    run
        Its row.
    first_known_on
        The first day on which it is settled what came: the window is over, and so are the grace and the lag.
    recorded
        The row of the last edition on record, None if there is none.
    known_by
        What was known before this day goes into the edition that is to be made.
    """

    run: Any
    horizon_months: int
    rules: Revenue
    first_known_on: date
    recorded: Any
    known_by: date

    @property
    def start(self) -> date:
        """The first day of the window."""
        return date.fromisoformat(self.run.as_of)

    @property
    def end(self) -> date:
        """The first day after it."""
        return add_months(self.start, self.horizon_months)

    @property
    def edition(self) -> int:
        """The number of the edition that is to be made: 1 is the first actual, others are restatements."""
        return self.recorded.edition + 1 if self.recorded else 1


def windows(record: Record, tables: Tables, params: Params) -> list[Window]:
    """All windows of official forecasts, those that lie ahead among them."""
    lag = timedelta(days=tables.lag_days.get("contracts", 0))
    with record.reading() as connection:
        official = sa.and_(RUN.c.kind == OFFICIAL, RUN.c.account_rows.is_not(None), RUN.c.number.not_in(WITHDRAWN))
        runs = connection.execute(sa.select(RUN).where(official).order_by(RUN.c.number)).all()
        editions = connection.execute(sa.select(OUTCOME).order_by(OUTCOME.c.edition)).all()
    last = {(row.run_number, row.horizon_months): row for row in editions}
    every = []
    for run in runs:
        start, rules = date.fromisoformat(run.as_of), rules_of(run, params)
        for months in horizons_of(run):
            first = add_months(start, months) + timedelta(days=rules.settling_days) + lag
            recorded = last.get((run.number, months))
            known_by = tables.data_until if recorded else first
            every.append(Window(run, months, rules, first, recorded, known_by))
    return every


def horizons_of(run: Any) -> tuple[int, ...]:
    """Those that account rows are kept of; of what was taken over, the longest alone."""
    if run.taken_over_from:
        return (run.horizon_months,)
    return horizons_kept(date.fromisoformat(run.as_of), run.horizon_months)


def rules_of(run: Any, params: Params) -> Revenue:
    """The rules of revenue that a forecast was made by."""
    if not run.settings:
        return params.revenue
    settings = json.loads(run.settings)["revenue"]
    return Revenue.model_validate({**params.revenue.model_dump(), **settings})
