"""Ids that print alike and are not the same: another Unicode form of a letter, or letters that cannot be seen."""

import unicodedata

import duckdb
import pyarrow as pa

from features.inputs.staged import Staged

INVISIBLE = r"[\x{AD}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{2066}-\x{2069}\x{FEFF}\x{FE0E}\x{FE0F}]"
SPACES = r"[\s\x{A0}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}]+"


def mark_lookalikes(connection: duckdb.DuckDBPyConnection, staged: Staged) -> bool:
    """Make `lookalike_<table>`: each id of `account_id` that accounts lacks but for one that looks the same.

    Of accounts itself, each id that looks like one before it. `shown` tells the two apart. Ids of plain letters alone
    are not looked at.

    Returns
    -------
    bool
        Whether there are any.
    """
    if not staged.has("account_id"):
        return False
    name = staged.table.name
    if not any(_has_special(connection, table) for table in {staged.name, "stage_accounts"}):
        return False
    pairs = connection.execute(_within_accounts() if name == "accounts" else _against_accounts(staged.name)).fetchall()
    frame = pa.table(
        {"id": pa.array([own for own, _ in pairs], pa.string()), "shown": [_shown(own, twin) for own, twin in pairs]}
    )
    connection.register("pairs_alike", frame)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE lookalike_{name} AS SELECT id, shown FROM pairs_alike")
    connection.unregister("pairs_alike")
    return bool(pairs)


def _has_special(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether an id holds more than ASCII."""
    row = connection.execute(f"SELECT 1 FROM {table} WHERE strlen(account_id) > length(account_id) LIMIT 1").fetchone()
    return row is not None


def _look(text: str) -> str:
    """SQL of what an id looks like."""
    visible = f"regexp_replace(nfc_normalize({text}), '{INVISIBLE}', '', 'g')"
    return f"trim(regexp_replace({visible}, '{SPACES}', ' ', 'g'))"


def _ids(table: str) -> str:
    return f"(SELECT DISTINCT account_id AS id FROM {table} WHERE account_id IS NOT NULL)"


def _against_accounts(table: str) -> str:
    return f"""
        SELECT o.id, min(a.id) FROM (SELECT * FROM {_ids(table)} ANTI JOIN {_ids("stage_accounts")} USING (id)) o
        JOIN {_ids("stage_accounts")} a ON {_look("a.id")} = {_look("o.id")} GROUP BY 1 ORDER BY 1"""


def _within_accounts() -> str:
    return f"""
        SELECT id, first FROM (
            SELECT id, min(id) OVER (PARTITION BY {_look("id")}) AS first FROM {_ids("stage_accounts")})
        WHERE id <> first ORDER BY 1"""


def _shown(own: str, twin: str) -> str:
    """Two ids so that they can be told apart, with their Unicode forms where these are the difference."""
    if unicodedata.normalize("NFC", own) == unicodedata.normalize("NFC", twin):
        return f"{_escaped(own)} in {_form(own)} for {_escaped(twin)} in {_form(twin)}"
    return f"{_escaped(own)} for {_escaped(twin)}"


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def _form(text: str) -> str:
    return next((form for form in ("NFC", "NFD") if unicodedata.is_normalized(form, text)), "mixed forms")
