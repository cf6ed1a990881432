"""Lines that are no revenue: trials with an amount, and lines of amount 0."""

from collections.abc import Iterator

import duckdb

from features.tables.problems import EXAMPLES, Finding
from features.traps.spells import counts_of, frame_of, texts_of

NAMES = r"(^|[^a-z])(free[ _-]?)?(trial|trialing|freemium|poc|test[ _-]?drive)([^a-z]|$)"
TRIAL_DAYS = (7, 10, 14, 15, 21)  # 28 to 31 are a month that is paid for
SHORT_DAYS, SHORT_SHARE, FEWEST_NAMED = 62, 0.8, 2
FEWEST_ALIKE, ALIKE_SHARE, TIMES_NEAR = 5, 0.03, 5


def no_revenue(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Trials that count as revenue, by their name or their length; and what lines of amount 0 count as."""
    yield from _trials(connection)
    yield from _zeros(connection)


def _trials(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    by_name = f"paid AND (regexp_matches(lower(COALESCE(product, '')), '{NAMES}'))"
    lines = "(SELECT *, starts_on = min(starts_on) OVER (PARTITION BY account_id) AS is_first FROM lines)"
    named, short, of = counts_of(
        connection,
        f"""SELECT count(*) FILTER ({by_name}),
                   count(*) FILTER ({by_name} AND is_first AND end_on - starts_on <= {SHORT_DAYS}), count(*)
            FROM {lines}""",
    )
    if named >= FEWEST_NAMED and short >= SHORT_SHARE * named:
        yield _trial(connection, f"{lines} WHERE {by_name}", "are called trials and have an amount", named, of)
        return
    days = _trial_days(connection, lines, of)
    if days:
        where = f"{lines} WHERE paid AND is_first AND end_on - starts_on = {days}"
        (rows,) = counts_of(connection, f"SELECT count(*) FROM {where}")
        what = f"begin an account, last exactly {days} days, as trials do, and have an amount"
        yield _trial(connection, where, what, rows, of)


def _trial_days(connection: duckdb.DuckDBPyConnection, lines: str, of: int) -> int:
    """A length that many first lines share, and hardly any is a day or two longer or shorter; 0 if there is none."""
    counts = frame_of(
        connection,
        f"""SELECT end_on - starts_on AS days, count(*) AS n FROM {lines}
            WHERE paid AND is_first AND end_on - starts_on < 28 GROUP BY 1 ORDER BY 1""",
    )
    by_days = dict(zip(counts["days"], counts["n"], strict=True))
    for days in TRIAL_DAYS:
        near = max(by_days.get(days + step, 0) for step in (-2, -1, 1, 2))
        alike = by_days.get(days, 0)
        if alike >= max(FEWEST_ALIKE, ALIKE_SHARE * of) and alike >= TIMES_NEAR * near:
            return days
    return 0


def _trial(connection: duckdb.DuckDBPyConnection, where: str, what: str, rows: int, of: int) -> Finding:
    return Finding(
        "contracts",
        f"{what}. They count as revenue, and each that is not taken up counts as churn",
        "Trials are no revenue: map status (trial), give them mrr 0, or leave them out in "
        "source.tables.contracts.query.",
        "mrr",
        rows,
        of,
        texts_of(connection, f"SELECT contract_id FROM {where} ORDER BY 1 LIMIT {EXAMPLES}"),
        "trial_lines",
        "line",
    )


def _zeros(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Lines of amount 0: free starts, pauses, and accounts that never pay."""
    rows, of, free, starts = counts_of(
        connection,
        """SELECT count(*) FILTER (mrr = 0 AND NOT is_trial), count(*),
                  count(DISTINCT account_id) FILTER (first_paid IS NULL AND mrr = 0),
                  count(*) FILTER (mrr = 0 AND NOT is_trial AND starts_on < first_paid)
           FROM (SELECT *, min(CASE WHEN paid THEN starts_on END) OVER (PARTITION BY account_id) AS first_paid
                 FROM lines)""",
    )
    (all_paid,) = counts_of(connection, "SELECT count(*) FROM lines WHERE paid")
    if not rows or not all_paid:  # where nothing is paid for, the check says so itself
        return
    ways = [
        f"{free:,} account{'s' if free != 1 else ''} of such lines alone never count as customers" if free else "",
        f"{starts:,} before the first paid line are a free start" if starts else "",
        "one between paid lines is a pause",
    ]
    yield Finding(
        "contracts",
        f"with an amount of 0: {'; '.join(way for way in ways if way)}",
        "Nothing, if that is what they are. If they are paid for in another way (by use, yearly), map that amount.",
        "mrr",
        rows,
        of,
        texts_of(connection, f"SELECT contract_id FROM lines WHERE mrr = 0 ORDER BY 1 LIMIT {EXAMPLES}"),
        "zero_lines",
        "line",
    )
