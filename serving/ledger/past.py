"""What earlier runs said, read from the record with names again."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd
import sqlalchemy as sa

from serving.forecast.declared.output_tables import QUANTILES
from serving.ledger import whole_numbers
from serving.ledger.record import Record
from serving.ledger.record_files import BrokenFile
from serving.ledger.record_tables import FIGURE, RUN, SUBJECT
from serving.ledger.subjects import ACCOUNT, names_of

SCORES = ("account_id", "as_of", "model_version", "churn_probability", "arr")
FIGURES = (
    "as_of", "run_id", "made_at", "model_version", "cut", "value", "horizon_months", "metric", "mean", *QUANTILES,
)  # fmt: skip


@dataclass(frozen=True)
class Past:
    """What runs on record said.

    Attributes
    ----------
    scores
        `SCORES`: of each run and account the churn probability over the run's longest horizon; later runs later.
    figures
        `FIGURES`: of each run its portfolio figures; later runs later.
    bridge
        The table `forecast_bridge` from the last official forecast to the one that is published; None without one.
    notes
        What could not be read or taken over, and why.
    """

    scores: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(SCORES)))
    figures: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(FIGURES)))
    bridge: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()


def read_past(record: Record, *, but: str = "", metrics: tuple[str, ...] = ()) -> Past:
    """What all runs but one said, of some metrics; none named: of all. Of a run recorded twice, what it said last.

    Accounts and people who are not known any more are left out.
    """
    with record.reading() as connection:
        runs = connection.execute(sa.select(RUN).where(RUN.c.number.in_(_last(but))).order_by(RUN.c.number)).all()
        figures = _figures(connection, but, metrics)
    accounts = names_of(record, ACCOUNT)
    parts, notes = [Past().scores], []
    for run in runs:
        try:
            parts.append(_scores(record, run, accounts))
        except BrokenFile as error:
            notes.append(
                f"The account rows of run {run.run_id} as of {run.as_of} are not shown: {error}. They lie in the "
                "record's folder (record.folder): restore it from a backup."
            )
    scores = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return Past(scores, figures, notes=tuple(notes))


def scores_between(record: Record, first: date, last: date, horizon_months: int | None = None) -> pd.DataFrame:
    """`SCORES` of the newest run as of a day between two, both included; no rows where there is none to read.

    Parameters
    ----------
    record
        The open record.
    first, last
        Between which days.
    horizon_months
        Over which horizon; over the longest if None.
    """
    days = RUN.c.as_of.between(first.isoformat(), last.isoformat())
    newest = sa.select(RUN).where(days, RUN.c.account_rows.is_not(None))
    with record.reading() as connection:
        run = connection.execute(newest.order_by(RUN.c.as_of.desc(), RUN.c.number.desc()).limit(1)).first()
    if run is None:
        return Past().scores
    try:
        return _scores(record, run, names_of(record, ACCOUNT), horizon_months)
    except BrokenFile:  # `read_past` says so
        return Past().scores


def _last(but: str) -> Any:
    """The number of the last row of each run but one."""
    return sa.select(sa.func.max(RUN.c.number)).where(RUN.c.run_id != but).group_by(RUN.c.run_id)


def _scores(record: Record, run: Any, accounts: dict[bytes, str], horizon_months: int | None = None) -> pd.DataFrame:
    """A run's churn probabilities, over its longest horizon if no other is asked for."""
    if run.account_rows is None:
        return Past().scores
    columns = ["subject_id", "churn_probability", "arr"]
    table = record.files.table(
        run.account_rows, columns, [("horizon_months", "==", horizon_months or run.horizon_months)]
    )
    scores = pd.DataFrame(
        {
            "account_id": table["subject_id"].to_pandas().map(accounts),
            "as_of": run.as_of,
            "model_version": run.model_version,
            "churn_probability": whole_numbers.figures(table["churn_probability"], whole_numbers.MILLIONTHS),
            "arr": whole_numbers.figures(table["arr"], whole_numbers.CENTS),
        }
    )
    return scores.dropna(subset="account_id").sort_values("account_id")  # and not in the order of random ids


def _figures(connection: sa.Connection, but: str, metrics: tuple[str, ...]) -> pd.DataFrame:
    subject = sa.and_(FIGURE.c.is_subject == 1, SUBJECT.c.subject_id == FIGURE.c.value)
    cut_value = sa.case((FIGURE.c.is_subject == 1, SUBJECT.c.name), else_=FIGURE.c.value).label("value")
    described = [RUN.c[name] for name in FIGURES[:4]]
    numbers = [FIGURE.c[name] for name in FIGURES[6:]]
    query = (
        sa.select(RUN.c.number, *described, FIGURE.c.cut, cut_value, *numbers, FIGURE.c.unit)
        .join(RUN, RUN.c.number == FIGURE.c.run_number)
        .outerjoin(SUBJECT, subject)
        .where(RUN.c.number.in_(_last(but)))
    )
    if metrics:
        query = query.where(FIGURE.c.metric.in_(metrics))
    answer = connection.execute(query).all()
    rows = pd.DataFrame(answer, columns=["number", *FIGURES, "unit"], dtype=object).dropna(subset="value")
    order = ["number", "cut", "value", "horizon_months", "metric"]
    rows = rows.sort_values(order, ignore_index=True).drop(columns="number")
    per_unit = rows.pop("unit").map(whole_numbers.PER_UNIT).to_numpy(dtype=float)
    return rows.assign(**{name: rows[name].to_numpy(dtype=float) / per_unit for name in ("mean", *QUANTILES)})
