"""When each contract line is active, by what was known: terms, notice, grace, overlaps, and what follows what.

A term that ended at `e` is FOLLOWED by a line of the same account and buying centre that starts in `[e, e + grace]`:

1. A line continues the ended lines of its own product; of several that could, the one that starts first. Where several
   of the product start on that day, they continue what ended together: the largest the largest. What their MRR exceeds
   that of what ended by is spare, first of all that of the smallest.
2. Then, the largest first, it replaces each other ended line not yet followed, if its spare is at least
   `replaces_share` of that line's MRR, or if it is of kind renewal or downsell and no ended line that it could follow
   is of its product. Each takes its MRR off the spare.
3. Everything else keeps its grace: a term that ran out in silence stays active, at its last MRR, for `grace_days`, or
   until notice comes in them.

A line that starts while another of its product and buying centre runs replaces it if its kind is renewal, or if it
outlasts the other and starts within `early_renewal_days` of its end; else both count. One that continues ended lines of
its product replaces those that run with its spare only, the largest first: subscriptions that run side by side are
renewed each at its own time. Trials are no lines at all.
Lines of a negative MRR are discounts: they replace nothing and run as long as what they lower.
"""

from features.asof.clocks import NEVER
from features.asof.view import AsOf
from features.tables.overlaps import replaces_overlapped, spared
from features.tables.sql import flag, quoted
from params import Revenue

WORK_TABLES = (
    "known_lines", "line_overlaps", "line_ends", "line_followers", "line_renewals", "line_switches", "line_successors",
    "line_spells",
)  # fmt: skip


def line_states(asof: AsOf, rules: Revenue) -> list[str]:
    """Statements that make temp table `line_states`: a row a snapshot `k` and line known then.

    A line is active on day u iff `starts <= u < active_until` (`NEVER` if open) and it is not `later` (see
    `AsOf.contracts_in_hindsight`). `term_ends` is its known end (explicit, else scheduled; NULL = evergreen), `ends`
    the scheduled one; `overdue` is 1 where it runs in grace at `t`. The frames of `asof` must have been loaded.

    Parameters
    ----------
    asof
        The snapshots.
    rules
        Grace, and what replaces what.
    """
    return [*line_statements(asof.contracts(), rules), *(f"DROP TABLE {table}" for table in WORK_TABLES)]


def line_statements(contracts: str, rules: Revenue) -> list[str]:
    """The statements of `line_states` from a SELECT of contract lines; they leave their work tables behind."""
    return [*work_statements(contracts, rules), f"CREATE TEMP TABLE line_states AS {STATES}"]


def work_statements(contracts: str, rules: Revenue) -> list[str]:
    """The statements that make the work tables, which `STATES`, the SELECT of `line_states`, reads."""
    grace = rules.grace_days
    selects = (
        _known_lines(contracts),
        _line_overlaps(rules),
        _line_ends(grace),
        _line_followers(grace, rules.currency),
        _LINE_RENEWALS,
        _line_switches(rules.replaces_share),
        _successors(),
        _line_spells(),
    )
    return [f"CREATE TEMP TABLE {name} AS {select}" for name, select in zip(WORK_TABLES, selects, strict=True)]


def _known_lines(contracts: str) -> str:
    """Lines as known, with when they stop by themselves and when the next of their product and centre starts."""
    return f"""
        SELECT c.*, MIN(CASE WHEN c.runs_until > c.starts AND c.mrr_micros >= 0 THEN c.starts END) OVER (
                         PARTITION BY c.k, c.product_line
                         ORDER BY c.starts RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_start
        FROM (SELECT l.*, COALESCE(l.ended, l.ends, {NEVER}) AS runs_until
              FROM ({contracts}) l WHERE COALESCE(l.status, 'active') <> 'trial') c"""


def _line_overlaps(rules: Revenue) -> str:
    """Pairs of a line and one of its product and centre that starts while it runs and replaces it: a row a pair."""
    replaces = replaces_overlapped(rules, starts="starts", ends="runs_until")
    pairs = f"""
        SELECT o.k, o.contract_id, o.product_line, o.mrr_micros, n.contract_id AS next_id, n.starts AS next_starts,
               n.mrr_micros AS next_mrr
        FROM known_lines o JOIN known_lines n ON n.k = o.k AND n.product_line = o.product_line
        WHERE o.next_start < o.runs_until AND o.mrr_micros >= 0 AND n.mrr_micros >= 0
          AND n.starts > o.starts AND n.starts < o.runs_until AND n.runs_until > n.starts AND {replaces}"""
    enough = spared(rules, next_mrr="next_mrr", mrr="mrr_micros", continued="continued_mrr", larger="larger_mrr")
    return f"""
        WITH pairs AS ({pairs}),
        continued AS (
            SELECT p.k, p.next_id, SUM(e.mrr_micros) AS mrr_micros
            FROM (SELECT DISTINCT k, next_id, next_starts, product_line FROM pairs) p
            JOIN known_lines e ON e.k = p.k AND e.product_line = p.product_line
            WHERE e.runs_until <= p.next_starts AND e.runs_until >= p.next_starts - {rules.grace_days}
              AND e.starts < e.runs_until AND e.mrr_micros >= 0
              AND NOT EXISTS (SELECT 1 FROM known_lines b
                              WHERE b.k = e.k AND b.product_line = e.product_line AND b.starts >= e.runs_until
                                AND b.starts < p.next_starts AND b.starts < b.runs_until AND b.mrr_micros >= 0)
            GROUP BY p.k, p.next_id)
        SELECT k, contract_id, next_id, next_starts, next_mrr
        FROM (SELECT p.*, c.mrr_micros AS continued_mrr, SUM(p.mrr_micros) OVER (
                         PARTITION BY p.k, p.next_id ORDER BY p.mrr_micros DESC, p.contract_id
                         ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - p.mrr_micros AS larger_mrr
              FROM pairs p LEFT JOIN continued c ON c.k = p.k AND c.next_id = p.next_id) ranked
        WHERE {enough}"""


def _line_ends(grace: int) -> str:
    """Lines with the overlaps applied: when they stop, and until when they run if nothing follows them.

    A term that had run out before notice was given ran on until then, as long as its grace lasted.
    """
    ran_out = "l.ended IS NULL AND l.ends > l.starts AND o.replaced_on IS NULL AND l.mrr_micros >= 0"
    graced = f"l.notice IS NULL AND {ran_out}"
    told_off = f"l.notice >= l.ends AND l.notice < l.ends + {grace} AND {ran_out}"
    return f"""
        SELECT l.*, {_bucket("l.starts", grace)} AS bucket, o.replaced_on,
               COALESCE(o.replaced_on, l.runs_until) AS stops, {flag(graced)} AS graced,
               CASE WHEN {graced} THEN l.ends + {grace} WHEN {told_off} THEN l.notice
                    ELSE COALESCE(o.replaced_on, l.runs_until) END AS own_until
        FROM known_lines l
        LEFT JOIN (SELECT k, contract_id, MIN(next_starts) AS replaced_on FROM line_overlaps GROUP BY k, contract_id) o
          ON o.k = l.k AND o.contract_id = l.contract_id"""


def _line_followers(grace: int, currency: str) -> str:
    """Pairs of an ended line and one that starts within its grace and could follow it: a row a pair.

    `own` is 1 where both are of one product, and `place` then tells which of several comes first. Amounts in different
    currencies are not compared: a line in another currency replaces what ended. Start days are cut into buckets as long
    as the grace, so that each line meets only the lines of two buckets.
    """
    last_bucket = _bucket(f"(runs_until + {grace})", grace)
    columns = "k, contract_id, product_line, center_line, currency, mrr_micros, runs_until"
    other = " <> ".join(f"COALESCE({line}.currency, {quoted(currency)})" for line in ("s", "l"))
    ended = f"""replaced_on IS NULL AND runs_until < {NEVER} AND runs_until > starts AND mrr_micros >= 0"""
    return f"""
        SELECT p.*, ROW_NUMBER() OVER (PARTITION BY p.k, p.contract_id
                                       ORDER BY p.own DESC, p.next_starts, p.next_mrr DESC, p.next_id) AS place
        FROM (SELECT l.k, l.contract_id, l.center_line, l.mrr_micros, s.contract_id AS next_id,
                     s.starts AS next_starts, s.mrr_micros AS next_mrr, s.kind AS next_kind,
                     {flag("s.product_line = l.product_line")} AS own,
                     {flag(other)} AS other_currency
              FROM (SELECT {columns}, {_bucket("runs_until", grace)} AS bucket FROM line_ends WHERE {ended}
                    UNION ALL
                    SELECT {columns}, {last_bucket} AS bucket FROM line_ends
                    WHERE {ended} AND {last_bucket} <> {_bucket("runs_until", grace)}) l
              JOIN line_ends s ON s.k = l.k AND s.center_line = l.center_line AND s.bucket = l.bucket
              WHERE s.contract_id <> l.contract_id AND s.starts >= l.runs_until AND s.starts <= l.runs_until + {grace}
                AND s.stops > s.starts AND s.mrr_micros >= 0) p"""


# Lines of a product that start together, each with the ended lines that it continues and what it has to spare: a row a
# pair, and a row without `contract_id` for those that continue nothing.
_LINE_RENEWALS = """
    WITH ended AS (
        SELECT f.k, f.contract_id, f.mrr_micros, f.next_starts, s.product_line,
               ROW_NUMBER() OVER (PARTITION BY f.k, s.product_line, f.next_starts
                                  ORDER BY f.mrr_micros DESC, f.contract_id) AS size_rank
        FROM line_followers f JOIN line_ends s ON s.k = f.k AND s.contract_id = f.next_id
        WHERE f.own = 1 AND f.place = 1),
    days AS (SELECT k, product_line, next_starts, SUM(mrr_micros) AS ended_mrr
             FROM ended GROUP BY k, product_line, next_starts),
    started AS (
        SELECT s.k, s.contract_id AS next_id, s.product_line, d.next_starts, d.ended_mrr, s.mrr_micros,
               ROW_NUMBER() OVER (PARTITION BY s.k, s.product_line, d.next_starts
                                  ORDER BY s.mrr_micros DESC, s.contract_id) AS size_rank,
               COUNT(*) OVER (PARTITION BY s.k, s.product_line, d.next_starts) AS lines,
               SUM(s.mrr_micros) OVER (PARTITION BY s.k, s.product_line, d.next_starts
                                       ORDER BY s.mrr_micros DESC, s.contract_id
                                       ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - s.mrr_micros AS larger_mrr
        FROM days d JOIN line_ends s ON s.k = d.k AND s.product_line = d.product_line AND s.starts = d.next_starts
        WHERE s.stops > s.starts AND s.mrr_micros >= 0)
    SELECT s.k, e.contract_id, s.next_id, s.next_starts,
           CAST(CASE WHEN s.ended_mrr <= s.larger_mrr THEN s.mrr_micros
                     WHEN s.size_rank < s.lines AND s.ended_mrr > s.larger_mrr + s.mrr_micros THEN 0
                     ELSE s.larger_mrr + s.mrr_micros - s.ended_mrr END AS BIGINT) AS spare
    FROM started s
    LEFT JOIN ended e ON e.k = s.k AND e.product_line = s.product_line AND e.next_starts = s.next_starts
                     AND CASE WHEN e.size_rank < s.lines THEN e.size_rank ELSE s.lines END = s.size_rank"""

# The overlaps are ranked here and not where they are made: Spark 4.3's optimiser fails on a union of two plain tables.
_REPLACED = """
    SELECT k, contract_id, next_id, next_starts
    FROM (SELECT o.*, ROW_NUMBER() OVER (PARTITION BY o.k, o.contract_id
                                         ORDER BY o.next_starts, o.next_mrr DESC, o.next_id) AS place
          FROM line_overlaps o) ranked
    WHERE place = 1"""

_CONTINUED = f"""
    SELECT k, contract_id, next_id, next_starts FROM line_renewals WHERE contract_id IS NOT NULL
    UNION ALL {_REPLACED}"""


def _line_switches(replaces_share: float) -> str:
    """Pairs of an ended line and one of another product that replaces it (rule 2), walked one after the other.

    Pairs that no spare could allow, and those of a line that is followed before, are left out first, so that hardly any
    are walked; what has no line in common is walked side by side. `followed` holds the lines that are followed so far,
    each between bars.
    """
    enough = (
        f"({{line}}.other_currency = 1 OR {{line}}.replaces_all = 1 "
        f"OR {{spare}} >= {replaces_share} * {{line}}.mrr_micros)"
    )
    spare = "CASE WHEN p.next_id = w.next_id THEN w.spare ELSE p.full_spare END"
    taken = f"({enough.format(line='p', spare=spare)} AND w.followed NOT LIKE '%|' || p.line || '|%')"
    return f"""
        WITH RECURSIVE pairs AS (
            SELECT p.*, DENSE_RANK() OVER (PARTITION BY p.k, p.center_line, p.next_starts
                                           ORDER BY p.mrr_micros DESC, p.contract_id) AS size_rank,
                   ROW_NUMBER() OVER (PARTITION BY p.k, p.contract_id, p.next_starts
                                      ORDER BY p.next_mrr DESC, p.next_id) AS turn
            FROM ({_SWITCHES}) p WHERE {enough.format(line="p", spare="p.full_spare")}),
        numbered AS ({_NUMBERED}),
        walked AS (
            SELECT k, center_line, walk, n, contract_id, next_id, next_starts, CAST(1 AS BIGINT) AS taken,
                   CAST(full_spare - mrr_micros AS BIGINT) AS spare, CAST('|' || line || '|' AS VARCHAR) AS followed
            FROM numbered WHERE n = 1
            UNION ALL
            SELECT p.k, p.center_line, p.walk, p.n, p.contract_id, p.next_id, p.next_starts,
                   CAST(CASE WHEN {taken} THEN 1 ELSE 0 END AS BIGINT) AS taken,
                   CAST({spare} - CASE WHEN {taken} THEN p.mrr_micros ELSE 0 END AS BIGINT) AS spare,
                   CAST(w.followed || CASE WHEN {taken} THEN p.line || '|' ELSE '' END AS VARCHAR) AS followed
            FROM walked w
            JOIN numbered p ON p.k = w.k AND p.center_line = w.center_line AND p.walk = w.walk AND p.n = w.n + 1)
        SELECT k, contract_id, next_id, next_starts FROM walked WHERE taken = 1"""


_LABELLED = "f.next_kind IN ('renewal', 'downsell')"

# Pairs of an ended line that no line of its own product follows and one of another product.
_SWITCHES = f"""
    SELECT f.*, CAST(COALESCE(r.spare, f.next_mrr) - COALESCE(v.mrr_micros, 0) AS BIGINT) AS full_spare,
           {flag(f"{_LABELLED} AND r.next_id IS NULL AND v.next_id IS NULL AND e.next_id IS NULL")} AS replaces_all
    FROM line_followers f
    LEFT JOIN (SELECT DISTINCT k, next_id, spare FROM line_renewals) r ON r.k = f.k AND r.next_id = f.next_id
    LEFT JOIN (SELECT p.k, p.next_id, SUM(l.mrr_micros) AS mrr_micros
               FROM ({_REPLACED}) p JOIN line_ends l ON l.k = p.k AND l.contract_id = p.contract_id
               GROUP BY p.k, p.next_id) v ON v.k = f.k AND v.next_id = f.next_id
    LEFT JOIN (SELECT DISTINCT k, next_id FROM line_followers WHERE own = 1) e ON e.k = f.k AND e.next_id = f.next_id
    WHERE f.own = 0 AND NOT EXISTS (SELECT 1 FROM line_followers o
                                    WHERE o.k = f.k AND o.contract_id = f.contract_id AND o.own = 1)"""

# A line passes over an ended one that it could replace only if it has taken a larger one before. So of the lines that
# start on one day and could replace the r-th largest, the r-th in turn finds it followed or takes it: what comes after
# that is none of its pairs.
_OPEN_PAIRS = """
    SELECT p.*, MAX(p.next_starts) OVER (PARTITION BY p.k, p.contract_id) AS last_starts
    FROM (SELECT a.*, SUM(CASE WHEN a.turn = a.size_rank OR a.other_currency = 1 OR a.replaces_all = 1
                               THEN 1 ELSE 0 END) OVER (
                          PARTITION BY a.k, a.contract_id ORDER BY a.next_starts, a.next_mrr DESC, a.next_id
                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS settled
          FROM pairs a) p
    WHERE COALESCE(p.settled, 0) = 0"""

# In the order in which they are walked: by start, then the larger line, and of what it may replace the largest first. A
# walk of its own begins where no ended line reaches across.
_IN_ORDER = "next_starts, next_mrr DESC, next_id, mrr_micros DESC, contract_id"
_NUMBERED = f"""
    SELECT k, center_line, walk, contract_id, next_id, next_starts, mrr_micros, full_spare, other_currency,
           replaces_all,
           CAST(DENSE_RANK() OVER (PARTITION BY k, center_line, walk ORDER BY contract_id) AS VARCHAR) AS line,
           ROW_NUMBER() OVER (PARTITION BY k, center_line, walk ORDER BY {_IN_ORDER}) AS n
    FROM (SELECT s.*, SUM(s.apart) OVER (PARTITION BY s.k, s.center_line ORDER BY {_IN_ORDER}
                                         ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS walk
          FROM (SELECT o.*, CASE WHEN o.next_starts > MAX(o.last_starts) OVER (
                                      PARTITION BY o.k, o.center_line ORDER BY {_IN_ORDER}
                                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) THEN 1 ELSE 0 END AS apart
                FROM ({_OPEN_PAIRS}) o) s) t"""


def _successors() -> str:
    """Pairs of a line and the one that follows it, from `next_starts` on; `overlapping` where that was before its end.

    A line that is not known yet at `t` (`later`) tells that what it follows ran on, up to its start and on that day.
    """
    return f"""
        SELECT p.k, p.contract_id, p.next_id, p.next_starts, n.later,
               {flag("p.next_starts < l.runs_until")} AS overlapping
        FROM ({_CONTINUED} UNION ALL SELECT k, contract_id, next_id, next_starts FROM line_switches) p
        JOIN line_ends l ON l.k = p.k AND l.contract_id = p.contract_id
        JOIN line_ends n ON n.k = p.k AND n.contract_id = p.next_id"""


def _line_spells() -> str:
    """The lines with `active_until`: until what follows them starts, or else as long as they run by themselves."""
    return """
        SELECT l.*, COALESCE(s.next_starts, l.own_until) AS active_until
        FROM line_ends l
        LEFT JOIN (SELECT k, contract_id, MIN(next_starts + later) AS next_starts FROM line_successors
                   WHERE overlapping = 0 GROUP BY k, contract_id) s ON s.k = l.k AND s.contract_id = l.contract_id"""


# The lines at every snapshot, each beside what it follows (`before_`). A discount of a term runs as long as what else
# ends with the term.
STATES = """
    SELECT c.k, c.t, l.account_id, l.contract_id, l.product_line, l.center_line, l.product, l.buying_center, l.currency,
           l.kind, l.status, l.mrr_micros, l.list_mrr_micros, l.seats, l.auto_renew, l.starts, l.ends, l.later,
           COALESCE(l.ended, l.ends) AS term_ends, l.notice, b.before_mrr_micros, b.before_ends, b.before_currency,
           b.before_last_currency,
           CASE WHEN l.mrr_micros < 0 AND d.active_until > l.active_until THEN d.active_until
                ELSE l.active_until END AS active_until,
           CASE WHEN l.graced = 1 AND l.ends <= c.t AND c.t < l.active_until THEN 1 ELSE 0 END AS overdue
    FROM line_spells l
    JOIN cal c ON c.k >= l.k AND (l.next_k IS NULL OR c.k < l.next_k)
    LEFT JOIN (SELECT p.k, p.next_id, SUM(o.mrr_micros) AS before_mrr_micros, MAX(o.ends) AS before_ends,
                      MIN(COALESCE(o.currency, '')) AS before_currency,
                      MAX(COALESCE(o.currency, '')) AS before_last_currency
               FROM line_successors p JOIN line_spells o ON o.k = p.k AND o.contract_id = p.contract_id
               GROUP BY p.k, p.next_id) b ON b.k = l.k AND b.next_id = l.contract_id
    LEFT JOIN (SELECT k, account_id, ends, MAX(active_until) AS active_until FROM line_spells
               WHERE mrr_micros >= 0 AND ended IS NULL AND ends IS NOT NULL GROUP BY k, account_id, ends) d
      ON d.k = l.k AND d.account_id = l.account_id AND d.ends = l.ends AND l.mrr_micros < 0 AND l.ended IS NULL"""


def _bucket(day: str, grace: int) -> str:
    return f"({day} - MOD({day}, {grace + 1}))"
