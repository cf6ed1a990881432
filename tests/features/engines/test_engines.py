"""One definition on all engines: every column of the snapshots is the same on DuckDB, SQLite, PostgreSQL and Spark.

The company's rows come late, are corrected and have gaps; lines overlap, are evergreen or signed ahead; moments come
with zones, texts in other scripts and with spaces of other kinds; halves are rounded, and a leap day is a snapshot.
"""

import importlib.util
import shutil
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Self, cast

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
import yaml

import params
from features.engines.dialects import parse
from features.engines.embedded import Embedded
from features.engines.engine import Engine
from features.engines.lite import Lite
from features.engines.postgres import Postgres
from features.engines.spark import Spark
from features.inputs.load import Loaded, load_tables
from features.snapshots.building import Snapshots, build
from features.snapshots.on_demand import LiveSnapshots
from features.tables import contract
from features.tables.contract import Type
from features.tables.problems import BadInput
from params import Budget, SettingsError

pytestmark = pytest.mark.slow

Rows = dict[str, list[dict[str, Any]]]
DATES = [date(2022, 11, 3), date(2023, 5, 1), date(2024, 2, 29), date(2024, 3, 1), date(2024, 4, 1)]
OWN = """
exports_90d: {table: usage, filter: {feature: "\u00c9cole"}, window: 900}
amount_60d: {table: usage, measure: sum, column: quantity, filter: {feature: [Search, export, half]}, window: 900}
users_400d: {table: usage, measure: distinct, column: user_id, filter: {feature: {other_than: export}}, window: 400}
parts_90d: {table: usage, measure: distinct, column: feature, filter: {quantity: {at_least: 0.25}}, window: 90}
days_90d: {table: usage, measure: days, filter: {user_id: [ann, often]}, window: 90}
since_training: {table: engagement, measure: recency, filter: {kind: [training, webinar]}, window: 365}
chats_365d: {table: engagement, filter: {Order: chat room}, window: 365}
kinds_365d: {table: engagement, measure: distinct, column: kind, filter: {Order: {other_than: phone}}, window: 365}
severe_share_365d: {table: tickets, measure: share, filter: {severity: [High, urgent]}, window: 365}
minutes_365d: {table: tickets, measure: sum, column: minutes, window: 365}
trend_90d: {table: usage, measure: trend, column: quantity, filter: {feature: {other_than: search}}, window: 90}
plan: {table: accounts}
employees: {table: accounts}
"""
FEATURES = f"features={yaml.safe_load(OWN)}"
EXTRA = {"Order": "VARCHAR", "minutes": "DOUBLE", "plan": "VARCHAR", "employees": "BIGINT"}
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
JAVA = shutil.which("java") and importlib.util.find_spec("pyspark")
# What a new kind of feature may use: each line must have the same value everywhere.
EXPRESSIONS = (
    "LOWER(TRIM(word))",
    "CAST(ROUND(number) AS BIGINT)",
    "CAST(ROUND(number * 100) AS BIGINT)",
    "CAST(number AS DOUBLE) / NULLIF(whole, 0)",
    "MOD(whole, 7)",
    "whole - MOD(whole, 7)",
    "1 << MOD(ABS(whole), 40)",
    "BIT_COUNT(whole)",
    "BIT_COUNT(whole & 255)",
    "(whole >> 3) | 1",
    "CAST(moment AS DATE) - DATE '1970-01-01'",
    "CAST(EXTRACT(EPOCH FROM (moment - TIMESTAMP '2024-02-28 23:59:59.5')) AS BIGINT)",
    "CASE WHEN word IN ('a', 'b') THEN 1 ELSE 0 END",
    "LEAD(whole) OVER (ORDER BY word, number DESC, place)",
    "ROW_NUMBER() OVER (PARTITION BY MOD(place, 2) ORDER BY number DESC, place)",
    "SUM(whole) OVER (PARTITION BY MOD(place, 2) ORDER BY place)",
    "MAX(word) OVER (PARTITION BY MOD(place, 3))",
)
WORDS = ("b", "B", "a", "\u00a0Ab c", "\u00c9", "\u03a3\u03a3", "\u0130x", "", None, "_", "-", "\u1e9e", "z\u2003")
NUMBERS = (0.5, 1.5, 2.5, -0.5, -2.5, 0.49999999999999994, 1.005, 2.675, None, -0.0, 4503599627370497.5, 1e15, 1 / 3)
WHOLES = (0, 1, -1, -8, 13, 255, 2**40 + 1, None, -(2**33), 20_000, 7, -7, 999_999_937)
needs_postgres = pytest.mark.skipif(not POSTGRES, reason="PostgreSQL is not installed (Debian: postgresql)")
needs_java = pytest.mark.skipif(not JAVA, reason="Spark is not installed (Debian: default-jre-headless; make spark)")


@pytest.fixture(scope="module")
def rows(company: Rows) -> Rows:
    """The company, and rows that engines are known to disagree about."""
    made = {name: [dict(row) for row in table] for name, table in company.items()}
    add_columns(made)
    account = made["accounts"][0]["account_id"]
    usage = {"account_id": account, "used_on": date(2024, 2, 29), "user_id": None, "recorded_at": None}
    odd = (
        "\u00a0Export ",
        "e\u0301XPORT",
        "\u00c9COLE",
        "\u00e9cole",
        "STRASSE \u03a3",
        "",
        " ",
        "\u0130stanbul",
        "a-b c",
    )
    made["usage"] += [usage | {"feature": text, "user_id": text, "quantity": 0.125 * n} for n, text in enumerate(odd)]
    halves = (0.005, 0.015, 0.025, 0.125, 1.005, 2.675, 1e6 + 0.005, 987654321.345)
    made["usage"] += [usage | {"feature": "half", "quantity": half} for half in halves]
    often = (usage | {"used_on": date(2024, 2, day), "user_id": "often", "feature": "x"} for day in range(10, 22))
    made["usage"] += [row | {"quantity": 1.0} for row in often]
    done = {"account_id": account, "acted_on": date(2024, 2, 28), "action": "call", "playbook": None, "status": None}
    done |= {"planned_on": None, "recorded_at": None}
    made["csm_actions"] += [done | {"process": process} for process in ("\u2003Expansion", "advocacy")]
    ticket = {"account_id": account, "severity": "\u00a0High", "recorded_at": None, "minutes": 0.1}
    for seconds in (0, 0.5, 1.5, 2.5, 59.999999):
        opened = datetime(2024, 2, 28, 23, 59, 59, 500_000)
        answered = opened + timedelta(seconds=seconds)
        made["tickets"].append(ticket | {"opened_at": opened, "first_response_at": answered, "resolved_at": answered})
    for number, (starts, ends) in enumerate([(date(2023, 1, 1), date(2024, 1, 1)), (date(2023, 6, 1), None)]):
        line = next(row for row in made["contracts"] if row["account_id"] == account)
        made["contracts"].append(line | {
            "contract_id": f"overlapping {number}", "product": "other", "starts_on": starts, "ends_on": ends,
            "ended_on": None, "notice_on": None, "buying_center": f"centre {number}", "recorded_at": None,
            "currency": "EUR", "mrr": 33.33, "signed_on": starts - timedelta(days=40),
        })  # fmt: skip
    return made


def add_columns(rows: Rows) -> None:
    """Columns that the contract does not declare."""
    for place, row in enumerate(rows["engagement"]):
        row["Order"] = ("Chat room", "\u00a0chat-room", "phone", None)[place % 4]
    for place, row in enumerate(rows["tickets"]):
        row["minutes"] = (5.0, 7.005, 12.25, None)[place % 4]
    for place, row in enumerate(rows["accounts"]):
        row |= {"plan": ("basic", "Pro", None)[place % 3], "employees": (10, 2500, None, 7)[place % 4]}


@pytest.fixture(scope="module")
def folder(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows as Parquet files in the types of the contract; tickets are told in moments with a zone."""
    made = tmp_path_factory.mktemp("parquet")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        for name, table in rows.items():
            connection.register("frame", pd.DataFrame(table, dtype=object))
            columns = ", ".join(f'CAST("{column}" AS {kind(name, column)}) AS "{column}"' for column in table[0])
            columns = columns.replace(
                'CAST("opened_at" AS TIMESTAMP)', "(CAST(\"opened_at\" AS TIMESTAMP) AT TIME ZONE 'UTC')"
            )
            connection.execute(f"COPY (SELECT {columns} FROM frame) TO '{made}/{name}.parquet' (FORMAT parquet)")
            connection.unregister("frame")
    return made


def kind(table: str, column: str) -> str:
    return EXTRA.get(column) or contract.TABLES[table].column(column).type.sql


@pytest.fixture(scope="module")
def database(folder: Path, cluster: str) -> str:
    """URL of a PostgreSQL of the tests' own, on loopback, with the rows in a schema `crm`."""
    url = f"{cluster}/postgres"
    fill(url, folder)
    return f"{url}?options=-csearch_path%3Dcrm"


def postgres_kind(table: str, column: str) -> str:
    kinds = {Type.NUMBER: "float8", Type.INTEGER: "int8", Type.MONEY: "numeric(18,2)", Type.DATE: "date",
             Type.TS: "timestamp", Type.BOOL: "bool"}  # fmt: skip
    if column in EXTRA:
        return {"VARCHAR": "text", "DOUBLE": "float8", "BIGINT": "int8"}[EXTRA[column]]
    return "timestamptz" if column == "opened_at" else kinds.get(contract.TABLES[table].column(column).type, "text")


def fill(url: str, folder: Path) -> None:
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(url) as connection, duckdb.connect() as reader:
        connection.execute("CREATE SCHEMA crm")
        for file in sorted(folder.glob("*.parquet")):
            found = reader.sql(f"SELECT * FROM '{file}'").to_arrow_table()
            names = found.schema.names
            columns = ", ".join(f'"{name}" {postgres_kind(file.stem, name)}' for name in names)
            connection.execute(f"CREATE TABLE crm.{file.stem} ({columns})")
            with connection.cursor().copy(f"COPY crm.{file.stem} FROM STDIN") as copy:
                for row in found.to_pylist():
                    copy.write_row(list(row.values()))


Load = Callable[..., Loaded]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    def loaded(*overrides: str) -> Loaded:
        data = tmp_path_factory.mktemp("data")
        common = [f"data_dir={data}", "source.max_bad_share=0.2", "source.kind=files", "threads=2", "memory_gb=1"]
        common.append(FEATURES)
        return load_tables(params.load(None, [*common, *overrides]))

    return loaded


@pytest.fixture(scope="module")
def embedded(load: Load, folder: Path) -> tuple[Loaded, Snapshots]:
    loaded = load(f"source.path={folder}")
    return loaded, snapshots(loaded)


def snapshots(loaded: Loaded, dates: Sequence[date] = DATES) -> Snapshots:
    used = params.load(None, [FEATURES])
    rules = {"revenue": used.revenue, "settings": used.snapshots, "own": used.features}
    return build(loaded.tables, dates, **rules, budget=Budget(2, 1.0))


def require_same(made: tuple[Loaded, Snapshots], expected: tuple[Loaded, Snapshots]) -> None:
    (loaded, found), (reference, wanted) = made, expected
    assert loaded.tables.data_until == reference.tables.data_until
    assert {t.table: t.rows_kept for t in loaded.report.tables} == {
        t.table: t.rows_kept for t in reference.report.tables
    }
    assert found.features == wanted.features
    pd.testing.assert_frame_equal(found.frame, wanted.frame, check_exact=True)


def require_same_alone(loaded: Loaded, expected: tuple[Loaded, Snapshots]) -> None:
    """A date alone, whose SQL is another, is that of all dates together."""
    together, day = expected[1].frame, DATES[-1]
    wanted = together[together["as_of"] == pd.Timestamp(day)].reset_index(drop=True)
    pd.testing.assert_frame_equal(snapshots(loaded, [day]).frame, wanted, check_exact=True)


def test_the_case_is_worth_comparing(embedded: tuple[Loaded, Snapshots]) -> None:
    """Every feature that these tables can give takes at least two values."""
    frame = embedded[1].frame
    assert len(frame) > 50
    constant = [feature.name for feature in embedded[1].features if frame[feature.name].nunique(dropna=False) < 2]
    assert constant == []


@needs_postgres
def test_postgres_gives_the_same_snapshots(embedded: tuple[Loaded, Snapshots], load: Load, database: str) -> None:
    loaded = load("source.engine=postgres", f"source.url={database}")
    require_same((loaded, snapshots(loaded)), embedded)
    require_same_alone(loaded, embedded)


@needs_java
@pytest.mark.usefixtures("light_spark")
def test_spark_gives_the_same_snapshots(embedded: tuple[Loaded, Snapshots], load: Load, folder: Path) -> None:
    loaded = load("source.engine=spark", "source.url=local[2]", f"source.path={folder}")
    require_same((loaded, snapshots(loaded)), embedded)
    require_same_alone(loaded, embedded)


@pytest.fixture(scope="module")
def odd() -> pa.Table:
    first = datetime(2024, 2, 28, 23, 59, 59, 500_000)
    return pa.table({
        "place": pa.array(range(len(WORDS)), pa.int64()),
        "word": pa.array(WORDS, pa.string()),
        "number": pa.array(NUMBERS, pa.float64()),
        "whole": pa.array(WHOLES, pa.int64()),
        "moment": pa.array([first + timedelta(seconds=n / 2) for n in range(len(WORDS))], pa.timestamp("us")),
    })  # fmt: skip


def values(engine: Engine, odd: pa.Table) -> pa.Table:
    """Every expression over every odd row, and bits and days put together by groups."""
    with engine:
        engine.load({"odd": odd})
        shown = ", ".join(f"{expression} AS v{index}" for index, expression in enumerate(EXPRESSIONS))
        engine.make([
            f"CREATE TEMP TABLE each AS SELECT place, {shown} FROM odd",
            "CREATE TEMP TABLE dropped AS SELECT place FROM each",
            "DROP TABLE dropped",
            """CREATE TEMP TABLE grouped AS SELECT MOD(place, 3) AS third, BIT_OR(whole) AS bits, SUM(whole) AS total,
               COUNT(DISTINCT word) AS words, MIN(word) AS first_word FROM odd GROUP BY MOD(place, 3)""",
        ])  # fmt: skip
        columns = ", ".join(f"CAST(v{index} AS {_type(index)}) AS v{index}" for index in range(len(EXPRESSIONS)))
        return engine.fetch(f"""
            SELECT e.place, {columns}, CAST(g.bits AS BIGINT) AS bits, CAST(g.total AS DOUBLE) AS total,
                   CAST(g.words AS BIGINT) AS words, g.first_word
            FROM each e JOIN grouped g ON g.third = MOD(e.place, 3) ORDER BY e.place""")


def _type(index: int) -> str:
    text = EXPRESSIONS[index].startswith(("LOWER", "MAX(word)"))
    return "VARCHAR" if text else "DOUBLE" if "/" in EXPRESSIONS[index] else "BIGINT"


@pytest.fixture(scope="module")
def expected(odd: pa.Table, embedded: tuple[Loaded, Snapshots]) -> pa.Table:
    return values(Embedded(embedded[0].tables, budget=Budget(1, 1.0)), odd)


@needs_postgres
def test_postgres_gives_the_same_values(database: str, odd: pa.Table, expected: pa.Table) -> None:
    assert values(Postgres(database, budget=Budget(1, 1.0)), odd).to_pydict() == expected.to_pydict()


@needs_java
@pytest.mark.usefixtures("light_spark")
def test_spark_gives_the_same_values(odd: pa.Table, expected: pa.Table) -> None:
    assert values(Spark("local[2]", budget=Budget(2, 1.0)), odd).to_pydict() == expected.to_pydict()


@needs_java
@pytest.mark.usefixtures("light_spark")
def test_what_fails_in_spark_tells_its_condition_and_no_value() -> None:
    with Spark("local[2]", budget=Budget(2, 1.0)) as engine:
        engine.load({"largest": pa.table({"x": pa.array([2**63 - 1, 2**63 - 1])})})
        with pytest.raises(RuntimeError, match=r"Spark could not make the result: \w*OVERFLOW$"):
            engine.fetch("SELECT x + 1 AS more FROM largest")
        with (
            pytest.raises(RuntimeError, match=r"Spark could not make the result: Java$"),
            engine.failing("the result"),
        ):
            engine.session._jvm.java.util.Optional.empty().get()


class InSQLite(Lite):
    """SQLite as an engine that takes statements as text, and moments as the store gives them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, frames: Any) -> None:
        moment = frames["odd"].schema.get_field_index("moment")
        super().load({"odd": frames["odd"].set_column(moment, "moment", frames["odd"]["moment"].cast(pa.int64()))})

    def make(self, statements: Any) -> None:
        super().make(map(parse, statements))


def test_sqlite_gives_the_same_values(odd: pa.Table, expected: pa.Table) -> None:
    assert values(cast(Engine, InSQLite()), odd).to_pydict() == expected.to_pydict()


@pytest.mark.parametrize("day", DATES)
def test_one_account_on_demand_has_the_same_snapshot(
    embedded: tuple[Loaded, Snapshots], rows: Rows, day: date, tmp_path: Path
) -> None:
    """Its ranks are missing, since no snapshot is stored."""
    loaded, batch = embedded
    used = params.load(None, [f"data_dir={tmp_path}", "memory_gb=1", FEATURES])
    accounts = sorted({row["account_id"] for row in rows["accounts"]})[:6]
    columns = [column for column in batch.frame if "peer_rank" not in column]
    with LiveSnapshots(loaded.tables, day, params=used) as live:
        made = pd.concat([live.of(account).frame for account in accounts], ignore_index=True)
    of_them = batch.frame["account_id"].isin(accounts) & (batch.frame["as_of"] == pd.Timestamp(day))
    expected = batch.frame.loc[of_them, columns].reset_index(drop=True)
    assert len(expected) > 1
    pd.testing.assert_frame_equal(made[columns], expected, check_exact=True)


@needs_postgres
def test_nothing_but_the_result_is_left_in_postgres_or_leaves_it(
    load: Load, database: str, embedded: tuple[Loaded, Snapshots]
) -> None:
    """Event tables are not in the store; the database holds what it held."""
    loaded = load("source.engine=postgres", f"source.url={database}")
    snapshots(loaded)
    with duckdb.connect(str(loaded.tables.database), read_only=True) as store:
        kept = {row[0] for row in store.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    kept_here = {"accounts", "contracts", "fx_rates"}
    about_them = {"holdfast_keys", "keys_contract_id", "holdfast_knowledge", "holdfast_manifest", "holdfast_check"}
    assert kept == kept_here | about_them
    with Postgres(database, budget=Budget(1, 1.0)) as engine:
        left = engine.rows("SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND relname LIKE 'raw_%'")
    assert left.num_rows == 0
    assert loaded.tables.digest != embedded[0].tables.digest


@needs_postgres
def test_a_changed_event_changes_the_digest(load: Load, database: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    settings = ("source.engine=postgres", f"source.url={database}")
    before = load(*settings).tables.digest
    assert load(*settings).tables.digest == before
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE calls SET outcome = 'RENEW ' WHERE outcome = 'renew'")
        same = connection.execute("SELECT count(*) FROM calls WHERE outcome = 'RENEW '").fetchone()
    assert same is not None
    assert same[0] > 0
    assert load(*settings).tables.digest == before  # spelled otherwise, the same to us
    query = "SELECT * FROM calls ORDER BY called_on LIMIT 5"
    assert load(*settings, f"source.tables.calls.query={query}").tables.digest != before


@needs_postgres
def test_texts_for_nothing_are_empty_in_the_warehouse_too(load: Load, database: str) -> None:
    query = (
        "SELECT account_id, happened_on, \"Order\", CASE WHEN kind = 'email' THEN 'N/A' ELSE kind END AS kind "
        "FROM crm.engagement"
    )
    settings = ("source.engine=postgres", f"source.url={database}", f"source.tables.engagement.query={query}")
    with pytest.raises(BadInput, match=r"engagement.kind: [\d,]+ of [\d,]+ rows without a value that can be used"):
        load(*settings, "source.max_bad_share=0")
    assert load(*settings, "source.null_texts=[]", "source.max_bad_share=0").tables.digest


@needs_postgres
@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "source.tables.usage.query=SELECT nothing FROM crm.usage",
            r"usage: cannot be read: PostgreSQL could not make",
        ),
        (
            "source.tables.usage.query=SELECT account_id, CAST(used_on AS text) AS used_on FROM crm.usage",
            r"usage.used_on: is text there, and date is needed. Cast it in a query",
        ),
        ("source.tables.usage.columns={user_id: who}", r"usage.user_id: is mapped to who, which the source lacks"),
        (
            "source.tables.usage.query=SELECT account_id, NULL::date AS used_on FROM crm.usage",
            r"usage.used_on: ([\d,]+) of \1 rows without a value that can be used",
        ),
        ("source.tables.usage.query=SELECT * FROM crm.usage LIMIT 0", r"usage: is empty"),
        (
            "source.latest=2024-03-01",
            r"usage.used_on: \d+ of [\d,]+ rows with a date before 1990-01-01 or from 2024-03-01",
        ),
        ("source.url=postgresql://nobody@127.0.0.1:1/none", r"source.url: PostgreSQL cannot be opened"),
        ("source.url=null", r"source.url: is not set, and source.engine is postgres"),
        ("source.timezone=Europe/Berlin", r"source.timezone: is for files and DuckDB, and source.engine is postgres"),
        ("source.decimal_comma=true", r"source.decimal_comma: is for files and DuckDB, and source.engine is postgres"),
        ("revenue.account_level=parent", r"revenue.account_level: is parent, and source.engine is postgres"),
    ],
)
def test_what_is_wrong_in_the_warehouse_is_named(load: Load, database: str, override: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load("source.engine=postgres", f"source.url={database}", override)


@pytest.mark.parametrize(
    "url", ["postgresql://reader:secret@host/crm", "host=db password=secret", "postgresql://h/db?password=secret"]
)
def test_a_password_in_the_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SettingsError, match=r"source\.url holds a password") as refused:
        params.load(None, ["source.engine=postgres", f"source.url={url}"])
    assert "secret" not in str(refused.value)
