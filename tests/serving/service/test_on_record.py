"""Publishing with a record: what earlier publications said stays, whatever they were and wherever a run is killed."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from serving.ledger.past import read_past
from serving.ledger.record import open_record
from serving.ledger.recording import recorded_runs
from serving.publication import publication_file
from serving.publication.on_record import NOT_TAKEN_OVER, take_over_publications
from serving.publication.reader import Published

NIGHTS = (date(2025, 11, 1), date(2025, 11, 20), date(2025, 12, 1), date(2026, 1, 1))
Rows = list[dict[str, Any]]


def another_place(place: Any, folder: Path) -> Any:
    """The same company, snapshots and champion in a data folder of its own, where nothing is published yet."""
    for name in ("mlflow.db", "tables.duckdb"):
        shutil.copy2(place.params.data_dir / name, folder / name)
    for name in ("snapshots", "mlflow-artifacts"):
        shutil.copytree(place.params.data_dir / name, folder / name)
    return replace(place, params=place.params.model_copy(update={"data_dir": folder}))


@pytest.fixture
def elsewhere(place: Any, tmp_path: Path) -> Any:
    return another_place(place, tmp_path)


@dataclass(frozen=True)
class Published4:
    """A place where four nights were published, and copies of all four publications."""

    place: Any
    files: list[Path]

    @property
    def last(self) -> Path:
        return self.files[-1]


@pytest.fixture(scope="module")
def nights(place: Any, tmp_path_factory: pytest.TempPathFactory) -> Published4:
    here, copies = another_place(place, tmp_path_factory.mktemp("nights")), tmp_path_factory.mktemp("copies")
    return Published4(here, [Path(shutil.copy2(here.publish(night, facts=False), copies)) for night in NIGHTS])


def scores_of(file: Path) -> Rows:
    """What a publication says of its own run and accounts over the longest horizon."""
    about = Published(file).about
    names = ("account_id", "as_of", "kind", "model_version", "churn_probability", "arr")
    query = """SELECT account_id, churn_probability, a.arr FROM horizon JOIN account a USING (number)
               WHERE horizon_months = (SELECT MAX(horizon_months) FROM horizon)"""
    with closing(publication_file.connect(file)) as connection:
        rows = [
            (row[0], about["as_of"], "published", about["model_version"], *row[1:]) for row in connection.execute(query)
        ]
    return [dict(zip(names, row, strict=True)) for row in rows]


def figures_of(file: Path) -> Rows:
    """What a publication forecasts of NRR and GRR."""
    published = Published(file)
    about = {name: published.about[name] for name in ("as_of", "run_id", "made_at", "model_version")}
    keys = ("cut", "value", "horizon_months", "metric", "mean", "p10", "p90")
    return [about | {key: row[key] for key in keys} for row in published.nrr() if row["metric"] in ("nrr", "grr")]


def served(file: Path) -> tuple[Rows, Rows]:
    """Past scores and past portfolio forecasts, as a publication serves them."""
    published = Published(file)
    rows = [row for row in published.histories(None, None, 0)[1] if row["kind"] == "published"]
    return rows, published.said()


def in_order(rows: Rows, *keys: str) -> Rows:
    return sorted(rows, key=lambda row: [row[key] for key in keys])


def test_past_forecasts_are_served_as_they_were_published(nights: Published4) -> None:
    """Of today's accounts all that was ever said, though only two publications are left."""
    assert len(list(publication_file.folder_of(nights.place.params.data_dir).glob("*.sqlite"))) == 2
    scores, figures = served(nights.last)
    today = {row["account_id"] for row in scores_of(nights.last)}
    expected = [row for file in nights.files for row in scores_of(file) if row["account_id"] in today]
    assert scores == in_order(expected, "account_id", "as_of", "model_version")
    assert {row["as_of"] for row in scores} == {night.isoformat() for night in NIGHTS}
    wanted = [row for file in nights.files for row in figures_of(file)]
    wanted = in_order(wanted, "cut", "value", "metric", "horizon_months", "as_of")
    for row, expected_row in zip(figures, wanted, strict=True):
        numbers = {name: pytest.approx(expected_row[name], abs=5.1e-7) for name in ("mean", "p10", "p90")}
        assert row == expected_row | numbers


@dataclass(frozen=True)
class OldFolder:
    """A data folder as an older version left it: the history in one publication alone."""

    place: Any
    file: Path

    def taken_over(self) -> tuple[str, ...]:
        with open_record(self.place.params) as record:
            return take_over_publications(record, self.file.parent, but="")

    def change(self, change: Callable[[sqlite3.Connection], Any]) -> "OldFolder":
        """The publication as another version might have written it: whole, and of other tables."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            change(connection)
        as_of, run_id, *_ = self.file.name.split(".")
        changed = self.file.with_name(
            f"{as_of}.{run_id}.{publication_file.digest_of(self.file)}{publication_file.SUFFIX}"
        )
        self.file.rename(changed)
        (changed.parent / publication_file.CURRENT).write_text(changed.name + "\n")
        return OldFolder(self.place, changed)


@pytest.fixture
def old(nights: Published4, elsewhere: Any) -> OldFolder:
    folder = publication_file.folder_of(elsewhere.params.data_dir)
    folder.mkdir()
    (folder / publication_file.CURRENT).write_text(nights.last.name + "\n")
    return OldFolder(elsewhere, Path(shutil.copy2(nights.last, folder)))


def test_what_publications_hold_is_taken_over_once(nights: Published4, old: OldFolder) -> None:
    for _ in range(2):
        assert old.taken_over() == ()
        with open_record(old.place.params) as record:
            past = read_past(record)
            assert len(recorded_runs(record)) == len(NIGHTS)
    scores, figures = served(nights.last)
    names = ["account_id", "as_of", "model_version", "churn_probability", "arr"]
    assert in_order(past.scores[names].to_dict("records"), *names[:3]) == [{n: row[n] for n in names} for row in scores]
    assert len(past.figures) == len(figures)


def test_the_night_of_the_upgrade_published_again_serves_the_same(nights: Published4, old: OldFolder) -> None:
    """Its run is recorded as all are, those before it as the old publication held them."""
    again = old.place.publish(NIGHTS[3], facts=False)
    assert served(again) == served(nights.last)
    with open_record(old.place.params) as record:
        past = read_past(record)
    assert past.figures.groupby("as_of").size().gt(len(figures_of(nights.last))).to_list() == [False] * 3 + [True]


def with_table(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The history as older versions wrote it: a table, where today's publications have a view."""
    connection.executescript(
        "CREATE TABLE past AS SELECT * FROM history; DROP VIEW history; ALTER TABLE past RENAME TO history;"
    )
    return connection


STRANGE: dict[str, Callable[[sqlite3.Connection], Any]] = {
    "no such table: history": lambda c: c.execute("DROP VIEW history"),
    "its table history has no arr": lambda c: with_table(c).execute("ALTER TABLE history RENAME COLUMN arr TO revenue"),
    "its table published has no mean": lambda c: c.execute("ALTER TABLE published RENAME COLUMN mean TO average"),
    "its table published lacks": lambda c: c.execute("DELETE FROM published WHERE as_of < '2026'"),
}


@pytest.mark.parametrize("reason", STRANGE)
def test_a_publication_that_cannot_be_read_is_told_and_kept(old: OldFolder, reason: str) -> None:
    strange = old.change(STRANGE[reason])
    (note,) = strange.taken_over()
    assert f"What the earlier publication {strange.file.name} said could not be taken over" in note
    assert reason in note
    kept = old.place.params.data_dir / "serving" / NOT_TAKEN_OVER / strange.file.name
    assert str(kept.parent) in note
    assert kept.read_bytes() == strange.file.read_bytes()


def test_a_strange_publication_does_not_block_the_next_and_outlives_its_folder(old: OldFolder) -> None:
    strange = old.change(STRANGE["no such table: history"])
    content = strange.file.read_bytes()
    for night in NIGHTS[:2]:
        assert Published(old.place.publish(night, facts=False)).about["as_of"] == night.isoformat()
    assert not strange.file.exists()
    kept = old.place.params.data_dir / "serving" / NOT_TAKEN_OVER / strange.file.name
    assert kept.read_bytes() == content


def test_other_columns_than_todays_are_no_hindrance(old: OldFolder) -> None:
    changed = old.change(lambda c: with_table(c).execute("ALTER TABLE history ADD COLUMN mood TEXT"))
    assert changed.taken_over() == ()
    with open_record(old.place.params) as record:
        assert len(recorded_runs(record)) == len(NIGHTS)


def test_a_damaged_publication_is_kept_unless_its_run_is_on_record(old: OldFolder) -> None:
    whole = old.file.read_bytes()
    old.file.write_bytes(whole[:5000])
    (note,) = old.taken_over()
    assert "it is damaged" in note
    old.file.write_bytes(whole)
    old.taken_over()
    old.file.write_bytes(whole[:5000])
    assert old.taken_over() == ()


KILLED = """
import os, signal, sys
from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy
from features.tables.checked import open_tables
from params import load
from serving.forecast.batch import forecast
from training.tracking.champion import load_champion
from training.tracking.model_card import model_card
from serving.ledger import record_files, recording
from serving.publication import gather, on_record, publication_file

def publish():
    params = load(overrides=sys.argv[1:])
    tables, champion = open_tables(params.data_dir / "tables.duckdb"), load_champion(params)
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    made = forecast(tables, champion, as_of=date(2026, 1, 1), params=params, made_at=moment)
    past = on_record.put_on_record(tables, champion, made, params=params, code_version="of tests")
    card = model_card(params, champion)
    track = on_record.read_track(params)
    gathered = gather.gather(tables, champion, made, params=params, card=card, past=past, track=track)
    print(publication_file.write(gathered, publication_file.folder_of(params.data_dir)).name)

def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def after(function):
    return lambda *given, **more: (function(*given, **more), killed())

def half(file, content):
    (file.parent / ".partial-killed").write_bytes(content[:10])
    killed()

def at_figures(table, insert=sqlalchemy.insert):
    return killed() if table is recording.FIGURE else insert(table)

STEPS = {
    "ids given": (recording, "subjects_of", after(recording.subjects_of)),
    "a file half written": (record_files, "write_whole", half),
    "all files written": (recording, "_insert", killed),
    "the run's row in, its figures not": (sqlalchemy, "insert", at_figures),
    "recorded, nothing published": (on_record, "read_past", killed),
    "the publication half written": (publication_file, "_fill_portfolio", killed),
    "the publication in its place, not current": (publication_file, "_point", killed),
}
for step, (module, name, broken) in STEPS.items():
    child = os.fork()
    if not child:
        setattr(module, name, broken)
        publish()
        os._exit(7)
    _, status = os.waitpid(child, 0)
    data_dir = load(overrides=sys.argv[1:]).data_dir
    names = sorted(file.name for file in (data_dir / "serving").glob("2*"))
    print(step, os.WTERMSIG(status) == signal.SIGKILL, len(names), flush=True)
publish()
"""


def test_killed_at_any_step_a_run_is_on_record_whole_or_not_and_can_be_run_again(
    elsewhere: Any, small_settings: tuple[str, ...]
) -> None:
    """Each run goes through what the one before was killed in; the last one is not killed."""
    data_dir = elsewhere.params.data_dir
    elsewhere.publish(NIGHTS[0], facts=False)
    settings = [f"data_dir={data_dir}", *small_settings]
    command = [sys.executable, "-W", "ignore", "-c", KILLED, *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    *steps, name = done.stdout.splitlines()
    assert [line.split(" ")[-2:] for line in steps] == [["True", "1"]] * 6 + [["True", "2"]], done.stdout
    with open_record(elsewhere.params) as record:
        past = read_past(record)
        assert len(recorded_runs(record)) == 2
    (data_dir / "another").mkdir()
    unkilled = another_place(elsewhere, data_dir / "another")
    unkilled.publish(NIGHTS[0], facts=False)
    whole = unkilled.publish(NIGHTS[3], bridge=False, facts=False)
    assert whole.name == name, "the same bytes as if nothing had happened"
    with open_record(unkilled.params) as record:
        assert past.figures.equals(read_past(record).figures)
