"""Erasing an account or a person: onto the list first, then out of everything; begun again wherever it was stopped."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from features.forgetting.rows import COLUMNS
from features.forgetting.stored_rows import forget_stored
from features.forgetting.suppression import ACCOUNT, Suppressed, mark_applied, read_suppressed, suppress
from features.tables.checked import open_tables
from features.tables.progress import Progress, silent
from features.tables.sql import named
from params import Params
from serving.access import audit
from serving.access.audit import Audit
from serving.forecast.refusals import BadRequest
from serving.forgetting.exports import forget_exports
from serving.forgetting.log_lines import forget_log
from serving.forgetting.publications import forget_publications, is_published, published_names
from serving.forgetting.record_names import forget_subjects, is_on_record
from serving.ledger.record import DATABASE as RECORD
from serving.ledger.record import open_record
from serving.publication import publication_file

TABLES = "tables.duckdb"
_WHERE_ID_IS = {ACCOUNT: "account_id of accounts", "contact": "contact_id of contacts", "user": "user_id of usage"}
_ALWAYS = (
    "Totals that were published stay as they were, in the record, publications and exports: they are sums over many "
    "accounts, and what was forecast must stay as it was said.",
    "Models stay: what they learned of all accounts together names no one. The next training is without the erased.",
    "The list holds a keyed hash of the id, so that it is left out of whatever is read, imported or restored later.",
    "What lies outside of the data folder is yours to erase: the source, backups, downloads, e-mails.",
)
STAYS: Mapping[str, tuple[str, ...]] = {
    ACCOUNT: (
        "The record keeps its rows and files under a random id that stands for no one any more.",
        *_ALWAYS,
    ),
    "contact": ("Meetings and e-mails stay with the account, without the person.", *_ALWAYS),
    "user": ("The amount of use stays with the account, without the person.", *_ALWAYS),
}


@dataclass(frozen=True)
class Erasure:
    """What an erasure did: `already` on the list before it, and how many of what were changed or removed."""

    kind: str
    already: bool
    counts: Mapping[str, int]

    def lines(self) -> list[str]:
        """What to print."""
        head = f"This {self.kind} was erased already." if self.already else f"The {self.kind} is erased."
        return [f"{head} {changes_told(self.counts)}", *(f"Stays: {what}" for what in STAYS[self.kind])]


def changes_told(counts: Mapping[str, int]) -> str:
    """How many of what were changed or removed, as a sentence."""
    changes = ", ".join(f"{what} ({count:,})" for what, count in counts.items() if count)
    return f"Changed or removed: {changes}." if changes else "Nothing was left to remove."


def erase(params: Params, kind: str, name: str, progress: Progress = silent) -> Erasure:
    """Erase an account, a contact or a user; to be done by whoever holds the data folder's lock.

    The id is on the list before anything is removed, so that an erasure that was killed is finished by the next run of
    any verb.

    Raises
    ------
    BadRequest
        Nothing in the data folder has this id, and it is not on the list.
    """
    already = read_suppressed(params).holds(kind, name)
    if not already:
        _require_known(params, kind, name)
    suppressed = suppress(params, kind, name)
    if not already:
        log = Audit(publication_file.folder_of(params.data_dir))
        log.write(audit.user_of_this_machine(), "erased", kind=kind, digest=suppressed.digest_of(kind, name))
    return Erasure(kind, already, sweep(params, suppressed, progress))


def sweep(params: Params, suppressed: Suppressed, progress: Progress = silent) -> dict[str, int]:
    """Take all who are on the list out of the data folder; gives how many of what were changed or removed.

    Published things first, each by a new one in its place; whatever is made again by itself last.
    """
    serving, forecasts = publication_file.folder_of(params.data_dir), params.data_dir / "forecasts"
    progress("taking the erased out of the data folder")
    names = published_names(serving, suppressed)
    counts = {
        "exported forecasts": forget_exports(forecasts, suppressed, names),
        "publications": forget_publications(serving, suppressed),
        "names in the record": _forget_record(params, suppressed),
        "places in the audit log": forget_log(serving / audit.FOLDER, suppressed),
        **forget_stored(params.data_dir, suppressed),
    }
    mark_applied(params, suppressed)
    return counts


def _forget_record(params: Params, suppressed: Suppressed) -> int:
    if params.record.url is None and not (params.data_dir / RECORD).exists():
        return 0
    with open_record(params) as record:
        return forget_subjects(record, suppressed)


def _require_known(params: Params, kind: str, name: str) -> None:
    if not any(_places(params, kind, name)):
        raise BadRequest(
            f"There is no {kind} {name!r} in {params.data_dir}: nothing was erased. Ids are in the column "
            f"{_WHERE_ID_IS[kind]}, and each is written exactly as there; if it is in newer data, run `holdfast check` "
            "first."
        )


def _places(params: Params, kind: str, name: str) -> Iterator[bool]:
    """Of each place that may name them, whether it does."""
    yield _is_stored(params.data_dir / TABLES, kind, name)
    if kind == ACCOUNT:
        yield is_published(publication_file.folder_of(params.data_dir), name)
        if params.record.url is not None or (params.data_dir / RECORD).exists():
            with open_record(params) as record:
                yield is_on_record(record, name)


def _is_stored(database: Path, kind: str, name: str) -> bool:
    """Whether any stored table has an id."""
    if not database.exists():
        return False
    tables = open_tables(database)
    with duckdb.connect(str(database), read_only=True) as connection:
        for table in tables.kept:
            for column in [c for c in tables.columns[table] if COLUMNS.get(c) == kind]:
                if connection.execute(f"SELECT 1 FROM {table} WHERE {named(column)} = ? LIMIT 1", [name]).fetchone():
                    return True
    return False
