"""Stripe: subscriptions, with prices, coupons and pauses, as contract lines."""

from features.inputs.recipes.cells import Cells
from features.inputs.recipes.kit import Draft, Kit, Thing, listed_thing
from features.inputs.recipes.sources import stripe_sheets
from features.inputs.recipes.sources.billing import contracts, per_year, piece, with_pauses
from features.inputs.recipes.sources.stripe_discounts import with_discounts
from features.inputs.recipes.sources.stripe_invoices import with_invoiced
from features.inputs.recipes.sources.stripe_sheets import money

SHAPES, PAYMENTS = stripe_sheets.SHAPES, stripe_sheets.PAYMENTS
CUSTOMER = "stripe_customer"
NEVER_PAID = ("incomplete", "incomplete_expired", "trialing", "paused")


def things(kit: Kit) -> list[Thing]:
    """Customers, of their own export or as the subscriptions name them."""
    name = next((name for name in ("customers", "subscriptions") if name in kit), "")
    if not name:
        return []
    cells = kit.cells(name)
    identity = cells.text("id") if name == "customers" else cells.text("customer")
    columns = {
        "name": cells.text("name", "email") if name == "customers" else cells.text("customer_name", "email"),
        "email": f"LOWER({cells.text('email')})",
        "region": cells.text("country"),
    }
    return [
        listed_thing(
            kit,
            cells,
            CUSTOMER,
            identity,
            columns,
            {"email": "email", "name": "name"},
            also="{stripe_pieces}" if "stripe_pieces" in kit.parts else "",
        )
    ]


def drafts(kit: Kit) -> list[Draft]:
    """Contract lines of the subscriptions."""
    if "subscriptions" not in kit:
        return []
    kit.parts["stripe_pieces"] = _pieces(kit)
    sheets = kit.sheets(
        "subscriptions", "items", "prices", "plans", "products", "coupons", "discounts", "invoice_line_items"
    )
    why = (
        "MRR is price x quantity over its interval; trials, unpaid first invoices and metered prices are no revenue.",
        "Refunds, credits, prorations and one-off items are no recurring revenue; whole periods on invoices tell past "
        "prices.",
        "ended_on is Ended At; where a cancellation is scheduled, its day, known from Canceled At on (notice_on).",
    )
    subscription = kit.cells("subscriptions")
    has_history = subscription.has("since") or _is_invoiced(kit, subscription)
    return [contracts(kit, CUSTOMER, sheets, why, has_history=has_history)]


def _pieces(kit: Kit) -> str:
    """The pieces of all subscriptions: what each costs, net of a coupon while that lasts."""
    subscription = kit.cells("subscriptions", "s")
    _ask(kit, subscription)
    by_item = "items" in kit and ("prices" in kit or "plans" in kit)
    priced = _priced_items(kit) if by_item else _priced_plans(subscription, kit)
    if _is_invoiced(kit, subscription):
        prices = _prices(kit) if "prices" in kit or "plans" in kit else ""
        priced = with_invoiced(kit, priced, prices)
    discounted = with_discounts(kit, subscription, priced)
    return with_pauses(discounted) if subscription.seen("pause") else discounted


def _is_invoiced(kit: Kit, subscription: Cells) -> bool:
    """Whether invoices tell past prices: where subscriptions have no history, and invoices name their items."""
    if "invoice_line_items" not in kit or subscription.has("since"):
        return False
    line = kit.cells("invoice_line_items")
    return line.has("subscription", "period_start", "period_end") and ("items" not in kit or line.has("item"))


def _priced_items(kit: Kit) -> str:
    """Subscriptions with what each of their items costs."""
    item = kit.cells("items", "i")
    subscription = kit.cells("subscriptions", "s")
    quantity = item.number("quantity")
    rows, versions = subscription.rows, ""
    columns = _of_subscription(subscription)
    if subscription.has("since", "quantity"):
        versions, columns = _versions(subscription), _of_version(columns)
        quantity = f"COALESCE(v.quantity, {quantity})"
    kept = [_is_paid(subscription), f"NOT {item.true('deleted')}", "COALESCE(r.usage, 'licensed') <> 'metered'"]
    return (
        f"SELECT {subscription.text('id')} AS subscription, "
        + piece(
            line_id=f"{item.text('id')}{' || v.suffix' if versions else ''}",
            customer_id=subscription.text("customer"),
            product="r.product",
            currency="r.currency",
            amount=f"r.amount * COALESCE({quantity}, 1){columns.pop('factor', '')}",
            seats=quantity,
            periods="r.per_year",
            **columns,
        )
        + f"{_pause(subscription)}\nFROM {rows}\n"
        f"JOIN {item.rows} ON {item.text('subscription')} = {subscription.text('id')}\n"
        f"JOIN ({_prices(kit)}) AS r ON r.id = {item.text('plan')}\n{versions}WHERE {' AND '.join(kept)}"
    )


def _of_subscription(subscription: Cells) -> dict[str, str]:
    """The days of a subscription: from the end of its trial until it ended, or will by what is scheduled."""
    start, trial = subscription.day("start", "created"), subscription.day("trial_end")
    canceled, period_end = subscription.day("canceled"), subscription.day("period_end")
    at_period_end = subscription.true("at_period_end")
    if not subscription.has("at_period_end"):  # the dashboard says so by a day of cancelling on a live one
        at_period_end = f"{canceled} IS NOT NULL"
    gone = subscription.is_one_of("status", "canceled", "cancelled")
    ends = [subscription.day("ended"), f"CASE WHEN {gone} THEN {canceled} END"]
    ends += [subscription.day("cancel_at")] if subscription.has("cancel_at") else []
    ended = f"COALESCE({', '.join(ends)}, CASE WHEN {at_period_end} THEN {period_end} END)"
    return {
        "starts": f"greatest({start}, {trial})",
        "ended": ended,
        "term_start": subscription.day("period_start"),
        "term_end": period_end,
        "created": subscription.day("created"),
        "notice": canceled,
    }


def _versions(subscription: Cells) -> str:
    """A join with the stretches of each subscription's history at one quantity."""
    paused = f"{subscription.text('pause')} IS NOT NULL OR {subscription.is_one_of('status', 'paused')}"
    since, at = subscription.day("since"), subscription.moment("since")
    return f"""\
JOIN (SELECT *, lead(since) OVER run AS until,
             CASE WHEN row_number() OVER run = 1 THEN '' ELSE ' ' || since END AS suffix
      FROM (SELECT *
            FROM (SELECT {subscription.text("id")} AS id, {subscription.number("quantity")} AS quantity,
                         {paused} AS paused, {since} AS since, {at} AS seen_at
                  FROM {subscription.rows}
                  QUALIFY row_number() OVER (PARTITION BY id, since ORDER BY seen_at DESC, quantity, paused) = 1)
            QUALIFY (quantity, paused) IS DISTINCT FROM lag((quantity, paused)) OVER (PARTITION BY id ORDER BY since))
      WINDOW run AS (PARTITION BY id ORDER BY since)
     ) AS v ON v.id = {subscription.text("id")}
"""


def _pause(subscription: Cells) -> str:
    """Columns of a pause that the export shows without saying since when: taken from this period's start on."""
    if not subscription.seen("pause") or subscription.has("since"):
        return ",\n       CAST(NULL AS DATE) AS paused_on, CAST(NULL AS DATE) AS resumed_on"
    since = f"CASE WHEN {subscription.text('pause')} IS NOT NULL THEN {subscription.day('period_start', 'start')} END"
    return f",\n       {since} AS paused_on, CAST(NULL AS DATE) AS resumed_on"


def _of_version(columns: dict[str, str]) -> dict[str, str]:
    """The days of a stretch of a subscription's history."""
    return columns | {
        "starts": f"CASE v.suffix WHEN '' THEN {columns['starts']} ELSE greatest(v.since, {columns['starts']}) END",
        "ended": f"COALESCE(v.until, {columns['ended']})",
        "notice": f"CASE WHEN v.until IS NULL THEN {columns['notice']} END",
        "created": f"CASE v.suffix WHEN '' THEN {columns['created']} END",
        "status": "CASE WHEN v.paused THEN 'paused' ELSE 'active' END",
        "factor": " * CASE WHEN v.paused THEN 0 ELSE 1 END",
    }


def _is_paid(subscription: Cells) -> str:
    """Condition: the newest row of a subscription that is, or was, paid for."""
    conditions = [f"NOT {subscription.is_one_of('status', *NEVER_PAID)}", f"NOT {subscription.true('deleted')}"]
    if subscription.has("is_current"):
        conditions.append(subscription.true("is_current"))
    return " AND ".join(conditions)


def _prices(kit: Kit) -> str:
    """Prices and plans by id: the amount of one unit, in the currency's own unit."""
    product = kit.cells("products", "o") if "products" in kit else None
    selects: list[str] = []
    for name in ("prices", "plans"):
        if name in kit:
            cells = kit.cells(name, "r")
            title = [f"{product.text('name')}"] if product else []
            title += [cells.text(role) for role in ("product_name", "nickname", "product", "id") if cells.has(role)]
            amount = money(cells, "amount", cells.text("currency"))
            join = f" LEFT JOIN {product.rows} ON {product.text('id')} = {cells.text('product')}" if product else ""
            selects.append(
                f"SELECT {len(selects)} AS place, {cells.text('id')} AS id, COALESCE({', '.join(title)}) AS product,\n"
                f"       {cells.text('currency')} AS currency, {amount} AS amount,\n"
                f"       {per_year(cells.text('interval'), cells.number('interval_count'))} AS per_year, "
                f"{cells.text('usage')} AS usage\n"
                f"FROM {cells.rows}{join} WHERE {cells.text('interval')} IS NOT NULL"
            )
    rows = "\nUNION ALL BY NAME ".join(selects)
    return f"SELECT DISTINCT ON (id) * FROM ({rows})\nORDER BY id, place, product, currency, amount, per_year, usage"


def _priced_plans(subscription: Cells, kit: Kit) -> str:
    """Subscriptions that hold what they cost themselves, as the dashboard exports them."""
    columns = _of_subscription(subscription)
    currency = subscription.text("currency")
    unit = money(subscription, "amount", currency)
    quantity = f"COALESCE({subscription.number('quantity')}, 1)"
    periods = per_year(subscription.text("interval"), subscription.number("interval_count"))
    rows, join = subscription.rows, ""
    if not subscription.has("amount") and ("prices" in kit or "plans" in kit):
        join = f"\nJOIN ({_prices(kit)}) AS r ON r.id = {subscription.text('plan')}"
        unit, currency, periods = "r.amount", "r.currency", "r.per_year"
    product = subscription.text("product", "nickname", "plan") if not join else "r.product"
    if subscription.has("since", "quantity"):
        join += "\n" + _versions(subscription).rstrip()
        columns, quantity = _of_version(columns), "COALESCE(v.quantity, 1)"
    line_id = f"{subscription.text('id')}{' || v.suffix' if 'v.suffix' in columns['starts'] else ''}"
    return (
        f"SELECT {subscription.text('id')} AS subscription, "
        + piece(
            line_id=line_id,
            customer_id=subscription.text("customer"),
            product=product,
            currency=currency,
            amount=f"{unit} * {quantity}{columns.pop('factor', '')}",
            seats=quantity,
            periods=periods,
            **columns,
        )
        + f"{_pause(subscription)}\nFROM {rows}{join}\nWHERE {_is_paid(subscription)}"
    )


def _ask(kit: Kit, subscription: Cells) -> None:
    """What the export leaves open."""
    if subscription.seen("coupon") and "coupons" not in kit:
        kit.questions.append(
            "stripe: subscriptions name coupons and there is no export of the coupons, so MRR is before discounts: "
            "add coupons.csv (id, percent_off, amount_off, duration)."
        )
    if subscription.seen("pause") and not subscription.has("since"):
        kit.questions.append(
            "stripe: some subscriptions have their collection paused, and the export does not say since when: it "
            "is taken from the start of the current period on. An export of their history would tell."
        )
