"""Recurly: its exports, API objects as CSV, and Fivetran's tables with their history."""

from features.inputs.recipes.cells import Cells
from features.inputs.recipes.kit import Draft, Kit, Thing, listed_thing
from features.inputs.recipes.shape import Shape, spelled
from features.inputs.recipes.sources.billing import contracts, per_year, piece, with_pauses

SOURCE = "recurly"
ACCOUNT = "recurly_account"
MOST_IDS = 50_000  # that are looked at

SHAPES = (
    Shape(
        SOURCE,
        "subscriptions",
        spelled("""
            id: subscription_id uuid
            uuid
            account: account_id account_code
            account_name: account_company company
            email: account_email
            state: status subscription_state
            plan: plan_id plan_code
            plan_name
            unit_amount: unit_price unit_amount_in_cents plan_unit_amount
            quantity
            add_ons: add_ons_total
            subtotal: total_recurring_amount
            currency
            interval: plan_interval_unit interval_unit plan_unit
            interval_count: plan_interval_length interval_length plan_length
            activated: activated_at
            created: created_at
            updated: updated_at modified_at
            canceled: canceled_at cancelled_at
            expires: expires_at expired_at
            period_end: current_period_ends_at current_period_ended_at
            term_end: current_term_ends_at current_term_ended_at
            term_start: current_term_started_at
            trial_end: trial_ends_at
            paused: paused_at
            deleted: _fivetran_deleted is_deleted deleted_at
        """),
        needs=("id", "account", "state"),
        marks=("period_end", "term_end", "expires"),
        stems=("subscription",),
        not_with=("customer_id", "current_term_end", "current_period_end", "term_end_date", "contract_effective_date"),
    ),
    Shape(
        SOURCE,
        "plans",
        spelled("""
            id: plan_id
            code: plan_code
            name: plan_name
            interval: interval_unit plan_interval_unit
            interval_count: interval_length plan_interval_length
            updated: updated_at
            trial: trial_length
        """),
        needs=("id", "interval", "interval_count"),
        marks=("interval_count", "trial"),
        stems=("plan",),
        not_with=("account_id", "account_code", "state_of_subscription"),
    ),
    Shape(
        SOURCE,
        "accounts",
        spelled("""
            id: account_id
            code: account_code
            company: company_name
            first: first_name account_first_name
            last: last_name account_last_name
            email
            country: account_country address_country country
            bill_to
            state: account_state
            updated: updated_at
            exempt: tax_exempt is_tax_exempt
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("code", "email"),
        marks=("bill_to", "exempt"),
        stems=("account",),
        not_with=("plan_id", "plan_code", "billing_country", "invoice_template_id"),
    ),
)


def things(kit: Kit) -> list[Thing]:
    """Accounts, of their own export or as the subscriptions name them."""
    if "accounts" in kit:
        cells = kit.cells("accounts")
        by_code = not cells.has("id") or _codes(kit)
        person = f"NULLIF(concat_ws(' ', {cells.text('first')}, {cells.text('last')}), '')"
        columns = {
            "name": f"COALESCE({cells.text('company')}, {person}, {cells.text('email')})",
            "email": f"LOWER({cells.text('email')})",
            "region": cells.text("country"),
            "code": cells.text("code"),
        }
        identity = cells.text("code") if by_code else cells.text("id")
        keys = {"email": "email", "code": "id", "name": "name"}
    elif "subscriptions" in kit:
        cells = kit.cells("subscriptions")
        columns = {"name": cells.text("account_name", "email"), "email": f"LOWER({cells.text('email')})"}
        identity, keys = cells.text("account"), {"email": "email", "name": "name"}
    else:
        return []
    also = "{recurly_pieces}" if "recurly_pieces" in kit.parts else ""
    return [listed_thing(kit, cells, ACCOUNT, identity, columns, keys, also=also)]


def _codes(kit: Kit) -> bool:
    """Whether the subscriptions name accounts by their code."""
    return "subscriptions" in kit and kit.cells("subscriptions").match.columns.get("account", "").lower().endswith(
        "code"
    )


def drafts(kit: Kit) -> list[Draft]:
    """Contract lines of the subscriptions."""
    if "subscriptions" not in kit:
        return []
    kit.parts["recurly_pieces"] = with_pauses(_pieces(kit))
    why = (
        "MRR is the subtotal (unit amount x quantity and add-ons) over the plan's interval; failed ones, credits and "
        "refunds are left out.",
        "A canceled subscription runs until Expires At, known from Canceled At on (notice_on).",
    )
    if "plans" not in kit and not kit.cells("subscriptions").has("interval"):
        kit.questions.append(
            "recurly: neither subscriptions nor plans tell the interval; all are read as monthly: add plans.csv."
        )
    cells = kit.cells("subscriptions")
    has_history = len(cells.seen("id")) < min(cells.match.sheet.rows, MOST_IDS)
    return [contracts(kit, ACCOUNT, kit.sheets("subscriptions", "plans"), why, has_history=has_history)]


def _pieces(kit: Kit) -> str:
    """A version of a subscription a piece, where there is a history; the newest says how it ended."""
    cells = kit.cells("subscriptions", "s")
    amount, subtotal, add_ons = (
        cells.money(role, cells.text("currency"), "units") for role in ("unit_amount", "subtotal", "add_ons")
    )
    quantity = f"COALESCE({cells.number('quantity')}, 1)"
    price = f"COALESCE({subtotal}, {amount} * {quantity} + COALESCE({add_ons}, 0))"
    periods, join = per_year(cells.text("interval"), cells.number("interval_count")), ""
    product = cells.text("plan_name", "plan")
    if "plans" in kit:
        plan = kit.cells("plans", "p")
        periods = per_year("p.unit", "p.length")
        product = f"COALESCE(p.name, {product})"
        by = "code" if "code" in cells.match.columns.get("plan", "").lower() and plan.has("code") else "id"
        newest = (
            f"(SELECT {plan.text(by)} AS id, {plan.text('name', 'code', 'id')} AS name,\n"
            f"        {plan.text('interval')} AS unit, {plan.number('interval_count')} AS length FROM {plan.rows}\n"
            f" QUALIFY row_number() OVER (PARTITION BY {plan.text(by)}\n"
            f"                            ORDER BY {plan.moment('updated')} DESC NULLS LAST, name, unit, length) = 1)"
        )
        join = f"\nLEFT JOIN {newest} AS p ON p.id = {cells.text('plan')}"
    return VERSIONS.format(
        columns=_columns(cells, price, periods, product), rows=f"{cells.rows}{join}", kept=_kept(cells)
    )


# A stretch is the versions of a subscription at one price: it has the terms of its newest, and of the newest of all how
# the subscription ended.
VERSIONS = """\
SELECT * EXCLUDE (starts, ended, notice, created, line_id, since, since_time, is_new, stretch, last_ended, last_notice),
       line_id || CASE stretch WHEN 1 THEN '' ELSE ' ' || since END AS line_id,
       CASE stretch WHEN 1 THEN starts ELSE greatest(since, starts) END AS starts,
       COALESCE(lead(since) OVER line, last_ended) AS ended,
       CASE WHEN lead(since) OVER line IS NULL THEN last_notice END AS notice,
       CASE stretch WHEN 1 THEN created END AS created
FROM (SELECT * REPLACE (last_value(term_start) OVER at_price AS term_start,
                        last_value(term_end) OVER at_price AS term_end),
             last_value(ended) OVER line AS last_ended, last_value(notice) OVER line AS last_notice
      FROM (SELECT *, count(*) FILTER (is_new) OVER (PARTITION BY line_id ORDER BY since_time, amount, seats) AS stretch
            FROM (SELECT *, (amount, seats, product, paused_on) IS DISTINCT FROM
                            lag((amount, seats, product, paused_on)) OVER (PARTITION BY line_id
                                                                           ORDER BY since_time, amount, seats) AS is_new
                  FROM (SELECT {columns}
                        FROM {rows}
                        WHERE {kept})))
      WINDOW line AS (PARTITION BY line_id ORDER BY since_time, amount, seats
                      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING),
             at_price AS (PARTITION BY line_id, stretch ORDER BY since_time, amount, seats
                          ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
      QUALIFY is_new)
WINDOW line AS (PARTITION BY line_id ORDER BY stretch)"""


def _columns(cells: Cells, price: str, periods: str, product: str) -> str:
    months = f"date_diff('month', {cells.day('term_start')}, {cells.day('term_end')})"
    ended = cells.is_one_of("state", "expired", "canceled", "cancelled")
    columns = piece(
        line_id=cells.text("id"),
        customer_id=cells.text("account"),
        product=product,
        currency=cells.text("currency"),
        amount=price,
        list_amount=price,
        seats=cells.number("quantity"),
        periods=periods,
        starts=f"greatest({cells.day('activated', 'created')}, {cells.day('trial_end')})",
        ended=f"CASE WHEN {ended} THEN {cells.day('expires', 'canceled')} END",
        term_start=cells.day("term_start"),
        term_end=f"COALESCE({cells.day('term_end')}, {cells.day('period_end')})",
        term_months=f"NULLIF({months}, 0)" if cells.has("term_start", "term_end") else "NULL",
        created=cells.day("created"),
        notice=cells.day("canceled"),
    )
    since, since_time = (read("updated", "created", "activated") for read in (cells.day, cells.moment))
    paused = f"CASE WHEN {cells.is_one_of('state', 'paused')} THEN {cells.day('paused', 'updated')} END"
    columns += f",\n       {since} AS since, {since_time} AS since_time"
    return f"{columns}, {paused} AS paused_on, CAST(NULL AS DATE) AS resumed_on"


def _kept(cells: Cells) -> str:
    kept = f"NOT {cells.is_one_of('state', 'failed', 'pending')}"
    return (
        f"{kept} AND {cells.text('deleted')} IS NULL" if _is_day(cells) else f"{kept} AND NOT {cells.true('deleted')}"
    )


def _is_day(cells: Cells) -> bool:
    return cells.match.columns.get("deleted", "").lower().endswith("_at")
