"""A forecast with what it was made of: from its archive, or made again from the data folder if nothing has changed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from features.tables.checked import Tables
from models.outcomes.outcome import OutcomeModel
from models.paths.simulate import PathSettings
from params import Params, Revenue
from serving.forecast.batch import Forecast
from serving.forecast.refusals import BadRequest
from serving.ledger import whole_numbers
from serving.ledger.archive import BELONGINGS, Archive, Known, known_at, read_archive
from serving.ledger.record import Record
from serving.ledger.record_files import BrokenFile
from serving.ledger.record_tables import OFFICIAL, RERUN, REVISION, RUN
from serving.ledger.subjects import ACCOUNT, account_of, names_of
from serving.ledger.withdrawals import WITHDRAWN
from training.tracking.champion import Champion
from training.tracking.errors import NoModel, StoreUnreachable

Remake = Callable[[str, date, Champion], "Known | None"]
LoadModel = Callable[[str], Champion]
_KINDS = (OFFICIAL, REVISION, RERUN)


@dataclass(frozen=True)
class Ingredients:
    """What a forecast was made of, by account; `labels` and `snapshot` have the account as index."""

    snapshot: pd.DataFrame
    labels: pd.DataFrame
    lines: pd.DataFrame
    rates: pd.DataFrame
    model: OutcomeModel


@dataclass(frozen=True)
class MadeOf:
    """A forecast on record, and what it was made of.

    Attributes
    ----------
    run_id, as_of, kind, made_at, model_version, model_digest, currency, horizon_months
        As on record.
    expected
        Expected ARR as published: index account, a column a horizon that is kept.
    rules, paths
        Rules of the revenue arithmetic, and how futures were drawn.
    ingredients
        None where they are not kept; `lacking` then says which and why.
    """

    run_id: str
    as_of: date
    kind: str
    made_at: datetime
    model_version: str
    model_digest: str
    currency: str
    horizon_months: int
    expected: pd.DataFrame
    rules: Revenue
    paths: PathSettings
    ingredients: Ingredients | None
    lacking: str = ""

    def describe(self) -> dict[str, Any]:
        """Which forecast it is, as plain data."""
        return {
            "run_id": self.run_id,
            "as_of": self.as_of.isoformat(),
            "kind": self.kind,
            "made_at": self.made_at.isoformat(),
            "model_version": self.model_version,
        }


def on_record(record: Record, as_of: date, *, newest: bool, load_model: LoadModel, remake: Remake) -> MadeOf:
    """The forecast of a date on record: the official one if there is one, else the newest.

    Parameters
    ----------
    record
        The open record.
    as_of
        Its date.
    newest
        Rather the newest one of the date, official or not.
    load_model
        Gives a registered version.
    remake
        Gives what the run of an id, date and model was made of, None if the data have changed since.

    Raises
    ------
    BadRequest
        None of that date is on record, or one of an older Holdfast that told no expected ARR.
    """
    runs = _runs(record)
    there = [run for run in runs if run.as_of == as_of.isoformat()]
    if not there:
        raise BadRequest(_none_of(as_of, [date.fromisoformat(run.as_of) for run in runs]))
    official = [run for run in there if run.kind == OFFICIAL]
    run = there[-1] if newest or not official else official[0]
    if run.taken_over_from or run.account_rows is None or run.settings is None:
        raise BadRequest(
            f"The forecast of {as_of} was taken over from an older Holdfast, which kept no expected ARR by account: "
            "there can be no bridge from or to it."
        )
    return _read(record, run, load_model, remake)


def newest_official_before(record: Record, as_of: date, *, but: str) -> date | None:
    """The date of the last official forecast no later than a date, other than one run; None if there is none."""
    days = [
        date.fromisoformat(run.as_of)
        for run in _runs(record)
        if run.kind == OFFICIAL and run.run_id != but and not run.taken_over_from
    ]
    return max((day for day in days if day <= as_of), default=None)


def just_made(tables: Tables, champion: Champion, forecast: Forecast, *, params: Params) -> MadeOf:
    """A forecast that was just made, with what it was made of."""
    rows = forecast.account_forecast
    return MadeOf(
        run_id=forecast.run_id,
        as_of=forecast.as_of,
        kind=REVISION,
        made_at=forecast.made_at,
        model_version=forecast.model_version,
        model_digest=champion.digest,
        currency=forecast.currency,
        horizon_months=int(rows["horizon_months"].max()),
        expected=rows.pivot(index="account_id", columns="horizon_months", values="expected_arr"),
        rules=params.revenue,
        paths=PathSettings(params.forecast.draws, params.seed, params.model.min_change),
        ingredients=_of_known(known_at(tables, forecast.as_of, params=params), champion.model),
    )


def _runs(record: Record) -> list[Any]:
    with record.reading() as connection:
        counted = sa.and_(RUN.c.kind.in_(_KINDS), RUN.c.number.not_in(WITHDRAWN))
        query = sa.select(RUN).where(counted).order_by(RUN.c.number)
        return list(connection.execute(query).all())


def _none_of(as_of: date, days: list[date]) -> str:
    if not days:
        return "No forecast is on record yet: run `holdfast publish`, which puts each forecast on record."
    nearest = min(days, key=lambda day: (abs((day - as_of).days), day))
    return f"No forecast of {as_of} is on record. The nearest is that of {nearest}; {len(set(days))} dates are there."


def _read(record: Record, run: Any, load_model: LoadModel, remake: Remake) -> MadeOf:
    settings = json.loads(run.settings)
    ingredients, lacking = _ingredients(record, run, load_model, remake)
    return MadeOf(
        run_id=run.run_id,
        as_of=date.fromisoformat(run.as_of),
        kind=run.kind,
        made_at=datetime.fromisoformat(run.made_at),
        model_version=run.model_version,
        model_digest=run.model_digest,
        currency=run.currency,
        horizon_months=int(run.horizon_months),
        expected=_expected(record, run),
        rules=Revenue(**settings["revenue"]),
        paths=PathSettings(settings["forecast"]["draws"], settings["seed"], settings["model"]["min_change"]),
        ingredients=ingredients,
        lacking=lacking,
    )


def _expected(record: Record, run: Any) -> pd.DataFrame:
    """Expected ARR as published, by account and horizon that is kept."""
    try:
        table = record.files.table(run.account_rows, ["subject_id", "horizon_months", "expected_arr"])
    except BrokenFile as error:
        raise BadRequest(
            f"The account rows of the forecast of {run.as_of} cannot be read: {error}. Restore the record's folder."
        ) from None
    names = names_of(record, ACCOUNT)
    rows = pd.DataFrame(
        {
            "account_id": [account_of(names, subject) for subject in table["subject_id"].to_pylist()],
            "horizon_months": table["horizon_months"].to_numpy(),
            "expected_arr": whole_numbers.figures(table["expected_arr"], whole_numbers.CENTS),
        }
    )
    return rows.pivot(index="account_id", columns="horizon_months", values="expected_arr")


def _ingredients(record: Record, run: Any, load_model: LoadModel, remake: Remake) -> tuple[Ingredients | None, str]:
    """What a run was made of, or else what is lacking."""
    what = f"the forecast of {run.as_of}"
    try:
        champion = load_model(run.model_version)
    except (NoModel, StoreUnreachable) as error:
        return None, f"the model of {what} cannot be loaded ({error})"
    if champion.digest != run.model_digest:
        return None, f"version {run.model_version} of the model is not the one that made {what}"
    if run.archive is None:
        known = remake(run.run_id, date.fromisoformat(run.as_of), champion)
        if known is None:
            return None, f"{what} is a {run.kind}, which keeps no archive, and the data have changed since"
        return _of_known(known, champion.model), ""
    try:
        return _of_archive(read_archive(record, run.archive), champion.model), ""
    except BrokenFile as error:
        return None, f"the archive of {what} cannot be read ({error})"


def _of_archive(archive: Archive, model: OutcomeModel) -> Ingredients:
    snapshot = archive.snapshot.set_index("account_id", drop=False).rename_axis(None)
    lines = archive.lines.assign(
        **{name: archive.lines[name].map(bytes.hex, na_action="ignore") for name in BELONGINGS}
    )
    return Ingredients(snapshot, archive.labels, lines, archive.rates, model)


def _of_known(known: Known, model: OutcomeModel) -> Ingredients:
    snapshot = known.snapshot.set_index("account_id", drop=False).rename_axis(None)
    return Ingredients(snapshot, known.labels, known.lines.to_pandas(), known.rates.to_pandas(), model)


def by_account(values: "pd.Series[float]", accounts: pd.Index) -> "pd.Series[float]":
    """Values of accounts in an order, 0 of those that have none."""
    return values.astype(float).reindex(accounts).fillna(0.0)
