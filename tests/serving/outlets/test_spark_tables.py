"""Tables written back into a catalogue of Spark: run by run, the newest shown, and a making cut short never seen."""

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.engines.spark import Spark
from params import Budget, SettingsError, load
from params_outlets import SparkOutlet
from serving.forecast.declared.column import Kind, OutColumn, OutTable
from serving.forecast.declared.output_tables import RUN_COLUMNS
from serving.forecast.refusals import BadRequest
from serving.outlets import spark_tables
from serving.outlets.spark_tables import write_to_spark
from serving.outlets.write_back import Tables

JAVA = shutil.which("java") and importlib.util.find_spec("pyspark")
needs_java = pytest.mark.skipif(not JAVA, reason="Spark is not installed (Debian: default-jre-headless; make spark)")
BUDGET = Budget(2, 1.0)
ACCOUNT = OutColumn("account_id", Kind.TEXT, "", "The account")
SCORE = OutColumn("score", Kind.SHARE, "share", "A score", optional=True)
SEEN_ON = OutColumn("seen_on", Kind.DATE, "date", "When", optional=True)
ADDED = OutColumn("grade", Kind.INTEGER, "", "Declared later")
TABLE = OutTable("account_score", "One row per account", ("account_id",), (ACCOUNT, SCORE, SEEN_ON, *RUN_COLUMNS))
OTHER = OutTable("beside", "One row per account", ("account_id",), (ACCOUNT, *RUN_COLUMNS))
MADE = "2026-01-02T03:04:05+00:00"


def of_run(run_id: str, scores: dict[str, float], as_of: str = "2026-01-01", made: str = MADE, **more: Any) -> Tables:
    first = OutTable(TABLE.name, TABLE.meaning, TABLE.key, (*TABLE.columns, ADDED)) if more else TABLE
    rows = pd.DataFrame(
        {"account_id": list(scores), "score": list(scores.values()), "seen_on": pd.Timestamp("2025-12-01"), **more}
    )
    run = {"run_id": run_id, "as_of": as_of, "model_version": "1", "made_at": made}
    rows = rows.assign(**(run | {"as_of": pd.Timestamp(as_of), "made_at": pd.Timestamp(made)}))
    declared = {TABLE.name: first, OTHER.name: OTHER}
    return Tables(declared, {name: table.shape(rows) for name, table in declared.items()}, run)


@pytest.fixture(scope="module")
def spark(light_spark: None) -> Iterator[Any]:
    """A Spark that runs already, whose catalogue every write joins."""
    with Spark("local[2]", budget=BUDGET) as running:
        yield running


@pytest.fixture
def outlet(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SparkOutlet]:
    monkeypatch.setenv("SPARK_MASTER", "local[2]")
    yield SparkOutlet(kind="spark", url="SPARK_MASTER", schema_name="of_tests", location=str(tmp_path / "lake"))
    spark.session.sql("DROP DATABASE IF EXISTS of_tests CASCADE")


def asked(spark: Any, query: str) -> list[tuple[Any, ...]]:
    """What another session reads; it keeps which files there are until it is told to look again."""
    for table in ("account_score", "holdfast_run"):
        spark.session.catalog.refreshTable(f"of_tests.{table}")
    return [tuple(row) for row in spark.session.sql(query).collect()]


WHOLE = "SELECT run_id, account_id, score FROM of_tests.account_score ORDER BY ALL"
CURRENT = "SELECT account_id, score FROM of_tests.account_score_current ORDER BY ALL"


@needs_java
def test_runs_are_added_and_the_view_shows_the_newest(spark: Any, outlet: SparkOutlet) -> None:
    write_to_spark(outlet, "lake", of_run("r1", {"a": 0.1, "b": float("nan")}), BUDGET)
    rows = write_to_spark(outlet, "lake", of_run("r2", {"a": 0.2}, as_of="2026-02-01"), BUDGET)
    assert rows == [
        {"target": "lake", "table": name, "rows": 1, "state": "written"} for name in ("account_score", "beside")
    ]
    assert asked(spark, WHOLE) == [("r1", "a", 0.1), ("r1", "b", None), ("r2", "a", 0.2)]
    assert asked(spark, CURRENT) == [("a", 0.2)]
    write_to_spark(outlet, "lake", of_run("r0", {"a": 0.9}, as_of="2025-12-01"), BUDGET)
    assert asked(spark, CURRENT) == [("a", 0.2)], "by date, not by turn"
    shown = dict(spark.session.table("of_tests.account_score_current").dtypes)
    assert tuple(shown) == TABLE.names, "and no column of ours"
    assert (shown["seen_on"], shown["made_at"], shown["score"]) == ("date", "timestamp", "double")
    assert asked(spark, "SELECT DISTINCT CAST(made_at AS STRING) FROM of_tests.account_score_current") == [
        ("2026-01-02 03:04:05",)
    ]


@needs_java
def test_the_same_run_is_written_once_and_one_made_anew_takes_its_place(spark: Any, outlet: SparkOutlet) -> None:
    first = of_run("r1", {"a": 0.1, "b": 0.2})
    assert write_to_spark(outlet, "lake", first, BUDGET, dry_run=True)[0]["state"] == "would be written"
    assert not spark.session.catalog.tableExists("of_tests.holdfast_run")
    write_to_spark(outlet, "lake", first, BUDGET)
    for dry_run in (False, True):
        assert write_to_spark(outlet, "lake", first, BUDGET, dry_run=dry_run)[0]["state"] == "there already"
    anew = of_run("r1", {"a": 0.3}, made="2026-01-05T00:00:00+00:00", grade=7)
    write_to_spark(outlet, "lake", anew, BUDGET)
    assert asked(spark, WHOLE) == [("r1", "a", 0.3)]
    assert asked(spark, "SELECT grade FROM of_tests.account_score_current") == [(7,)], "declared since"


@needs_java
def test_a_making_that_is_cut_short_is_never_seen_and_written_anew(
    spark: Any, outlet: SparkOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_to_spark(outlet, "lake", of_run("r1", {"a": 0.1}), BUDGET)
    anew = of_run("r1", {"a": 0.5, "b": 0.6}, made="2026-01-05T00:00:00+00:00")
    write_table = spark_tables._Catalogue._write_table

    def cut_short(self: Any, declared: OutTable, frame: Any) -> None:
        if declared.name == OTHER.name:
            raise RuntimeError("Spark could not make beside: DISK_FULL")
        write_table(self, declared, frame)

    with monkeypatch.context() as patch:
        patch.setattr(spark_tables._Catalogue, "_write_table", cut_short)
        with pytest.raises(BadRequest, match=r"write_back.lake: .*DISK_FULL. Nothing of this run is shown"):
            write_to_spark(outlet, "lake", anew, BUDGET)
    assert asked(spark, CURRENT) == [("a", 0.1)]
    write_to_spark(outlet, "lake", anew, BUDGET)
    assert asked(spark, CURRENT) == [("a", 0.5), ("b", 0.6)]
    assert len(asked(spark, WHOLE)) == 2


def test_without_an_address_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARK_MASTER", raising=False)
    outlet = SparkOutlet(kind="spark", url="SPARK_MASTER")
    with pytest.raises(SettingsError, match=r"write_back\.lake: the environment variable SPARK_MASTER is empty"):
        write_to_spark(outlet, "lake", of_run("r1", {"a": 0.1}), BUDGET)


def test_settings_name_a_spark_and_no_quotes() -> None:
    told = load(overrides=["write_back.lake={kind: spark, url: SPARK_MASTER, location: s3a://lake/holdfast}"])
    assert told.write_back["lake"] == SparkOutlet(kind="spark", url="SPARK_MASTER", location="s3a://lake/holdfast")
    with pytest.raises(SettingsError, match="location"):
        load(overrides=['write_back.lake={kind: spark, url: SPARK_MASTER, location: "it\'s"}'])
