"""The record without who was erased: their names leave the one table that has any, and nothing on record changes."""

from collections.abc import Iterator

import pyarrow as pa
import sqlalchemy as sa

from features.forgetting.suppression import Suppressed
from serving.ledger.chain.head import note_head
from serving.ledger.chain.seals import add_erasures
from serving.ledger.record import Record
from serving.ledger.record_files import BrokenFile
from serving.ledger.record_tables import FIGURE, RUN, SUBJECT
from serving.ledger.subjects import ACCOUNT, PERSON, is_personal, kind_of, text_kind


def forget_subjects(record: Record, suppressed: Suppressed) -> int:
    """Remove who was erased from the table of names, with names that stood with them alone; gives how many.

    Rows and files keep the random ids, which stand for no one any more; the salts go too, so that digests of contracts
    cannot be told again. That they went stands in the chain, by id.
    """
    with record.writing() as connection:
        accounts = connection.execute(sa.select(SUBJECT).where(SUBJECT.c.kind == ACCOUNT)).all()
        erased = set(suppressed.among(ACCOUNT, [row.name for row in accounts]))
        theirs = {row.subject_id for row in accounts if row.name in erased}
        beside = _only_theirs(record, connection, theirs) | _texts_of(connection, theirs) if theirs else set()
        gone = sorted(theirs | beside)
        for subject_id in gone:
            connection.execute(sa.delete(SUBJECT).where(SUBJECT.c.subject_id == subject_id))
        if gone:
            add_erasures(connection, gone)
    if gone:
        note_head(record)
        _empty_log(record)
    return len(gone)


def is_on_record(record: Record, account_id: str) -> bool:
    """Whether the record knows an account by name."""
    who = sa.select(SUBJECT.c.subject_id).where(SUBJECT.c.kind == ACCOUNT, SUBJECT.c.name == account_id)
    with record.reading() as connection:
        return connection.execute(who).first() is not None


def _only_theirs(record: Record, connection: sa.Connection, theirs: set[str]) -> set[str]:
    """Names, such as the company's, that archives show in rows of these accounts and nowhere else.

    Those of people at the vendor stay, and so do values of cuts that figures are kept of.
    """
    with_them: set[str] = set()
    with_others = {str(value) for value in _values_of_cuts(connection)}
    digests = connection.execute(sa.select(RUN.c.archive).where(RUN.c.archive.is_not(None)).distinct()).scalars().all()
    for digest in digests:
        for rows in _rows(record, digest):
            accounts = [account.hex() if account else "" for account in rows["account_id"].to_pylist()]
            for column in rows.column_names[1:]:
                for account, subject in zip(accounts, rows[column].to_pylist(), strict=True):
                    if subject is not None:
                        (with_them if account in theirs else with_others).add(subject.hex())
    return with_them - with_others


def _texts_of(connection: sa.Connection, theirs: set[str]) -> set[str]:
    """What people wrote about these accounts in their own words."""
    kinds = [text_kind(subject_id) for subject_id in theirs]
    return set(connection.execute(sa.select(SUBJECT.c.subject_id).where(SUBJECT.c.kind.in_(kinds))).scalars())


def _values_of_cuts(connection: sa.Connection) -> Iterator[str]:
    yield from connection.execute(sa.select(FIGURE.c.value).where(FIGURE.c.is_subject == 1).distinct()).scalars()


def _rows(record: Record, digest: str) -> Iterator[pa.Table]:
    """Of an archive, the accounts and the names beside them, as ids; nothing of one that is missing or damaged."""
    try:
        manifest = record.files.manifest(digest)
        tables = {name: record.files.table(manifest["tables"][name]) for name in ("snapshot", "labels")}
    except BrokenFile:
        return
    labels = tables["labels"].column_names
    hidden = {"snapshot": manifest["hidden"]["snapshot"], "labels": [name for name in labels if is_personal(name)]}
    for name, rows in tables.items():
        columns = [column for column in hidden[name] if kind_of(column) not in (ACCOUNT, PERSON)]
        yield rows.select(["account_id", *columns])


def _empty_log(record: Record) -> None:
    """Let no name stay in SQLite's log of changes; PostgreSQL's is its own."""
    if record.engine.dialect.name == "sqlite":
        connection = record.engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
