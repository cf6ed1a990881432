"""The files that an entry's rows name, each by the digest of its content."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from serving.ledger.chain.entries import ACTUALS, RUN
from serving.ledger.record import Record
from serving.ledger.record_files import MANIFEST, TABLE, BrokenFile
from serving.ledger.record_tables import OUTCOME, REVISION
from serving.ledger.record_tables import RUN as RUN_TABLE


def files_named(
    record: Record, connection: sa.Connection, entry: dict[str, Any], today: date, kept_days: int | None
) -> Iterator[tuple[str, str, str]]:
    """Digest and suffix of each file of an entry, and what it is in words; but of account rows that may be gone."""
    if entry["kind"] == RUN:
        run = connection.execute(sa.select(RUN_TABLE).where(RUN_TABLE.c.number == entry["run_number"])).one()
        what = f"of run {run.run_id} as of {run.as_of}"
        if run.account_rows and not (is_past_keeping(run, today, kept_days) and _is_gone(record, run.account_rows)):
            yield run.account_rows, TABLE, f"the account rows {what}"
        if run.archive:
            yield run.archive, MANIFEST, f"the archive {what}"
            for name, digest in record.files.manifest(run.archive)["tables"].items():
                yield digest, TABLE, f"the table {name} in the archive {what}"
    if entry["kind"] == ACTUALS:
        rows = connection.execute(sa.select(OUTCOME).where(OUTCOME.c.entry_number == entry["number"]))
        for row in rows.all():
            what = f"of run {row.run_number} after {row.horizon_months} months, edition {row.edition}"
            yield row.account_rows, TABLE, f"what accounts came to {what}"


def is_past_keeping(run: Any, today: date, kept_days: int | None) -> bool:
    """Whether the account rows of a run need not be kept any more: those of a revision made so long ago."""
    made_on = date.fromisoformat(str(run.made_at)[:10])
    return kept_days is not None and run.kind == REVISION and made_on < today - timedelta(days=kept_days)


def remove_past_keeping(record: Record, today: date, kept_days: int | None) -> int:
    """Remove account rows that need not be kept any more; gives how many files. Their digests stay."""
    with record.reading() as connection:
        runs = connection.execute(sa.select(RUN_TABLE).where(RUN_TABLE.c.account_rows.is_not(None))).all()
        outcomes = set(connection.execute(sa.select(OUTCOME.c.account_rows)).scalars())
    old = {run.account_rows for run in runs if is_past_keeping(run, today, kept_days)}
    needed = {run.account_rows for run in runs if not is_past_keeping(run, today, kept_days)} | outcomes
    return sum(record.files.remove(digest) for digest in sorted(old - needed))


def _is_gone(record: Record, digest: str) -> bool:
    try:
        record.files.content(digest, TABLE)
    except BrokenFile:
        return not record.files.has(digest)
    return False
