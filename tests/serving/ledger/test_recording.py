"""Runs on record: once each, whole or not at all, never changed, naming no one; on SQLite and PostgreSQL alike."""

import logging
import re
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from features.revenue import add_months
from params import Params, Record, SettingsError
from serving.forecast.batch import Forecast
from serving.forecast.declared.output_tables import METRICS
from serving.forecast.refusals import NoRecord
from serving.ledger import recording
from serving.ledger.account_rows import horizons_kept
from serving.ledger.past import read_past
from serving.ledger.record import VERSION_TABLE, open_record
from serving.ledger.record_tables import FIGURE, RUN, SUBJECT
from serving.ledger.recording import OldRun, record_forecast, recorded_runs, take_over
from serving.ledger.subjects import subjects_of
from serving.ledger.whole_numbers import unit_of

Rows = Callable[..., pd.DataFrame]


def test_a_run_is_recorded_once(open_one: Any, books: Any, official: Forecast, pandas_rows: Rows) -> None:
    for _ in range(2):
        with open_one() as record:
            books.record(record, official)
            runs, figures = pandas_rows(record, RUN), pandas_rows(record, FIGURE)
    assert runs[["run_id", "number", "as_of", "kind", "accounts"]].to_dict("records") == [
        {"run_id": official.run_id, "number": 1, "as_of": "2026-01-01", "kind": "official", "accounts": 48}
    ]
    assert len(figures) == len(official.nrr_forecast)
    told = runs.iloc[0]
    assert (told["data_digest"], told["model_digest"]) == (books.world.tables.digest, books.world.champion.digest)
    assert '"reactivation":"exclude"' in told["settings"]


def with_other_nrr(made: Forecast, change: float) -> Forecast:
    figures = made.nrr_forecast
    return replace(made, nrr_forecast=figures.assign(mean=figures["mean"] + change))


def test_the_same_run_with_other_figures_is_recorded_anew_and_told(
    open_one: Any, books: Any, official: Forecast, pandas_rows: Rows
) -> None:
    """As when code or libraries have changed; what was said first stays, and earlier runs are read as said last."""
    upgraded = with_other_nrr(official, 0.01)
    with open_one() as record:
        notes = [books.record(record, made) for made in (official, official, upgraded, upgraded, official)]
        runs, past = pandas_rows(record, RUN).sort_values("number"), read_past(record)
        assert read_past(record, but=official.run_id).figures.empty
    assert runs["run_id"].tolist() == [official.run_id] * 3
    assert runs["kind"].tolist() == ["official", "revision", "revision"]
    assert [len(told) for told in notes] == [0, 0, 1, 0, 1]
    assert "is on record with other figures, by version of tests" in notes[2][0]
    assert len(past.figures) == len(official.nrr_forecast)
    assert past.figures["mean"].sum() == pytest.approx(official.nrr_forecast["mean"].sum(), rel=1e-6)
    assert not past.scores.duplicated("account_id").any()


def test_the_same_run_with_other_account_rows_is_recorded_anew(
    open_one: Any, books: Any, official: Forecast, pandas_rows: Rows
) -> None:
    rows = official.account_forecast
    upgraded = replace(official, account_forecast=rows.assign(churn_probability=rows["churn_probability"] / 2))
    with open_one() as record:
        for made in (official, upgraded):
            books.record(record, made)
        assert len(pandas_rows(record, RUN)) == 2
        past = read_past(record).scores
    expected = rows.query("horizon_months == 6")["churn_probability"].sum() / 2
    assert past["churn_probability"].sum() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("as_of", "trained_as_of", "kind"),
    [
        (date(2026, 1, 1), date(2026, 1, 1), "official"),
        (date(2026, 1, 1), date(2026, 1, 2), "rerun"),
        (date(2025, 12, 1), date(2025, 12, 1), "rerun"),
        (date(2025, 12, 5), date(2025, 12, 1), "rerun"),
    ],
)
def test_what_is_made_in_hindsight_is_a_rerun(
    open_one: Any, books: Any, official: Forecast, pandas_rows: Rows, as_of: date, trained_as_of: date, kind: str
) -> None:
    """From data that end on 2026-01-01; it leaves the month's place to what is forecast at its time."""
    champion = replace(books.world.champion, trained_as_of=trained_as_of)
    made = replace(official, as_of=as_of)
    with open_one() as record:
        record_forecast(record, books.world.tables, champion, made, params=books.params, code_version="of tests")
        runs = pandas_rows(record, RUN)
    assert runs["kind"].tolist() == [kind]
    assert (runs["archive"].notna() == (kind == "official")).all()


@pytest.mark.parametrize(
    ("as_of", "kinds"),
    [(date(2026, 1, 1), ["official", "revision", "revision"]), (date(2026, 1, 2), ["revision"] * 3)],
)
def test_the_first_run_of_a_month_start_is_official(
    open_one: Any, books: Any, official: Forecast, another: Any, pandas_rows: Rows, as_of: date, kinds: list[str]
) -> None:
    with open_one() as record:
        old = OldRun(
            run_id="b",
            as_of=as_of.isoformat(),
            made_at="2026-01-02",
            model_version="1",
            horizon_months=6,
            figures=official.nrr_forecast,
            scores=official.account_forecast.query("horizon_months == 6"),
            source="an old file",
        )
        take_over(record, [old])
        for run_id in ("a", "c"):
            take_over(record, [OldRun(**{**vars(old), "run_id": run_id})])
        runs = pandas_rows(record, RUN).sort_values("number")
    assert runs["run_id"].tolist() == ["b", "a", "c"]
    assert runs["kind"].tolist() == kinds


def test_what_is_recorded_is_what_was_forecast(open_one: Any, books: Any, official: Forecast) -> None:
    with open_one() as record:
        books.record(record, official)
        past, without = read_past(record), read_past(record, but=official.run_id)
    assert without.scores.empty
    assert without.figures.empty
    keys = ["cut", "value", "horizon_months", "metric"]
    both = past.figures.astype({"horizon_months": int}).merge(official.nrr_forecast, on=keys)
    assert len(both) == len(past.figures) == len(official.nrr_forecast)
    for name in ("mean", "p05", "p90"):
        unit = np.where(both["metric"].str.endswith("_arr"), 0.01, 1e-6)
        assert (abs(both[f"{name}_x"] - both[f"{name}_y"]) <= unit / 2 * 1.001).all()
    expected = official.account_forecast.query("horizon_months == 6")
    assert past.scores["account_id"].sort_values().tolist() == expected["account_id"].tolist()
    scores = past.scores.set_index("account_id").loc[expected["account_id"]]
    assert scores["arr"].tolist() == expected["arr"].tolist()
    assert scores["churn_probability"].tolist() == expected["churn_probability"].round(6).tolist()


def test_account_rows_hold_no_floats(open_one: Any, books: Any, official: Forecast, pandas_rows: Rows) -> None:
    with open_one() as record:
        books.record(record, official)
        table = record.files.table(pandas_rows(record, RUN)["account_rows"].iloc[0])
    kinds = {field.name: str(field.type) for field in table.schema}
    assert set(kinds.values()) == {"fixed_size_binary[16]", "int64", "string"}
    assert sorted(set(table["horizon_months"].to_pylist())) == [1, 3, 6]
    assert {"expected_arr", "arr_p10", "arr_at_risk", "cross_sell_probability", "renews_on"} <= kinds.keys()


@pytest.mark.parametrize(
    ("as_of", "longest", "kept"),
    [
        (date(2026, 1, 1), 12, (1, 3, 6, 12)),
        (date(2026, 3, 1), 12, (1, 3, 6, 10, 12)),
        (date(2026, 12, 1), 6, (1, 3, 6)),
        (date(2026, 7, 1), 24, (1, 3, 6, 12, 24)),
        (date(2026, 5, 1), 2, (1, 2)),
    ],
)
def test_horizons_kept_reach_the_end_of_the_year(as_of: date, longest: int, kept: tuple[int, ...]) -> None:
    assert horizons_kept(as_of, longest) == kept
    assert longest < 12 or any(add_months(as_of, months) == date(as_of.year + 1, 1, 1) for months in kept)


def test_nothing_but_one_table_names_anyone(
    open_one: Any, books: Any, official: Forecast, pandas_rows: Rows, tmp_path: Path
) -> None:
    """Accounts, their names and contracts, and people are ids in all rows and files, manifests included."""
    with open_one() as record:
        books.record(record, official)
        rows = [str(value) for table in (RUN, FIGURE) for value in pandas_rows(record, table).to_numpy().ravel()]
        subjects = pandas_rows(record, SUBJECT)
    files = list((tmp_path / "record").iterdir())
    assert sorted(file.suffix for file in files) == ["", ".json"] + [".parquet"] * 6
    for file in files:
        if file.suffix in ("", ".json"):  # the head of the chain, and the manifest
            rows.append(file.read_text())
        else:
            values = [value for line in pq.read_table(file).to_pylist() for value in line.values()]
            assert {len(value) for value in values if isinstance(value, bytes)} <= {8, 16}, "ids and keyed digests"
            rows += [str(value) for value in values if not isinstance(value, bytes)]
    names = {*subjects["name"], *books.world.company()["contracts"]["contract_id"], "Office of Mr"}
    assert {"a01", "Company 01", "Ada A.", "Zoë Z.", "c01-0"} <= names
    text = re.sub("[0-9a-f]{16,}", "", "\n".join(rows))  # digests, whose letters may spell a name
    assert [name for name in sorted(names) if name in text] == []
    assert subjects.query("name == 'Ada A.'")["kind"].tolist() == ["person"], "one person, whatever the role"


@pytest.mark.parametrize("table", [RUN, FIGURE])
@pytest.mark.parametrize("change", ["UPDATE {} SET accounts = 1", "DELETE FROM {}"])
def test_rows_can_be_neither_changed_nor_deleted(
    open_one: Any, books: Any, official: Forecast, table: Any, change: str
) -> None:
    with open_one() as record:
        books.record(record, official)
    with pytest.raises(NoRecord, match="append-only"), open_one() as record, record.writing() as connection:
        connection.execute(sa.text(change.format(table.name)))


@pytest.mark.parametrize("table", ["record_run", "record_figure"])
@pytest.mark.parametrize("also", ["", ", as_of = as_of || ''", "new number"])
def test_sqlite_replaces_no_row(
    books: Any, official: Forecast, pandas_rows: Rows, tmp_path: Path, table: str, also: str
) -> None:
    """`INSERT OR REPLACE` deletes the row in its way without asking the triggers on deletes."""
    params = books.params.model_copy(update={"data_dir": tmp_path})
    with open_record(params) as record:
        books.record(record, official)
        before = [pandas_rows(record, RUN), pandas_rows(record, FIGURE)]
    with closing(sqlite3.connect(tmp_path / "record.sqlite")) as connection:
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        source = ", ".join("99" if also == "new number" and name == "number" else name for name in names)
        statement = f"INTO {table} SELECT {source} FROM {table} WHERE true LIMIT 1"
        verb, rest = (
            ("INSERT", " ON CONFLICT DO UPDATE SET accounts = 1") if also[:1] == "," else ("INSERT OR REPLACE", "")
        )
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(f"{verb} {statement}{rest}")
    with open_record(params) as record:
        assert all(map(pd.DataFrame.equals, before, [pandas_rows(record, RUN), pandas_rows(record, FIGURE)]))


def test_a_run_that_breaks_off_leaves_nothing_and_can_be_run_again(
    open_one: Any, books: Any, official: Forecast, pandas_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last figure is refused, when the run's own row and thousands of figures are in."""
    figures = recording.figure_rows

    def broken(*given: Any) -> list[dict[str, Any]]:
        rows = figures(*given)
        return [*rows, rows[-1]]

    monkeypatch.setattr(recording, "figure_rows", broken)
    with pytest.raises(NoRecord, match="cannot be used"), open_one() as record:
        books.record(record, official)
    monkeypatch.setattr(recording, "figure_rows", figures)
    with open_one() as record:
        assert pandas_rows(record, RUN).empty
        assert pandas_rows(record, FIGURE).empty
        books.record(record, official)
        assert recorded_runs(record) == {official.run_id}


def test_two_writers_at_once_both_record(
    open_one: Any, books: Any, official: Forecast, another: Any, pandas_rows: Rows
) -> None:
    """They make the tables, the ids of the same accounts and two runs of the same month start at the same time."""
    runs = [another(official, f"run {number}") for number in range(4)]
    start, errors = threading.Barrier(len(runs)), []

    def write(made: Forecast) -> None:
        try:
            start.wait()
            with open_one() as record:
                books.record(record, made)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(made,)) for made in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with open_one() as record:
        rows = pandas_rows(record, RUN)
        subjects = pandas_rows(record, SUBJECT)
    assert sorted(rows["run_id"]) == [made.run_id for made in runs]
    assert sorted(rows["number"]) == [1, 2, 3, 4]
    assert sorted(rows["kind"]) == ["official", "revision", "revision", "revision"]
    assert not subjects.duplicated(["kind", "name"]).any()


def test_a_new_record_waits_for_the_one_who_writes_first(books: Any, tmp_path: Path) -> None:
    """Before a file has its write-ahead log, SQLite refuses at once instead of waiting."""
    params = books.params.model_copy(update={"data_dir": tmp_path, "record": Record(url=None, folder=None)})
    first = sqlite3.connect(tmp_path / "record.sqlite", isolation_level=None, check_same_thread=False)
    first.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, first.execute, ["COMMIT"])
    done.start()
    with open_record(params) as record, record.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    done.join()
    first.close()


def test_a_record_of_a_newer_holdfast_is_refused(open_one: Any) -> None:
    with open_one() as record, record.writing() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(NoRecord, match=r"schema 9999, and this Holdfast knows it up to \d{4}: a newer"), open_one():
        pass


def test_opening_says_nothing_and_sets_up_no_logging(open_one: Any, capfd: pytest.CaptureFixture[str]) -> None:
    before = list(logging.getLogger().handlers), logging.getLogger("alembic").level
    with open_one():
        pass
    assert (list(logging.getLogger().handlers), logging.getLogger("alembic").level) == before
    assert capfd.readouterr() == ("", "")


def test_account_rows_that_are_gone_are_told(
    open_one: Any, books: Any, official: Forecast, another: Any, pandas_rows: Rows, tmp_path: Path
) -> None:
    with open_one() as record:
        books.record(record, official)
        digest = pandas_rows(record, RUN)["account_rows"].iloc[0]
        file = tmp_path / "record" / f"{digest}.parquet"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        damaged = read_past(record)
        file.unlink()
        missing = read_past(record)
    assert damaged.scores.empty
    assert "is damaged" in damaged.notes[0]
    assert f"run {official.run_id} as of 2026-01-01 are not shown" in missing.notes[0]
    assert len(missing.figures) == len(official.nrr_forecast)


def test_a_figure_too_large_to_record_is_refused(
    open_one: Any, books: Any, official: Forecast, pandas_rows: Rows, another: Any
) -> None:
    huge = another(official, "huge", nrr_forecast=official.nrr_forecast.assign(starting_arr=1e18))
    with open_one() as record:
        with pytest.raises(OverflowError, match="too large to be recorded in cents"):
            books.record(record, huge)
        assert pandas_rows(record, RUN).empty


def test_a_database_that_does_not_answer_is_told_in_words(books: Any, tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    place = {"data_dir": tmp_path, "record": Record(url="postgresql://writer@127.0.0.1:1/holdfast", folder=None)}
    with (
        pytest.raises(NoRecord, match=r"The record of record\.url cannot be used: connection failed"),
        open_record(books.params.model_copy(update=place)),
    ):
        pass


@pytest.mark.parametrize("url", ["postgresql://h:x/db", "postgresql://w:secret@h:5432x/db"])
def test_an_address_that_is_none_is_told_with_its_setting(books: Any, tmp_path: Path, url: str) -> None:
    params = books.params.model_copy(update={"record": Record(url=url, folder=tmp_path)})
    with pytest.raises(SettingsError, match=r"^record\.url is not the address") as refused, open_record(params):
        pass
    assert "secret" not in str(refused.value)


def test_a_folder_that_cannot_be_written_to_is_told_with_its_setting(
    books: Any, official: Forecast, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    place = {"data_dir": tmp_path, "record": Record(url=None, folder=tmp_path / "file")}
    with (
        pytest.raises(NoRecord, match=r"file: File exists\. Nothing was published; .*record\.folder"),
        open_record(books.params.model_copy(update=place)) as record,
    ):
        books.record(record, official)


def test_a_data_folder_that_cannot_be_written_to_is_told_with_its_setting(books: Any, tmp_path: Path) -> None:
    (tmp_path / "record.sqlite").mkdir()
    params = books.params.model_copy(update={"data_dir": tmp_path})
    with pytest.raises(NoRecord, match=r"cannot be written to: Is a directory\. .*data_dir"), open_record(params):
        pass


def test_units_are_those_declared() -> None:
    units = {metric.name: unit_of(metric.name) for metric in METRICS}
    assert {name for name, unit in units.items() if unit == "cents"} == {n for n in units if n.endswith("_arr")}
    with pytest.raises(LookupError, match="there is no metric mood"):
        unit_of("mood")


def test_a_metric_of_another_version_is_taken_over_as_it_was(open_one: Any, official: Forecast) -> None:
    figures = official.nrr_forecast.query("metric == 'nrr'").assign(metric="mood")
    scores = official.account_forecast.query("horizon_months == 6")
    with open_one() as record:
        take_over(record, [OldRun("b", "2026-01-01", "2026-01-02", "1", 6, figures, scores, "an old file")])
        past = read_past(record).figures
    assert past["mean"].sum() == pytest.approx(figures["mean"].sum(), abs=1e-4)


def test_who_has_no_id_is_not_named_in_the_error(open_one: Any) -> None:
    with open_one() as record:
        subjects = subjects_of(record, {"csm": ["Ada A."]})
    with pytest.raises(LookupError, match="person") as refused:
        subjects.id_of("csm", "Zoë Z.")
    assert "Zoë" not in str(refused.value)


def test_names_of_the_same_column_are_put_together() -> None:
    assert recording._together({"csm": {"a"}, "fit": {"b"}}, {"csm": {"c"}}) == {"csm": {"a", "c"}, "fit": {"b"}}


def test_a_file_that_is_no_record_is_told_in_words(books: Any, tmp_path: Path) -> None:
    (tmp_path / "record.sqlite").write_bytes(b"no database" * 1000)
    params: Params = books.params.model_copy(update={"data_dir": tmp_path})
    with pytest.raises(NoRecord, match="cannot be used: file is not a database"), open_record(params):
        pass


def test_where_no_one_is_named_the_archive_has_no_books(world: Any, tmp_path: Path) -> None:
    params = world.params.model_copy(update={"data_dir": world.params.data_dir})
    with open_record(params.model_copy(update={"record": Record(url=None, folder=tmp_path)})) as record:
        record_forecast(record, world.tables, world.champion, world.forecast(), params=params, code_version="")
        with record.reading() as connection:
            digest = connection.execute(sa.select(RUN.c.archive)).scalar_one()
        assert "books" not in record.files.manifest(digest)["tables"]
