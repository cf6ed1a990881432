"""The runs on record, each with what became of it."""

from collections import Counter
from typing import Any

import sqlalchemy as sa

from serving.ledger.record import Record
from serving.ledger.record_tables import ENTRY, OUTCOME, RUN, WITHDRAWAL

WITHDRAWN = "withdrawn"


def recorded(record: Record) -> list[dict[str, Any]]:
    """A row a run, the newest first.

    Each holds number, run_id, as_of, made_at, kind (withdrawn where it was), reason (why it was), model_version,
    data_digest, code_version, accounts, horizon_months, `actuals` (windows whose actual is known), taken_over_from, and
    the hash of its entry in the chain.
    """
    with record.reading() as connection:
        query = (
            sa.select(RUN, WITHDRAWAL.c.reason, WITHDRAWAL.c.withdrawn_at, ENTRY.c.hash)
            .outerjoin(WITHDRAWAL, WITHDRAWAL.c.run_number == RUN.c.number)
            .outerjoin(ENTRY, ENTRY.c.run_number == RUN.c.number)
            .order_by(RUN.c.as_of.desc(), RUN.c.number.desc())
        )
        rows = connection.execute(query).mappings().all()
        first = sa.select(OUTCOME.c.run_number).where(OUTCOME.c.edition == 1)
        actuals = Counter(connection.execute(first).scalars())
    return [_row(dict(row), actuals[row["number"]]) for row in rows]


def _row(row: dict[str, Any], actuals: int) -> dict[str, Any]:
    names = (
        "number", "run_id", "as_of", "made_at", "kind", "model_version", "data_digest", "code_version", "accounts",
        "horizon_months", "taken_over_from", "reason", "withdrawn_at", "hash",
    )  # fmt: skip
    kind = WITHDRAWN if row["reason"] is not None else row["kind"]
    return {name: row[name] for name in names} | {"kind": kind, "was": row["kind"], "actuals": actuals}
