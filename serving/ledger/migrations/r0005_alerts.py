"""How accounts stand by each rule of alerts, and the alerts there were: they change, and are in no chain."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "record_alert_rule",
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("threshold", sa.Text, nullable=False),
        sa.Column("scored_on", sa.Text, nullable=False),
    )
    op.create_table(
        "record_alert_state",
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("subject_id", sa.Text, primary_key=True),
        sa.Column("inside", sa.BigInteger, nullable=False),
        sa.Column("since_day", sa.BigInteger),
        sa.Column("fired_day", sa.BigInteger),
    )
    op.create_table(
        "record_alert",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rule", sa.Text, nullable=False, index=True),
        sa.Column("subject_id", sa.Text, nullable=False, index=True),
        sa.Column("fired_on", sa.Text, nullable=False),
        sa.Column("value_millionths", sa.BigInteger, nullable=False),
        sa.Column("delivery", sa.Text, nullable=False),
        sa.Column("closed_on", sa.Text),
        sa.Column("closed_by", sa.Text),
        sa.UniqueConstraint("rule", "subject_id", "fired_on"),
    )
