"""What all billing tools share: from the pieces of a subscription to contract lines.

A piece is a stretch of a subscription line at one price. Its columns: line_id, customer_id, product, currency, amount
and list_amount (of one billing period, in the currency's own unit), seats, per_year (billing periods a year), starts
and ended (days; trials are over by `starts`), term_start and term_end (of the current term), term_months (how long
terms are, where that is not the billing period), created, notice, status.

Nothing that a cancellation changes in an export goes into any of these but `ended` and `notice`, which count from their
day on: a flag such as auto-renewal, as it is today, would tell past lines who leaves.
"""

from features.inputs.recipes.kit import Draft, Kit, account_part

COLUMNS = (
    *("contract_id", "account_id", "product", "kind", "starts_on", "ends_on", "ended_on", "signed_on", "notice_on"),
    *("mrr", "list_mrr", "seats", "currency", "status"),
)
EVERGREEN = "Plans billed monthly or more often run on until they end; longer ones become a line a term."
TODAY = (
    "{source}: {sheets} tell what subscriptions are today, so past lines bear today's plan, price and quantity: an "
    "export of their history would tell how they changed."
)
PER_YEAR = {"day": 365, "week": 52, "month": 12, "quarter": 4, "year": 1}

# Where a subscription ended is where its term ends in some exports: then terms are counted from the term's start, or
# from the first day, so that a past term ends where it would have ended without the cancellation.
CONTRACTS = """\
WITH piece AS (
    SELECT *, CAST(greatest(ROUND(COALESCE(term_months, 0)), ROUND(12 / per_year), 1) AS INTEGER) AS months,
           term_end IS NOT NULL AND greatest(COALESCE(term_months, 0), 12 / per_year) >= 2.5 AS termed
    FROM {pieces}
    WHERE starts IS NOT NULL AND amount IS NOT NULL AND (ended IS NULL OR ended > starts)),
anchored AS (
    SELECT *, CASE WHEN ended IS DISTINCT FROM term_end THEN term_end
                   WHEN term_start IS NOT NULL THEN CAST(term_start + to_months(months) AS DATE)
                   ELSE CAST(starts + to_months(CAST(ceil(round(date_diff('day', starts, term_end) / 30.4375, 1)
                                                          / months) * months AS INTEGER)) AS DATE) END AS anchor
    FROM piece),
numbered AS (
    SELECT *, unnest(CASE WHEN termed THEN range(
               CASE WHEN ended > anchor THEN -(date_diff('month', anchor, ended) // months + 1) ELSE 0 END,
               date_diff('month', starts, greatest(anchor, starts)) // months + 2) ELSE [0] END) AS back
    FROM anchored),
term AS (
    SELECT *, CASE WHEN termed THEN greatest(starts, CAST(anchor - to_months(CAST(months * (back + 1) AS INTEGER))
                                                          AS DATE)) ELSE starts END AS starts_on,
           CASE WHEN termed THEN CAST(anchor - to_months(CAST(months * back AS INTEGER)) AS DATE) END AS ends_on
    FROM numbered)
SELECT line_id || CASE WHEN termed THEN ' ' || starts_on ELSE '' END AS contract_id,
       COALESCE(a.account_id, customer_id) AS account_id, product,
       CASE WHEN starts_on > starts THEN 'renewal' END AS kind,
       starts_on, ends_on, CASE WHEN ends_on IS NULL OR ended <= ends_on THEN ended END AS ended_on,
       CASE WHEN starts_on = starts THEN least(starts_on, created) ELSE starts_on END AS signed_on,
       CASE WHEN ends_on IS NULL OR ended <= ends_on THEN least(notice, ended) END AS notice_on,
       CAST(amount * per_year / 12 AS DECIMAL(18,6)) AS mrr,
       CAST(list_amount * per_year / 12 AS DECIMAL(18,6)) AS list_mrr,
       CAST(seats AS BIGINT) AS seats, UPPER(currency) AS currency, status
FROM term LEFT JOIN {account} AS a ON a.id = customer_id
WHERE (ends_on IS NULL OR ends_on > starts_on) AND (ended IS NULL OR starts_on < ended)"""


def contracts(kit: Kit, kind: str, sheets: tuple[str, ...], why: tuple[str, ...], *, has_history: bool) -> Draft:
    """Contract lines of the part `<source>_pieces`, whose customers are things of `kind`.

    Parameters
    ----------
    has_history
        Whether the pieces tell what a subscription was, and not only what it is today.
    """
    if not has_history:
        kit.questions.append(TODAY.format(source=kit.source, sheets=sheets[0]))
    query = CONTRACTS.format(pieces=f"{{{kit.source}_pieces}}", account=f"{{{account_part(kind)}}}")
    return Draft("contracts", kit.source, sheets, query, COLUMNS, (*why, EVERGREEN))


def per_year(unit: str, count: str) -> str:
    """SQL of how many billing periods a year has, of a text such as month, months, MONTHLY or annual, and a number."""
    unit = f"LOWER({unit})"
    count = "1" if count.startswith("CAST(NULL") else f"COALESCE(NULLIF({count}, 0), 1)"
    return (
        f"(CASE WHEN {unit} LIKE '%year%' OR {unit} LIKE 'annual%' THEN 1.0 "
        f"WHEN {unit} LIKE 'semi%annual%' OR {unit} LIKE '%half%' THEN 2.0 WHEN {unit} LIKE '%quarter%' THEN 4.0 "
        f"WHEN {unit} LIKE '%month%' THEN 12.0 WHEN {unit} LIKE '%week%' THEN 52.0 WHEN {unit} LIKE '%da%y%' "
        f"THEN 365.0 ELSE 12.0 END / {count})"
    )


def piece(
    *,
    line_id: str,
    customer_id: str,
    product: str,
    amount: str,
    periods: str,
    starts: str,
    currency: str = "NULL",
    list_amount: str = "NULL",
    seats: str = "NULL",
    ended: str = "CAST(NULL AS DATE)",
    term_start: str = "CAST(NULL AS DATE)",
    term_end: str = "CAST(NULL AS DATE)",
    term_months: str = "NULL",
    created: str = "CAST(NULL AS DATE)",
    notice: str = "CAST(NULL AS DATE)",
    status: str = "'active'",
) -> str:
    """The columns of a piece, each from its SQL."""
    columns = {
        **{"line_id": line_id, "customer_id": customer_id, "product": product, "currency": currency},
        **{"amount": amount, "list_amount": list_amount, "seats": seats, "per_year": periods},
        **{"starts": starts, "ended": ended, "term_start": term_start, "term_end": term_end},
        **{"term_months": term_months, "created": created, "notice": notice, "status": status},
    }
    return ",\n       ".join(f"{text} AS {name}" for name, text in columns.items())


WITH_PAUSES = """\
SELECT line_id || CASE part WHEN 1 THEN '' WHEN 2 THEN ' paused' ELSE ' resumed' END AS line_id, customer_id, product,
       currency, CASE part WHEN 2 THEN 0 ELSE amount END AS amount, list_amount, seats, per_year,
       CASE part WHEN 1 THEN starts WHEN 2 THEN greatest(starts, paused_on)
                 ELSE greatest(starts, resumed_on) END AS starts,
       CASE part WHEN 1 THEN COALESCE(least(ended, paused_on), paused_on) WHEN 2
            THEN COALESCE(least(ended, resumed_on), resumed_on, ended) ELSE ended END AS ended,
       term_start, CASE part WHEN 2 THEN NULL ELSE term_end END AS term_end, term_months, created,
       CASE WHEN part = 3 OR paused_on IS NULL THEN notice END AS notice,
       CASE part WHEN 2 THEN 'paused' ELSE status END AS status
FROM ({pieces}) CROSS JOIN (VALUES (1), (2), (3)) AS parts(part)
WHERE part = 1 OR (part = 2 AND paused_on IS NOT NULL) OR (part = 3 AND resumed_on > paused_on)"""


def with_pauses(pieces: str) -> str:
    """Pieces that also have `paused_on` and `resumed_on`, each cut where it was paused and resumed."""
    return WITH_PAUSES.format(pieces=pieces)
