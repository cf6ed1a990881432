"""The snapshots' SQL in the dialects of other engines.

What `features.snapshots` compiles is restricted SQL that DuckDB runs as it is. `translate` writes the same statement
for another engine: names of types and functions, quoting and the place of NULLs in an order come from sqlglot, and
the shims below are what would else give another value. A construct that is not known to mean the same everywhere is
an error, so that a new kind of feature cannot be right on one engine and wrong on the next.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlglot
from sqlglot import ErrorLevel, exp

CORE = "duckdb"
EMITTED = ("postgres", "spark", "snowflake", "bigquery", "databricks")
LITE = "sqlite"  # with days and moments as microseconds since 1970, see `features.engines.lite`

# What DuckDB's TRIM strips (the Unicode space separators), and the two letters whose small form it tells otherwise.
SPACES = "\u0020\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
SMALL_LETTERS = {"\u03a3": "\u03c3", "\u0130": "i"}
SHORT_INTEGERS = ("spark", "databricks", "bigquery")  # their sums and products of integers have 64 bits

PORTABLE = (
    exp.Sum, exp.Min, exp.Max, exp.Count, exp.BitwiseOrAgg, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lead, exp.Lag,
    exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Cast, exp.Abs, exp.Sign, exp.Floor, exp.Round, exp.Mod,
    exp.BitwiseCount, exp.Greatest, exp.Least, exp.Sqrt, exp.PercentRank,
    exp.Lower, exp.Trim, exp.Replace, exp.Extract, exp.Exists, exp.And, exp.Or,
)  # fmt: skip
NOT_PORTABLE = (exp.Qualify, exp.IntDiv, exp.Filter, exp.Distinct, exp.Lateral, exp.Unnest)

Shim = Callable[[exp.Expr, str], exp.Expr]


class NotPortable(ValueError):
    """A statement uses what is not known to give the same value on every engine."""


@dataclass(frozen=True)
class Statement:
    """A statement of the core: it makes table `makes` from `select`, or drops table `drops`."""

    select: exp.Expr | None = None
    makes: str = ""
    drops: str = ""


def parse(sql: str) -> Statement:
    """Take a statement of the core apart.

    Raises
    ------
    NotPortable
        It is no CREATE TEMP TABLE ... AS SELECT, DROP TABLE or SELECT, or uses more than every engine knows.
    """
    tree = sqlglot.parse_one(sql, read=CORE)
    if isinstance(tree, exp.Drop):
        return Statement(drops=_named(tree))
    makes, select = (_named(tree), tree.expression) if isinstance(tree, exp.Create) else ("", tree)
    if not isinstance(select, exp.Query):
        raise NotPortable(f"{type(tree).__name__} is no CREATE TEMP TABLE ... AS SELECT, DROP TABLE or SELECT.")
    _require_portable(select)
    return Statement(select, makes)


def own(sql: str) -> exp.Expr:
    """A SELECT that holds what is meant for one engine only, such as a collation: not looked at, as `parse` does."""
    return sqlglot.parse_one(sql, read=CORE)


def is_one_select(query: str, dialect: str) -> bool:
    """Whether a text in an engine's own SQL is one SELECT, and nothing within it changes data."""
    try:
        trees = sqlglot.parse(query, read=dialect)
    except sqlglot.errors.SqlglotError:
        return False
    changes = (exp.DML, exp.DDL, exp.Command, exp.Copy, exp.Into)
    return (
        len(trees) == 1
        and isinstance(trees[0], exp.Query)
        and not any(isinstance(node, changes) and not isinstance(node, exp.Query) for node in trees[0].walk())
    )


def translate(
    select: exp.Expr | str, dialect: str, *, raw: str = "raw_", filled: Mapping[str, str] | None = None
) -> str:
    """A SELECT of the core in another dialect.

    Parameters
    ----------
    select
        As text, or as `parse` or `own` took it.
    dialect
        One of `EMITTED`, or `LITE`.
    raw
        What stands before the name of a table of the source in place of `raw.`.
    filled
        For tables of the source that are read through a SELECT, that SELECT.

    Raises
    ------
    NotPortable
        It uses what is not known to give the same value on every engine.
    """
    tree = parse(select).select if isinstance(select, str) else select.copy()
    if tree is None:
        raise NotPortable("A DROP is no SELECT.")
    for node in reversed(list(tree.walk())):  # what is inside first
        shimmed = _source(node, raw, filled or {}) if isinstance(node, exp.Table) else _shimmed(node, dialect)
        if shimmed is not node:
            node.replace(shimmed)
    for cast in reversed(list(tree.find_all(exp.Cast)) if dialect == LITE else []):
        cast.replace(_midnight(cast.this) if _is_day(cast) else cast)
    # BigQuery cannot say where NULLs go in the order of a running sum; the keys of those are never NULL
    unsupported = ErrorLevel.IGNORE if dialect == "bigquery" else ErrorLevel.RAISE
    return tree.sql(dialect=dialect, unsupported_level=unsupported)


def _named(tree: exp.Expr) -> str:
    """The table that a CREATE or a DROP is about."""
    return next(table.name for table in tree.find_all(exp.Table))


def _require_portable(tree: exp.Expr) -> None:
    for node in tree.walk():
        unknown = isinstance(node, exp.Func) and not isinstance(node, PORTABLE) and not _counts_bits(node)
        counted = isinstance(node, exp.Distinct) and isinstance(node.parent, exp.Count | exp.Select)
        if unknown or (isinstance(node, NOT_PORTABLE) and not counted):
            raise NotPortable(f"{node.sql(dialect=CORE)[:80]}: not known to give the same value on every engine.")


def _shimmed(node: exp.Expr, dialect: str) -> exp.Expr:
    shims = SHIMS | LITE_SHIMS if dialect == LITE else SHIMS
    shim = next((shim for kind, shim in shims.items() if isinstance(node, kind)), None)
    return shim(node, dialect) if shim else node


def _source(table: exp.Table, prefix: str, filled: Mapping[str, str]) -> exp.Expr:
    """A table of the source by the name it has there, or a SELECT of it, under the alias the statement gives it."""
    if table.db != "raw":
        return table
    alias = table.alias or table.name
    if table.name in filled:
        rows = own(filled[table.name]).transform(lambda node: _source(node, prefix, {}) if _is_table(node) else node)
        return exp.alias_(exp.paren(rows), alias, table=True)
    return exp.alias_(exp.to_table(prefix + table.name), alias, table=True)


def _is_table(node: exp.Expr) -> bool:
    return isinstance(node, exp.Table)


def _difference(node: exp.Expr, dialect: str) -> exp.Expr:
    """Days between two dates, as a whole number of 64 bits."""
    ends = (node.this, node.expression)
    if not all(map(_is_day, ends)):
        return node
    days = node.copy() if dialect == "postgres" else exp.DateDiff(this=ends[0], expression=ends[1], unit=exp.var("DAY"))
    return exp.cast(exp.paren(days) if dialect == "postgres" else days, "BIGINT")


def _is_day(node: exp.Expr) -> bool:
    return isinstance(node, exp.Cast) and node.args["to"].is_type("date")


def _cast(node: exp.Expr, dialect: str) -> exp.Expr:
    """Products of whole numbers of 38 digits; seconds between two moments, a half to the even one as DuckDB does."""
    kind = node.args["to"]
    if kind.is_type("double") and dialect in SHORT_INTEGERS and node.find(exp.Mul):
        return exp.cast(node.this.transform(_long), "DOUBLE")
    if not (kind.is_type("bigint") and isinstance(node.this, exp.Extract)):
        return node
    later, earlier = _ends(node.this)
    micros = _microseconds(later, earlier, dialect)
    whole, rest = f"CAST(FLOOR({micros} / 1000000.0) AS BIGINT)", f"MOD({micros}, 1000000)"
    text = f"{whole} + CASE WHEN {rest} > 500000 OR ({rest} = 500000 AND MOD({whole}, 2) = 1) THEN 1 ELSE 0 END"
    return exp.paren(sqlglot.parse_one(text, read=dialect))


def _long(node: exp.Expr) -> exp.Expr:
    """What is multiplied before a last division is whole, and may outgrow 64 bits."""
    return exp.cast(node, "DECIMAL(38, 0)") if isinstance(node, exp.Column) else node


def _ends(seconds: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    difference = seconds.expression.unnest()
    if seconds.this.name.upper() != "EPOCH" or not isinstance(difference, exp.Sub):
        raise NotPortable(f"{seconds.sql(dialect=CORE)}: of EXTRACT only EPOCH of a difference is portable.")
    return difference.this, difference.expression


def _microseconds(later: exp.Expr, earlier: exp.Expr, dialect: str) -> str:
    a, b = later.sql(dialect=dialect), earlier.sql(dialect=dialect)
    return {
        "postgres": f"CAST(EXTRACT(EPOCH FROM ({a} - {b})) * 1000000 AS BIGINT)",
        "snowflake": f"DATEDIFF(MICROSECOND, {b}, {a})",
        "bigquery": f"DATETIME_DIFF({a}, {b}, MICROSECOND)",
        LITE: f"({a} - {b})",
    }.get(dialect, f"(UNIX_MICROS(CAST({a} AS TIMESTAMP)) - UNIX_MICROS(CAST({b} AS TIMESTAMP)))")


def _round(node: exp.Expr, dialect: str) -> exp.Expr:
    """Halves away from zero: PostgreSQL takes the even one, and must not go through its 15 digits of numeric."""
    if dialect != "postgres":
        return node
    x = node.this.sql(dialect=CORE)
    rest = f"(({x}) - FLOOR(ABS({x})) * SIGN({x}))"
    text = f"FLOOR(ABS({x})) * SIGN({x}) + CASE WHEN {rest} >= 0.5 THEN 1 WHEN {rest} <= -0.5 THEN -1 ELSE 0 END"
    return exp.paren(sqlglot.parse_one(text, read=CORE))


def _shift(node: exp.Expr, dialect: str) -> exp.Expr:
    """Shifts are of 64 bits, by a number of 32."""
    del dialect
    return type(node)(this=exp.cast(node.this, "BIGINT"), expression=exp.cast(node.expression, "INT"))


def _bit_count(node: exp.Expr, dialect: str) -> exp.Expr:
    if not _counts_bits(node):
        return node
    counted = node.expressions[0] if isinstance(node, exp.Anonymous) else node.this
    if dialect != "postgres":
        return exp.BitwiseCount(this=counted)
    return exp.func("BIT_COUNT", exp.cast(exp.cast(counted, "BIGINT"), "BIT(64)", dialect="postgres"))


def _counts_bits(node: exp.Expr) -> bool:
    """DuckDB's BIT_COUNT, which sqlglot does not know as such."""
    return isinstance(node, exp.BitwiseCount) or (isinstance(node, exp.Anonymous) and node.name.upper() == "BIT_COUNT")


def _lower(node: exp.Expr, dialect: str) -> exp.Expr:
    """Small letters of any script; PostgreSQL's own depend on the collation."""
    inner = node.this
    for letter, small in SMALL_LETTERS.items():
        inner = exp.Replace(this=inner, expression=exp.Literal.string(letter), replacement=exp.Literal.string(small))
    if dialect != "postgres":
        return exp.Lower(this=inner)
    return _collated(exp.Lower(this=_collated(inner, "und-x-icu")), "C")


def _collated(text: exp.Expr, collation: str) -> exp.Expr:
    return exp.Paren(this=exp.Collate(this=text, expression=exp.to_identifier(collation, quoted=True)))


def _trim(node: exp.Expr, dialect: str) -> exp.Expr:
    """Spaces of every kind."""
    del dialect
    return exp.Trim(this=node.this, expression=exp.Literal.string(SPACES), position="BOTH")


SHIMS: dict[type[exp.Expr], Shim] = {
    exp.Sub: _difference,
    exp.Cast: _cast,
    exp.Round: _round,
    exp.BitwiseLeftShift: _shift,
    exp.BitwiseRightShift: _shift,
    exp.BitwiseCount: _bit_count,
    exp.Anonymous: _bit_count,
    exp.Lower: _lower,
    exp.Trim: _trim,
}


# SQLite, which has no type of days or moments ------------------------------------------------------------------------

DAY = 86_400_000_000  # microseconds


def _lite_difference(node: exp.Expr, dialect: str) -> exp.Expr:
    """Days between two days."""
    days = exp.Div(this=exp.paren(node.copy()), expression=exp.Literal.number(DAY), typed=True)
    return exp.paren(days) if _difference(node, dialect) is not node else node


def _moment(moment: exp.Expr) -> exp.Expr:
    """A moment as it is; one that is written out, as a number."""
    if not isinstance(moment, exp.Literal):
        return exp.paren(moment)
    since = datetime.fromisoformat(moment.name) - datetime(1970, 1, 1)
    return exp.Literal.number(since // timedelta(microseconds=1))


def _midnight(moment: exp.Expr) -> exp.Expr:
    """The begin of a moment's day."""
    if isinstance(moment, exp.Literal):
        return _moment(moment)
    us = moment.sql(dialect=LITE)
    return exp.paren(sqlglot.parse_one(f"{us} - ({us} % {DAY} + {DAY}) % {DAY}", read=LITE))


def _lite_cast(node: exp.Expr, dialect: str) -> exp.Expr:
    """Moments are there as they are; an amount in cents comes of a fraction that is not exact."""
    if node.args["to"].is_type("timestamp", "timestampntz"):
        return _moment(node.this)
    if node.args["to"].is_type("bigint") and isinstance(node.this, exp.Mul):
        return _lite_round(node, dialect)
    return _cast(node, dialect)


def _lite_round(node: exp.Expr, dialect: str) -> exp.Expr:
    """Halves away from zero, of any number of 64 bits."""
    x = node.this.sql(dialect=dialect)
    whole, rest = f"CAST({x} AS INTEGER)", f"({x} - CAST({x} AS INTEGER))"
    text = f"{whole} + CASE WHEN {rest} >= 0.5 THEN 1 WHEN {rest} <= -0.5 THEN -1 ELSE 0 END"
    return exp.paren(sqlglot.parse_one(text, read=dialect))


def _lite_bits(node: exp.Expr, dialect: str) -> exp.Expr:
    """The functions of bits have no name of SQLite's own."""
    del dialect
    if isinstance(node, exp.BitwiseOrAgg):
        return exp.Anonymous(this="BIT_OR", expressions=[node.this])
    return exp.Anonymous(this="BIT_COUNT", expressions=[node.this]) if isinstance(node, exp.BitwiseCount) else node


LITE_SHIMS: dict[type[exp.Expr], Shim] = {
    exp.Sub: _lite_difference,
    exp.Cast: _lite_cast,
    exp.Round: _lite_round,
    exp.BitwiseOrAgg: _lite_bits,
    exp.BitwiseCount: _lite_bits,
    exp.Anonymous: _lite_bits,
}
