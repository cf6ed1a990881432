"""What people write, and the steps of each night."""

import sqlalchemy as sa
from alembic import op

from serving.ledger.append_only import refuse_changes, same

revision = "0003"
down_revision = "0002"

SAME_ROW = {"record_journal": same("number"), "record_step": same("entry_number", "place")}


def upgrade() -> None:
    """Make the tables."""
    _journal()
    _steps()
    for table, same_row in SAME_ROW.items():
        refuse_changes(table, same_row)


def _journal() -> None:
    op.create_table(
        "record_journal",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entry_number", sa.BigInteger, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False, index=True),
        sa.Column("written_at", sa.Text, nullable=False),
        sa.Column("author_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, index=True),
        sa.Column("text_id", sa.Text),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("seen_model", sa.BigInteger),
        sa.Column("replaces", sa.BigInteger, sa.ForeignKey("record_journal.number")),
    )


def _steps() -> None:
    op.create_table(
        "record_step",
        sa.Column("entry_number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("as_of", sa.Text, nullable=False),
        sa.Column("began_at", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("milliseconds", sa.BigInteger, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
    )
