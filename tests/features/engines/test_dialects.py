"""The core's SQL in other dialects: what is translated, what is refused, and that every statement parses there."""

from datetime import date

import pytest
import sqlglot

import params
from features.engines.dialects import EMITTED, NotPortable, is_one_select, parse, translate
from features.snapshots.script import script
from features.tables.checked import Tables


@pytest.mark.parametrize(
    ("core", "dialect", "expected"),
    [
        ("SELECT a FROM raw.usage", "postgres", "SELECT a FROM raw_usage AS usage"),
        ("SELECT u.a FROM raw.usage u", "spark", "SELECT u.a FROM raw_usage AS u"),
        ("SELECT CAST(a AS DOUBLE) FROM t", "postgres", "SELECT CAST(a AS DOUBLE PRECISION) FROM t"),
        (
            "SELECT CAST(a * b AS DOUBLE) FROM t",
            "spark",
            "SELECT CAST(CAST(a AS DECIMAL(38, 0)) * CAST(b AS DECIMAL(38, 0)) AS DOUBLE) FROM t",
        ),
        (
            "SELECT CAST(a AS DATE) - DATE '1970-01-01' FROM t",
            "spark",
            "SELECT CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(a AS DATE)) AS BIGINT) FROM t",
        ),
        (
            "SELECT CAST(a AS DATE) - DATE '1970-01-01' FROM t",
            "postgres",
            "SELECT CAST((CAST(a AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT) FROM t",
        ),
        ("SELECT a FROM t ORDER BY a DESC", "postgres", "SELECT a FROM t ORDER BY a DESC NULLS LAST"),
        ("SELECT a FROM t ORDER BY a", "spark", "SELECT a FROM t ORDER BY a NULLS LAST"),
        ("SELECT 1 << n FROM t", "postgres", "SELECT CAST(1 AS BIGINT) << CAST(n AS INT) FROM t"),
        ("SELECT 1 << n FROM t", "spark", "SELECT SHIFTLEFT(CAST(1 AS BIGINT), CAST(n AS INT)) FROM t"),
        ("SELECT BIT_COUNT(m) FROM t", "postgres", "SELECT BIT_COUNT(CAST(CAST(m AS BIGINT) AS BIT(64))) FROM t"),
        ("SELECT BIT_COUNT(m) FROM t", "spark", "SELECT BIT_COUNT(m) FROM t"),
        ("SELECT BIT_OR(m) FROM t", "snowflake", "SELECT BITORAGG(m) FROM t"),
        (
            "SELECT a FROM raw.usage WHERE a >= DATE '1970-01-03'",
            "sqlite",
            "SELECT a FROM raw_usage AS usage WHERE a >= 172800000000",
        ),
        ("SELECT CAST(NULL AS TIMESTAMP) AS a FROM t", "sqlite", "SELECT (NULL) AS a FROM t"),
    ],
)
def test_translated(core: str, dialect: str, expected: str) -> None:
    assert translate(core, dialect) == expected


@pytest.mark.parametrize(
    ("core", "message"),
    [
        ("SELECT MEDIAN(a) FROM t", r"MEDIAN\(a\): not known to give the same value on every engine"),
        ("SELECT a // 2 FROM t", r"a // 2: not known to give"),
        ("SELECT a FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1", "QUALIFY .*: not known to give"),
        ("SELECT CONCAT(a, b) FROM t", r"CONCAT\(.*: not known to give"),
        ("INSERT INTO t VALUES (1)", "Insert is no CREATE TEMP TABLE"),
    ],
)
def test_what_might_differ_is_refused(core: str, message: str) -> None:
    with pytest.raises(NotPortable, match=message):
        parse(core)


def test_of_extract_only_seconds_between_two_moments_are_portable() -> None:
    with pytest.raises(NotPortable, match="of EXTRACT only EPOCH of a difference is portable"):
        translate("SELECT CAST(EXTRACT(YEAR FROM a) AS BIGINT) FROM t", "spark")


@pytest.mark.parametrize("dialect", EMITTED)
def test_every_statement_parses_in_its_dialect(dialect: str, company_tables: Tables) -> None:
    defaults = params.load()
    rules = {"revenue": defaults.revenue, "settings": defaults.snapshots}
    made = list(script(company_tables, [date(2022, 6, 1)], dialect, **rules))
    assert made[-1].startswith("SELECT f.account_id, f.k, f.as_of")
    assert sum(statement.startswith("CREATE") for statement in made) == len(
        [statement for statement in made if not statement.startswith(("DROP", "SELECT"))]
    )
    for statement in made:
        assert "raw." not in statement
        assert not isinstance(sqlglot.parse_one(statement, read=dialect), sqlglot.exp.Command)


@pytest.mark.parametrize("dialect", ["postgres", "spark"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 1", True),
        ("WITH x AS (SELECT 1 AS a) SELECT a, COUNT(*) FROM x GROUP BY 1", True),
        ("SELECT 1 UNION ALL SELECT 2", True),
        ("SELECT 1; DROP TABLE x", False),
        ("SELECT 1) d LIMIT 0; DROP TABLE x; SELECT * FROM (SELECT 1", False),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", False),
        ("SELECT * INTO t FROM x", False),
        ("INSERT INTO t VALUES (1)", False),
        ("COPY t TO '/x'", False),
        ("SET x = 1", False),
        ("", False),
    ],
)
def test_a_query_of_a_warehouse_is_one_select(query: str, dialect: str, expected: bool) -> None:
    assert is_one_select(query, dialect) is expected
