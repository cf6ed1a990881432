"""The head of the chain: the hash of its last entry, kept beside the database so that what is cut off is missed."""

import json
import re

import sqlalchemy as sa

from features.tables.whole_file import write_whole
from serving.ledger.record import Record
from serving.ledger.record_files import canonical_json
from serving.ledger.record_tables import ENTRY

HEAD_FILE = "head"
HASH = re.compile("[0-9a-f]{8,64}")


def head_of(record: Record) -> str:
    """The hash of the last entry; empty where there is none."""
    query = sa.select(ENTRY.c.hash).order_by(ENTRY.c.number.desc()).limit(1)
    with record.reading() as connection:
        return str(connection.execute(query).scalar() or "")


def note_head(record: Record) -> str:
    """Keep the head in the folder of the record's files, where `verify` looks for it; gives it.

    To be done after what was added is in the database: a run that is killed in between leaves an earlier head, which is
    in the chain as well.
    """
    head = head_of(record)
    if head and head != noted_head(record):
        record.files.folder.mkdir(parents=True, exist_ok=True)
        write_whole(record.files.folder / HEAD_FILE, canonical_json({"head": head}).encode())
    return head


def noted_head(record: Record) -> str:
    """The head that was kept last; empty where none was, or it cannot be read."""
    try:
        return str(json.loads((record.files.folder / HEAD_FILE).read_bytes())["head"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
