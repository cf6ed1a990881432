"""Tables written back: run by run with a view of the newest, twice the same, all or nothing; files of changed rows."""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml

from params import SettingsError, load
from params_outlets import FilesOutlet, WarehouseOutlet
from serving.forecast.declared.column import Kind, OutColumn, OutTable
from serving.forecast.declared.output_tables import RUN_COLUMNS
from serving.forecast.refusals import BadRequest
from serving.outlets.changed_rows import deliver_files
from serving.outlets.dbt_source import dbt_files
from serving.outlets.write_back import Tables, write_back

ACCOUNT = OutColumn("account_id", Kind.TEXT, "", "The account")
SCORE = OutColumn("score", Kind.SHARE, "share", "A score", optional=True)
SEEN_ON = OutColumn("seen_on", Kind.DATE, "date", "When", optional=True)
TABLE = OutTable("account_score", "One row per account", ("account_id",), (ACCOUNT, SCORE, SEEN_ON, *RUN_COLUMNS))
MADE = "2026-01-02T03:04:05+00:00"
WAREHOUSE = WarehouseOutlet(kind="duckdb", url="WAREHOUSE")


def of_run(
    run_id: str, scores: dict[str, float], as_of: str = "2026-01-01", made: str = "2026-01-02T03:04:05+00:00"
) -> Any:
    rows = {"account_id": list(scores), "score": list(scores.values()), "seen_on": pd.Timestamp("2025-12-01")}
    run = {"run_id": run_id, "as_of": as_of, "model_version": "1", "made_at": made}
    times = {"as_of": pd.Timestamp(as_of), "made_at": pd.Timestamp(made)}
    frame = TABLE.shape(pd.DataFrame(rows).assign(**(run | times)))
    return Tables({TABLE.name: TABLE}, {TABLE.name: frame}, run)


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "warehouse.duckdb"
    monkeypatch.setenv("WAREHOUSE", str(file))
    return file


def asked(file: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_runs_are_added_and_the_view_shows_the_newest(warehouse: Path) -> None:
    write_back(WAREHOUSE, "dwh", of_run("r1", {"a": 0.1, "b": float("nan")}))
    (row,) = write_back(WAREHOUSE, "dwh", of_run("r2", {"a": 0.2}, as_of="2026-02-01"))
    assert row == {"target": "dwh", "table": "account_score", "rows": 1, "state": "written"}
    whole = "SELECT run_id, account_id, score FROM holdfast.account_score ORDER BY ALL"
    assert asked(warehouse, whole) == [("r1", "a", 0.1), ("r1", "b", None), ("r2", "a", 0.2)]
    assert asked(warehouse, "SELECT account_id, score FROM holdfast.account_score_current") == [("a", 0.2)]
    write_back(WAREHOUSE, "dwh", of_run("r0", {"a": 0.9}, as_of="2025-12-01"))
    assert asked(warehouse, "SELECT run_id FROM holdfast.account_score_current") == [("r2",)], "by date, not by turn"
    types = "SELECT typeof(seen_on), typeof(made_at) FROM holdfast.account_score LIMIT 1"
    assert asked(warehouse, types) == [("DATE", "TIMESTAMP WITH TIME ZONE")]


def test_the_same_run_is_written_once_and_one_made_anew_takes_its_place(warehouse: Path) -> None:
    write_back(WAREHOUSE, "dwh", of_run("r1", {"a": 0.1, "b": 0.2}))
    assert write_back(WAREHOUSE, "dwh", of_run("r1", {"a": 0.1, "b": 0.2}))[0]["state"] == "there already"
    write_back(WAREHOUSE, "dwh", of_run("r1", {"a": 0.3}, made="2026-01-05T00:00:00+00:00"))
    assert asked(warehouse, "SELECT account_id, score FROM holdfast.account_score") == [("a", 0.3)]
    assert asked(warehouse, "SELECT count(*) FROM holdfast.holdfast_run") == [(1,)]


def test_a_dry_run_changes_nothing(warehouse: Path) -> None:
    assert write_back(WAREHOUSE, "dwh", of_run("r1", {"a": 0.1}), dry_run=True)[0]["state"] == "would be written"
    assert not warehouse.exists()
    write_back(WAREHOUSE, "dwh", of_run("r1", {"a": 0.1}))
    assert write_back(WAREHOUSE, "dwh", of_run("r1", {"a": 0.1}), dry_run=True)[0]["state"] == "there already"


def test_what_the_warehouse_refuses_leaves_all_as_it_was(warehouse: Path) -> None:
    write_back(WAREHOUSE, "dwh", of_run("r1", {"a": 0.1}))
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("DROP VIEW holdfast.account_score_current")
        connection.execute("CREATE TABLE holdfast.account_score_current (x INT)")
    with pytest.raises(BadRequest, match=r"write_back\.dwh: the warehouse refuses: .* Nothing was written") as refusal:
        write_back(WAREHOUSE, "dwh", of_run("r2", {"a": 0.2}, as_of="2026-02-01"))
    assert str(warehouse) not in str(refusal.value)
    assert asked(warehouse, "SELECT run_id FROM holdfast.account_score") == [("r1",)]
    assert asked(warehouse, "SELECT run_id FROM holdfast.holdfast_run") == [("r1",)]


def test_a_figure_that_is_declared_later_is_added(warehouse: Path) -> None:
    before = OutTable(TABLE.name, TABLE.meaning, TABLE.key, (ACCOUNT, *RUN_COLUMNS))
    first = of_run("r1", {"a": 0.1})
    older = {TABLE.name: first.frames[TABLE.name][list(before.names)]}
    write_back(WAREHOUSE, "dwh", Tables({TABLE.name: before}, older, first.run))
    write_back(WAREHOUSE, "dwh", of_run("r2", {"a": 0.2}, as_of="2026-02-01"))
    assert asked(warehouse, "SELECT score FROM holdfast.account_score ORDER BY run_id") == [(None,), (0.2,)]
    assert asked(warehouse, "SELECT account_id, score FROM holdfast.account_score_current") == [("a", 0.2)]


def test_an_empty_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAREHOUSE", raising=False)
    with pytest.raises(SettingsError, match=r"write_back\.dwh: the environment variable WAREHOUSE is empty"):
        write_back(WAREHOUSE, "dwh", of_run("r1", {"a": 0.1}))


@pytest.fixture
def postgres(costly: None, cluster: str, monkeypatch: pytest.MonkeyPatch) -> str:
    address = f"{cluster}/postgres"
    monkeypatch.setenv("PG", address)
    return address


@pytest.mark.usefixtures("costly")
def test_postgresql_takes_the_same(postgres: str) -> None:
    import psycopg

    outlet = WarehouseOutlet(kind="postgresql", url="PG", schema_name="wb_test")
    assert write_back(outlet, "pg", of_run("r1", {'a"\\,': 0.1}), dry_run=True)[0]["state"] == "would be written"
    write_back(outlet, "pg", of_run("r1", {'a"\\,': 0.1, "b": float("nan")}))
    write_back(outlet, "pg", of_run("r2", {"a": 0.2}, as_of="2026-02-01"))
    assert write_back(outlet, "pg", of_run("r2", {"a": 0.2}, as_of="2026-02-01"))[0]["state"] == "there already"
    with psycopg.connect(postgres) as connection:
        whole = connection.execute(
            "SELECT run_id, account_id, score FROM wb_test.account_score ORDER BY 1, 2"
        ).fetchall()
        newest = connection.execute("SELECT account_id FROM wb_test.account_score_current").fetchall()
    assert whole == [("r1", 'a"\\,', 0.1), ("r1", "b", None), ("r2", "a", 0.2)]
    assert newest == [("a",)]


def test_files_hold_changed_rows_alone_and_no_account_is_kept(tmp_path: Path) -> None:
    outlet = FilesOutlet(kind="files", folder=tmp_path / "out", tables=(TABLE.name,))
    file, kept = tmp_path / "out" / "account_score.csv", tmp_path / "kept"

    def deliver(tables: Any, *, dry_run: bool = False) -> Any:
        return deliver_files(outlet, "crm", tables.declared, tables.frames, kept, dry_run=dry_run)[0]

    assert deliver(of_run("r1", {"a": 0.1, "b": 0.2}), dry_run=True)["rows"] == 2
    assert not file.exists()
    assert deliver(of_run("r1", {"a": 0.1, "b": 0.2}))["state"] == "written"
    assert pd.read_csv(file)["account_id"].tolist() == ["a", "b"]
    changed = deliver(of_run("r2", {"a": 0.1, "b": 0.3, "c": 0.4}, as_of="2026-02-01"))
    assert changed["rows"] == 2
    assert pd.read_csv(file)["account_id"].tolist() == ["b", "c"]
    again = deliver(of_run("r3", {"a": 0.1, "b": 0.3, "c": 0.4}, as_of="2026-03-01"))
    assert (again["rows"], again["state"]) == (0, "nothing changed")
    assert '"a"' not in (kept / "crm.account_score.json").read_text()


def test_dbt_is_told_of_each_table_and_column() -> None:
    files = dbt_files({TABLE.name: TABLE}, "holdfast")
    (source,) = yaml.safe_load(files["holdfast_sources.yml"])["sources"]
    tables = {table["name"]: table for table in source["tables"]}
    assert set(tables) == {"account_score", "account_score_current", "holdfast_run"}
    columns = {column["name"]: column for column in tables["account_score"]["columns"]}
    assert list(columns) == list(TABLE.names)
    assert columns["account_id"]["data_tests"] == ["not_null"]
    (exposure,) = yaml.safe_load(files["holdfast_exposures.yml"])["exposures"]
    assert exposure["depends_on"] == ["source('holdfast', 'account_score_current')"]


def test_outlets_are_settings() -> None:
    params = load(
        overrides=["write_back.dwh={kind: duckdb, url: WAREHOUSE}", "write_back.crm={kind: files, folder: out}"]
    )
    assert params.write_back["dwh"] == WAREHOUSE
    with pytest.raises(SettingsError, match="write_back"):
        load(overrides=["write_back.dwh={kind: duckdb, url: postgresql://secret@host}"])
