"""Official forecasts beside what came of them, and what their rivals said, read from the record with names again."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from models.paths.rollup import QUANTILES as PERCENTS
from models.scores.quantile_forecasts import crps_of_quantiles
from serving.forecast.declared.output_tables import QUANTILES
from serving.ledger import whole_numbers
from serving.ledger.record import Record
from serving.ledger.record_tables import ACTUAL, FIGURE, OFFICIAL, OUTCOME, RIVAL, RUN, SUBJECT, WITHDRAWAL

LEVELS = tuple(percent / 100 for percent in PERCENTS)
KEY = ("number", "cut", "value", "horizon_months", "metric")
_WINDOW = ("run_number", "horizon_months", "edition")


@dataclass(frozen=True)
class Pairs:
    """Forecasts beside what came of them.

    Attributes
    ----------
    figures
        `number` of the run, `run_id`, `as_of`, `model_version`, cut, value, horizon_months, metric, unit, mean and
        quantiles, `actual`, `known_on`, `edition`, `accounts`; NRR as a share, money in the currency.
    rivals
        The same keys, `rival` and its `mean` and quantiles (NaN where it said one number).
    windows
        The newest, or the first, edition of each window: `number`, `as_of`, `horizon_months`, `known_on`, `forecast`
        and `came` (digests of account rows), `settings` (as recorded).
    """

    figures: pd.DataFrame
    rivals: pd.DataFrame
    windows: pd.DataFrame


def read_pairs(record: Record, *, latest: bool) -> Pairs:
    """All that is on record of official forecasts that were not withdrawn, on the first or the latest actuals."""
    with record.reading() as connection:
        edition = _editions(latest)
        figures = _frame(connection, _figures(edition))
        rivals = _frame(connection, _rivals(edition))
        windows = _frame(connection, _windows(edition))
    return Pairs(_in_units(figures, "actual"), _in_units(rivals), windows)


def crps(rows: pd.DataFrame) -> Any:
    """CRPS of each row's forecast against its `actual`; of one number, the absolute error."""
    quantiles, actual = rows[list(QUANTILES)].to_numpy(float), rows["actual"].to_numpy(float)
    errors = np.abs(rows["mean"].to_numpy(float) - actual)
    return np.where(np.isnan(quantiles).any(axis=1), errors, crps_of_quantiles(LEVELS, quantiles, actual))


def _counted() -> Any:
    return sa.and_(RUN.c.kind == OFFICIAL, RUN.c.number.not_in(sa.select(WITHDRAWAL.c.run_number)))


def _editions(latest: bool) -> Any:
    """The edition of each window that counts."""
    which = sa.func.max(OUTCOME.c.edition) if latest else sa.func.min(OUTCOME.c.edition)
    run, months = OUTCOME.c.run_number, OUTCOME.c.horizon_months
    return sa.select(run, months, which.label("edition")).group_by(run, months).subquery()


def _same(one: Any, two: Any, *names: str) -> Any:
    return sa.and_(*(one.c[name] == two.c[name] for name in names))


def _named(table: Any) -> tuple[Any, Any]:
    """The value of a cut by name, and the join that finds it."""
    subject = sa.and_(table.c.is_subject == 1, SUBJECT.c.subject_id == table.c.value)
    return sa.case((table.c.is_subject == 1, SUBJECT.c.name), else_=table.c.value).label("value"), subject


def _figures(edition: Any) -> Any:
    value, subject = _named(FIGURE)
    described = [RUN.c[name] for name in ("number", "run_id", "as_of", "model_version")]
    numbers = [FIGURE.c[name] for name in ("horizon_months", "metric", "unit", "mean", *QUANTILES)]
    came = [ACTUAL.c.actual, ACTUAL.c.edition, ACTUAL.c.accounts, OUTCOME.c.known_on]
    return (
        sa.select(*described, FIGURE.c.cut, value, *numbers, *came)
        .join(RUN, RUN.c.number == FIGURE.c.run_number)
        .join(edition, _same(edition, FIGURE, "run_number", "horizon_months"))
        .join(OUTCOME, _same(OUTCOME, edition, *_WINDOW))
        .join(
            ACTUAL,
            sa.and_(_same(ACTUAL, edition, *_WINDOW), _same(ACTUAL, FIGURE, "cut", "value", "metric")),
        )
        .outerjoin(SUBJECT, subject)
        .where(_counted())
    )


def _rivals(edition: Any) -> Any:
    value, subject = _named(RIVAL)
    names = ("rival", "cut", "horizon_months", "metric", "unit", "mean", *QUANTILES)
    return (
        sa.select(RUN.c.number, value, *(RIVAL.c[name] for name in names))
        .join(RUN, RUN.c.number == RIVAL.c.run_number)
        .join(edition, _same(edition, RIVAL, "run_number", "horizon_months"))
        .outerjoin(SUBJECT, subject)
        .where(_counted())
    )


def _windows(edition: Any) -> Any:
    run = [RUN.c.number, RUN.c.as_of, RUN.c.settings, RUN.c.archive, RUN.c.account_rows.label("forecast")]
    came = [OUTCOME.c.horizon_months, OUTCOME.c.known_on, OUTCOME.c.account_rows.label("came")]
    return (
        sa.select(*run, *came)
        .join(edition, edition.c.run_number == RUN.c.number)
        .join(OUTCOME, _same(OUTCOME, edition, *_WINDOW))
        .where(_counted())
        .order_by(RUN.c.as_of, OUTCOME.c.horizon_months)
    )


def _frame(connection: sa.Connection, query: Any) -> pd.DataFrame:
    answer = connection.execute(query)
    return pd.DataFrame(answer.all(), columns=list(answer.keys()), dtype=object)


def _in_units(rows: pd.DataFrame, *more: str) -> pd.DataFrame:
    """Figures as floats; rows of people and accounts who are not known any more are left out."""
    rows = rows.dropna(subset="value")
    per_unit = rows.pop("unit").map(whole_numbers.PER_UNIT).to_numpy(dtype=float)
    numbers = {name: rows[name].to_numpy(dtype=float) / per_unit for name in ("mean", *QUANTILES, *more)}
    order = [name for name in ("as_of", *KEY, "rival") if name in rows]
    return rows.assign(**numbers).sort_values(order, ignore_index=True)
