"""Who is meant, without saying it: accounts and people are random ids everywhere but in one table."""

import hmac
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from serving.ledger.chain.seals import add_seals
from serving.ledger.record import Record
from serving.ledger.record_tables import SUBJECT

ACCOUNT, PERSON = "account", "person"
KINDS: Mapping[str, str] = {"account_id": ACCOUNT, "parent_account_id": ACCOUNT, "csm": PERSON, "seller": PERSON}
IMPERSONAL = ("total", "segment", "industry", "region", "touch_model", "fit")
ID_BYTES = 16
ERASED = "erased account "
_DIGEST_BYTES = 8  # of things of one account
_ASKED_AT_ONCE = 500  # ids in one query: stores have their limits


@dataclass(frozen=True)
class Subject:
    """An id, and the salt that what belongs to the subject is hashed with; both go when it is erased."""

    subject_id: str
    salt: str


@dataclass(frozen=True)
class Subjects:
    """Ids of some names, by kind and name."""

    by_name: Mapping[tuple[str, str], Subject]

    def id_of(self, column: str, name: str) -> str:
        """The id that stands for a name in a column."""
        return self._of(kind_of(column), name).subject_id

    def _of(self, kind: str, name: str) -> Subject:
        """A subject; who has none is not named in the error."""
        try:
            return self.by_name[kind, name]
        except KeyError:
            raise LookupError(f"an id is asked for of a name ({kind}) that has none") from None

    def hide(self, column: str, names: Iterable[Any]) -> pa.Array:
        """The ids of the names in a column; what is missing stays so."""
        kind = kind_of(column)
        ids = [None if pd.isna(name) else bytes.fromhex(self._of(kind, name).subject_id) for name in names]
        return pa.array(ids, pa.binary(ID_BYTES))

    def hide_belongings(self, accounts: Iterable[str], things: Iterable[Any]) -> pa.Array:
        """Keyed digests of what belongs to accounts, such as contracts: the same thing is the same digest."""
        digests = [
            None if pd.isna(thing) else _keyed(self._of(ACCOUNT, account).salt, str(thing))
            for account, thing in zip(accounts, things, strict=True)
        ]
        return pa.array(digests, pa.binary(_DIGEST_BYTES))


def kind_of(column: str) -> str:
    """What a column of names holds: subjects of one kind have the same id in all such columns."""
    return KINDS.get(column, column)


def text_kind(subject_id: str) -> str:
    """The kind of texts about an account or by a person: they go when the account is erased."""
    return f"text {subject_id}"


def is_personal(column: str) -> bool:
    """Whether a column's values may name someone: all but those that are known not to."""
    return column not in IMPERSONAL


def subjects_of(record: Record, names: Mapping[str, Iterable[Any]]) -> Subjects:
    """Subjects of the names in some columns; those that are new get an id, which stays."""
    names_needed = {
        (kind_of(column), str(name)) for column, values in names.items() for name in values if pd.notna(name)
    }
    kinds = sorted({kind for kind, _ in names_needed})
    with record.reading() as connection:
        by_name = _by_name(connection, kinds)
    if not names_needed <= by_name.keys():
        with record.writing() as connection:
            newcomers = [_newcomer(*who) for who in sorted(names_needed - _by_name(connection, kinds).keys())]
            if newcomers:
                connection.execute(sa.insert(SUBJECT), newcomers)
                add_seals(connection, newcomers)
            by_name = _by_name(connection, kinds)
    return Subjects({who: by_name[who] for who in names_needed})


def names_of(record: Record, kind: str) -> dict[bytes, str]:
    """The names of all subjects of a kind by id; those erased have none."""
    with record.reading() as connection:
        by_name = _by_name(connection, [kind])
    return {bytes.fromhex(subject.subject_id): name for (_, name), subject in by_name.items()}


def names_by_id(connection: sa.Connection, subject_ids: Collection[str]) -> dict[str, str]:
    """The names of some subjects by id (hex); those erased have none. It costs what they are, not what is on record."""
    ids = sorted(subject_ids)
    names: dict[str, str] = {}
    for first in range(0, len(ids), _ASKED_AT_ONCE):
        here = SUBJECT.c.subject_id.in_(ids[first : first + _ASKED_AT_ONCE])
        names |= {row.subject_id: row.name for row in connection.execute(sa.select(SUBJECT).where(here))}
    return names


def account_of(names: Mapping[bytes, str], subject: bytes) -> str:
    """The account that an id stands for; of one that was erased, the id itself."""
    return names.get(subject) or f"{ERASED}{subject.hex()}"


def _by_name(connection: sa.Connection, kinds: list[str]) -> dict[tuple[str, str], Subject]:
    rows = connection.execute(sa.select(SUBJECT).where(SUBJECT.c.kind.in_(kinds)))
    return {(row.kind, row.name): Subject(row.subject_id, row.salt) for row in rows}


def _newcomer(kind: str, name: str) -> dict[str, str]:
    return {
        "subject_id": secrets.token_hex(ID_BYTES),
        "kind": kind,
        "name": name,
        "salt": secrets.token_hex(ID_BYTES),
    }


def _keyed(salt: str, thing: str) -> bytes:
    return hmac.digest(bytes.fromhex(salt), thing.encode(), "sha256")[:_DIGEST_BYTES]
