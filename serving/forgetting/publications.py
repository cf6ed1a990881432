"""Publications without who was erased: each that names them is written again, and a published company stays served."""

import contextlib
import io
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from features.forgetting.rows import COLUMNS, without_erased
from features.forgetting.suppression import ACCOUNT, Suppressed
from features.revenue.cut_labels import NO_LABEL
from serving.forecast.declared.customer_tables import CUSTOMER_LISTS
from serving.publication import publication_file
from serving.publication.file_tables import HORIZONS, PAST_SCORE
from serving.publication.insight_store import INSIGHTS, read_insight, write_insight
from serving.publication.on_record import NOT_TAKEN_OVER

NAME = "name"
_OF_ACCOUNTS = (
    "account",
    "said",
    "history",
    "movement",
    "forecast_bridge",
    "health",
    "recommended_action",
    *CUSTOMER_LISTS,
)
_NUMBERED = ("horizon", HORIZONS.stored, PAST_SCORE.stored)
_OF_CUTS = ("nrr", "published", "renewal")
_LABELLED = ("account", "movement")


def forget_publications(folder: Path, suppressed: Suppressed) -> int:
    """Write the publications of a folder again without them; gives how many named any.

    Those that cannot be read, or are damaged, cannot be searched: they are removed, since they are not answered from
    either. A damaged one that was written again would be taken for whole.
    """
    for place in (folder, folder / NOT_TAKEN_OVER):
        publication_file.clear_unfinished(place)
    return sum(_is_forgotten(file, suppressed) for file in _all(folder))


def _is_forgotten(file: Path, suppressed: Suppressed) -> bool:
    """Write a publication again without them, or remove it; false where it names none of them."""
    if publication_file.is_whole(file):
        with contextlib.suppress(sqlite3.Error, ValueError, FileNotFoundError):
            return publication_file.rewrite(file, lambda connection: _forget(connection, suppressed)) is not None
    file.unlink(missing_ok=True)
    return True


def published_names(folder: Path, suppressed: Suppressed) -> frozenset[str]:
    """How those who were erased are called in publications, where no one else is called so."""
    theirs: set[str] = set()
    others: set[str] = set()
    for file in _all(folder):
        try:
            with closing(publication_file.connect(file)) as connection:
                rows = connection.execute("SELECT account_id, name FROM account").fetchall()
        except sqlite3.Error:
            continue
        for account_id, name in rows:
            (theirs if suppressed.holds(ACCOUNT, account_id) else others).add(name)
    return frozenset(theirs - others)


def is_published(folder: Path, account_id: str) -> bool:
    """Whether any publication names an account."""
    for file in _all(folder):
        try:
            with closing(publication_file.connect(file)) as connection:
                for table in _tables_of_accounts(connection):
                    if connection.execute(f"SELECT 1 FROM {table} WHERE account_id = ?", [account_id]).fetchone():
                        return True
        except sqlite3.Error:
            continue
    return False


def _all(folder: Path) -> Iterator[Path]:
    yield from publication_file.youngest_first(folder)
    yield from publication_file.youngest_first(folder / NOT_TAKEN_OVER)


def _forget(connection: sqlite3.Connection, suppressed: Suppressed) -> None:
    tables = _tables_of_accounts(connection)
    ids = {row[0] for table in tables for row in connection.execute(f"SELECT DISTINCT account_id FROM {table}")}
    erased = suppressed.among(ACCOUNT, ids)
    numbers = [_row(connection, "number, name", account_id) for account_id in erased]
    for table in _present(connection, _NUMBERED):
        connection.executemany(f"DELETE FROM {table} WHERE number = ?", [(row[0],) for row in numbers if row])
    for table in tables:
        connection.executemany(f"DELETE FROM {table} WHERE account_id = ?", [(name,) for name in erased])
    still = {name for (name,) in connection.execute("SELECT name FROM account")}
    _forget_labels(connection, suppressed)
    _forget_figures(connection, suppressed, {row[1] for row in numbers if row} - still)
    _forget_about(connection, suppressed)
    _forget_insights(connection, suppressed)


def _tables_of_accounts(connection: sqlite3.Connection) -> list[str]:
    """The tables whose rows are an account's."""
    return _present(connection, _OF_ACCOUNTS)


def _present(connection: sqlite3.Connection, tables: Sequence[str]) -> list[str]:
    """Those of the tables that there are; publications of other versions lack some, or have a view in their place."""
    present = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return [table for table in tables if table in present]


def _row(connection: sqlite3.Connection, columns: str, account_id: str) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = connection.execute(
        f"SELECT {columns} FROM account WHERE account_id = ?", [account_id]
    ).fetchone()
    return row


def _forget_labels(connection: sqlite3.Connection, suppressed: Suppressed) -> None:
    """Other accounts whose parent was erased have none."""
    for table in _LABELLED:
        for (text,) in connection.execute(f"SELECT DISTINCT labels FROM {table} WHERE labels IS NOT NULL").fetchall():
            labels = json.loads(text)
            named = [name for name in COLUMNS if suppressed.among(COLUMNS[name], [labels.get(name)])]
            if named:
                changed = json.dumps(labels | dict.fromkeys(named, NO_LABEL), separators=(",", ":"), ensure_ascii=False)
                connection.execute(f"UPDATE {table} SET labels = ? WHERE labels = ?", [changed, text])


def _forget_figures(connection: sqlite3.Connection, suppressed: Suppressed, names: set[str]) -> None:
    """Rows of cuts that have them as a value; totals stay as they were published."""
    for table in _OF_CUTS:
        for cut, value in connection.execute(f"SELECT DISTINCT cut, value FROM {table}").fetchall():
            if is_theirs(cut, value, suppressed, names):
                connection.execute(f"DELETE FROM {table} WHERE cut = ? AND value = ?", [cut, value])


def is_theirs(cut: str, value: str, suppressed: Suppressed, names: set[str] | frozenset[str]) -> bool:
    """Whether the value of a cut names one who was erased, by id or by name."""
    return bool(cut in COLUMNS and suppressed.among(COLUMNS[cut], [value])) or (cut == NAME and value in names)


def _forget_about(connection: sqlite3.Connection, suppressed: Suppressed) -> None:
    """The snapshot rows that live scores begin with, and the values of cuts."""
    cuts = {(cut, value) for (cut, value) in connection.execute("SELECT DISTINCT cut, value FROM nrr")}
    for key, content in connection.execute("SELECT key, value FROM about").fetchall():
        if key in ("snapshot", "earlier"):
            changed = _without(content, suppressed)
        elif key == "about":
            about = json.loads(content)
            values = {cut: [v for v in listed if (cut, v) in cuts] for cut, listed in about["cuts"].items()}
            track = _forget_track(about.get("track_record"), suppressed, cuts)
            same = values == about["cuts"] and track == about.get("track_record")
            changed = content if same else _json(about | {"cuts": values, "track_record": track})
        else:
            continue
        if changed != content:
            connection.execute("UPDATE about SET value = ? WHERE key = ?", [changed, key])


def _forget_insights(connection: sqlite3.Connection, suppressed: Suppressed) -> None:
    """Accounts that facts about the business name."""
    for name in INSIGHTS:
        content = read_insight(connection, name)
        behind = content.get("behind", [])
        erased = set(suppressed.among(ACCOUNT, [row["account_id"] for row in behind]))
        if erased:
            kept = [row for row in behind if row["account_id"] not in erased]
            write_insight(connection, name, content | {"behind": kept})


def _forget_track(track: Any, suppressed: Suppressed, cuts: set[tuple[str, str]]) -> Any:
    """The track record without them among its misses and the values of its cuts."""
    if track is None:
        return None
    named = set(suppressed.among(ACCOUNT, [row["account_id"] for row in track["misses"]]))
    misses = [row for row in track["misses"] if row["account_id"] not in named]
    rows = [row for row in track["rows"] if (row["cut"], row["value"]) in cuts or row["cut"] not in (NAME, *COLUMNS)]
    return track | {"misses": misses, "rows": rows}


def _without(content: bytes, suppressed: Suppressed) -> bytes:
    rows = pq.read_table(io.BytesIO(content))
    kept = without_erased(rows, "", suppressed)
    if kept.equals(rows):
        return content
    sink = io.BytesIO()
    pq.write_table(kept, sink)
    return sink.getvalue()


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
