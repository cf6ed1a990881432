"""What CRMs share: activities are actions of the team, or engagement where the customer began; won deals are terms."""

from dataclasses import dataclass

from features.inputs.recipes.cells import Cells
from features.inputs.recipes.kit import Draft, Kit, reach
from features.inputs.recipes.shape import Shape, spelled
from features.tables.sql import quoted

INBOUND = ("inbound", "incoming", "incoming_email", "received", "email_reply", "customer")
BOOKED = ("meetings_public", "meetings_embedded", "meetings", "public", "contact", "calendly", "scheduling link")
MISSED = ("no_show", "no show", "no-show", "canceled", "cancelled", "rescheduled")
PLANNED = ("not_started", "not started", "scheduled", "waiting", "in_progress", "in progress", "deferred", "open")
ACTIONS = ("csm_actions", ("account_id", "acted_on", "action", "csm", "status"))
ENGAGED = ("engagement", ("account_id", "happened_on", "kind", "contact_id"))
WON = ("closedwon", "closed won", "closed_won", "won", "contract signed")

ACTIVITY = """
    id: record_id engagement_id activity_id hs_object_id
    type: activity_type engagement_type task_subtype event_subtype hs_activity_type
    when: activity_date timestamp hs_timestamp occurred_timestamp start_time hs_meeting_start_time activity_date_time \
start_date_time start_at date due_date call_date
    created: create_date createdate created_date created_timestamp hs_createdate created_at
    owner: activity_assigned_to assigned_to hubspot_owner_id owner_id assigned owner_name
    company: associated_company_ids associated_company_id company_ids company_id account_id
    related: what_id
    contact: associated_contact_ids associated_contact_id contact_ids contact_id who_id
    direction: email_direction call_direction hs_email_direction hs_call_direction call_type is_incoming incoming
    source: meeting_source hs_meeting_source engagement_source
    booked: created_from_link_id booking_link
    outcome: meeting_outcome hs_meeting_outcome task_status hs_task_status status
    no_show: no_show_c
    subject: hs_email_subject title activity_subject
    deleted: _fivetran_deleted is_deleted
"""


@dataclass(frozen=True)
class Activities:
    """What a sheet of activities holds, where it does not say so row by row."""

    name: str
    kind: str


def activity_shape(
    source: str, name: str, *marks: str, stems: tuple[str, ...], not_with: tuple[str, ...] = ()
) -> Shape:
    """A sheet of activities of one CRM."""
    return Shape(source, name, spelled(ACTIVITY), ("when",), marks, stems, not_with, adds_up=True)


def activity_drafts(
    kit: Kit, sheet: Activities, links: tuple[tuple[str, str], ...], owners: str, extra_join: str = ""
) -> list[Draft]:
    """Actions of the team and engagement of customers, from one sheet.

    Parameters
    ----------
    links
        Columns with the kinds of thing whose ids they hold.
    owners
        A query of `id`, `name` of the staff; empty where the owner's cell holds the name.
    """
    cells = kit.cells(sheet.name)
    account, joins = reach(kit, cells, *links)
    if extra_join:
        account = "g.account_id" if account == "NULL" else f"COALESCE(g.account_id, {account})"
    if account == "NULL":
        kit.questions.append(f"{kit.source}: {cells.match.sheet.name} names no account that is known, and is left out.")
        return []
    kind = f"LOWER(COALESCE({cells.text('type')}, {quoted(sheet.kind)}))" if cells.has("type") else quoted(sheet.kind)
    theirs, when = _by_customer(cells), cells.day("when", "created")
    kept = f"{account} IS NOT NULL AND {when} IS NOT NULL AND NOT {cells.true('deleted')}"
    owner = f"COALESCE(o.name, {cells.text('owner')})" if owners else cells.text("owner")
    owner_join = f"\nLEFT JOIN ({owners}) AS o ON o.id = {cells.text('owner')}" if owners and cells.has("owner") else ""
    owner = cells.text("owner") if not owner_join else owner
    rows = f"FROM {cells.rows}{extra_join}\n{joins}"
    actions = (
        f"SELECT {account} AS account_id, {when} AS acted_on, {_plainer(kind)} AS action,\n"
        f"       {owner} AS csm, {_status(cells)} AS status\n"
        f"{rows}{owner_join}\nWHERE {kept} AND NOT {theirs} AND {kind} NOT LIKE '%note%'"
    )
    engaged = (
        f"SELECT {account} AS account_id, {when} AS happened_on, {_plainer(kind)} AS kind,\n"
        f"       {_first(cells.text('contact'))} AS contact_id\n{rows}\nWHERE {kept} AND {theirs}"
    )
    why = "Logged by staff: tasks, calls, meetings and outgoing e-mails. What customers began is engagement."
    drafts = [Draft(ACTIONS[0], kit.source, cells.match.sheet.names, actions, ACTIONS[1], (why,))]
    if theirs != "FALSE":
        began = "Begun by the customer: inbound e-mails and calls, meetings that the contact booked."
        drafts.append(Draft(ENGAGED[0], kit.source, cells.match.sheet.names, engaged, ENGAGED[1], (began,)))
    return drafts


def _plainer(kind: str) -> str:
    """An activity's kind in one word of the product's."""
    return (
        f"CASE WHEN {kind} LIKE '%mail%' THEN 'email' WHEN {kind} LIKE '%call%' THEN 'call' "
        f"WHEN {kind} LIKE '%meeting%' OR {kind} LIKE '%event%' THEN 'meeting' ELSE {kind} END"
    )


def _first(text: str) -> str:
    return text if text == "NULL" else f"split_part({text}, ';', 1)"


def _by_customer(cells: Cells) -> str:
    """Condition: the customer began it."""
    signs = [cells.is_one_of("direction", *INBOUND)] if cells.has("direction") else []
    if cells.has("direction") and set(map(str.lower, cells.seen("direction"))) <= {"true", "false", "0", "1"}:
        signs = [cells.true("direction")]
    signs += [cells.is_one_of("source", *BOOKED)] if cells.has("source") else []
    signs += [f"{cells.text('booked')} IS NOT NULL"] if cells.has("booked") else []
    signs += [cells.is_one_of("type", *INBOUND)] if cells.has("type") else []
    return f"({' OR '.join(signs)})" if signs else "FALSE"


def _status(cells: Cells) -> str:
    """done, missed or planned."""
    if not cells.has("outcome") and not cells.has("no_show"):
        return "'done'"
    missed = " OR ".join([cells.is_one_of("outcome", *MISSED), cells.true("no_show")])
    return (
        f"CASE WHEN {missed} THEN 'missed' WHEN {cells.is_one_of('outcome', *PLANNED)} THEN 'planned' ELSE 'done' END"
    )


DEAL = """
    id: record_id deal_id opportunity_id hs_object_id
    name: deal_name dealname opportunity_name
    account: account_id associated_company_id associated_company_ids primary_company_id company_id
    amount: amount_in_company_currency hs_amount total_amount
    arr: annual_recurring_revenue hs_arr arr arr_c annual_recurring_revenue_c
    mrr: monthly_recurring_revenue hs_mrr mrr mrr_c
    closed_on: close_date closedate
    created: create_date createdate created_date
    stage: deal_stage dealstage stage_name stage deal_pipeline_stage_id
    pipeline: deal_pipeline deal_pipeline_id
    won: is_won is_closed_won hs_is_closed_won
    type: deal_type dealtype opportunity_type
    starts: contract_start_date subscription_start_date start_date service_start_date contract_start_date_c start_date_c
    ends: contract_end_date subscription_end_date end_date contract_end_date_c end_date_c renewal_date
    term: contract_term contract_term_months term_months term_in_months contract_term_c term_c
    currency: deal_currency_code currency_iso_code deal_currency
    owner: deal_owner hubspot_owner_id owner_id
    deleted: is_deleted _fivetran_deleted
    is_current: _fivetran_active
"""


def deals(kit: Kit, name: str, link: tuple[str, str], stages: str = "", join: str = "") -> list[Draft]:
    """Won deals as contract terms: where nothing bills, they are all that says what is paid.

    Parameters
    ----------
    stages
        A query of the ids of won stages, where a sheet lists them.
    """
    cells = kit.cells(name, "d")
    account, joins = reach(kit, cells, link)
    account = f"COALESCE({account}, a.company)" if join and account == "NULL" else account
    if account == "NULL":
        kit.questions.append(f"{kit.source}: {cells.match.sheet.name} names no account that is known, and is left out.")
        return []
    won = cells.true("won") if cells.has("won") else cells.is_one_of("stage", *WON)
    if stages:
        won = f"({won} OR {cells.text('stage')} IN ({stages}))"
    starts = cells.day("starts", "closed_on")
    term = f"COALESCE({cells.number('term')}, 12)"
    ends = f"COALESCE({cells.day('ends')}, CAST({starts} + to_months(CAST({term} AS INTEGER)) AS DATE))"
    monthly = f"{cells.number('amount')} / {_months(cells)}"
    monthly = f"COALESCE({cells.number('mrr')}, {cells.number('arr')} / 12, {monthly})"
    _ask_terms(kit, cells)
    columns = ("contract_id", "account_id", "kind", "starts_on", "ends_on", "signed_on", "mrr", "currency")
    current = f" AND {cells.true('is_current')}" if cells.has("is_current") else ""
    query = (
        f"SELECT {cells.text('id')} AS contract_id, {account} AS account_id,\n"
        f"       CASE WHEN LOWER({cells.text('type')}) LIKE '%renew%' THEN 'renewal'\n"
        f"            WHEN LOWER({cells.text('type')}) LIKE '%new%' THEN 'new' END AS kind,\n"
        f"       {starts} AS starts_on, {ends} AS ends_on, least({cells.day('closed_on')}, {starts}) AS signed_on,\n"
        f"       CAST({monthly} AS DECIMAL(18,6)) AS mrr, UPPER({cells.text('currency')}) AS currency\n"
        f"FROM {cells.rows}{join}\n{joins}\n"
        f"WHERE {won} AND {account} IS NOT NULL AND {monthly} > 0 AND NOT {cells.true('deleted')}{current}"
    )
    why = ("Won deals as terms, since no billing export is there: an invoice knows better what is paid.",)
    return [Draft("contracts", kit.source, (cells.match.sheet.name,), query, columns, why, 0.6)]


def _months(cells: Cells) -> str:
    """The months that a deal's amount is for: those between its own dates, else its term, else a year."""
    dated = [_between(cells.day("starts"), cells.day("ends"))] if cells.has("starts", "ends") else []
    dated += [f"NULLIF({cells.number('term')}, 0)"] if cells.has("term") else []
    dated += [_between(cells.day("closed_on"), cells.day("ends"))] if cells.has("ends") else []
    return f"COALESCE({', '.join([*dated, '12'])})"


def _between(start: str, end: str) -> str:
    """The months between two days, whole ones where they nearly are; an end may be the last day of a term."""
    months = f"date_diff('day', {start}, {end}) / 30.4375"
    whole = f"CASE WHEN abs({months} - round({months})) < 0.1 THEN round({months}) ELSE {months} END"
    return f"CASE WHEN {end} > {start} THEN {whole} END"


def _ask_terms(kit: Kit, cells: Cells) -> None:
    """What deals leave open: the time that their amount is for, and how long they run."""
    if not cells.has("mrr") and not cells.has("arr"):
        time = "its dates" if cells.has("ends") else "its months" if cells.has("term") else "a year"
        kit.questions.append(
            f"{kit.source}: the amount of a deal is read as that of its whole term ("
            f"{time}): is that so, or is it a month's or a year's?"
        )
    if not cells.has("ends") and not cells.has("term"):
        kit.questions.append(f"{kit.source}: deals name no end of their term: each is taken to run a year.")
