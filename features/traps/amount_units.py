"""Amounts in another unit than money a month: annual amounts, or cents, of all lines or of some."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from features.tables.currencies import NO_MINOR_UNIT, WHOLE_IN_USE
from features.tables.problems import EXAMPLES, Finding
from features.traps.spells import counts_of, texts_of
from params import Params

FEWEST = 3
SHARE = 0.05
YEARLY, CENTS = (9.0, 12.6), (75.0, 105.0)  # what such an amount comes to of the monthly one, with usual discounts
EXACT = 0.005
WITHIN = 1.25  # prices of a list lie so near their median
SHORT_TERM_DAYS, YEAR_DAYS = 45, (350, 380)
NAMES = {
    "annual": {"arr", "acv", "tcv", "annual", "annually", "annualized", "yearly", "year"},
    "cents": {"cents", "cent", "pence", "minor", "subunits"},
}
MOSTLY, TERMS_SHARE, LIST_SHARE = 0.8, 0.6, 0.9  # of the lines at a price, at yearly terms, of a product
FEWEST_PRICES, WHOLE_SHARE, CHARM_SHARE, FEWEST_CHARMS = 10, 0.9, 0.6, 2
PLAN = r"(annual(ly)?|yearly|year|ann|12 ?m(onths?)?|monthly|month|mthly|mo)"
UNIT = "mrr / CASE WHEN seats > 0 THEN seats ELSE 1 END"


@dataclass(frozen=True)
class Evidence:
    """What shows that amounts are in another unit: how many lines of how many, in words, and which."""

    what: str
    rows: int
    of: int
    examples: tuple[str, ...] = ()
    doubt: str = ""  # what it may mean, where it may as well mean nothing


def amount_units(connection: duckdb.DuckDBPyConnection, params: Params) -> Iterator[Finding]:
    """The first evidence of annual amounts, and the first of cents."""
    _make_steps(connection)
    columns = params.source.tables["contracts"].columns if "contracts" in params.source.tables else {}
    words = set(re.findall("[a-z]+", re.sub("([a-z])([A-Z])", r"\1 \2", columns.get("mrr", "")).lower()))
    yearly = (
        _named(connection, words & NAMES["annual"], columns),
        _against_list(connection, YEARLY),
        _by_term(connection),
        _by_plan(connection),
        _jumps(connection, 12),
        _pairs(connection),
    )
    if evidence := next((item for item in yearly if item), None):
        todo = (
            "mrr is an amount a month: divide the amounts of a year by 12 in source.tables.contracts.query, such as "
            "CAST(amount AS DOUBLE) / CASE WHEN interval = 'year' THEN 12 ELSE 1 END AS mrr."
        )
        yield _finding(evidence, "annual_as_monthly", "amounts of a year seem to be taken as monthly", todo)
    cents = (
        _named(connection, words & NAMES["cents"], columns),
        _against_list(connection, CENTS),
        _jumps(connection, 100),
        _hundreds(connection),
        _charms(connection, params.revenue.currency),
    )
    if evidence := next((item for item in cents if item), None):
        todo = (
            "mrr is an amount in whole units of its currency: divide by 100 in source.tables.contracts.query "
            "(CAST(amount AS DOUBLE) / 100 AS mrr). If the amounts are right, nothing."
        )
        yield _finding(evidence, "cents_as_units", "amounts seem to be in cents", todo)


def _finding(evidence: Evidence, rule: str, meaning: str, todo: str) -> Finding:
    what = f"{evidence.what}: {evidence.doubt or meaning}"
    return Finding("contracts", what, todo, "mrr", evidence.rows, evidence.of, evidence.examples, rule, "line")


def _named(connection: duckdb.DuckDBPyConnection, words: set[str], columns: dict[str, str]) -> Evidence | None:
    """The source's own name of the column says it."""
    if not words:
        return None
    rows, of = counts_of(connection, "SELECT count(*) FILTER (paid), count(*) FROM lines")
    return Evidence(f"take mrr from the column {columns['mrr']!r}", rows, of)


def _against_list(connection: duckdb.DuckDBPyConnection, times: tuple[float, float]) -> Evidence | None:
    """Lines whose amount is so many times their list price, which nobody pays."""
    where = f"paid AND list_mrr > 0 AND mrr / list_mrr BETWEEN {times[0]} AND {times[1]}"
    rows, of = counts_of(connection, f"SELECT count(*) FILTER ({where}), count(*) FILTER (list_mrr > 0) FROM lines")
    if rows < max(FEWEST, SHARE * of):
        return None
    return Evidence(
        f"have an mrr of {times[0]:g} to {times[1]:g} times their list_mrr", rows, of, _examples(connection, where)
    )


def _examples(connection: duckdb.DuckDBPyConnection, where: str) -> tuple[str, ...]:
    shown = "concat(contract_id, ': ', CAST(mrr AS DECIMAL(18, 2)))"
    return texts_of(connection, f"SELECT {shown} FROM lines WHERE {where} ORDER BY contract_id LIMIT {EXAMPLES}")


def _by_term(connection: duckdb.DuckDBPyConnection) -> Evidence | None:
    """Yearly terms of a product that cost what a year of its monthly terms does."""
    term = f"""CASE WHEN ends_on - starts_on <= {SHORT_TERM_DAYS} THEN 'month'
                    WHEN ends_on - starts_on BETWEEN {YEAR_DAYS[0]} AND {YEAR_DAYS[1]} THEN 'year' END"""
    return _year_against_month(connection, "product", term, "yearly terms", within=0.6)


def _by_plan(connection: duckdb.DuckDBPyConnection) -> Evidence | None:
    """Plans called yearly that cost what a year of the plan of the same name called monthly does."""
    name = "regexp_replace(lower(COALESCE(product, '')), '[^a-z0-9]+', ' ', 'g')"
    plan = f"trim(regexp_replace({name}, '(^| ){PLAN}( |$)', ' ', 'g'))"
    term = f"""CASE WHEN regexp_matches({name}, '(^| )(month|monthly|mthly|mo)( |$)') THEN 'month'
                    WHEN regexp_matches({name}, '(^| ){PLAN}( |$)') THEN 'year' END"""
    return _year_against_month(connection, plan, term, "plans called yearly", within=0.0)


def _year_against_month(
    connection: duckdb.DuckDBPyConnection, group: str, term: str, what: str, *, within: float
) -> Evidence | None:
    """Groups in which the median price of a year is `YEARLY` times that of a month.

    Of either at least a share `within` must lie near its median, as prices of a list do: large customers pay more too.
    """
    rows, of = counts_of(
        connection,
        f"""
        WITH priced AS (
            SELECT {group} AS plan, COALESCE(currency, '') AS currency, {term} AS term, {UNIT} AS price
            FROM lines WHERE paid),
        middle AS (SELECT plan, currency, term, median(price) AS price, count(*) AS n FROM priced
                   WHERE term IS NOT NULL GROUP BY ALL HAVING count(*) >= {FEWEST}),
        listed AS (
            SELECT m.plan, m.currency, m.term, any_value(m.price) AS price, any_value(m.n) AS n,
                   count(*) FILTER (p.price BETWEEN m.price / {WITHIN} AND m.price * {WITHIN}) / count(*) AS near
            FROM middle m JOIN priced p
              ON p.plan IS NOT DISTINCT FROM m.plan AND p.currency = m.currency AND p.term = m.term GROUP BY ALL)
        SELECT sum(y.n), sum(y.n + m.n) FROM listed y JOIN listed m
          ON y.plan IS NOT DISTINCT FROM m.plan AND y.currency = m.currency AND y.term = 'year' AND m.term = 'month'
        WHERE y.price / m.price BETWEEN {YEARLY[0]} AND {YEARLY[1]} AND least(y.near, m.near) >= {within}""",
    )
    return (
        Evidence(f"are {what} at about twelve times the price of the same product's monthly ones", rows, of)
        if rows
        else None
    )


def _make_steps(connection: duckdb.DuckDBPyConnection) -> None:
    """Make temp tables `steps`, each line beside the one before it, and `prices` of each product."""
    before = "PARTITION BY account_id, product, buying_center ORDER BY starts_on, contract_id"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE steps AS
        SELECT contract_id, mrr, lag(mrr) OVER ({before}) AS mrr_before,
               seats IS NOT DISTINCT FROM lag(seats) OVER ({before}) AS same_seats FROM lines WHERE paid""")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE prices AS
        SELECT *, sum(n) OVER whole AS of, sum(yearly) OVER whole AS of_yearly
        FROM (SELECT COALESCE(product, '') AS product, COALESCE(currency, '') AS currency, round({UNIT}, 2) AS price,
                     count(*) AS n, count(DISTINCT seats) FILTER (seats > 0) AS sizes,
                     count(*) FILTER (ends_on - starts_on BETWEEN {YEAR_DAYS[0]} AND {YEAR_DAYS[1]}) AS yearly
              FROM lines WHERE paid GROUP BY ALL)
        WINDOW whole AS (PARTITION BY product, currency)""")


def _jumps(connection: duckdb.DuckDBPyConnection, times: int) -> Evidence | None:
    """Lines at exactly so many times, or such a part of, the line of the same product before, with the same seats."""
    ratio = "greatest(mrr / mrr_before, mrr_before / mrr)"
    where = f"same_seats AND abs({ratio} / {times} - 1) < {EXACT}"
    jumps, of = counts_of(connection, f"SELECT count(*) FILTER ({where}), count(mrr_before) FROM steps")
    if jumps < max(FEWEST, SHARE * of):
        return None
    shown = "concat(contract_id, ': ', CAST(mrr_before AS DECIMAL(18, 2)), ' to ', CAST(mrr AS DECIMAL(18, 2)))"
    examples = texts_of(connection, f"SELECT {shown} FROM steps WHERE {where} ORDER BY 1 LIMIT {EXAMPLES}")
    return Evidence(f"cost exactly {times} times the line before or after, with the same seats", jumps, of, examples)


def _pairs(connection: duckdb.DuckDBPyConnection) -> Evidence | None:
    """Products with two prices of which one is exactly so many times the other, as a year is of a month.

    That alone may be a tier, or a larger customer. So it takes yearly terms at the dear prices and hardly any at the
    others; or seats, since a price a seat is seldom twelve times another; or two such pairs that are no multiples of
    each other and are nearly all there is.
    """
    for times in (12, 10, 9.6, 10.8):
        by_seat = "bool_or(sizes >= 2)" if times != 10 else "FALSE"  # tiers at ten times are common
        common = f"p.n >= {FEWEST} AND p.n >= {SHARE} * p.of"
        evidence = f"""
            WITH pairs AS (
                SELECT y.product, y.currency, m.price AS low, y.price AS high, y.n, y.n + m.n AS n_both,
                       y.of, y.of_yearly, least(y.sizes, m.sizes) AS sizes, y.yearly,
                       y.yearly >= {MOSTLY} * y.n AND m.yearly <= (1 - {MOSTLY}) * m.n AS by_term
                FROM (FROM prices p WHERE {common}) y JOIN (FROM prices p WHERE {common}) m USING (product, currency)
                WHERE abs(y.price / m.price / {times} - 1) < {EXACT}),
            plans AS (
                SELECT product, currency,
                       COALESCE(sum(yearly) FILTER (by_term) >= {TERMS_SHARE} * any_value(of_yearly), FALSE) AS by_term,
                       {by_seat} AS by_seat, sum(n_both) >= {LIST_SHARE} * any_value(of) AS is_list,
                       count(*) FILTER (NOT EXISTS (
                           FROM pairs o WHERE o.product = p.product AND o.currency = p.currency AND o.low < p.low
                                          AND abs(p.low / o.low - round(p.low / o.low)) < {EXACT})) AS unlike
                FROM pairs p GROUP BY ALL)
            SELECT pairs.* FROM pairs JOIN plans USING (product, currency)
            WHERE plans.by_term OR plans.by_seat OR (plans.is_list AND plans.unlike >= 2)"""
        if found := _priced_pairs(connection, evidence, f"{times:g}"):
            return found
    return None


def _priced_pairs(connection: duckdb.DuckDBPyConnection, pairs: str, times: str) -> Evidence | None:
    """The evidence of pairs of prices: `n` lines at the high one, `n_both` at either."""
    rows, of = counts_of(connection, f"SELECT sum(n), sum(n_both) FROM ({pairs})")
    if not rows:
        return None
    shown = "concat(COALESCE(NULLIF(product, ''), 'no product'), ': ', low, ' and ', high)"
    examples = texts_of(connection, f"SELECT DISTINCT {shown} FROM ({pairs}) ORDER BY 1 LIMIT {EXAMPLES}")
    return Evidence(f"cost exactly {times} times what other lines of the same product do", rows, of, examples)


def _hundreds(connection: duckdb.DuckDBPyConnection) -> Evidence | None:
    """Products of which nearly each price is there a hundred times as high, too: one of two sources is in cents.

    The lower prices must end below where the higher ones begin, with hardly any between them.
    """
    pairs = f"""
        WITH pairs AS (
            SELECT l.product, l.currency, l.price AS low, h.price AS high, h.n, l.n + h.n AS n_both, l.of,
                   least(l.sizes, h.sizes) AS sizes
            FROM prices l JOIN prices h USING (product, currency) WHERE l.price = round(h.price / 100, 2)),
        plans AS (
            SELECT product, currency, max(low) AS lows_end, min(high) AS highs_begin, any_value(of) AS of
            FROM pairs GROUP BY ALL
            HAVING sum(n) >= {FEWEST} AND sum(n_both) - sum(n) >= {FEWEST} AND max(low) < min(high)
               AND sum(n_both) >= {TERMS_SHARE} * any_value(of) AND (count(*) >= 2 OR max(sizes) >= 2)),
        apart AS (
            SELECT product, currency FROM plans WHERE {SHARE} * of >= (
                SELECT COALESCE(sum(n), 0) FROM prices p WHERE p.product = plans.product
                   AND p.currency = plans.currency AND p.price > lows_end AND p.price < highs_begin))
        SELECT pairs.* FROM pairs JOIN apart USING (product, currency)"""
    return _priced_pairs(connection, pairs, "100")


def _charms(connection: duckdb.DuckDBPyConnection, currency: str) -> Evidence | None:
    """Nearly all amounts whole hundreds, and most of them so many times one that ends in 900: 29.00 in cents.

    Whoever sells years alone asks such prices of a month in whole units as well.
    """
    unpriced = ", ".join(map(repr, (*NO_MINOR_UNIT, *WHOLE_IN_USE)))
    minor = f"COALESCE(currency, '{currency}') NOT IN ({unpriced})"
    price = f"{UNIT} % 1000 = 900"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE charm_prices AS
        SELECT {UNIT} AS price FROM lines WHERE paid AND {minor} AND {price} GROUP BY 1 HAVING count(*) >= {FEWEST}""")
    charm = f"EXISTS (SELECT 1 FROM charm_prices WHERE {UNIT} % price = 0)"
    of, whole, charms, long, middle = counts_of(
        connection,
        f"""SELECT count(*), count(*) FILTER ({UNIT} % 100 = 0), count(*) FILTER ({charm}),
                   count(*) FILTER (ends_on - starts_on >= {YEAR_DAYS[0]}), CAST(median(mrr) AS BIGINT)
            FROM lines WHERE paid AND {minor}""",
    )
    (different,) = counts_of(connection, "SELECT count(*) FROM charm_prices")
    enough = of >= FEWEST_PRICES and different >= FEWEST_CHARMS and long < LIST_SHARE * of
    if not enough or whole < WHOLE_SHARE * of or charms < CHARM_SHARE * of:
        return None
    examples = _examples(connection, f"paid AND {minor} AND ({charm})")
    return Evidence(
        "are prices that end in 900, or so many times one of them, as 29.00, 49.00 and 99.00 are in cents",
        charms,
        of,
        examples,
        "amounts may be in cents; as they are, half of the lines pay "
        f"{middle:,} a month or more, else {middle / 100:,.2f}",
    )
