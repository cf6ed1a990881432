"""Runs, their portfolio figures, and who is meant by a subject's id."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_FIGURE_KEY = ("run_number", "cut", "value", "horizon_months", "metric")
SAME_ROW = {  # of each append-only table, which row a new one would be in conflict with
    "record_run": (
        "there.number = NEW.number OR (there.as_of = NEW.as_of AND there.kind = 'official' AND NEW.kind = 'official')"
    ),
    "record_figure": " AND ".join(f"there.{name} = NEW.{name}" for name in _FIGURE_KEY),
}
_REFUSAL = "the record is append-only"


def upgrade() -> None:
    """Make the tables."""
    _subjects()
    _runs()
    _figures()
    if op.get_bind().dialect.name == "sqlite":
        _refuse_changes_on_sqlite()
    else:
        _refuse_changes_on_postgresql()


def _subjects() -> None:
    op.create_table(
        "record_subject",
        sa.Column("subject_id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("salt", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "name"),
    )


def _runs() -> None:
    texts = ("model_digest", "data_digest", "data_until", "trained_as_of", "code_version", "currency", "definition")
    op.create_table(
        "record_run",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("as_of", sa.Text, nullable=False),
        sa.Column("made_at", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in texts),
        sa.Column("settings", sa.Text),
        sa.Column("horizon_months", sa.BigInteger, nullable=False),
        sa.Column("accounts", sa.BigInteger, nullable=False),
        sa.Column("account_rows", sa.Text),
        sa.Column("archive", sa.Text),
        sa.Column("taken_over_from", sa.Text),
        sa.CheckConstraint("kind IN ('official', 'revision', 'backtest', 'rerun', 'withdrawn')", name="run_kind"),
    )
    op.create_index("record_run_id", "record_run", ["run_id"])
    official = sa.text("kind = 'official'")
    op.create_index(
        "record_run_official", "record_run", ["as_of"], unique=True, sqlite_where=official, postgresql_where=official
    )


def _figures() -> None:
    quantiles = ("p05", "p10", "p25", "p50", "p75", "p90", "p95")
    op.create_table(
        "record_figure",
        sa.Column("run_number", sa.BigInteger, sa.ForeignKey("record_run.number"), primary_key=True),
        sa.Column("cut", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("horizon_months", sa.BigInteger, primary_key=True),
        sa.Column("metric", sa.Text, primary_key=True),
        sa.Column("is_subject", sa.BigInteger, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger) for name in ("mean", *quantiles)),
        sa.Column("starting_arr_cents", sa.BigInteger),
        sa.Column("accounts", sa.BigInteger),
        sa.CheckConstraint("unit IN ('cents', 'millionths')", name="figure_unit"),
        sqlite_with_rowid=False,
    )


def _refuse_changes_on_sqlite() -> None:
    """Also to add a row in the place of another, which SQLite deletes without asking the triggers."""
    for table, same in SAME_ROW.items():
        replaced = f"EXISTS (SELECT 1 FROM {table} AS there WHERE {same})"
        for name, event in (("update", "UPDATE"), ("delete", "DELETE"), ("replace", "INSERT")):
            condition = f"WHEN {replaced} " if event == "INSERT" else ""
            op.execute(
                f"CREATE TRIGGER {table}_no_{name} BEFORE {event} ON {table} {condition}"
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )


def _refuse_changes_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION record_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    for table in SAME_ROW:
        for name, change, each in (("change", "UPDATE OR DELETE", "ROW"), ("truncate", "TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER {table}_no_{name} BEFORE {change} ON {table} "
                f"FOR EACH {each} EXECUTE FUNCTION record_refuse_change()"
            )
