"""Stripe's discounts: what each subscription costs while one or several of them last."""

from features.inputs.recipes.cells import Cells
from features.inputs.recipes.kit import Kit
from features.inputs.recipes.sources.stripe_sheets import money

# Percentages of several discounts multiply, amounts come off after them; an amount is shared among the lines of the
# subscription that are in force on the day.
DISCOUNTED = """\
WITH priced AS (
{priced}),
discount AS (
{discounts}),
cut_day AS (
    SELECT subscription, unnest([since, until]) AS cut_on FROM discount
    UNION SELECT subscription, unnest([starts, ended]) FROM priced
    WHERE subscription IN (SELECT subscription FROM discount WHERE amount_off > 0)),
cut AS (
    SELECT p.*, d.cut_on FROM priced AS p JOIN cut_day AS d ON d.subscription = p.subscription
      AND d.cut_on > p.starts AND (p.ended IS NULL OR d.cut_on < p.ended)
    UNION ALL SELECT *, starts FROM priced),
stretch AS (SELECT DISTINCT subscription, cut_on FROM cut),
rate AS (
    SELECT s.*, product(1 - COALESCE(percent_off, 0) / 100) AS rate, SUM(amount_off) AS amount_off
    FROM stretch AS s JOIN discount AS d ON d.subscription = s.subscription
      AND (d.since IS NULL OR d.since <= s.cut_on) AND (d.until IS NULL OR d.until > s.cut_on)
    GROUP BY ALL),
whole AS (
    SELECT s.*, SUM(p.amount) AS whole
    FROM stretch AS s JOIN priced AS p ON p.subscription = s.subscription
      AND p.starts <= s.cut_on AND (p.ended IS NULL OR p.ended > s.cut_on)
    GROUP BY ALL),
net AS (
    SELECT cut.* REPLACE (amount AS list_amount), round(greatest(
               amount * COALESCE(rate, 1) - COALESCE(amount_off, 0) * amount / NULLIF(whole, 0), 0), 6) AS net
    FROM cut LEFT JOIN rate USING (subscription, cut_on) LEFT JOIN whole USING (subscription, cut_on)
    WINDOW line AS (PARTITION BY line_id, starts ORDER BY cut_on)
    QUALIFY lag(cut_on) OVER line IS NULL OR net IS DISTINCT FROM lag(net) OVER line)
SELECT * EXCLUDE (cut_on, net) REPLACE (
           line_id || CASE WHEN cut_on = starts THEN '' ELSE ' from ' || cut_on END AS line_id,
           net AS amount, cut_on AS starts, COALESCE(lead(cut_on) OVER line, ended) AS ended,
           CASE WHEN cut_on = starts THEN created END AS created,
           CASE WHEN lead(cut_on) OVER line IS NULL THEN notice END AS notice)
FROM net
WINDOW line AS (PARTITION BY line_id, starts ORDER BY cut_on)"""


def with_discounts(kit: Kit, subscription: Cells, priced: str) -> str:
    """Priced subscriptions, each cut where a recurring discount of its own begins or ends."""
    if "coupons" not in kit or not ("discounts" in kit or subscription.has("coupon")):
        return f"SELECT * REPLACE (amount AS list_amount) FROM ({priced})"
    return DISCOUNTED.format(priced=priced, discounts=_discounts(kit, subscription))


def _discounts(kit: Kit, subscription: Cells) -> str:
    """A row a discount: what it takes off which subscription, and from when until when."""
    coupon = kit.cells("coupons", "c")
    if "discounts" in kit:
        discount = kit.cells("discounts", "d")
        name, joined, rows = discount.text("subscription"), discount.text("coupon"), discount.rows
        since, ends, start = discount.day("start"), discount.day("end"), discount.day("start")
    else:
        name, joined, rows = subscription.text("id"), subscription.text("coupon"), subscription.rows
        since, ends, start = (
            "CAST(NULL AS DATE)",
            subscription.day("discount_end"),
            subscription.day("start", "created"),
        )
    later = f"CAST({start} + to_months(CAST({coupon.number('duration_in_months')} AS INTEGER)) AS DATE)"
    return (
        f"SELECT DISTINCT {name} AS subscription, {joined} AS coupon, {coupon.number('percent_off')} AS percent_off,\n"
        f"       {money(coupon, 'amount_off', coupon.text('currency'))} AS amount_off,\n"
        f"       {since} AS since, COALESCE({ends}, {later}) AS until\n"
        f"FROM {rows} JOIN {coupon.rows} ON {coupon.text('id')} = {joined}\n"
        f"WHERE {name} IS NOT NULL AND NOT {coupon.is_one_of('duration', 'once')}"
    )
