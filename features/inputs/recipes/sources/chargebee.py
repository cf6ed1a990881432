"""Chargebee: exports of the site, API objects as CSV, and warehouse tables."""

from features.inputs.recipes.cells import Cells
from features.inputs.recipes.kit import Draft, Kit, Thing, listed_thing
from features.inputs.recipes.shape import Shape, spelled
from features.inputs.recipes.sources.billing import contracts, per_year, piece, with_pauses

SOURCE = "chargebee"
FIELDS = ("unit_price", "amount", "plan_unit_price", "plan_amount", "mrr", "price")  # of the API, in minor units
CUSTOMER = "chargebee_customer"

SHAPES = (
    Shape(
        SOURCE,
        "subscriptions",
        spelled("""
            id: subscription_id subscriptions_id
            customer: customer_id customers_id subscriptions_customer_id
            customer_name: customers_company customer_company company
            email: customers_email customer_email
            status: subscription_status subscriptions_status
            plan: plan_id subscriptions_plan_id plan_name item_price_id plan plan_item_price_id
            quantity: plan_quantity subscriptions_plan_quantity
            unit_price: plan_unit_price subscriptions_plan_unit_price
            amount: plan_amount subscriptions_plan_amount
            mrr: subscriptions_mrr monthly_recurring_revenue
            currency: currency_code subscriptions_currency_code currency
            period: billing_period subscriptions_billing_period
            unit: billing_period_unit subscriptions_billing_period_unit
            created: created_at subscriptions_created_at
            start: started_at start_date subscriptions_started_at subscriptions_start_date
            trial_end: trial_end_at subscriptions_trial_end
            term_start: current_term_start current_term_start_at subscriptions_current_term_start
            term_end: current_term_end current_term_end_at subscriptions_current_term_end
            canceled: cancelled_at canceled_at subscriptions_cancelled_at
            noticed: cancel_schedule_created_at subscriptions_cancel_schedule_created_at
            paused: pause_date subscriptions_pause_date
            resumed: resume_date subscriptions_resume_date
            deleted: _fivetran_deleted is_deleted subscriptions_deleted
        """),
        needs=("id", "customer", "status"),
        marks=("term_end", "unit_price", "period"),
        stems=("subscription",),
        not_with=("cancel_at_period_end", "current_period_end", "current_period_ends_at", "plan_code"),
    ),
    Shape(
        SOURCE,
        "items",
        spelled("""
            subscription: subscription_id
            item: item_price_id
            type: item_type
            quantity
            unit_price
            amount
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("subscription", "item", "type"),
        marks=("type",),
    ),
    Shape(
        SOURCE,
        "item_prices",
        spelled("id: item_price_id\nname: external_name\nprice\nperiod\nunit: period_unit\ncurrency: currency_code"),
        needs=("id", "period", "unit"),
        marks=("unit",),
        not_with=("customer_id", "current_term_end"),
    ),
    Shape(
        SOURCE,
        "customers",
        spelled("""
            id: customer_id customers_id
            company: customers_company company_name
            first: first_name customers_first_name
            last: last_name customers_last_name
            email: customers_email
            country: billing_address_country customers_billing_address_country
            collection: auto_collection customers_auto_collection
            terms: net_term_days customers_net_term_days
            created: created_at customers_created_at
            metadata: meta_data
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("id", "email"),
        marks=("collection", "terms"),
        stems=("customer",),
        not_with=("current_term_end", "plan_id", "delinquent", "invoice_prefix"),
    ),
)
PAYMENTS = (
    Shape(
        SOURCE,
        "credit_notes",
        spelled("id: credit_note_id\ninvoice: reference_invoice_id\nreason: reason_code"),
        needs=("id", "invoice"),
        marks=("invoice",),
        is_read=False,
    ),
    Shape(
        SOURCE,
        "invoices",
        spelled(
            "id: invoice_id\nsubscription: subscription_id\namount_due\nwrite_off: write_off_amount\nrecurring\ntotal"
        ),
        needs=("id", "total", "amount_due"),
        marks=("write_off", "recurring"),
        is_read=False,
    ),
)


def things(kit: Kit) -> list[Thing]:
    """Customers, of their own export or as the subscriptions name them."""
    name = next((name for name in ("customers", "subscriptions") if name in kit), "")
    if not name:
        return []
    cells = kit.cells(name)
    if name == "customers":
        person = f"NULLIF(concat_ws(' ', {cells.text('first')}, {cells.text('last')}), '')"
        identity, title = cells.text("id"), f"COALESCE({cells.text('company')}, {person}, {cells.text('email')})"
    else:
        identity, title = cells.text("customer"), cells.text("customer_name", "email")
    columns = {"name": title, "email": f"LOWER({cells.text('email')})", "region": cells.text("country")}
    keys = {"email": "email", "name": "name"}
    return [
        listed_thing(
            kit,
            cells,
            CUSTOMER,
            identity,
            columns,
            keys,
            also="{chargebee_pieces}" if "chargebee_pieces" in kit.parts else "",
        )
    ]


def drafts(kit: Kit) -> list[Draft]:
    """Contract lines of the subscriptions, an item a line where the items are there."""
    if "subscriptions" not in kit:
        return []
    cells = kit.cells("subscriptions", "s")
    kit.parts["chargebee_pieces"] = with_pauses(_of_items(kit, cells) if "items" in kit else _of_plans(kit, cells))
    why = (
        "Subscriptions in trial are no revenue; a pause is a line of 0 with status paused; charges, credit notes and "
        "refunds are not read.",
        "Cancelled At is the end; of a scheduled one, known from Cancel Schedule Created At on (notice_on).",
    )
    sheets = kit.sheets("subscriptions", "items", "item_prices")
    return [contracts(kit, CUSTOMER, sheets, why, has_history=False)]


def _money(cells: Cells, role: str, currency: str) -> str:
    """An amount in the currency's own unit: the API's fields hold cents, Plan Unit Price of the site's exports not."""
    column = cells.match.columns.get(role, "")
    meaning = "minor" if column in FIELDS else "units" if " " in column or column[:1].isupper() else "unsure"
    return cells.money(role, currency, meaning)


def _days(cells: Cells) -> dict[str, str]:
    scheduled = cells.is_one_of("status", "cancelled", "canceled", "non_renewing", "non renewing")
    return {
        "starts": f"greatest({cells.day('start', 'created')}, {cells.day('trial_end')})",
        "ended": f"CASE WHEN {scheduled} THEN {cells.day('canceled')} END",
        "term_start": cells.day("term_start"),
        "term_end": cells.day("term_end"),
        "created": cells.day("created"),
        "notice": cells.day("noticed"),
    }


def _rest(cells: Cells, joins: str) -> str:
    """Pauses, and which subscriptions are, or were, paid for."""
    pauses = f",\n       {cells.day('paused')} AS paused_on, {cells.day('resumed')} AS resumed_on"
    trial = cells.is_one_of("status", "in_trial", "in trial")
    return f"{pauses}\nFROM {cells.rows}{joins}\nWHERE NOT {trial} AND NOT {cells.true('deleted')}"


def _of_plans(kit: Kit, cells: Cells) -> str:
    """A subscription a line; its MRR where it is written, which a cancelled one no longer has.

    Beside an MRR there is no list price: only those who stay would show a discount.
    """
    currency = cells.text("currency")
    periods = per_year(cells.text("unit"), cells.number("period"))
    if not cells.has("unit"):
        periods = per_year(cells.text("period"), "1")
    quantity = f"COALESCE({cells.number('quantity')}, 1)"
    price = f"COALESCE({_money(cells, 'amount', currency)}, {_money(cells, 'unit_price', currency)} * {quantity})"
    amount = price
    if cells.has("mrr"):
        mrr = f"{_money(cells, 'mrr', currency)} * 12 / {periods}"
        ended = cells.is_one_of("status", "cancelled", "canceled", "paused")
        amount = f"CASE WHEN {ended} THEN COALESCE(NULLIF({mrr}, 0), {price}) ELSE COALESCE({mrr}, {price}) END"
    columns = piece(
        line_id=cells.text("id"),
        customer_id=cells.text("customer"),
        product=cells.text("plan"),
        currency=currency,
        amount=amount,
        list_amount="NULL" if cells.has("mrr") else price,
        seats=cells.number("quantity"),
        periods=periods,
        **_days(cells),
    )
    return f"SELECT {columns}{_rest(cells, '')}"


def _of_items(kit: Kit, cells: Cells) -> str:
    """An item a line; one-off charges are left out."""
    item = kit.cells("items", "i")
    currency, product = cells.text("currency"), item.text("item")
    joins = f"\nJOIN {item.rows} ON {item.text('subscription')} = {cells.text('id')}"
    if "item_prices" in kit:
        price = kit.cells("item_prices", "p")
        joins += f"\nLEFT JOIN {price.rows} ON {price.text('id')} = {item.text('item')}"
        product = f"COALESCE({price.text('name')}, {product})"
    quantity = f"COALESCE({item.number('quantity')}, 1)"
    amount = f"COALESCE({_money(item, 'amount', currency)}, {_money(item, 'unit_price', currency)} * {quantity})"
    columns = piece(
        line_id=f"{cells.text('id')} || ' ' || {item.text('item')}",
        customer_id=cells.text("customer"),
        product=product,
        currency=currency,
        amount=amount,
        seats=item.number("quantity"),
        periods=per_year(cells.text("unit"), cells.number("period")),
        **_days(cells),
    )
    kept = f" AND NOT {item.is_one_of('type', 'charge')} AND NOT {item.true('deleted')}"
    return f"SELECT {columns}{_rest(cells, joins)}{kept}"
