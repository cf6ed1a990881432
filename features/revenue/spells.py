"""When an account was a customer: unbroken times in which it paid, or was paused.

A pause begins where an account stops paying inside a chain of lines that goes on: a line of MRR 0 (or of status paused)
that follows a paid one. It lasts until the account pays again, until the chain breaks off, or for `pause_days`; whoever
has not come back by then has left. A bare gap of up to `gap_days` between two paid times is a pause too.
"""

from params import Revenue


def spell_statements(rules: Revenue) -> list[str]:
    """Statements that make temp tables `pauses` and `coverage` from `line_states` and `line_successors`.

    `pauses(account_id, paused_from, paused_until)`: half-open day numbers. `coverage(account_id, covered_from,
    covered_until)`: the unbroken times in which it was a customer, pauses included.
    """
    return [
        f"CREATE TEMP TABLE paid AS {_islands(_PAID, 'paid_from', 'paid_until')}",
        f"CREATE TEMP TABLE chains AS {_islands(_CHAINED, 'chained_from', 'chained_until')}",
        f"CREATE TEMP TABLE pauses AS {_pauses(rules)}",
        f"CREATE TEMP TABLE coverage AS {_islands(_CUSTOMER, 'covered_from', 'covered_until')}",
        "DROP TABLE paid",
        "DROP TABLE chains",
    ]


_PAID = """
    SELECT account_id, starts AS begins, active_until AS until FROM line_states
    WHERE mrr_micros > 0 AND starts < active_until"""

# Lines that carry on what was paid for: paid ones, and those without MRR that follow them or are paused.
_CHAINED = """
    SELECT account_id, starts AS begins, active_until AS until FROM line_states s
    WHERE starts < active_until AND mrr_micros >= 0
      AND (mrr_micros > 0 OR status = 'paused' OR contract_id IN (SELECT next_id FROM line_successors)
           OR EXISTS (SELECT 1 FROM line_states e WHERE e.product_line = s.product_line AND e.mrr_micros > 0
                      AND e.starts < s.starts AND e.starts < e.active_until))"""

_CUSTOMER = """
    SELECT account_id, paid_from AS begins, paid_until AS until FROM paid
    UNION ALL SELECT account_id, paused_from, paused_until FROM pauses"""


def _islands(spells: str, begins: str, until: str) -> str:
    """Times that touch or overlap, put together; a row a beginning first, as two windows may order ties differently."""
    return f"""
    SELECT account_id, MIN(begins) AS {begins}, MAX(until) AS {until}
    FROM (SELECT s.*, SUM(s.apart) OVER (PARTITION BY s.account_id ORDER BY s.begins
                                         ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS island
          FROM (SELECT t.*, CASE WHEN begins <= MAX(until) OVER (
                           PARTITION BY account_id ORDER BY begins
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) THEN 0 ELSE 1 END AS apart
                FROM (SELECT account_id, begins, MAX(until) AS until FROM ({spells}) r
                      GROUP BY account_id, begins) t) s) spells
    GROUP BY account_id, island"""


def _pauses(rules: Revenue) -> str:
    """From the end of each paid time: as long as the chain goes on, until paid again, at most `pause_days`."""
    return f"""
    SELECT account_id, paid_until AS paused_from, paused_until
    FROM (SELECT p.account_id, p.paid_until,
                 CASE WHEN p.paid_again - p.paid_until <= {rules.gap_days} THEN p.paid_again
                      ELSE LEAST(COALESCE(p.paid_again, c.chained_until), c.chained_until,
                                 p.paid_until + {rules.pause_days}) END AS paused_until
          FROM (SELECT *, LEAD(paid_from) OVER (PARTITION BY account_id ORDER BY paid_from) AS paid_again
                FROM paid) p
          JOIN chains c ON c.account_id = p.account_id
                       AND c.chained_from <= p.paid_until AND p.paid_until <= c.chained_until)
    WHERE paused_until > paid_until"""
