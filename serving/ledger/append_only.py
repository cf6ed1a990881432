"""Tables that rows can be added to and never changed in: triggers that refuse, for migrations."""

from alembic import op

_REFUSAL = "the record is append-only"


def refuse_changes(table: str, same_row: str) -> None:
    """Make the triggers of a table.

    Parameters
    ----------
    same_row
        In SQL, whether a row `there` is one that the row NEW could not be added beside. SQLite deletes such a row for
        `INSERT OR REPLACE` without asking the triggers on deletes, so that the insert is refused.
    """
    if op.get_bind().dialect.name != "sqlite":
        for name, change, each in (("change", "UPDATE OR DELETE", "ROW"), ("truncate", "TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER {table}_no_{name} BEFORE {change} ON {table} "
                f"FOR EACH {each} EXECUTE FUNCTION record_refuse_change()"
            )
        return
    for name, event in (("update", "UPDATE"), ("delete", "DELETE")):
        op.execute(_trigger(table, name, event, ""))
    refuse_replacement(table, same_row)


def refuse_replacement(table: str, same_row: str) -> None:
    """On SQLite, make the trigger on rows that would replace another."""
    replaced = f"WHEN EXISTS (SELECT 1 FROM {table} AS there WHERE {same_row}) "
    op.execute(_trigger(table, "replace", "INSERT", replaced))


def _trigger(table: str, name: str, event: str, condition: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_{name} BEFORE {event} ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    )


def same(*columns: str) -> str:
    """In SQL, whether a row `there` and NEW have the same values of some columns."""
    return " AND ".join(f"there.{name} = NEW.{name}" for name in columns)
