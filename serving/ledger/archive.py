"""The archive of an official forecast: what it was made of, so that a later one can be held against it step by step.

A manifest names by digest the snapshot rows, the contract lines as read, the labels of the cuts, the exchange rates and
the rows of each person's book, and holds the rules, the model's digest and the level of the shared luck. It stays small
(some kB an account), and names no one: see `serving.ledger.subjects`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa

from features.families.catalogue import FEATURES
from features.revenue.cut_labels import NO_LABEL, ROLES, group_labels, labels_in_force, owners_in_force, usable_cuts
from features.revenue.timelines import contract_lines, rates_in_force
from features.snapshots.snapshot_files import stored
from features.tables.checked import Tables
from models.outcomes.prediction import OUTCOMES
from models.paths.books import SLOPES, book_rows
from models.paths.simulate import PathSettings
from params import Params
from serving.forecast.batch import Forecast
from serving.forecast.declared.output_tables import QUANTILES
from serving.forecast.definitions import Rules
from serving.forecast.with_calls import CHURN, EXPECTED_ARR
from serving.ledger import whole_numbers
from serving.ledger.account_rows import horizons_kept
from serving.ledger.record import Record
from serving.ledger.record_files import RecordFiles
from serving.ledger.subjects import PERSON, Subjects, account_of, is_personal, kind_of, names_of
from training.tracking.champion import Champion

FORMAT = 1
WITH_CALLS = "with_calls"
BELONGINGS = ("contract_id", "buying_center")
_BOOK_MONEY = ("starting_arr", "expected_arr", *QUANTILES, *SLOPES)


@dataclass(frozen=True)
class Known:
    """What was known of the customers at a date.

    Attributes
    ----------
    snapshot
        The snapshot rows of the customers.
    attributes
        The columns of `accounts` in it.
    labels
        By account, in the snapshot's order: the label of each cut, and of csm and seller where there are any.
    lines, rates
        The contract lines and the exchange rates as known.
    """

    snapshot: pd.DataFrame
    attributes: tuple[str, ...]
    labels: pd.DataFrame
    lines: pa.Table
    rates: pa.Table


@dataclass(frozen=True)
class Parts(Known):
    """What is archived, before names are hidden.

    Attributes
    ----------
    books
        A row a person and horizon, see `models.paths.books`; None where accounts name no one.
    market
        The expected shift of all log-odds by month and outcome, in millionths.
    """

    books: pd.DataFrame | None
    market: dict[str, Any]

    def names(self) -> dict[str, set[Any]]:
        """All that may name someone, by column."""
        personal = {name: self.snapshot[name] for name in _hidden(self.snapshot, self.attributes)}
        columns: list[tuple[str, Iterable[Any]]] = [*personal.items()]
        columns += [(str(cut), self.labels[cut]) for cut in self.labels.columns if is_personal(str(cut))]
        columns.append(("account_id", self.lines["account_id"].to_pylist()))
        names: dict[str, set[Any]] = {}
        for column, values in columns:
            names.setdefault(column, set()).update(values)
        return {column: values - {NO_LABEL} for column, values in names.items()}


@dataclass(frozen=True)
class Archive:
    """An archive with its names again."""

    manifest: dict[str, Any]
    snapshot: pd.DataFrame
    labels: pd.DataFrame
    lines: pd.DataFrame
    rates: pd.DataFrame
    books: pd.DataFrame | None


def known_at(tables: Tables, as_of: date, *, params: Params) -> Known:
    """Gather what was known of the customers at a date."""
    snapshots = stored(tables, [as_of], params=params)
    customers = snapshots.frame[snapshots.frame["arr"] > 0].reset_index(drop=True)
    cuts, _ = usable_cuts(tables, tuple(dict.fromkeys((*params.forecast.cuts, *ROLES))))
    in_force = labels_in_force(tables, as_of, cuts, params.budget, params.forecast)
    return Known(
        snapshot=customers,
        attributes=snapshots.attributes,
        labels=pd.DataFrame({**group_labels(in_force, customers["account_id"])}, index=customers["account_id"]),
        lines=contract_lines(tables, as_of=as_of, budget=params.budget),
        rates=rates_in_force(tables, as_of=as_of, budget=params.budget),
    )


def parts_of(tables: Tables, champion: Champion, forecast: Forecast, *, params: Params) -> Parts:
    """Gather what a forecast was made of."""
    known = known_at(tables, forecast.as_of, params=params)
    prediction = champion.model.predict(known.snapshot)
    months = champion.model.horizon_months
    owners = owners_in_force(tables, forecast.as_of, params.budget)
    roles = group_labels(owners, known.snapshot["account_id"])
    luck = prediction.luck.expected(months, gap_months=prediction.gap_months)
    return Parts(
        **vars(known),
        books=book_rows(
            prediction,
            forecast.account_forecast,
            roles,
            horizons=horizons_kept(forecast.as_of, months),
            settings=PathSettings(params.forecast.draws, params.seed, params.model.min_change),
            threads=params.threads,
        )
        if roles
        else None,
        market={
            outcome: whole_numbers.whole(luck[:, place], whole_numbers.MILLIONTHS).to_pylist()
            for place, outcome in enumerate(OUTCOMES)
        },
    )


def write_archive(
    files: RecordFiles, parts: Parts, subjects: Subjects, champion: Champion, forecast: Forecast, params: Params
) -> str:
    """Keep an archive; gives the digest of its manifest."""
    tables = {
        "snapshot": _snapshot(parts, subjects),
        "labels": _labels(parts.labels, subjects),
        "lines": _lines(parts.lines, subjects),
        "rates": parts.rates,
    }
    if parts.books is not None:
        tables["books"] = _books(parts.books, subjects)
    if forecast.with_calls is not None:
        horizons = horizons_kept(forecast.as_of, champion.model.horizon_months)
        tables[WITH_CALLS] = _with_calls(forecast.with_calls, horizons, subjects)
    digests = {name: files.add_table(table) for name, table in tables.items()}
    rules = Rules(forecast.as_of, params.revenue.currency, params.revenue.grace_days, params.revenue.reactivation)
    return files.add_manifest(
        {
            "format": FORMAT,
            "as_of": forecast.as_of.isoformat(),
            "rules": {**params.rules, "definition": rules.portfolio()},
            "model": {"version": champion.version, "digest": champion.digest},
            "market_level": {"unit": "millionths of log-odds, by month ahead", **parts.market},
            "hidden": {"snapshot": _hidden(parts.snapshot, parts.attributes)},
            "columns": [str(name) for name in parts.snapshot.columns],
            "rows": {name: table.num_rows for name, table in tables.items()},
            "tables": digests,
        }
    )


def read_archive(record: Record, digest: str) -> Archive:
    """An archive by the digest of its manifest, with the names of those who are still known.

    An account that was erased keeps its id, see `subjects.account_of`; other names are missing then.
    Contracts and buying centres stay keyed digests: the same one is the same in all archives of an account.

    Raises
    ------
    BrokenFile
        A file is missing or damaged.
    """
    manifest = record.files.manifest(digest)
    tables = {name: record.files.table(file) for name, file in manifest["tables"].items()}
    snapshot = _named(record, tables["snapshot"], manifest["hidden"]["snapshot"])
    hidden = [name for name in tables["labels"].column_names if is_personal(name)]
    labels = _named(record, tables["labels"], hidden).set_index("account_id").fillna(NO_LABEL)
    books = None
    if "books" in tables:
        books = _named(record, tables["books"], [PERSON])
        books[PERSON] = books[PERSON].fillna(NO_LABEL)
        books = books.assign(**{name: whole_numbers.figures(books[name], whole_numbers.CENTS) for name in _BOOK_MONEY})
    return Archive(
        manifest=manifest,
        snapshot=snapshot[manifest["columns"]].sort_values("account_id", ignore_index=True),
        labels=labels,
        lines=_named(record, tables["lines"], ["account_id"]),
        rates=tables["rates"].to_pandas(),
        books=books,
    )


def _hidden(snapshot: pd.DataFrame, attributes: Collection[str]) -> list[str]:
    """The columns of a snapshot whose texts may name someone; what features of the product say names no one."""
    built_in = {feature.name for feature in FEATURES}
    may_name = [name for name in snapshot.columns if name in attributes or name not in built_in]
    texts = [name for name in may_name if pd.api.types.is_string_dtype(snapshot[name])]
    return ["account_id", *(name for name in texts if is_personal(name) and name != "account_id")]


def _snapshot(parts: Parts, subjects: Subjects) -> pa.Table:
    frame, hidden = parts.snapshot, _hidden(parts.snapshot, parts.attributes)
    table = pa.Table.from_pandas(frame.drop(columns=hidden), preserve_index=False).replace_schema_metadata(None)
    for name in hidden:
        table = table.append_column(name, subjects.hide(name, frame[name]))
    return table.sort_by("account_id")


def _labels(labels: pd.DataFrame, subjects: Subjects) -> pa.Table:
    columns = {"account_id": subjects.hide("account_id", labels.index)}
    for cut in map(str, labels.columns):
        values = labels[cut].where(labels[cut] != NO_LABEL, None)
        columns[cut] = subjects.hide(cut, values) if is_personal(cut) else pa.array(values, pa.string())
    return pa.table(columns).sort_by("account_id")


def _lines(lines: pa.Table, subjects: Subjects) -> pa.Table:
    accounts = lines["account_id"].to_pylist()
    hidden = lines.drop_columns(["account_id", *BELONGINGS])
    for name in BELONGINGS:
        hidden = hidden.append_column(name, subjects.hide_belongings(accounts, lines[name].to_pylist()))
    hidden = hidden.append_column("account_id", subjects.hide("account_id", accounts))
    return hidden.sort_by([("account_id", "ascending"), ("contract_id", "ascending")])


def _with_calls(rows: pd.DataFrame, horizons: Collection[int], subjects: Subjects) -> pa.Table:
    """What the model with calls says of the accounts that were called, over the horizons that are kept."""
    rows = rows[rows["horizon_months"].isin(horizons)]
    columns = {"account_id": subjects.hide("account_id", rows["account_id"])}
    columns["horizon_months"] = pa.array(rows["horizon_months"], pa.int64())
    columns["model_version"] = pa.array(rows["model_version"], pa.string())
    columns[CHURN] = whole_numbers.whole(rows[CHURN], whole_numbers.MILLIONTHS)
    columns[EXPECTED_ARR] = whole_numbers.whole(rows[EXPECTED_ARR], whole_numbers.CENTS)
    return pa.table(columns).sort_by([("account_id", "ascending"), ("horizon_months", "ascending")])


def _books(books: pd.DataFrame, subjects: Subjects) -> pa.Table:
    people = books[PERSON].where(books[PERSON] != NO_LABEL, None)
    columns = {"role": pa.array(books["role"], pa.string()), PERSON: subjects.hide(PERSON, people)}
    columns |= {name: pa.array(books[name], pa.int64()) for name in ("horizon_months", "accounts")}
    columns |= {name: whole_numbers.whole(books[name], whole_numbers.CENTS) for name in _BOOK_MONEY}
    return pa.table(columns).sort_by([(name, "ascending") for name in ("role", PERSON, "horizon_months")])


def _named(record: Record, table: pa.Table, hidden: Iterable[str]) -> pd.DataFrame:
    """A table with the names that ids stand for."""
    frame: pd.DataFrame = table.to_pandas()
    for column in hidden:
        names = names_of(record, kind_of(column))
        if column == "account_id":
            frame[column] = [account_of(names, subject) for subject in frame[column]]
        else:
            frame[column] = frame[column].map(names, na_action="ignore").astype("str")
    return frame
