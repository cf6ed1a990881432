"""Zuora: data source exports (RatePlanCharge, Subscription, Account) and Fivetran's tables."""

from dataclasses import dataclass

from features.inputs.recipes.cells import Cells
from features.inputs.recipes.kit import Draft, Kit, Thing, listed_thing
from features.inputs.recipes.shape import Shape, spelled
from features.inputs.recipes.sources.billing import contracts, piece

SOURCE = "zuora"
ACCOUNT = "zuora_account"
YEAR = 12  # months of a term that nothing tells the length of

SHAPES = (
    Shape(
        SOURCE,
        "charges",
        spelled("""
            id: rate_plan_charge_id
            original: original_id rate_plan_charge_original_id
            number: charge_number rate_plan_charge_charge_number
            account: account_id account_account_number account_number
            account_name
            subscription: subscription_id subscription_name
            rate_plan: rate_plan_id
            name: rate_plan_charge_name charge_name
            product: product_name product_rate_plan_name rate_plan_name
            type: charge_type rate_plan_charge_charge_type
            mrr: rate_plan_charge_mrr
            quantity: rate_plan_charge_quantity
            starts: effective_start_date rate_plan_charge_effective_start_date
            ends: effective_end_date rate_plan_charge_effective_end_date
            segment: rate_plan_charge_segment
            is_last: is_last_segment rate_plan_charge_is_last_segment
            version: rate_plan_charge_version
            currency: transaction_currency account_currency currency
            created: created_date rate_plan_charge_created_date
            subscription_status
            term_months: subscription_current_term subscription_initial_term
            term_end: subscription_term_end_date
            cancelled: subscription_cancelled_date
            latest: subscription_is_latest_version
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("id", "mrr", "starts", "ends", "type"),
        marks=("mrr", "is_last", "segment"),
        stems=("rate_plan_charge", "charge"),
    ),
    Shape(
        SOURCE,
        "subscriptions",
        spelled("""
            id: subscription_id
            account: account_id
            name: subscription_name
            original: original_id
            status: subscription_status
            version
            latest: is_latest_version
            cancelled: cancelled_date
            ends: subscription_end_date
            term_end: term_end_date
            term: current_term initial_term
            term_unit: current_term_period_type initial_term_period_type
            signed: contract_effective_date
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("id", "account", "status"),
        marks=("term_end", "signed", "latest"),
        stems=("subscription",),
        not_with=("current_period_end", "current_period_ends_at", "current_term_end", "customer_id"),
    ),
    Shape(
        SOURCE,
        "accounts",
        spelled("""
            id: account_id
            name: account_name
            number: account_number
            currency: account_currency
            crm: crm_id
            bill_cycle: bill_cycle_day
            template: invoice_template_id
            rep: customer_service_rep_name
            seller: sales_rep_name
            parent: parent_id parent_account_id
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("id", "name"),
        marks=("crm", "bill_cycle", "template"),
        stems=("account",),
        not_with=("mrr_of_charge", "charge_type"),
    ),
    Shape(SOURCE, "products", spelled("id: product_id\nname\nsku\nends: effective_end_date"), ("id", "name"), ("sku",)),
    Shape(
        SOURCE,
        "rate_plans",
        spelled(
            "id: rate_plan_id\nname\nproduct: product_id\nsubscription: subscription_id\namendment: amendment_type"
        ),
        needs=("id", "name", "product", "subscription"),
        marks=("amendment",),
        stems=("rate_plan",),
        not_with=("mrr", "charge_type"),
    ),
)


def things(kit: Kit) -> list[Thing]:
    """Accounts, of their own export or as the charges name them."""
    name = next((name for name in ("accounts", "charges") if name in kit), "")
    if not name:
        return []
    cells = kit.cells(name)
    if name == "charges":
        columns = {"name": cells.text("account_name"), "email": "CAST(NULL AS VARCHAR)"}
        identity, keys = cells.text("account"), {"name": "name"}
    else:
        columns = {"name": cells.text("name"), "csm": cells.text("rep"), "seller": cells.text("seller")}
        columns |= {"crm": cells.text("crm"), "number": cells.text("number")}
        identity = cells.text("number") if _by_number(kit) else cells.text("id")
        keys = {"crm": "id", "number": "id", "name": "name"}
    return [
        listed_thing(
            kit, cells, ACCOUNT, identity, columns, keys, also="{zuora_pieces}" if "zuora_pieces" in kit.parts else ""
        )
    ]


def _by_number(kit: Kit) -> bool:
    """Whether the charges name accounts by their number."""
    return "charges" in kit and "number" in kit.cells("charges").match.columns.get("account", "").lower()


def drafts(kit: Kit) -> list[Draft]:
    """Contract lines of the recurring charges."""
    if "charges" not in kit:
        return []
    kit.parts["zuora_pieces"] = _pieces(kit)
    why = (
        "MRR is Zuora's own, of recurring charges; one-time and usage charges, invoices and credits are not read.",
        "Of a subscription its latest version counts; each segment of a charge is a line until the next one begins.",
    )
    sheets = kit.sheets("charges", "subscriptions", "accounts", "products")
    return [contracts(kit, ACCOUNT, sheets, why, has_history=True)]


@dataclass
class _Facts:
    """What is known of a charge by its subscription or, where that is not there, by itself."""

    account: str
    cancelled: str
    cancelled_on: str
    months: str
    term_end: str
    signed: str
    joins: str
    kept: list[str]


def _facts(kit: Kit, charge: Cells) -> _Facts:
    kept = [f"LOWER({charge.text('type')}) = 'recurring'", f"NOT {charge.true('deleted')}"]
    account = charge.text("account")
    if "subscriptions" not in kit:
        kept += [charge.true("latest")] if charge.has("latest") else []
        cancelled = charge.is_one_of("subscription_status", "cancelled", "canceled")
        day, months = charge.day("cancelled"), charge.number("term_months")
        return _Facts(account, cancelled, day, months, charge.day("term_end"), "CAST(NULL AS DATE)", "", kept)
    of = kit.cells("subscriptions", "s")
    kept += [f"NOT {of.is_one_of('status', 'draft', 'expired', 'pending activation')}", f"NOT {of.true('deleted')}"]
    kept += [of.true("latest")] if of.has("latest") else []
    return _Facts(
        account if charge.has("account") else of.text("account"),
        of.is_one_of("status", "cancelled", "canceled"),
        f"COALESCE({of.day('ends')}, {of.day('cancelled')})",
        _term_months(of),
        of.day("term_end"),
        of.day("signed"),
        f"\nJOIN {of.rows} ON {charge.text('subscription')} IN ({of.text('id')}, {of.text('name')})",
        kept,
    )


def _pieces(kit: Kit) -> str:
    charge = kit.cells("charges", "c")
    facts, currency = _facts(kit, charge), charge.text("currency")
    joins = facts.joins
    if "accounts" in kit:
        of = kit.cells("accounts", "b")
        joins += f"\nLEFT JOIN {of.rows} ON {of.text('number' if _by_number(kit) else 'id')} = {facts.account}"
        currency = f"COALESCE({currency}, {of.text('currency')})"
    joins, product = _product(kit, charge, joins, charge.text("product", "name"))
    starts, ends, cancelled = charge.day("starts"), charge.day("ends"), facts.cancelled
    last = _is_last(charge)
    _ask_terms(kit, facts)
    months = f"COALESCE({facts.months}, {YEAR})"
    term_end = _term_end(charge, facts, months)
    columns = piece(
        line_id=f"{charge.text('original', 'id')} || ' ' || {starts}",
        customer_id=facts.account,
        product=product,
        currency=currency,
        amount=charge.number("mrr"),
        seats=charge.number("quantity"),
        periods="12.0",
        starts=starts,
        ended=f"CASE WHEN {cancelled} THEN least({ends}, {facts.cancelled_on}) WHEN NOT ({last}) THEN {ends} END",
        term_start=f"CAST({term_end} - to_months(CAST({months} AS INTEGER)) AS DATE)",
        term_end=term_end,
        term_months=months,
        created=facts.signed,
    )
    return f"SELECT {columns}\nFROM {charge.rows}{joins}\nWHERE {' AND '.join(facts.kept)}"


def _ask_terms(kit: Kit, facts: _Facts) -> None:
    """The length of terms, where nothing tells it."""
    if facts.months.startswith("CAST(NULL"):
        kit.questions.append(
            "zuora: nothing tells how long terms are, and they are taken as years: add the subscriptions, or "
            "Subscription.CurrentTerm and Subscription.TermEndDate to the export of charges."
        )


def _term_end(charge: Cells, facts: _Facts, months: str) -> str:
    """Where the term of a charge's last segment ends; of a cancelled one, where it would have without that.

    All segments of a charge have it, so that a segment that was replaced had the end that it had until then. What was
    cancelled ends where its subscription's term does or, where that is not told, a whole number of terms after its
    start.
    """
    charge_id = charge.text("original", "number", "id")
    last, first = (f"{of} OVER (PARTITION BY {charge_id})" for of in
                   (f"MAX({charge.day('ends')})", f"MIN({charge.day('starts')})"))  # fmt: skip
    terms = f"ceil(round(date_diff('day', {first}, {last}) / 30.4375, 1) / {months})"
    whole = f"CAST({first} + to_months(CAST({terms} * {months} AS INTEGER)) AS DATE)"
    return f"CASE WHEN {facts.cancelled} THEN COALESCE({facts.term_end}, {whole}) ELSE {last} END"


def _is_last(charge: Cells) -> str:
    """Condition: no segment of the charge follows."""
    if charge.has("is_last") or not charge.has("segment"):
        return charge.true("is_last") if charge.has("is_last") else "TRUE"
    segment, original = charge.number("segment"), charge.text("original", "number", "id")
    return f"{segment} = MAX({segment}) OVER (PARTITION BY {original})"


def _term_months(of: Cells) -> str:
    """How long a subscription's terms are, in months."""
    unit = f"LOWER(COALESCE({of.text('term_unit')}, 'month'))"
    return f"{of.number('term')} * CASE WHEN {unit} LIKE 'year%' THEN 12 WHEN {unit} LIKE 'month%' THEN 1 END"


def _product(kit: Kit, charge: Cells, joins: str, product: str) -> tuple[str, str]:
    """The product's name, by way of the rate plan."""
    if "rate_plans" in kit and charge.has("rate_plan"):
        plan = kit.cells("rate_plans", "r")
        joins += f"\nLEFT JOIN {plan.rows} ON {plan.text('id')} = {charge.text('rate_plan')}"
        product = f"COALESCE({charge.text('product')}, {plan.text('name')}, {product})"
    return joins, product
