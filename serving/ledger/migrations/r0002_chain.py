"""The chain, rivals, actuals, withdrawals and seals of names; what was on record before is chained as it stands."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from serving.ledger.append_only import refuse_changes, refuse_replacement, same
from serving.ledger.chain.entries import RUN, SUBJECTS, append, next_number
from serving.ledger.chain.seals import seal

revision = "0002"
down_revision = "0001"

_QUANTILES = ("p05", "p10", "p25", "p50", "p75", "p90", "p95")
_ROW = ("cut", "value", "horizon_months", "metric")
_WINDOW = ("run_number", "horizon_months", "edition")
SAME_ROW = {
    "record_entry": "there.number = NEW.number OR there.previous = NEW.previous OR there.hash = NEW.hash",
    "record_rival": same("run_number", "rival", *_ROW),
    "record_outcome": same(*_WINDOW),
    "record_actual": same(*_WINDOW, "cut", "value", "metric"),
    "record_withdrawal": same("run_number"),
    "record_seal": same("subject_id"),
    "record_erasure": same("subject_id"),
}
_SAME_RUN = (
    "there.number = NEW.number OR (there.as_of = NEW.as_of AND there.kind = 'official' AND NEW.kind = 'official' "
    "AND COALESCE(there.replaces, 0) = COALESCE(NEW.replaces, 0))"
)


def upgrade() -> None:
    """Make the tables, and chain the runs that are there in the order in which they came."""
    _entries()
    _rivals()
    _actuals()
    _withdrawals()
    _seals()
    for table, same_row in SAME_ROW.items():
        refuse_changes(table, same_row)
    _allow_replacements()
    _chain_what_is_there()


def _entries() -> None:
    op.create_table(
        "record_entry",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("run_number", sa.BigInteger, sa.ForeignKey("record_run.number"), unique=True),
        sa.Column("appended_at", sa.Text, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False, unique=True),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.Column("checks", sa.LargeBinary, nullable=False),
    )


def _key(name: str, kind: type[sa.Text] | type[sa.BigInteger] = sa.Text) -> "sa.Column[Any]":
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _figure_columns() -> list["sa.Column[Any]"]:
    return [sa.Column("is_subject", sa.BigInteger, nullable=False), sa.Column("unit", sa.Text, nullable=False)]


def _rivals() -> None:
    op.create_table(
        "record_rival",
        sa.Column("run_number", sa.BigInteger, sa.ForeignKey("record_run.number"), primary_key=True),
        _key("rival"),
        _key("cut"),
        _key("value"),
        _key("horizon_months", sa.BigInteger),
        _key("metric"),
        *_figure_columns(),
        *(sa.Column(name, sa.BigInteger) for name in ("mean", *_QUANTILES)),
        sqlite_with_rowid=False,
    )


def _actuals() -> None:
    op.create_table(
        "record_outcome",
        sa.Column("run_number", sa.BigInteger, sa.ForeignKey("record_run.number"), primary_key=True),
        *_window(),
        sa.Column("entry_number", sa.BigInteger, nullable=False, index=True),
        sa.Column("known_on", sa.Text, nullable=False),
        sa.Column("data_digest", sa.Text, nullable=False),
        sa.Column("accounts", sa.BigInteger, nullable=False),
        sa.Column("account_rows", sa.Text, nullable=False),
    )
    op.create_table(
        "record_actual",
        sa.Column("run_number", sa.BigInteger, sa.ForeignKey("record_run.number"), primary_key=True),
        *_window(),
        _key("cut"),
        _key("value"),
        _key("metric"),
        sa.Column("entry_number", sa.BigInteger, nullable=False, index=True),
        *_figure_columns(),
        sa.Column("actual", sa.BigInteger),
        sa.Column("starting_arr_cents", sa.BigInteger, nullable=False),
        sa.Column("accounts", sa.BigInteger, nullable=False),
    )


def _window() -> list["sa.Column[Any]"]:
    return [_key("horizon_months", sa.BigInteger), _key("edition", sa.BigInteger)]


def _withdrawals() -> None:
    op.create_table(
        "record_withdrawal",
        sa.Column("run_number", sa.BigInteger, sa.ForeignKey("record_run.number"), primary_key=True),
        sa.Column("entry_number", sa.BigInteger, nullable=False, index=True),
        sa.Column("withdrawn_at", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def _seals() -> None:
    for table, more in (("record_seal", [sa.Column("seal", sa.Text, nullable=False)]), ("record_erasure", [])):
        entry = sa.Column("entry_number", sa.BigInteger, nullable=False, index=True)
        op.create_table(table, _key("subject_id"), entry, *more)


def _allow_replacements() -> None:
    """Let another run be official in the place of one that was withdrawn."""
    op.add_column("record_run", sa.Column("replaces", sa.BigInteger))
    op.drop_index("record_run_official", "record_run")
    op.execute(
        "CREATE UNIQUE INDEX record_run_official ON record_run (as_of, COALESCE(replaces, 0)) WHERE kind = 'official'"
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER record_run_no_replace")
        refuse_replacement("record_run", _SAME_RUN)


def _chain_what_is_there() -> None:
    connection = op.get_bind()
    subjects = connection.execute(sa.text("SELECT subject_id, kind, name, salt FROM record_subject")).all()
    if subjects:
        number = next_number(connection)
        rows = [{"id": s.subject_id, "entry": number, "seal": seal(s.salt, s.kind, s.name)} for s in subjects]
        statement = "INSERT INTO record_seal (subject_id, entry_number, seal) VALUES (:id, :entry, :seal)"
        connection.execute(sa.text(statement), rows)
        append(connection, SUBJECTS)
    for number in connection.execute(sa.text("SELECT number FROM record_run ORDER BY number")).scalars().all():
        append(connection, RUN, number)
