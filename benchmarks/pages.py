"""What every page costs with 20,000 accounts: its first byte, the CPU of the service, its weight.

    python -m benchmarks.pages --data data              # the publication as it is
    python -m benchmarks.pages --data data --copied     # its accounts copied until there are 20,000

`holdfast serve` runs with one worker on loopback and is asked by one caller: by an admin, who sees all books, and by
the CSM of the account that stands out most. A page is sent once it is made, so its first byte tells how long it took.
A busy machine stretches that; the CPU that the service took is stretched less, and `to the floor` is that CPU over
what the sign-in page takes in the same run: a page of the same frame that asks nothing of the publication.
"""

import argparse
import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.measure import markdown
from benchmarks.serving import ENVIRONMENT, Server, current, holdfast, machine
from serving.publication import publication_file

OUT = Path(__file__).with_name("out") / "pages.md"
ACCOUNTS, ASKED = 20_000, 12
FIRST_BYTE_MS, HEAVIEST_KB = 200, 200
FLOOR, FLOOR_ASKED = "/sign-in", 200  # CPU is counted in hundredths of a second
WHOLE = (
    "/", "/?for=manager", "/?for=data", "/accounts", "/accounts?show=growth", "/accounts?show=all",
    "/accounts?show=all&search=path&sort=name&order=asc", "ACCOUNT", "SHEET", "/health", "/actions", "/alerts",
    "/review", "/escalations", "/effects", "/process", "/holdout", "/kpis", "/cohorts", "/scorecards",
    "/scorecards?by=seller", "/pay", "/scenarios", "/behaviours", "/losses", "/whitespace", "/track-record", "/watch",
    "/model",
)  # fmt: skip
OF_A_BOOK = (
    "/", "/accounts", "ACCOUNT", "SHEET", "/health", "/actions", "/alerts", "/review", "/escalations", "/kpis",
    "/scorecards", "/pay", "/behaviours", "/losses", "/whitespace", "/track-record", "/model",
)  # fmt: skip
TABLES = (
    "account", "said", "horizon", "movement", "history", "forecast_bridge", "health", "recommended_action", "losses",
    "whitespace",
)  # fmt: skip
PEOPLE = ("csm", "book")


def main() -> None:
    """Ask for every page from the command line; exits with 1 where one takes more CPU or weighs more than promised."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), help="a data folder with a publication")
    parser.add_argument("--copied", action="store_true", help="copy its accounts until there are 20,000")
    arguments = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as name:
        data = arguments.data.resolve()
        rows, accounts = costs(copied(data, Path(name) / "large") if arguments.copied else data, Path(name))
    above = [f"{row['role']} {row['page']}" for row in rows if row["CPU ms"] > FIRST_BYTE_MS or row["kB"] > HEAVIEST_KB]
    told = f"Above {FIRST_BYTE_MS} ms of CPU or {HEAVIEST_KB} kB: {', '.join(above) or 'none'}."
    text = markdown(f"Pages with {accounts:,} accounts", rows, f"{machine()} {told}")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(text, encoding="utf-8")
    print(f"{text}\nWritten to {OUT}")
    raise SystemExit(bool(above))


def costs(data: Path, folder: Path) -> tuple[list[dict[str, Any]], int]:
    """What each page costs as each role sees it, and how many accounts there are."""
    with closing(sqlite3.connect(current(data))) as db:
        (accounts,) = db.execute("SELECT COUNT(*) FROM account").fetchone()
        first = "SELECT csm, account_id FROM account WHERE csm <> '' ORDER BY arr_above_peers DESC LIMIT 1"
        csm, account = db.execute(first).fetchone()
    rows = []
    for role, book, paths in (("all books", "", WHOLE), ("a CSM", csm, OF_A_BOOK)):
        with holdfast(data, folder, csm=book) as ours:
            floor = _cost(ours, FLOOR, FLOOR_ASKED)["CPU ms"]
            for path in (FLOOR, *paths):
                address = {"ACCOUNT": f"/accounts/{account}", "SHEET": f"/sheets/{account}"}.get(path, path)
                cost = _cost(ours, address)
                rows.append({"role": role, "page": path, **cost, "to the floor": cost["CPU ms"] / floor})
    return rows, accounts


def _cost(ours: Server, path: str, asked: int = ASKED) -> dict[str, float]:
    """The first answer after the start, the median and the slowest of the others, its work and its weight."""
    first_ms, _ = _asked(ours, path)
    before = ours.cpu_ms()
    taken = [_asked(ours, path) for _ in range(asked)]
    cpu_ms = (ours.cpu_ms() - before) / asked
    ms = [one for one, _ in taken]
    return {"first ms": first_ms, "median ms": statistics.median(ms), "slowest ms": max(ms), "CPU ms": cpu_ms,
            "kB": taken[-1][1] / 1000}  # fmt: skip


def _asked(ours: Server, path: str) -> tuple[float, int]:
    """Milliseconds until the first byte of a page, and its length."""
    start = time.perf_counter()
    status, answer = ours.ask("GET", path)
    ms = 1000 * (time.perf_counter() - start)
    if status != 200:
        raise RuntimeError(f"{path}: {status}")
    return ms, len(answer)


def copied(data: Path, folder: Path) -> Path:
    """A data folder whose publication and record hold the accounts many times over, under ids and CSMs of their own."""
    here = publication_file.folder_of(folder)
    here.mkdir(parents=True)
    for name in ("mlflow.db", "record.sqlite"):
        shutil.copy(data / name, folder / name)
    shutil.copytree(data / "mlflow-artifacts", folder / "mlflow-artifacts")
    shutil.copytree(data / "record", folder / "record")
    fresh = here / "fresh"
    shutil.copy(current(data), fresh)
    with closing(sqlite3.connect(fresh)) as db, db:
        ids = [row[0] for row in db.execute("SELECT account_id FROM account")]
        copies = ACCOUNTS // len(ids)
        for table in TABLES:
            _copied(db, table, copies, len(ids))
    _copy_alerts(folder, ids, copies)
    file = here / f"large.{publication_file.digest_of(fresh)}{publication_file.SUFFIX}"
    fresh.rename(file)
    (here / publication_file.CURRENT).write_text(file.name + "\n")
    return folder


def _copied(db: sqlite3.Connection, table: str, copies: int, count: int) -> None:
    """The rows of a table again for each copy; the first copy of the accounts stays as it is."""
    names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    db.execute(f"CREATE TEMP TABLE of_first AS SELECT * FROM {table}")
    most = db.execute(f"SELECT {'max(place) + 1' if 'place' in names else 0} FROM {table}").fetchone()[0] or 0
    for copy in range(1, copies + 1):
        changed = {
            "account_id": f"account_id || '-{copy}'",
            "number": f"number + {copy * count}",
            "place": f"place + {copy * most}",
        }
        for name in PEOPLE:
            changed[name] = f"CASE {name} WHEN '' THEN '' WHEN '(pooled)' THEN {name} ELSE {name} || ' {copy}' END"
        db.execute(f"INSERT INTO {table} SELECT {', '.join(changed.get(name, name) for name in names)} FROM of_first")
    db.execute("DROP TABLE of_first")


def _copy_alerts(folder: Path, ids: Sequence[str], copies: int) -> None:
    """The open alerts of the accounts for each copy of them."""
    from params import load
    from serving.alerts.episodes import ALERT
    from serving.ledger.record import open_record
    from serving.ledger.subjects import ACCOUNT, names_of, subjects_of

    with open_record(load(overrides=[f"data_dir={folder}"])) as record:
        everyone = [f"{account}-{copy}" for account in ids for copy in range(1, copies + 1)]
        subjects = subjects_of(record, {"account_id": everyone})
        names, here = names_of(record, ACCOUNT), set(ids)
        with record.reading() as connection:
            alerts = [row._asdict() for row in connection.execute(ALERT.select().where(ALERT.c.closed_on.is_(None)))]
        known = [(alert, names.get(bytes.fromhex(alert["subject_id"]))) for alert in alerts]
        numbers = iter(range(max(alert["number"] for alert in alerts) + 1, 10**9))
        rows = [
            alert | {"number": next(numbers), "subject_id": subjects.id_of("account_id", f"{account}-{copy}")}
            for copy in range(1, copies + 1)
            for alert, account in known
            if account in here
        ]
        with record.writing() as connection:
            connection.execute(ALERT.insert(), rows)


if __name__ == "__main__":
    main()
