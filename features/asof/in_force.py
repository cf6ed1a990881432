"""The account attributes in force at each snapshot, also of roots that the table of accounts lacks.

Where accounts are rolled up by their parents, such a root has the attributes of its largest account: the one with the
most MRR when the newest line of the root's accounts started, then the first by its id. Both follow from the lines known
at the snapshot, so that a line of later on tells nothing.
"""

from features.asof.clocks import NEVER, Clocks
from features.tables.contract import MEMBER
from features.tables.sql import named


def attributes_in_force(clocks: Clocks, contracts: str) -> str:
    """SELECT of `k`, `account_id` and the columns that describe the account; see `AsOf.attributes`.

    `contracts` is the SELECT of the lines as the snapshots knew them, where accounts are rolled up; else empty.
    """
    tables, clock = clocks.tables, clocks.of_row("accounts")
    names = ", ".join(map(named, ("account_id", *tables.attribute_columns)))
    valid, recorded = (
        name if tables.has("accounts", name) else "CAST(NULL AS TIMESTAMP)" for name in ("valid_from", "recorded_at")
    )
    largest, member, sizes = "", "", ""
    if contracts:
        largest, member = f"z.mrr_micros DESC NULLS LAST, v.{MEMBER}, ", f", {MEMBER}"
        sizes = f" LEFT JOIN ({_sizes(contracts)}) z ON z.k = c.k AND z.{MEMBER} = v.{MEMBER}"
    return f"""
            SELECT k, {names} FROM (
                SELECT c.k, v.*, ROW_NUMBER() OVER (
                    PARTITION BY c.k, v.account_id
                    ORDER BY {largest}v.hf_valid_day DESC, v.hf_known_day DESC, v.hf_valid DESC, v.hf_recorded DESC
                    ) AS hf_newest
                FROM (SELECT {names}, {valid} AS hf_valid, {recorded} AS hf_recorded,
                             {clock.happened} AS hf_valid_day, {clock.known} AS hf_known_day{member}
                      FROM raw.accounts) v
                JOIN cal c ON v.hf_valid_day < c.t AND v.hf_known_day < c.t{sizes}) ranked
            WHERE hf_newest = 1"""


def _sizes(contracts: str) -> str:
    """SELECT of the MRR of each account of a root that has several; of a root of one account none is needed."""
    return f"""
        SELECT k, {MEMBER}, SUM(mrr_micros) AS mrr_micros
        FROM (SELECT s.k, l.{MEMBER}, l.mrr_micros, COALESCE(l.ended, l.ends, {NEVER}) AS runs_until,
                     MAX(l.starts) OVER (PARTITION BY s.k, l.account_id) AS newest
              FROM ({contracts}) l
              JOIN cal s ON s.k >= l.k AND (l.next_k IS NULL OR s.k < l.next_k) AND l.starts <= s.t
              JOIN (SELECT account_id FROM raw.accounts
                    GROUP BY account_id HAVING COUNT(DISTINCT {MEMBER}) > 1) r ON r.account_id = l.account_id) n
        WHERE runs_until > newest GROUP BY k, {MEMBER}"""
