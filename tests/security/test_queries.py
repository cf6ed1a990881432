"""A query of the settings reads the source, and does nothing else: a settings file that came from elsewhere is code."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

import params
from features.inputs.files.source_reader import REFUSED
from features.inputs.load import Loaded, load_tables
from features.tables.problems import BadInput

NOT_ONE_SELECT = {
    "COPY": "COPY (SELECT 1) TO '{path}/stolen.csv'",
    "a CTE that copies": "WITH x AS (COPY (SELECT 1) TO '{path}/stolen.csv') SELECT * FROM x",
    "EXPORT": "EXPORT DATABASE '{path}/stolen'",
    "ATTACH": "ATTACH '{path}/stolen.duckdb'",
    "PRAGMA": "PRAGMA database_list",
    "SET": "SET threads = 1",
    "RESET": "RESET threads",
    "INSTALL": "INSTALL httpfs",
    "LOAD": "LOAD httpfs",
    "USE": "USE memory",
    "CALL": "CALL pragma_version()",
    "CREATE": "CREATE TABLE stolen AS SELECT 1",
    "PREPARE": "PREPARE stolen AS SELECT 1",
    "a comment": "-- nothing",
    "two statements": "SELECT 1; SELECT 2",
    "a COPY behind": "SELECT 1 AS account_id; COPY (SELECT 1) TO '{path}/stolen.csv'",
    "a COPY behind a parenthesis": "SELECT 1); COPY (SELECT 1) TO '{path}/stolen.csv'; SELECT * FROM (SELECT 1",
    "a COPY in a text": "FROM json_execute_serialized_sql(json_serialize_sql("
    "'WITH x AS (COPY (SELECT 1) TO ''{path}/stolen.csv'') SELECT * FROM x'))",
    "the same, spelled out": "SELECT (SELECT count(*) FROM system.main.json_execute_serialized_sql(json_serialize_sql("
    "'WITH x AS (COPY (SELECT 1) TO ''{path}/stolen.csv'') SELECT * FROM x')))",
    "a query in a text": "FROM query('WITH x AS (COPY (SELECT 1) TO ''{path}/stolen.csv'') SELECT * FROM x')",
    "logging": "FROM enable_logging()",
}
ELSEWHERE = {
    "a file": "SELECT * FROM read_csv('{there}/secret.csv')",
    "a way up": "SELECT * FROM read_csv('{{path}}/../there/secret.csv')",
    "a folder whose name begins alike": "SELECT * FROM read_csv('{{path}}.old/secret.csv')",
    "a text": "SELECT content AS account_id FROM read_text('{there}/secret.csv')",
    "the environment": "SELECT content AS account_id FROM read_blob('/proc/self/environ')",
    "a listing": "SELECT file AS account_id FROM glob('{there}/*')",
    "a file named": "SELECT * FROM {{file:../there/secret.csv}}",
    "a sniffer": "SELECT columns AS account_id FROM sniff_csv('{there}/secret.csv')",
    "the web": "SELECT * FROM 'http://127.0.0.1:9/secret.csv'",
}


class Source:
    """A folder of input tables that pass the check."""

    def __init__(self, home: Path) -> None:
        self.folder, self.data_dir = home / "in", home / "out"
        self.folder.mkdir()
        (self.folder / "accounts.csv").write_text("account_id,segment,valid_from\na,small,2023-01-01\n")
        contracts = "contract_id,account_id,starts_on,ends_on,mrr\n1,a,2024-01-01,2025-01-01,100\n"
        (self.folder / "contracts.csv").write_text(contracts)

    def load(self, *overrides: str, **tables: dict[str, Any]) -> Loaded:
        base = ["source.kind=files", f"source.path={self.folder}", f"data_dir={self.data_dir}"]
        maps = [f"source.tables.{name}={json.dumps(setting)}" for name, setting in tables.items()]
        return load_tables(params.load(None, [*base, *maps, *overrides]))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def files_of(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*")}


@pytest.fixture
def with_secret(source: Source) -> Source:
    """A source, and files beside it that are none of its."""
    for folder in (source.folder.parent / "there", source.folder.with_name(source.folder.name + ".old")):
        folder.mkdir()
        (folder / "secret.csv").write_text("account_id,used_on\na,2024-01-01\n")
    return source


@pytest.mark.parametrize("query", NOT_ONE_SELECT.values(), ids=NOT_ONE_SELECT)
def test_what_is_not_one_select_is_refused_and_does_nothing(source: Source, query: str) -> None:
    before = files_of(source.folder)
    with pytest.raises(BadInput, match="its query cannot be run"):
        source.load(usage={"query": query})
    assert files_of(source.folder) == before


@pytest.mark.parametrize("query", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_query_sees_nothing_but_the_source(with_secret: Source, query: str) -> None:
    there = with_secret.folder.parent / "there"
    with pytest.raises(BadInput, match=r"which lies outside of the source\. Put it within source.path, or list it in"):
        with_secret.load(usage={"query": query.format(there=there)})


def test_what_a_setting_lists_is_seen(with_secret: Source) -> None:
    there = with_secret.folder.parent / "there"
    queries = [f"SELECT * FROM read_csv('{there}/secret.csv')", "SELECT * FROM {file:../there/secret.csv}"]
    for query in queries:
        loaded = with_secret.load(f"source.outside=[{there}]", usage={"query": query})
        assert "usage" in loaded.tables.columns


def views(source: Source, **selects: str) -> tuple[Source, tuple[str, ...]]:
    """The source as a database whose tables are views."""
    database = source.folder / "company.duckdb"
    with duckdb.connect(str(database)) as connection:
        for file in source.folder.glob("*.csv"):
            connection.execute(f"CREATE TABLE {file.stem} AS FROM read_csv('{file}')")
        for name, select in selects.items():
            connection.execute(f"CREATE OR REPLACE VIEW {name} AS {select}")
    return source, ("source.kind=duckdb", f"source.path={database}")


def test_a_view_sees_nothing_but_its_database(with_secret: Source) -> None:
    there = with_secret.folder.parent / "there" / "secret.csv"
    source, options = views(with_secret, usage=f"SELECT * FROM read_csv('{there}')")
    with pytest.raises(BadInput, match=r"usage: reads .*secret.csv, which lies outside of the source"):
        source.load(*options)
    assert "usage" in source.load(*options, f"source.outside=[{there}]").tables.columns


def test_a_query_of_a_database_sees_the_files_that_it_names(source: Source) -> None:
    """Of those beside the database, no others."""
    source, options = views(source)
    for place in ("1", "2"):
        (source.folder / f"use-{place}.csv").write_text("account_id,used_on\na,2024-01-01\n")
    named = {"query": "SELECT * FROM {file:use-*.csv}"}
    assert "usage" in source.load(*options, usage=named).tables.columns
    with pytest.raises(BadInput, match=r"usage: reads .*use-1.csv, which lies outside of the source"):
        source.load(*options, usage={"query": f"SELECT * FROM read_csv('{source.folder}/use-1.csv')"})


def test_a_view_does_nothing_but_read(source: Source) -> None:
    """DuckDB takes no COPY in a view, but it takes a macro that hides one in a text."""
    target = source.folder / "stolen.csv"
    hidden = f"WITH x AS (COPY (SELECT 1) TO ''{target}'') SELECT * FROM x"
    source, options = views(source)
    with duckdb.connect(str(source.folder / "company.duckdb")) as connection:
        select = f"FROM json_execute_serialized_sql(json_serialize_sql('{hidden}'))"
        connection.execute(f"CREATE MACRO hidden() AS TABLE {select}")
        connection.execute("CREATE VIEW usage AS SELECT 'a' AS account_id, * FROM hidden()")
    target.unlink(missing_ok=True)
    with pytest.raises(BadInput, match=r"it does more than read \(json_execute_serialized_sql\)"):
        source.load(*options, f"source.outside=[{source.folder}]")
    assert not target.exists()


READ_ONLY = """
    duckdb_approx_database_count duckdb_available_metrics duckdb_columns duckdb_connection_count duckdb_constraints
    duckdb_coordinate_systems duckdb_databases duckdb_dependencies duckdb_dialects duckdb_eviction_queues
    duckdb_extension_repositories duckdb_extensions duckdb_external_file_cache duckdb_external_resource_types
    duckdb_external_resources duckdb_functions duckdb_grammar_extensions duckdb_indexes duckdb_keywords
    duckdb_log_contexts duckdb_logs duckdb_memory duckdb_optimizers duckdb_prepared_statements duckdb_schemas
    duckdb_secret_type_parameters duckdb_secret_types duckdb_secrets duckdb_sequences duckdb_settings
    duckdb_table_sample duckdb_tables duckdb_temporary_files duckdb_triggers duckdb_types duckdb_variables duckdb_views
    generate_series glob icu_calendar_names json_each json_tree parquet_bloom_probe parquet_file_metadata
    parquet_full_metadata parquet_kv_metadata parquet_metadata parquet_scan parquet_schema pg_timezone_names
    pragma_collations pragma_database_size pragma_metadata_info pragma_platform pragma_show pragma_storage_info
    pragma_table_info pragma_user_agent pragma_version query query_table range read_blob read_csv read_csv_auto
    read_duckdb read_json read_json_auto read_json_objects read_json_objects_auto read_ndjson read_ndjson_auto
    read_ndjson_objects read_ndjson_objects_auto read_parquet read_single_csv_file read_single_json_file
    read_single_parquet_file read_text repeat repeat_row seq_scan sniff_csv summary test_all_types test_vector_types
    unnest which_secret
"""


def test_every_table_function_of_this_duckdb_has_been_looked_at() -> None:
    """A new version may bring one that writes: it belongs into `REFUSED`, or, if it only reads, here."""
    names = duckdb.sql("SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type = 'table'")
    known = {*READ_ONLY.split(), *(name.lower() for name in REFUSED)}
    assert {name for (name,) in names.fetchall()} - known == set()
