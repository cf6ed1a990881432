"""The published store: one SQLite file a publication, keyed by account, that appears whole or not at all.

A publication is written under another name, flushed to disk, and renamed to a name that carries the digest of its
content; then the file `current` is replaced by one that names it. A reader takes a file only if its content has the
digest of its name, so that a damaged or half-written one is refused and the one before it, which is kept, is taken.
"""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.tables.whole_file import clear_leftovers, flush_folder, write_whole
from models.hazards.model_inputs import evenly_spread
from models.reasons.peers import Norms
from serving.forecast.declared.output_tables import ACCOUNT_ID
from serving.forecast.declared.published_lists import CSM, FORECAST_METRICS
from serving.forecast.live import Score
from serving.forecast.refusals import NoPublication
from serving.publication.account_texts import BLOCK, pack, shared_phrases
from serving.publication.file_tables import (
    ABOUT,
    ACCOUNT,
    ACCOUNT_COLUMNS,
    ACTION,
    BRIDGE_ROW,
    CUSTOMER_ROWS,
    FIGURE,
    HEALTH_ROW,
    HISTORY_KEY,
    HISTORY_VIEW,
    HORIZONS,
    INDEXES,
    LISTS,
    MOVEMENT,
    PAST_FORECAST,
    PAST_SCORE,
    RENEWAL,
    SCORE,
    SERIES,
    TABLES,
    StoreTable,
    as_json,
    movement_rows,
    past_scores,
)
from serving.publication.gather import Publication
from serving.publication.insight_store import stored_insights
from serving.publication.published_customers import stored_rows

FOLDER = "serving"
CURRENT = "current"
RECORD_HEAD = "record-head"  # of the record when a publication was made: apart from it, so that the same is the same
SUFFIX = ".sqlite"
UNFINISHED = ".new-"
FORMAT = 5
READABLE = (4, FORMAT)
_DIGEST_LETTERS = 32
_READ_BYTES = 1 << 20
_LOOKED_AT = 400  # accounts from which the phrases are taken


def folder_of(data_dir: Path) -> Path:
    """Where publications lie."""
    return data_dir / FOLDER


def write(publication: Publication, folder: Path) -> Path:
    """Write a publication and make it the current one.

    Returns
    -------
    Path
        The file, named by run and digest. The one before is kept, older ones and leftovers of killed runs are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=UNFINISHED, suffix=".tmp", dir=folder)
    os.close(handle)
    fresh = Path(name)
    try:
        _fill(fresh, publication)
        digest = digest_of(fresh)
        file = folder / f"{publication.about['as_of']}.{publication.about['run_id']}.{digest}{SUFFIX}"
        _flush(fresh)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    flush_folder(folder)
    _point(folder, file.name)
    _clear(folder, file)
    return file


def rewrite(file: Path, change: Callable[[sqlite3.Connection], None]) -> Path | None:
    """Write a publication again with a change, under the digest of its new content, and remove the old one.

    Whoever has the old one open reads on in it; it is removed last, so that there is always one to answer from. The
    file is rewritten as a whole, so that nothing that was deleted is left in it.

    Returns
    -------
    Path or None
        The new file; None where nothing was to change.
    """
    handle, name = tempfile.mkstemp(prefix=UNFINISHED, suffix=".tmp", dir=file.parent)
    os.close(handle)
    fresh = Path(name)
    try:
        shutil.copyfile(file, fresh)
        if not _changed(fresh, change):
            return None
        written = file.stat()
        os.utime(fresh, ns=(written.st_atime_ns, written.st_mtime_ns))  # it is no younger than it was
        stem = file.name.removesuffix(SUFFIX).rsplit(".", 1)[0]
        target = file.with_name(f"{stem}.{digest_of(fresh)}{SUFFIX}")
        _flush(fresh)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    flush_folder(file.parent)
    if _pointed(file.parent) == file.name:
        _point(file.parent, target.name)
    file.unlink()
    return target


def _changed(file: Path, change: Callable[[sqlite3.Connection], None]) -> bool:
    """Change the content of a file; gives whether anything is other than it was."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("BEGIN")
        change(connection)
        connection.execute("COMMIT")
        if connection.total_changes:
            connection.execute("VACUUM")
        return connection.total_changes > 0


def newest(folder: Path) -> Path:
    """The publication to answer from: the current one or, where that is damaged, the last whole one.

    Raises
    ------
    NoPublication
        There is none.
    """
    file = _newest_whole(folder)
    if file is None:
        raise NoPublication(f"Nothing is published in {folder} yet: run `holdfast publish`.")
    return file


def is_whole(file: Path) -> bool:
    """Whether a file's content is what its name says."""
    parts = file.name.removesuffix(SUFFIX).rsplit(".", 1)
    try:
        return len(parts) == 2 and digest_of(file) == parts[1]
    except OSError:
        return False


def stamp(file: Path) -> tuple[int, int, int, int] | None:
    """What changes when a file is written to or replaced; None if it is not there."""
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def current_name(folder: Path) -> str:
    """The name of the current publication, whole or not; empty if there is none."""
    return _pointed(folder)


def current_date(folder: Path) -> date | None:
    """As of when the current publication is, as its name says; None if there is none."""
    try:
        return date.fromisoformat(_pointed(folder).partition(".")[0])
    except ValueError:
        return None


def digest_of(file: Path) -> str:
    """A digest of a file's content."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()[:_DIGEST_LETTERS]


def connect(file: Path) -> sqlite3.Connection:
    """A read-only connection that any thread may use; the file is never written to once it has its name."""
    address = f"file:{_quoted(file)}?mode=ro&immutable=1"
    connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA query_only = 1")
    return connection


def read_about(connection: sqlite3.Connection) -> dict[str, Any]:
    """What a publication says of itself.

    Raises
    ------
    NoPublication
        It is of another format, or from before a figure was declared.
    """
    row = connection.execute("SELECT value FROM about WHERE key = 'about'").fetchone()
    about: dict[str, Any] = json.loads(row[0])
    if about.get("format") not in READABLE:
        raise NoPublication(
            f"The publication is of format {about.get('format')}, not {FORMAT}: run `holdfast publish`."
        )
    absent = [f"{table.name}.{name}" for table in LISTS for name in _absent(connection, table)]
    if absent:
        raise NoPublication(f"The publication lacks {', '.join(absent)}: run `holdfast publish`.")
    return about


def _absent(connection: sqlite3.Connection, table: StoreTable) -> list[str]:
    """The columns declared since a publication was written."""
    present = {row["name"] for row in connection.execute(f"PRAGMA table_info({table.name})")}
    return [name for name in table.columns if name not in present]


def read_snapshots(connection: sqlite3.Connection) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The customers' snapshot rows, and the earlier ones if there are any."""
    query = "SELECT key, value FROM about WHERE key IN ('snapshot', 'earlier')"
    frames = {key: pd.read_parquet(io.BytesIO(value)) for key, value in connection.execute(query)}
    return frames["snapshot"], frames.get("earlier")


def read_norms(connection: sqlite3.Connection) -> Norms:
    """What is usual in each peer group."""
    row = connection.execute("SELECT value FROM about WHERE key = 'norms'").fetchone()
    return Norms.from_data(json.loads(row[0]))


def _fill(file: Path, publication: Publication) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 8192;")
        connection.executescript("".join(table.create() for table in TABLES) + HISTORY_VIEW)
        connection.execute("BEGIN")
        _fill_about(connection, publication)
        _fill_accounts(connection, publication)
        _fill_portfolio(connection, publication)
        connection.execute("COMMIT")
        connection.executescript(INDEXES)
    finally:
        connection.close()


def _fill_about(connection: sqlite3.Connection, publication: Publication) -> None:
    frames = {"snapshot": publication.snapshot, "earlier": publication.earlier}
    content = {
        "about": as_json({**publication.about, "format": FORMAT, "months": publication.activity[0]}),
        "norms": as_json(publication.norms.as_data()),
        **{name: frame.to_parquet(index=False) for name, frame in frames.items() if frame is not None},
        **stored_insights(publication.insights),
    }
    _insert(connection, ABOUT, list(content.items()))


def _fill_accounts(connection: sqlite3.Connection, publication: Publication) -> None:
    """Account by account, some at a time: all of it as plain data would not fit."""
    scores, accounts = publication.scores, publication.accounts
    sample = scores.at(evenly_spread(len(scores), _LOOKED_AT))
    phrases = shared_phrases(_texts(publication, score) for score in sample)
    _insert(connection, ABOUT, [("phrases", phrases)])
    facts = accounts[list(ACCOUNT_COLUMNS)].astype(object)
    rows = facts.where(facts.notna(), None).assign(labels=[as_json(each).decode() for each in accounts["labels"]])
    _insert(connection, ACCOUNT, ((number, *row) for number, row in enumerate(rows.itertuples(index=False, name=None))))
    for start in range(0, len(scores), BLOCK):
        block = scores.at(np.arange(start, min(start + BLOCK, len(scores))))
        packed = [[pack(text, phrases) for text in _texts(publication, score)] for score in block]
        books = accounts[CSM.name].iloc[start : start + BLOCK]
        keys = zip((score[ACCOUNT_ID.name] for score in block), books, strict=True)
        _insert(connection, SCORE, ((*key, *texts) for key, texts in zip(keys, packed, strict=True)))
        figures = [{**figures, "number": start + n} for n, score in enumerate(block) for figures in score["horizons"]]
        _insert(connection, HORIZONS, HORIZONS.rows(pd.DataFrame(figures)))
    series, past = past_scores(publication.history.drop_duplicates(list(HISTORY_KEY), keep="last"), facts["account_id"])
    _insert(connection, SERIES, SERIES.rows(series))
    _insert(connection, PAST_SCORE, PAST_SCORE.rows(past))


def _texts(publication: Publication, score: Score) -> tuple[bytes, bytes]:
    """Of an account, as JSON: its score, and what is told of it beside."""
    account = score[ACCOUNT_ID.name]
    detail = {"activity": publication.activity[1].get(account, {})}
    detail |= {name: getattr(publication, name).get(account, []) for name in ("events", "life", "plan")}
    return as_json(score), as_json({**detail, "health": publication.health.details.get(account)})


def _fill_portfolio(connection: sqlite3.Connection, publication: Publication) -> None:
    nrr = publication.nrr
    _insert(connection, FIGURE, FIGURE.rows(nrr))
    now = nrr[nrr["metric"].isin(FORECAST_METRICS)].assign(
        **{name: publication.about[name] for name in ("as_of", "run_id", "made_at", "model_version")}
    )
    for figures in (publication.past_figures, now):
        _insert(connection, PAST_FORECAST, PAST_FORECAST.rows(figures))
    _insert(connection, RENEWAL, RENEWAL.rows(publication.renewals))
    _insert(connection, MOVEMENT, MOVEMENT.rows(movement_rows(publication.moves, publication.accounts)))
    _insert(connection, BRIDGE_ROW, BRIDGE_ROW.rows(publication.bridge))
    _insert(connection, HEALTH_ROW, HEALTH_ROW.rows(publication.health.rows))
    _insert(connection, ACTION, ACTION.rows(publication.actions))
    for name, table in CUSTOMER_ROWS.items():
        _insert(connection, table, stored_rows(publication.customers, name))


def _insert(connection: sqlite3.Connection, table: StoreTable, rows: Iterable[tuple[Any, ...]]) -> None:
    connection.executemany(table.insert(), rows)


def _quoted(file: Path) -> str:
    """A path as part of an SQLite address."""
    return str(file.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _flush(file: Path) -> None:
    """Down to the disk, so that after a power cut the name stands for the content."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def _pointed(folder: Path) -> str:
    try:
        return (folder / CURRENT).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _point(folder: Path, name: str) -> None:
    """Name the current publication in one step."""
    write_whole(folder / CURRENT, f"{name}\n".encode())


def clear_unfinished(folder: Path) -> None:
    """Remove what killed runs left half written; to be done by whoever holds the data folder's lock.

    Parameters
    ----------
    folder
        Of publications; it need not be there.
    """
    for file in folder.glob(f"{UNFINISHED}*"):
        file.unlink(missing_ok=True)
    clear_leftovers(folder)


def keep_head(folder: Path, head: str) -> None:
    """Keep the head of the record beside the publications, in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / RECORD_HEAD, f"{head}\n".encode())


def kept_head(folder: Path) -> str:
    """The head of the record that was kept last; empty where none was, or it cannot be read."""
    try:
        return (folder / RECORD_HEAD).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def youngest_first(folder: Path) -> list[Path]:
    """All publications that lie in a folder, whole or not."""
    return sorted(folder.glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime, reverse=True)


def _newest_whole(folder: Path) -> Path | None:
    """The publication named current, else the youngest that is whole."""
    others = youngest_first(folder)
    pointed = _pointed(folder)
    named = [folder / pointed] if pointed and pointed == Path(pointed).name else []
    return next((file for file in [*named, *others] if is_whole(file)), None)


def _clear(folder: Path, current: Path) -> None:
    """Remove what earlier and killed runs left, but for the current publication and the whole one before it."""
    before = next((file for file in youngest_first(folder) if file != current and is_whole(file)), None)
    clear_unfinished(folder)
    for file in folder.glob(f"*{SUFFIX}"):
        if file not in (current, before):
            file.unlink(missing_ok=True)
