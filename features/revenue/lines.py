"""When each contract line is active, by what was known: terms, notice, grace, late renewals, plan switches."""

from features.asof.clocks import NEVER
from features.asof.view import AsOf
from params import Revenue

WORK_TABLES = ("known_lines", "line_followers", "renewed_lines", "line_successors")


def line_states(asof: AsOf, rules: Revenue) -> list[str]:
    """Statements that make temp table `line_states`: a row a snapshot `k` and line known then.

    A line is active on day u iff `starts <= u < active_until` (`NEVER` if open). `term_ends` is its known end
    (explicit, else scheduled; NULL = evergreen), `ends` the scheduled one; `overdue` is 1 where it runs in grace
    at `t`. The frames of `asof` must have been loaded.

    Parameters
    ----------
    asof
        The snapshots.
    rules
        Gives `grace_days`.
    """
    return [*line_statements(asof.contracts(), rules), *(f"DROP TABLE {table}" for table in WORK_TABLES)]


def line_statements(contracts: str, rules: Revenue) -> list[str]:
    """The statements of `line_states` from a SELECT of contract lines; they leave their work tables behind."""
    return [*work_statements(contracts, rules), f"CREATE TEMP TABLE line_states AS {STATES}"]


def work_statements(contracts: str, rules: Revenue) -> list[str]:
    """The statements that make the work tables, which `STATES`, the SELECT of `line_states`, reads."""
    grace = rules.grace_days
    selects = (_known_lines(contracts, grace), _line_followers(grace), _renewed_lines(grace), _successors())
    return [f"CREATE TEMP TABLE {name} AS {select}" for name, select in zip(WORK_TABLES, selects, strict=True)]


def _known_lines(contracts: str, grace: int) -> str:
    """Lines as known, with when they stop by themselves and whether silence after that means grace.

    A line that starts while another of the same product and buying centre runs replaces it: where that was signed
    ahead, the older line's end follows from it and need not be known by itself. Lines without a product cannot be
    told apart and replace nothing.
    """
    return f"""
        SELECT l.*, {_bucket("l.starts", grace)} AS bucket, CASE WHEN l.replaced_on < l.runs_until THEN l.replaced_on
                    ELSE l.runs_until END AS stops,
               CASE WHEN l.ended IS NULL AND l.notice IS NULL AND l.ends > l.starts
                         AND (l.replaced_on IS NULL OR l.replaced_on >= l.ends) THEN 1 ELSE 0 END AS graced
        FROM (SELECT c.*, MIN(CASE WHEN c.product IS NOT NULL AND c.runs_until > c.starts THEN c.starts END) OVER (
                         PARTITION BY c.k, c.product_line
                         ORDER BY c.starts RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS replaced_on
              FROM (SELECT k.*, COALESCE(k.ended, k.ends, {NEVER}) AS runs_until FROM ({contracts}) k) c) l"""


def _line_followers(grace: int) -> str:
    """Pairs of a line and one that starts within its grace and could continue it: a row a pair.

    Start days are cut into buckets as long as the grace, so that each line meets only the lines of two buckets.
    """
    last_bucket = _bucket(f"(ends + {grace})", grace)
    columns = "k, contract_id, product_line, center_line, ends"
    return f"""
        SELECT l.k, l.contract_id, s.contract_id AS next_id, s.starts AS next_starts,
               CASE WHEN s.product_line = l.product_line THEN 1 ELSE 0 END AS same_product
        FROM (SELECT {columns}, {_bucket("ends", grace)} AS bucket FROM known_lines WHERE ends IS NOT NULL
              UNION ALL
              SELECT {columns}, {last_bucket} AS bucket FROM known_lines
              WHERE ends IS NOT NULL AND {last_bucket} <> {_bucket("ends", grace)}) l
        JOIN known_lines s ON s.k = l.k AND s.center_line = l.center_line AND s.bucket = l.bucket
        WHERE s.contract_id <> l.contract_id AND s.starts >= l.ends AND s.starts <= l.ends + {grace}
          AND s.stops > s.starts
          AND (s.product_line = l.product_line OR s.kind IS NULL OR s.kind NOT IN ('upsell', 'cross_sell'))"""


def _renewed_lines(grace: int) -> str:
    """Lines with grace and renewals of the same product applied, and until when the product ran before each."""
    return f"""
        SELECT r.*, MAX(r.until) OVER (
                   PARTITION BY r.k, r.product_line
                   ORDER BY r.starts RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS product_until
        FROM (SELECT l.*, CASE WHEN f.next_starts IS NULL THEN 0 ELSE 1 END AS renewed,
                     CASE WHEN l.graced = 0 THEN l.stops
                          ELSE COALESCE(f.next_starts, l.ends + {grace}) END AS until
              FROM known_lines l
              LEFT JOIN (SELECT k, contract_id, MIN(next_starts) AS next_starts FROM line_followers
                         WHERE same_product = 1 GROUP BY k, contract_id) f
                ON f.k = l.k AND f.contract_id = l.contract_id) r"""


def _successors() -> str:
    """Pairs of a line and its successors: the same product's, or where it has none those that replace it."""
    return """
        SELECT f.k, f.contract_id, f.next_id, f.next_starts
        FROM line_followers f
        JOIN renewed_lines l ON l.k = f.k AND l.contract_id = f.contract_id
        JOIN renewed_lines n ON n.k = f.k AND n.contract_id = f.next_id
        WHERE f.same_product = 1
           OR (l.renewed = 0 AND (n.product_until IS NULL OR n.product_until < n.starts))"""


def _states() -> str:
    """The lines with replacements by another product applied too, at every snapshot, each beside the line before it.

    The line before (`before_`) is the one of the same product and buying centre that started before it.
    """
    until = "CASE WHEN l.graced = 1 THEN COALESCE(s.next_starts, l.until) ELSE l.until END"
    before = ", ".join(
        f"LAG(e.{name}) OVER same_product AS before_{label}"
        for name, label in (
            ("mrr_cents", "mrr_cents"),
            ("active_until", "until"),
            ("currency", "currency"),
            ("ends", "ends"),
        )
    )
    return f"""
        SELECT c.k, c.t, b.account_id, b.contract_id, b.product_line, b.product, b.buying_center, b.currency,
               b.kind, b.mrr_cents, b.list_mrr_cents, b.seats, b.auto_renew, b.starts, b.ends, b.term_ends,
               b.active_until, b.notice, b.before_mrr_cents, b.before_until, b.before_currency, b.before_ends,
               CASE WHEN b.graced = 1 AND b.ends <= c.t AND c.t < b.active_until THEN 1 ELSE 0 END AS overdue
        FROM (SELECT e.*, {before}
              FROM (SELECT l.*, COALESCE(l.ended, l.ends) AS term_ends, {until} AS active_until
                    FROM renewed_lines l
                    LEFT JOIN (SELECT k, contract_id, MIN(next_starts) AS next_starts
                               FROM line_successors GROUP BY k, contract_id) s
                      ON s.k = l.k AND s.contract_id = l.contract_id) e
              WINDOW same_product AS (PARTITION BY e.k, e.product_line ORDER BY e.starts, e.contract_id)) b
        JOIN cal c ON c.k >= b.k AND (b.next_k IS NULL OR c.k < b.next_k)"""


STATES = _states()


def _bucket(day: str, grace: int) -> str:
    return f"({day} - MOD({day}, {grace + 1}))"
