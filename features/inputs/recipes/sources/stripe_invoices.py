"""Stripe's invoice lines: what each subscription cost in each period, where its own history is not there."""

from features.inputs.recipes.kit import Kit
from features.inputs.recipes.sources.stripe_sheets import money

CHANGES = """\
WITH base AS (
{base}),
billed AS (
    SELECT {subscription} AS subscription, {line} AS line, {plan} AS plan, {seats} AS seats,
           {amount} AS amount, {starts} AS since, date_diff('day', {starts}, {ends}) AS days, {tie} AS tie
    FROM {rows} WHERE {kept}),
change AS (
    SELECT *, lead(since) OVER run AS until, row_number() OVER run AS number
    FROM (SELECT * FROM billed WINDOW run AS (PARTITION BY subscription, line ORDER BY since, tie, amount)
          QUALIFY (amount, seats, plan) IS DISTINCT FROM lag((amount, seats, plan)) OVER run)
    WINDOW run AS (PARTITION BY subscription, line ORDER BY since, tie, amount))
SELECT b.* REPLACE (b.line_id || CASE number WHEN 1 THEN '' ELSE ' ' || since END AS line_id,
                    c.amount AS amount, COALESCE(c.seats, b.seats) AS seats, {product} AS product,
                    CASE WHEN days >= 300 THEN 1 / round(days / 365.25) WHEN days >= 25 THEN 12 / round(days / 30.44)
                         WHEN days >= 6 THEN 52 / round(days / 7.0) ELSE 365 / greatest(days, 1) END AS per_year,
                    CASE number WHEN 1 THEN b.starts ELSE since END AS starts, COALESCE(until, b.ended) AS ended,
                    CASE number WHEN 1 THEN b.created END AS created,
                    CASE WHEN until IS NULL THEN b.notice END AS notice)
FROM base AS b JOIN change AS c ON c.subscription = b.subscription AND c.line = {key}{joins}
UNION ALL BY NAME
SELECT b.* FROM base AS b
WHERE NOT EXISTS (FROM change AS c WHERE c.subscription = b.subscription AND c.line = {key})"""


def with_invoiced(kit: Kit, base: str, prices: str) -> str:
    """Priced subscriptions, each cut where its invoices show another price, quantity or plan.

    Prorations, one-off items and refunds are left out: only whole periods of a subscription tell its price.
    """
    cells = kit.cells("invoice_line_items", "l")
    by_item = "items" in kit and cells.has("item")
    amount = cells.number("amount")
    kept = [f"NOT {cells.true('proration')}", f"{cells.text('subscription')} IS NOT NULL", f"{amount} > 0"]
    kept += [f"{cells.is_one_of('type', 'subscription')}"] if cells.has("type") else []
    product, joins = "b.product", ""
    if prices and cells.has("plan"):
        product, joins = "COALESCE(r.product, b.product)", f"\nLEFT JOIN ({prices}) AS r ON r.id = c.plan"
    return CHANGES.format(
        base=base,
        subscription=cells.text("subscription"),
        line=cells.text("item") if by_item else cells.text("subscription"),
        plan=cells.text("plan"),
        seats=cells.number("quantity"),
        amount=money(cells, "amount", cells.text("currency")),
        tie=cells.text("id"),
        starts=cells.day("period_start"),
        ends=cells.day("period_end"),
        rows=cells.rows,
        kept=" AND ".join(kept),
        key="b.line_id" if by_item else "b.subscription",
        product=product,
        joins=joins,
    )
