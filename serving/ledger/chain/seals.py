"""Seals of names: what proves, as long as a name is known, which one an id has stood for from the start.

The one table of names is not in the chain, since erasing someone deletes their row. A seal is: a digest of the name and
of a random salt that is deleted with it, after which the seal says nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from serving.ledger.chain.entries import ERASURE, SUBJECTS, append, next_number
from serving.ledger.record_files import canonical_json
from serving.ledger.record_tables import ERASED, SEAL


def seal(salt: str, kind: str, name: str) -> str:
    """What a name is sealed with."""
    return hashlib.sha256(canonical_json([salt, kind, name]).encode("utf-8", "surrogatepass")).hexdigest()


def add_seals(connection: sa.Connection, subjects: Iterable[Mapping[str, str]]) -> None:
    """Chain the seals of names that were just added."""
    number = next_number(connection)
    rows = [
        {"subject_id": s["subject_id"], "entry_number": number, "seal": seal(s["salt"], s["kind"], s["name"])}
        for s in subjects
    ]
    connection.execute(sa.insert(SEAL), rows)
    append(connection, SUBJECTS)


def add_erasures(connection: sa.Connection, subject_ids: Iterable[str]) -> None:
    """Chain that some ids stand for no one any more."""
    number = next_number(connection)
    connection.execute(sa.insert(ERASED), [{"subject_id": one, "entry_number": number} for one in subject_ids])
    append(connection, ERASURE)
