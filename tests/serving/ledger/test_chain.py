"""The chain: any change of what is on record is found and named, on SQLite and PostgreSQL alike."""

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from params import Params
from params import Record as Place
from serving.forecast.batch import Forecast
from serving.forecast.refusals import BadRequest
from serving.journal.entries import CALL, Note, write
from serving.ledger import migrations
from serving.ledger.chain.entries import TABLES_OF
from serving.ledger.chain.head import head_of, noted_head
from serving.ledger.chain.named_files import remove_past_keeping
from serving.ledger.chain.verifying import Verdict, verify
from serving.ledger.migrations.r0001_runs import SAME_ROW as BEFORE
from serving.ledger.nights import record_night
from serving.ledger.record import Record, open_record
from serving.ledger.record_tables import FIGURE, RUN, SUBJECT
from serving.ledger.recording import OldRun, take_over
from serving.ledger.subjects import subjects_of
from serving.ledger.withdrawals import withdraw
from serving.ledger.yardsticks.actuals import record_actuals

ROOT = Path(__file__).parents[3]
TODAY = date(2026, 2, 1)
CHAINED = sorted({table for tables in TABLES_OF.values() for table in tables})
TABLES = [*CHAINED, "record_entry", "record_subject"]
CHANGES = 200


def look(record: Record, **heads: str) -> Verdict:
    return verify(record, {"the folder": noted_head(record), **heads}, today=TODAY, kept_days=90)


def small(made: Forecast) -> Forecast:
    """With few figures, so that all of it is verified in no time."""
    figures = made.nrr_forecast
    few = figures["metric"].isin(["nrr", "ending_arr"]) & figures["horizon_months"].isin([3, 6])
    return replace(made, nrr_forecast=figures[few & figures["cut"].isin(["total", "region"])])


@pytest.fixture(scope="module")
def past(books: Any) -> tuple[Any, Forecast]:
    """The company when its data ended in June, and an official forecast of then whose windows are over by now."""
    as_of = date(2025, 6, 1)
    tables, champion = replace(books.world.tables, data_until=as_of), replace(books.world.champion, trained_as_of=as_of)
    then = replace(books, world=replace(books.world, tables=tables, champion=champion))
    return then, small(books.make(as_of))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def full(
    request: pytest.FixtureRequest,
    books: Any,
    official: Forecast,
    past: Any,
    another: Any,
    tmp_path_factory: pytest.TempPathFactory,
    new_database: Any,
) -> Params:
    """Where a record lies that has rows in all tables."""
    then, june = past
    url = None if request.param == "sqlite" else new_database(request.getfixturevalue("cluster"))
    folder = tmp_path_factory.mktemp("full")
    params: Params = books.params.model_copy(update={"data_dir": folder, "record": Place(url=url, folder=None)})
    with open_record(params) as record:
        then.record(record, june)
        books.record(record, small(official))
        books.record(record, another(small(official), "again"))
        withdraw(record, "again", "made from half a table")
        assert record_actuals(record, books.world.tables, books.params) == 3
        note = Note(CALL, "Ada A.", "a02", {"outcome": "churn"}, {"asked": "Ben B."}, "They said so.", seen_model=True)
        write(record, [note, replace(note, account_id=None, text="", seen_model=None)])
        write(record, [replace(note, replaces=1)])
        steps = [{"step": "check", "status": "done", "seconds": 0.25, "result": {"rows": 3}}]
        record_night(record, as_of="2026-01-01", began_at="2026-01-01T02:15:00+00:00", steps=steps)
        forget_one(record)
    return params


@pytest.fixture
def filled(full: Params, tmp_path: Path, copy_of_database: Any) -> Iterator[Record]:
    """A copy of it, to be changed."""
    shutil.copytree(full.data_dir, tmp_path, dirs_exist_ok=True)
    url = None if full.record.url is None else copy_of_database(full.record.url)
    with open_record(full.model_copy(update={"data_dir": tmp_path, "record": Place(url=url, folder=None)})) as record:
        yield record


def forget_one(record: Record) -> None:
    from serving.ledger.chain.head import note_head
    from serving.ledger.chain.seals import add_erasures

    subject = subjects_of(record, {"account_id": ["a nobody"]}).id_of("account_id", "a nobody")
    with record.writing() as connection:
        connection.execute(sa.text("DELETE FROM record_subject WHERE subject_id = :one"), {"one": subject})
        add_erasures(connection, [subject])
    note_head(record)


def unlock(record: Record) -> None:
    """Drop what refuses changes, as who may do anything could."""
    with record.writing() as connection:
        if connection.dialect.name == "sqlite":
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
            for name in names:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            return
        for table in TABLES:
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for name, table in (("run_kind", "record_run"), ("figure_unit", "record_figure")):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


def other(value: Any, numbers: random.Random, column: str) -> Any:
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if isinstance(value, int):
        return value + numbers.choice([7_000_001] if column in KEYS else [-1, 1, 7_000_001])
    if value is None:
        return 7 if column in WHOLE else "something"
    place = numbers.randrange(len(value))
    return value[:place] + ("x" if value[place] != "x" else "y") + value[place + 1 :]


KEYS = {"number", "run_number", "horizon_months", "edition"}
WHOLE = {"mean", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "starting_arr_cents", "accounts", "replaces",
         "run_number", "actual", "rows", "horizon_months", "seen_model"}  # fmt: skip


def rows(record: Record, table: str) -> list[dict[str, Any]]:
    with record.reading() as connection:
        return [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}").mappings()]


def change(record: Record, table: str, row: dict[str, Any], column: str, value: Any) -> None:
    """Set a column of one row, told by all of its other columns."""
    same = " AND ".join(f"{name} IS NULL" if row[name] is None else f"{name} = :{name}" for name in row)
    with record.writing() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        changed = connection.execute(sa.text(f"UPDATE {table} SET {column} = :new WHERE {same}"), {**row, "new": value})
        assert changed.rowcount == 1


@pytest.mark.usefixtures("costly")
def test_any_column_of_any_row_that_is_changed_is_found_and_named(filled: Record, open_raw: Any) -> None:
    assert look(filled).first_broken == ""
    unlock(filled)
    numbers = random.Random(20)
    contents = {table: rows(filled, table) for table in TABLES}
    assert all(contents.values()), "each table has rows"
    columns = [(table, column) for table in TABLES for column in contents[table][0]]
    columns += numbers.choices(columns, k=CHANGES - len(columns))
    for table, column in columns:
        row = numbers.choice(contents[table])
        new = other(row[column], numbers, column)
        with open_raw(filled) as raw:
            change(raw, table, row, column, new)
            verdict = look(raw)
            assert not verdict.ok, (table, column, row)
            change(raw, table, row | {column: new}, column, row[column])
        assert table.removeprefix("record_") in verdict.first_broken or "entry" in verdict.first_broken
        if table in ("record_figure", "record_rival", "record_actual") and column == "mean":
            assert f"a row of {table} (" in verdict.first_broken
    assert look(filled).ok


def swap(record: Record, table: str, column: str, one: int, two: int) -> None:
    with record.writing() as connection:
        for old, new in ((one, 99), (two, one), (99, two)):
            connection.exec_driver_sql(f"UPDATE {table} SET {column} = {new} WHERE {column} = {old}")


@pytest.mark.parametrize(
    ("table", "column"), [("record_entry", "number"), ("record_run", "number"), ("record_figure", "run_number")]
)
def test_rows_in_another_order_are_found(filled: Record, open_raw: Any, table: str, column: str) -> None:
    unlock(filled)
    with open_raw(filled) as raw:
        swap(raw, table, column, 1, 2)
        assert not look(raw).ok


def test_what_is_cut_off_the_end_is_missed(filled: Record, open_raw: Any) -> None:
    """With all that it names; a head that stands elsewhere tells it, and so does the one in the folder."""
    before = look(filled)
    unlock(filled)
    with open_raw(filled) as raw:
        with raw.writing() as connection:
            last = connection.exec_driver_sql("SELECT MAX(number) FROM record_entry").scalar()
            connection.exec_driver_sql(f"DELETE FROM record_erasure WHERE entry_number = {last}")
            connection.exec_driver_sql(f"DELETE FROM record_entry WHERE number = {last}")
            lost = connection.exec_driver_sql("SELECT MAX(number) FROM record_entry").scalar()
            connection.exec_driver_sql(f"DELETE FROM record_seal WHERE entry_number = {lost}")
            connection.exec_driver_sql(f"DELETE FROM record_entry WHERE number = {lost}")
        assert "which stands in the folder, is not in it" in look(raw).first_broken
        (raw.files.folder / "head").unlink()
        assert look(raw).ok, "nothing within tells it"
        broken = look(raw, **{"--head": before.head[:16]}).first_broken
        assert f"the head {before.head[:12]}, which stands in --head, is not in it" in broken


@pytest.mark.parametrize("table", CHAINED)
def test_a_row_that_is_gone_is_missed(filled: Record, open_raw: Any, table: str) -> None:
    unlock(filled)
    row = rows(filled, table)[0]
    with open_raw(filled) as raw:
        with raw.writing() as connection:
            same = " AND ".join(f"{name} = :{name}" for name, value in row.items() if value is not None)
            connection.execute(sa.text(f"DELETE FROM {table} WHERE {same}"), row)
        broken = look(raw).first_broken
    assert "missing" in broken or "was not erased" in broken or "it is missing" in broken, broken


def test_a_row_that_no_entry_holds_is_found(filled: Record) -> None:
    with filled.writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO record_withdrawal (run_number, entry_number, withdrawn_at, reason) VALUES (1, 4000, '', 'no')"
        )
    broken = look(filled).first_broken
    assert broken == "a row of record_withdrawal (run_number 1): no entry of the chain holds it"


def test_each_file_that_is_damaged_or_gone_is_found(filled: Record) -> None:
    """Account rows and archives of forecasts, and what accounts came to."""
    files = sorted(file for file in filled.files.folder.iterdir() if file.suffix in (".parquet", ".json"))
    assert len(files) > 12
    for file in files:
        content = file.read_bytes()
        changed = bytearray(content)
        changed[len(content) // 2] ^= 1
        file.write_bytes(changed)
        assert f"{file.name} is damaged" in look(filled).first_broken
        file.unlink()
        assert f"{file.name} cannot be read" in look(filled).first_broken
        file.write_bytes(content)
    assert look(filled).ok


def test_account_rows_of_old_revisions_may_be_gone(open_one: Any, books: Any, official: Forecast, another: Any) -> None:
    """Those of official forecasts may not, and while they are there they must be whole."""
    revision = another(small(official), "again")
    revision = replace(revision, account_forecast=revision.account_forecast.assign(arr_p50=1.0))
    with open_one() as record:
        books.record(record, small(official))
        books.record(record, revision)
        kept = {"today": date(2026, 6, 1), "kept_days": 90}
        assert remove_past_keeping(record, date(2026, 3, 1), 90) == 0
        assert remove_past_keeping(record, date(2026, 6, 1), None) == 0
        assert remove_past_keeping(record, date(2026, 6, 1), 90) == 1
        assert verify(record, {}, **kept).ok
        assert "cannot be read" in verify(record, {}, today=date(2026, 3, 1), kept_days=90).first_broken
        with record.reading() as connection:
            first = connection.exec_driver_sql("SELECT account_rows FROM record_run WHERE number = 1").scalar()
        record.files.remove(str(first))
        assert "the account rows of run" in verify(record, {}, **kept).first_broken


def test_an_erased_name_is_no_break_and_a_deleted_one_is(filled: Record) -> None:
    with filled.writing() as connection:
        connection.exec_driver_sql("DELETE FROM record_subject WHERE name = 'a02'")
    assert "it is missing, and was not erased" in look(filled).first_broken


def test_the_head_is_kept_beside_the_database(filled: Record) -> None:
    assert head_of(filled) == noted_head(filled) == look(filled).head


def test_damage_of_the_database_file_is_told(books: Any, official: Forecast, tmp_path: Path) -> None:
    params = books.params.model_copy(update={"data_dir": tmp_path})
    with open_record(params) as record:
        books.record(record, official)
    file = tmp_path / "record.sqlite"
    whole = file.read_bytes()
    for place in range(5, len(whole) // 4096, 7):
        file.write_bytes(whole[: place * 4096] + bytes(4096) + whole[(place + 1) * 4096 :])
        with open_record(params) as record:
            assert not look(record).ok


def test_an_empty_record_is_whole(open_one: Any) -> None:
    with open_one() as record:
        assert look(record) == Verdict(0, 0, 0, "")


NEWEST = max(file.stem[1:5] for file in Path(migrations.__file__).parent.glob("r*.py"))


def test_a_record_of_the_version_before_is_taken_over_whole(
    open_one: Any, books: Any, official: Forecast, pandas_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows stay as they were, and stand in the chain from then on."""
    with open_one() as record:
        books.record(record, small(official))
        before = {table.name: pandas_rows(record, table) for table in (RUN, FIGURE, SUBJECT)}
        as_it_was(record)
    with open_one() as record:
        assert {NEWEST} == set(rows(record, "record_version")[0].values())
        for table in (RUN, FIGURE, SUBJECT):
            columns = list(before[table.name].columns)
            after = pandas_rows(record, table)[columns]
            order = columns[:5]
            pd.testing.assert_frame_equal(
                after.sort_values(order, ignore_index=True), before[table.name].sort_values(order, ignore_index=True)
            )
        verdict = look(record)
        assert verdict.ok
        assert [row["kind"] for row in rows(record, "record_entry")] == ["subjects", "run"]
        books.record(record, small(official))
        assert len(rows(record, "record_run")) == 1


def as_it_was(record: Record) -> None:
    """Bring a record back to the schema that the version before had."""
    with record.writing() as connection:
        sqlite = connection.dialect.name == "sqlite"
        later = ("alert", "alert_state", "alert_rule", "outbox", "journal", "step")
        for table in (*later, "rival", "actual", "outcome", "withdrawal", "entry", "seal", "erasure"):
            connection.exec_driver_sql(f"DROP TABLE record_{table}")
        connection.exec_driver_sql("DROP INDEX record_run_official")
        if sqlite:
            connection.exec_driver_sql("DROP TRIGGER record_run_no_replace")
        connection.exec_driver_sql("ALTER TABLE record_run DROP COLUMN replaces")
        connection.exec_driver_sql(
            "CREATE UNIQUE INDEX record_run_official ON record_run (as_of) WHERE kind = 'official'"
        )
        if sqlite:
            connection.exec_driver_sql(
                f"CREATE TRIGGER record_run_no_replace BEFORE INSERT ON record_run WHEN EXISTS "
                f"(SELECT 1 FROM record_run AS there WHERE {BEFORE['record_run']}) "
                "BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END"
            )
        connection.exec_driver_sql("UPDATE record_version SET version_num = '0001'")
    (record.files.folder / "head").unlink()


def test_a_withdrawn_run_frees_its_month_and_stays(
    open_one: Any, books: Any, official: Forecast, another: Any, pandas_rows: Any
) -> None:
    made = small(official)
    with open_one() as record:
        books.record(record, made)
        with pytest.raises(BadRequest, match="with a reason"):
            withdraw(record, made.run_id, " ")
        with pytest.raises(BadRequest, match="'nothing' is not on record"):
            withdraw(record, "nothing", "broken data")
        assert withdraw(record, made.run_id, "broken data") == [1]
        with pytest.raises(BadRequest, match="was withdrawn already"):
            withdraw(record, made.run_id, "broken data")
        assert "was withdrawn (broken data)" in books.record(record, made)[0]
        books.record(record, another(made, "mended"))
        books.record(record, another(made, "later"))
        kinds = pandas_rows(record, RUN).sort_values("number")
        assert kinds[["run_id", "kind", "replaces"]].values.tolist() == [
            [made.run_id, "official", None],
            ["mended", "official", 1],
            ["later", "revision", None],
        ]
        assert look(record).ok


APPENDING = """
import sys
import pandas as pd
from params import load
from serving.ledger.record import open_record
from serving.ledger.recording import OldRun, take_over

figures = pd.DataFrame({"cut": "total", "value": "total", "horizon_months": [3, 6], "metric": "nrr", "mean": 0.9})
scores = pd.DataFrame({"account_id": [f"a{n}" for n in range(20)], "churn_probability": 0.1, "arr": 100.0})
settings = [line for line in sys.argv[3:]]
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    name = f"{sys.argv[1]}-{number}"
    with open_record(load(overrides=settings)) as record:
        own = scores.assign(account_id=scores["account_id"] + sys.argv[1], arr=float(number))
        take_over(record, [OldRun(name, "2026-01-05", f"2026-01-05T00:00:{number:02d}", "1", 6, figures, own, "test")])
"""


@pytest.mark.usefixtures("costly")
def test_two_processes_that_append_at_once_make_one_chain(open_one: Any, url: str | None, tmp_path: Path) -> None:
    settings = [f"data_dir={tmp_path}", *([f"record.url={url}"] if url else [])]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDING, name, "12", *settings],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        _, errors = process.communicate("go\n", timeout=120)
        assert process.returncode == 0, errors
    with open_one() as record:
        entries, verdict = rows(record, "record_entry"), look(record)
    assert verdict.ok, verdict.first_broken
    assert sum(entry["kind"] == "run" for entry in entries) == 24


KILLED = """
import os, shutil, signal, sys
import pandas as pd
import sqlalchemy as sa
from params import load
from serving.ledger import record_files
from serving.ledger.record import open_record
from serving.ledger.recording import OldRun, take_over

figures = pd.DataFrame({"cut": ["total", "csm"], "value": ["total", "Ada A."], "horizon_months": 6, "metric": "nrr",
                        "mean": 0.9})
scores = pd.DataFrame({"account_id": ["a", "b"], "churn_probability": 0.1, "arr": 100.0})
old = OldRun("run", "2026-01-05", "2026-01-05", "1", 6, figures, scores, "test")
steps = 0

def step(*_, **__):
    global steps
    steps += 1
    if steps == last:
        os.kill(os.getpid(), signal.SIGKILL)

def stepping(function):
    def stepped(*given):
        step()
        return function(*given)
    return stepped

with open_record(load(overrides=[f"data_dir={sys.argv[1]}"])):
    pass
for last in range(1, 1000):
    folder = f"{sys.argv[1]}-{last}"
    shutil.copytree(sys.argv[1], folder)
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
        if status == 0:
            break
        continue
    for name in ("replace", "fsync"):
        setattr(os, name, stepping(getattr(os, name)))
    for event in ("before_cursor_execute", "commit"):
        sa.event.listen(sa.Engine, event, step)
    with open_record(load(overrides=[f"data_dir={folder}"])) as record:
        take_over(record, [old])
    os._exit(0)
"""


@pytest.mark.usefixtures("costly")
def test_killed_between_any_two_steps_it_can_be_run_again(books: Any, tmp_path: Path) -> None:
    """Each statement, commit, flush and renaming is one; what a killed run left is whole, and the next run adds."""
    folder = tmp_path / "killed"
    answer = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    codes = answer.stdout.split()
    assert codes[-1] == "0", answer.stderr
    assert len(codes) > 30
    assert set(codes[:-1]) == {"-9"}
    for number in range(1, len(codes) + 1):
        params = books.params.model_copy(update={"data_dir": tmp_path / f"killed-{number}"})
        with open_record(params) as record:
            assert look(record).ok, number
            old = OldRun("run", "2026-01-05", "2026-01-05", "1", 6, KILLED_FIGURES, KILLED_SCORES, "test")
            take_over(record, [old])
            assert look(record).ok, number
            assert len(rows(record, "record_run")) == 1


KILLED_FIGURES = pd.DataFrame(
    {"cut": ["total", "csm"], "value": ["total", "Ada A."], "horizon_months": 6, "metric": "nrr", "mean": 0.9}
)
KILLED_SCORES = pd.DataFrame({"account_id": ["a", "b"], "churn_probability": 0.1, "arr": 100.0})
