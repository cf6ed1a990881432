"""What Stripe's tables look like: in the dashboard's exports, as API objects and in Fivetran's tables."""

import re

from features.inputs.recipes.cells import Cells
from features.inputs.recipes.shape import Shape, spelled

SOURCE = "stripe"
DECIMALS = {"ISK": 2, "MGA": 0}  # where Stripe's minor units are not those of ISO 4217

SHAPES = (
    Shape(
        SOURCE,
        "subscriptions",
        spelled("""
            id: subscription_id
            customer: customer_id
            email: customer_email
            customer_name: customer_description
            status
            product: product_name plan_product
            plan: plan_name plan_id price_id price items_data_0_price_id items_data_0_plan_id
            nickname: plan_nickname price_nickname
            quantity: plan_quantity items_data_0_quantity
            currency: plan_currency items_data_0_price_currency items_data_0_plan_currency
            interval: plan_interval items_data_0_price_recurring_interval items_data_0_plan_interval
            interval_count: plan_interval_count items_data_0_price_recurring_interval_count
            amount: plan_amount items_data_0_price_unit_amount items_data_0_plan_amount unit_amount
            created: created_at
            start: start_date start_date_at started_at
            trial_end: trial_end_at
            canceled: canceled_at cancelled_at
            ended: ended_at
            cancel_at
            at_period_end: cancel_at_period_end is_cancel_at_period_end
            period_start: current_period_start current_period_start_at
            period_end: current_period_end current_period_end_at
            pause: pause_collection pause_collection_behavior
            coupon: coupon_id discount_coupon_id discount_coupon
            discount_end: discount_end_at
            is_current: _fivetran_active fivetran_active
            since: _fivetran_start fivetran_start
            deleted: _fivetran_deleted is_deleted fivetran_deleted
            metadata
        """),
        needs=("id", "customer", "status"),
        marks=("period_end", "at_period_end"),
        stems=("subscription",),
        not_with=("current_term_end", "current_period_ends_at", "plan_code", "account_id"),
    ),
    Shape(
        SOURCE,
        "items",
        spelled("""
            id: subscription_item_id item_id
            subscription: subscription_id
            plan: plan_id price_id price
            quantity
            deleted: _fivetran_deleted is_deleted fivetran_deleted
        """),
        needs=("id", "subscription", "plan", "quantity"),
        stems=("subscription_item",),
        not_with=("invoice_id", "amount", "customer_id"),
    ),
    Shape(
        SOURCE,
        "prices",
        spelled("""
            id: price_id price_plan_id
            product: product_id
            nickname
            currency
            amount: unit_amount unit_amount_decimal
            interval: recurring_interval
            interval_count: recurring_interval_count
            usage: recurring_usage_type
        """),
        needs=("id", "amount", "interval", "currency"),
        marks=("interval",),
        stems=("price",),
        not_with=("customer_id", "customer"),
    ),
    Shape(
        SOURCE,
        "plans",
        spelled("""
            id: plan_id
            product: product_id
            nickname: name
            currency
            amount
            interval
            interval_count
            usage: usage_type
            trial_days: trial_period_days
            product_name
        """),
        needs=("id", "amount", "interval", "currency"),
        marks=("trial_days", "usage"),
        stems=("plan",),
        not_with=("customer_id", "customer", "status"),
    ),
    Shape(
        SOURCE,
        "products",
        spelled("id: product_id\nname: product_name\nunit_label\nstatement_descriptor\nshippable\nactive: is_active"),
        needs=("id", "name"),
        marks=("unit_label", "statement_descriptor", "shippable"),
        stems=("product",),
        not_with=("amount", "price", "list_price"),
    ),
    Shape(
        SOURCE,
        "customers",
        spelled("""
            id: customer_id
            name: customer_name description customer_description
            email: customer_email
            created: created_at
            currency
            country: address_country customer_address_country card_address_country shipping_address_country
            delinquent: is_delinquent
            prefix: invoice_prefix
            card: card_id default_card_id default_source default_source_id
            balance: account_balance
            deleted: is_deleted _fivetran_deleted fivetran_deleted
            metadata
        """),
        needs=("id", "email"),
        marks=("delinquent", "prefix", "card"),
        stems=("customer",),
        not_with=("subscription_id", "current_period_end", "amount_due"),
    ),
    Shape(
        SOURCE,
        "coupons",
        spelled("id: coupon_id\npercent_off\namount_off\ncurrency\nduration\nduration_in_months: months\nname"),
        needs=("id", "percent_off"),
        marks=("duration", "amount_off"),
        stems=("coupon",),
    ),
    Shape(
        SOURCE,
        "discounts",
        spelled("id: discount_id\ncoupon: coupon_id\nsubscription: subscription_id\nstart: start_at\nend: end_at"),
        needs=("coupon", "subscription", "end"),
        stems=("discount",),
    ),
    Shape(
        SOURCE,
        "invoice_line_items",
        spelled("""
            id: invoice_line_item_id line_item_id
            invoice: invoice_id
            subscription: subscription_id
            item: subscription_item_id subscription_item
            plan: plan_id price_id price
            amount
            currency
            quantity
            proration: is_proration prorated
            type: line_item_type
            period_start: period_start_at
            period_end: period_end_at
        """),
        needs=("invoice", "amount", "proration"),
        marks=("proration",),
        not_with=("amount_due", "attempt_count"),
    ),
)
# Payments, not recurring revenue: recognised, so that nobody wonders, and left out.
PAYMENTS = tuple(
    Shape(SOURCE, name, spelled(columns), needs, marks, (name.removesuffix("s"),), is_read=False)
    for name, columns, needs, marks in (
        ("refunds", "id\ncharge: charge_id\namount\nreason\nrefunded_at", ("id", "charge", "amount"), ("charge",)),
        (
            "charges",
            "id\namount\nrefunded: amount_refunded\ncaptured\nconverted: converted_amount",
            ("id", "amount"),
            ("refunded",),
        ),
        (
            "invoices",
            "id: invoice_id\nnumber\ndue: amount_due\npaid: amount_paid\ntotal\nsubtotal",
            ("id", "total", "due"),
            ("due",),
        ),
        (
            "credit_notes",
            "id\ninvoice: invoice_id\ntotal\nreason\nvoided_at",
            ("id", "invoice", "reason"),
            ("voided_at",),
        ),
        ("balance_transactions", "id\namount\nfee\nnet\ntype", ("id", "fee", "net"), ("net",)),
        ("payouts", "id\narrival: arrival_date\namount", ("id", "arrival"), ("arrival",)),
    )
)


def money(cells: Cells, role: str, currency: str) -> str:
    """An amount in the currency's own unit: fields of the API hold minor units, exports of the dashboard do not say."""
    is_field = cells.has(role) and re.fullmatch(r"[a-z0-9_.]+", cells.match.columns[role])
    return cells.money(role, currency, "minor" if is_field else "unsure", DECIMALS)
