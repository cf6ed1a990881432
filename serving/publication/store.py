"""The published store: one SQLite file a publication, keyed by account, that appears whole or not at all.

A publication is written under another name, flushed to disk, and renamed to a name that carries the digest of its
content; then the file `current` is replaced by one that names it. A reader takes a file only if its content has the
digest of its name, so that a damaged or half-written one is refused and the one before it, which is kept, is taken.
"""

import hashlib
import io
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.revenue.cut_labels import NO_LABEL
from serving.forecast.refusals import NoPublication
from serving.publication.gather import METRICS_SHOWN, Publication

FOLDER = "serving"
CURRENT = "current"
SUFFIX = ".sqlite"
FORMAT = 2
_DIGEST_LETTERS = 32
_READ_BYTES = 1 << 20
_TABLES = """
    CREATE TABLE about (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
    CREATE TABLE account (
        number INTEGER PRIMARY KEY, account_id TEXT UNIQUE, name TEXT, csm TEXT, segment TEXT, region TEXT, labels TEXT,
        arr REAL, renews_on TEXT, trend REAL, top_reason TEXT);
    CREATE TABLE said (account_id TEXT PRIMARY KEY, csm TEXT, score BLOB, detail BLOB);
    CREATE TABLE horizon (
        horizon_months INTEGER, number INTEGER, churn_probability REAL, contraction_probability REAL,
        expansion_probability REAL, cross_sell_probability REAL, expected_arr REAL, arr_p10 REAL, arr_p50 REAL,
        arr_p90 REAL, arr_at_risk REAL, PRIMARY KEY (horizon_months, number)) WITHOUT ROWID;
    CREATE TABLE history (
        account_id TEXT, as_of TEXT, kind TEXT, model_version TEXT, churn_probability REAL, arr REAL,
        PRIMARY KEY (account_id, as_of, kind, model_version)) WITHOUT ROWID;
    CREATE TABLE published (
        as_of TEXT, run_id TEXT, made_at TEXT, model_version TEXT, cut TEXT, value TEXT, horizon_months INTEGER,
        metric TEXT, mean REAL, p10 REAL, p90 REAL,
        PRIMARY KEY (cut, value, metric, horizon_months, as_of, run_id)) WITHOUT ROWID;
    CREATE TABLE movement (account_id TEXT, csm TEXT, labels TEXT, movement TEXT, product TEXT, amount REAL);
    CREATE TABLE nrr (
        cut TEXT, value TEXT, horizon_months INTEGER, metric TEXT, mean REAL, p05 REAL, p10 REAL, p25 REAL, p50 REAL,
        p75 REAL, p90 REAL, p95 REAL, starting_arr REAL, accounts INTEGER, definition TEXT,
        PRIMARY KEY (cut, value, horizon_months, metric)) WITHOUT ROWID;
    CREATE TABLE renewal (
        cut TEXT, value TEXT, month TEXT, available_to_renew REAL, expected_renewed REAL, renewal_rate REAL, p10 REAL,
        p90 REAL, accounts_due INTEGER, PRIMARY KEY (cut, value, month)) WITHOUT ROWID;
"""
_INDEXES = """
    CREATE INDEX account_csm ON account (csm);
    CREATE INDEX movement_account ON movement (account_id);
"""
_HISTORY = ("account_id", "as_of", "kind", "model_version", "churn_probability", "arr")
_PUBLISHED = (
    "as_of", "run_id", "made_at", "model_version", "cut", "value", "horizon_months", "metric", "mean", "p10", "p90",
)  # fmt: skip


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
    handle, name = tempfile.mkstemp(prefix=".new-", suffix=".tmp", dir=folder)
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
    _point(folder, file.name)
    _clear(folder, file)
    return file


def newest(folder: Path) -> Path:
    """The publication to answer from: the current one or, where that is damaged, the last whole one.

    Raises
    ------
    NoPublication
        There is none.
    """
    found = _newest_whole(folder)
    if found is None:
        raise NoPublication(f"Nothing is published in {folder} yet: run `holdfast publish`.")
    return found


def is_whole(file: Path) -> bool:
    """Whether a file's content is what its name says."""
    parts = file.name.removesuffix(SUFFIX).rsplit(".", 1)
    try:
        return len(parts) == 2 and digest_of(file) == parts[1]
    except OSError:
        return False


def current_name(folder: Path) -> str:
    """The name of the current publication, whole or not; empty if there is none."""
    return _pointed(folder)


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
        It is of another format.
    """
    row = connection.execute("SELECT value FROM about WHERE key = 'about'").fetchone()
    about: dict[str, Any] = json.loads(row[0])
    if about.get("format") != FORMAT:
        raise NoPublication(
            f"The publication is of format {about.get('format')}, not {FORMAT}: run `holdfast publish`."
        )
    return about


def read_snapshots(connection: sqlite3.Connection) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The customers' snapshot rows, and the earlier ones if there are any."""
    query = "SELECT key, value FROM about WHERE key IN ('snapshot', 'earlier')"
    found = {key: pd.read_parquet(io.BytesIO(value)) for key, value in connection.execute(query)}
    return found["snapshot"], found.get("earlier")


def read_reference(connection: sqlite3.Connection) -> dict[str, Any]:
    """What the average account's inputs do."""
    row = connection.execute("SELECT value FROM about WHERE key = 'reference'").fetchone()
    return {name: np.asarray(values) for name, values in json.loads(row[0]).items()}


def _fill(file: Path, publication: Publication) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 8192;")
        connection.executescript(_TABLES)
        connection.execute("BEGIN")
        _fill_about(connection, publication)
        _fill_accounts(connection, publication)
        _fill_portfolio(connection, publication)
        connection.execute("COMMIT")
        connection.executescript(_INDEXES)
    finally:
        connection.close()


def _fill_about(connection: sqlite3.Connection, publication: Publication) -> None:
    frames = {"snapshot": publication.snapshot, "earlier": publication.earlier}
    reference = {name: values.tolist() for name, values in publication.reference.items()}
    content = {
        "about": _json({**publication.about, "format": FORMAT, "months": publication.activity[0]}),
        "reference": _json(reference),
        **{name: frame.to_parquet(index=False) for name, frame in frames.items() if frame is not None},
    }
    _insert(connection, "about", list(content.items()))


def _fill_accounts(connection: sqlite3.Connection, publication: Publication) -> None:
    activity = publication.activity[1]
    rows, said, horizons = [], [], []
    both = zip(publication.accounts.to_dict(orient="records"), publication.scores, strict=True)
    for number, (account, score) in enumerate(both):
        account_id, labels = account["account_id"], account["labels"]
        detail = {"activity": activity.get(account_id, {}), "events": publication.events.get(account_id, [])}
        shown = [account[name] for name in ("arr", "renews_on", "trend", "top_reason")]
        csm, *cuts = (labels.get(name, NO_LABEL) for name in ("csm", "segment", "region"))
        labelled = (csm, *cuts, _json(labels).decode())
        rows.append((number, account_id, account["name"], *labelled, *map(_null, shown)))
        said.append((account_id, csm, _json(score), _json(detail)))
        horizons += [(h["horizon_months"], number, *list(h.values())[1:]) for h in score["horizons"]]
    _insert(connection, "account", rows)
    _insert(connection, "said", said)
    _insert(connection, "horizon", horizons)
    history = publication.history.drop_duplicates(list(_HISTORY[:4]), keep="last")
    history = history.assign(churn_probability=history["churn_probability"].round(6))
    _insert(connection, "history", history[list(_HISTORY)].itertuples(index=False, name=None))


def _fill_portfolio(connection: sqlite3.Connection, publication: Publication) -> None:
    nrr, moves = publication.nrr, publication.moves
    _insert(connection, "nrr", nrr[list(_NRR)].itertuples(index=False, name=None))
    now = nrr[nrr["metric"].isin(METRICS_SHOWN)].assign(
        **{name: publication.about[name] for name in ("as_of", "run_id", "made_at", "model_version")}
    )
    for part in (publication.past_figures, now):
        _insert(connection, "published", part[list(_PUBLISHED)].itertuples(index=False, name=None))
    renewals = publication.renewals.assign(month=publication.renewals["month"].dt.strftime("%Y-%m-%d"))
    _insert(connection, "renewal", renewals[list(_RENEWAL)].itertuples(index=False, name=None))
    columns = [moves[name].tolist() for name in ("account_id", "labels", "movement", "product", "amount")]
    rows = [
        (account, labels.get("csm", NO_LABEL), _json(labels).decode(), movement, _null(product), round(amount, 2))
        for account, labels, movement, product, amount in zip(*columns, strict=True)
    ]
    _insert(connection, "movement", rows)


_NRR = (
    "cut", "value", "horizon_months", "metric", "mean", "p05", "p10", "p25", "p50", "p75", "p90", "p95",
    "starting_arr", "accounts", "definition",
)  # fmt: skip
_RENEWAL = (
    "cut", "value", "month", "available_to_renew", "expected_renewed", "renewal_rate", "p10", "p90", "accounts_due",
)  # fmt: skip


def _insert(
    connection: sqlite3.Connection,
    table: str,
    rows: Sequence[tuple[Any, ...]] | Iterator[tuple[Any, ...]],
) -> None:
    rows = list(rows)
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _null(value: Any) -> Any:
    return None if value is None or value != value else value


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
    fresh = folder / f".{CURRENT}.tmp"
    fresh.write_text(name + "\n", encoding="utf-8")
    _flush(fresh)
    fresh.replace(folder / CURRENT)


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
    for entry in folder.iterdir():
        stale = entry.name.startswith(".new-") or entry.name.endswith(SUFFIX)
        if stale and entry not in (current, before):
            entry.unlink(missing_ok=True)
