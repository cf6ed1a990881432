"""The spine: every account with ARR at each snapshot, with its ARR and the renewal calendar as known then."""

from features.asof.clocks import day_of
from features.asof.view import AsOf
from features.revenue.lines import STATES, WORK_TABLES, work_statements
from features.tables.sql import flag, named, quoted
from params import Revenue

COLUMNS: dict[str, str] = {
    "arr": "CAST(arr_cents AS DOUBLE) / 100",
    "term_days": "term_days",
    "due_share": "CAST(due_cents AS DOUBLE) / arr_cents",
    "overdue_days": "overdue_days",
    "notice_given": "notice_given",
    "notice_share": "CAST(notice_cents AS DOUBLE) / arr_cents",
    "presigned": "presigned",
}


def statements(asof: AsOf, rules: Revenue) -> list[str]:
    """Statements that make temp tables `lines` and `spine`; the frames of `asof` must have been loaded.

    `lines` is `line_states` of `features.revenue.lines`, the columns that are read of it, with the currency it is
    `priced_in` (never NULL), `arr_cents` in the reporting currency, `active` (1 if it has ARR at `t`) and `continues`
    (1 if it follows lines of the same currency, whose MRR `before_mrr_micros` is). Discounts are lines of a negative
    amount there, so that sums come out net.
    `spine` has a row an account and snapshot with ARR: `arr_cents`, `seats`, `customer_from` (day number), the
    earliest known end among the active lines `term_ends` (NULL = evergreen), the scheduled length `term_days` of
    that term and the ARR `due_cents` of all lines that end with it, `overdue_days`, `notice_given`, the ARR under
    notice `notice_cents`, `presigned`.
    """
    return [
        *work_statements(asof.contracts(), rules),
        f"CREATE TEMP TABLE rates AS {_rates(asof)}",
        f"CREATE TEMP TABLE lines AS {_lines(rules)}",
        *(f"DROP TABLE {table}" for table in WORK_TABLES),
        f"CREATE TEMP TABLE attributes AS {_attributes(asof)}",
        f"CREATE TEMP TABLE spine AS {_spine(asof, rules)}",
    ]


def lines_without_rate() -> str:
    """SELECT of the currencies that lack a rate for some snapshot: currency, lines, first day."""
    return """
        SELECT priced_in AS currency, COUNT(DISTINCT contract_id) AS lines, MIN(t) AS first_day FROM lines
        WHERE rate IS NULL AND starts <= t AND t < active_until GROUP BY priced_in ORDER BY priced_in"""


def _rates(asof: AsOf) -> str:
    if asof.tables.has("fx_rates"):
        return asof.rates()
    return "SELECT k, CAST(NULL AS VARCHAR) AS currency, CAST(NULL AS DOUBLE) AS rate FROM cal WHERE FALSE"


def _arr_cents(mrr_micros: str, rate: str) -> str:
    """ARR of a line in whole cents of the reporting currency: 12 x MRR, rounded once, so that lines add up exactly."""
    return f"CAST(ROUND(12 * {mrr_micros} * {rate} / 10000) AS BIGINT)"


LINE_COLUMNS = (
    "account_id", "k", "t", "contract_id", "product", "kind", "priced_in", "rate", "mrr_micros", "arr_cents",
    "list_arr_cents", "seats", "auto_renew", "starts", "ends", "term_ends", "active_until", "notice", "overdue",
    "before_mrr_micros", "before_ends",
)  # fmt: skip


def _lines(rules: Revenue) -> str:
    home = quoted(rules.currency)
    priced_in = f"COALESCE(s.currency, {home})"
    rate = f"CASE WHEN {priced_in} = {home} THEN 1.0 ELSE r.rate END"
    same = " AND ".join(
        f"COALESCE(NULLIF(l.{currency}, ''), {home}) = l.priced_in"
        for currency in ("before_currency", "before_last_currency")
    )
    return f"""
        SELECT {", ".join(f"l.{name}" for name in LINE_COLUMNS)},
               {flag(f"l.before_mrr_micros IS NOT NULL AND {same}")} AS continues,
               CASE WHEN l.arr_cents <> 0 AND l.starts <= l.t AND l.t < l.active_until
                    THEN 1 ELSE 0 END AS active
        FROM (SELECT s.*, {priced_in} AS priced_in, {rate} AS rate, {_arr_cents("s.mrr_micros", rate)} AS arr_cents,
                     {_arr_cents("s.list_mrr_micros", rate)} AS list_arr_cents
              FROM ({STATES}) s LEFT JOIN rates r ON r.k = s.k AND r.currency = s.currency) l"""


def _attributes(asof: AsOf) -> str:
    """The attributes in force under names of their own, so that they cannot be taken for a column of the spine."""
    columns = "".join(f", {named(name)} AS {named(f'attribute_{name}')}" for name in asof.tables.attribute_columns)
    return f"SELECT account_id, k{columns} FROM ({asof.attributes()}) a"


def _spine(asof: AsOf, rules: Revenue) -> str:
    since = day_of("attribute_customer_since") if asof.tables.has("accounts", "customer_since") else "NULL"
    return f"""
        SELECT a.account_id, a.k, a.t, a.arr_cents, a.seats, a.term_ends, d.term_days,
               COALESCE(d.due_cents, 0) AS due_cents, a.overdue_days, a.notice_given, a.notice_cents,
               CASE WHEN p.account_id IS NULL THEN 0 ELSE 1 END AS presigned,
               CASE WHEN {since} < f.first_start THEN {since} ELSE f.first_start END AS customer_from
        FROM ({_ACTIVE}) a
        JOIN ({_FIRST_START}) f ON f.account_id = a.account_id AND f.k = a.k
        LEFT JOIN ({_due()}) d ON d.account_id = a.account_id AND d.k = a.k
        LEFT JOIN ({_presigned(rules.grace_days)}) p ON p.account_id = a.account_id AND p.k = a.k
        LEFT JOIN attributes b ON b.account_id = a.account_id AND b.k = a.k"""


_ACTIVE = """
    SELECT account_id, k, t, SUM(arr_cents) AS arr_cents, SUM(seats) AS seats,
           MIN(CASE WHEN arr_cents > 0 THEN term_ends END) AS term_ends,
           MAX(CASE WHEN overdue = 1 THEN t - term_ends ELSE 0 END) AS overdue_days,
           MAX(CASE WHEN notice IS NOT NULL THEN 1 ELSE 0 END) AS notice_given,
           SUM(CASE WHEN notice IS NOT NULL THEN arr_cents ELSE 0 END) AS notice_cents
    FROM lines WHERE active = 1 GROUP BY account_id, k, t HAVING SUM(arr_cents) > 0"""

_FIRST_START = "SELECT account_id, k, MIN(starts) AS first_start FROM lines WHERE starts <= t GROUP BY account_id, k"


def _due() -> str:
    """The active lines that end first: their ARR, and the length of their term.

    A line that was added or changed in mid-term ends with the lines before it: the term began with the first of them.
    """
    return f"""
        SELECT l.account_id, l.k, MAX(l.ends - b.began) AS term_days, SUM(l.arr_cents) AS due_cents
        FROM lines l JOIN ({_ACTIVE}) e ON e.account_id = l.account_id AND e.k = l.k AND e.term_ends = l.term_ends
        LEFT JOIN (SELECT account_id, k, ends, MIN(starts) AS began FROM lines GROUP BY account_id, k, ends) b
          ON b.account_id = l.account_id AND b.k = l.k AND b.ends = l.ends
        WHERE l.active = 1 GROUP BY l.account_id, l.k"""


def _presigned(grace_days: int) -> str:
    """Accounts with a known line to come that outlasts the first term, or follows it within the grace."""
    return f"""
        SELECT DISTINCT l.account_id, l.k
        FROM lines l JOIN ({_ACTIVE}) e ON e.account_id = l.account_id AND e.k = l.k
        WHERE l.arr_cents > 0 AND l.starts > l.t AND l.active_until > l.starts
          AND l.starts <= e.term_ends + {grace_days} AND l.active_until > e.term_ends"""
