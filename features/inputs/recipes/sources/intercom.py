"""Intercom: conversations, companies and contacts, of its exports, its API and Fivetran's tables."""

from features.inputs.recipes.kit import Draft, Kit, Thing, listed_thing, reach
from features.inputs.recipes.shape import Shape, spelled

SOURCE = "intercom"
COMPANY, CONTACT = "intercom_company", "intercom_contact"

SHAPES = (
    Shape(
        SOURCE,
        "conversations",
        spelled("""
            id: conversation_id
            opened: created_at conversation_started_at started_at conversation_created_at
            replied: first_admin_reply_at statistics_first_admin_reply_at first_response_at \
first_teammate_reply_at
            closed: closed_at statistics_last_close_at last_closed_at first_closed_at
            updated: updated_at
            state: conversation_state
            priority: is_priority
            contact: contact_id user_id source_author_id
            author_type: source_author_type
            company: company_id
            email: user_email contact_email source_author_email
            rating: conversation_rating_value conversation_rating rating rating_score
            rated: conversation_rating_created_at rating_created_at
            waiting: waiting_since
            is_current: _fivetran_active
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("id", "opened"),
        marks=("waiting", "rating", "author_type", "state"),
        stems=("conversation",),
        not_with=("requester_id", "distinct_id", "event_type", "billing_country", "part_type"),
        adds_up=True,
    ),
    Shape(
        SOURCE,
        "conversation_contacts",
        spelled("conversation: conversation_id\ncontact: contact_id\nis_current: _fivetran_active"),
        needs=("conversation", "contact"),
        marks=("conversation",),
        not_with=("created_at", "part_type"),
    ),
    Shape(
        SOURCE,
        "companies",
        spelled("""
            id: intercom_company_id company_id
            external: company_id
            name: company_name
            domain: website
            industry
            spend: monthly_spend
            sessions: session_count
            size
            plan: plan_name
            seen: last_request_at last_seen_at
            is_current: _fivetran_active
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("id", "name"),
        marks=("spend", "sessions", "seen"),
        stems=("compan",),
        not_with=("email", "lifecycle_stage"),
    ),
    Shape(
        SOURCE,
        "contacts",
        spelled("""
            id: contact_id intercom_id
            external: external_id user_id
            email: contact_email
            role: type
            company: company_id companies_0_id
            signed_up: signed_up_at
            seen: last_seen_at
            replied: last_replied_at
            created: created_at
            is_current: _fivetran_active
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("id", "email"),
        marks=("signed_up", "seen", "replied"),
        stems=("contact", "user"),
        not_with=("lifecycle_stage", "mailing_country", "requester_id", "organization_id"),
    ),
    Shape(
        SOURCE,
        "contact_companies",
        spelled("contact: contact_id\ncompany: company_id\nis_current: _fivetran_active\nupdated: contact_updated_at"),
        needs=("contact", "company"),
        marks=("updated",),
        stems=("contact_compan",),
    ),
)


def things(kit: Kit) -> list[Thing]:
    """Companies, and the contacts within them."""
    listed = []
    if "companies" in kit:
        cells = kit.cells("companies")
        columns = {"name": cells.text("name"), "domain": cells.text("domain"), "external": cells.text("external")}
        keys = {"external": "id", "domain": "domain", "name": "name"}
        listed.append(listed_thing(kit, cells, COMPANY, cells.text("id"), columns, keys))
    if "contacts" in kit:
        cells = kit.cells("contacts", "t")
        columns = {"email": f"LOWER({cells.text('email')})", "external": cells.text("external")}
        within = {}
        if cells.has("company"):
            columns["company"], within = cells.text("company"), {"company": COMPANY}
        elif "contact_companies" in kit:
            of = kit.cells("contact_companies", "c")
            current = f" AND {of.true('is_current')}" if of.has("is_current") else ""
            columns["company"] = (
                f"(SELECT min({of.text('company')}) FROM {of.rows} "
                f"WHERE {of.text('contact')} = {cells.text('id')}{current})"
            )
            within = {"company": COMPANY}
        keys = {"email": "email", "external": "id"}
        listed.append(
            listed_thing(kit, cells, CONTACT, cells.text("id"), columns, keys, within=within, is_account=False)
        )
    return listed


def drafts(kit: Kit) -> list[Draft]:
    """Conversations as tickets, and their ratings."""
    if "conversations" not in kit:
        return []
    cells = kit.cells("conversations")
    account, joins = reach(kit, cells, ("company", COMPANY), ("contact", CONTACT))
    if "conversation_contacts" in kit and CONTACT in kit.resolved:
        joins += _of_contacts(kit, cells.text("id"))
        account = "g.account_id" if account == "NULL" else f"COALESCE({account}, g.account_id)"
    if account == "NULL":
        kit.questions.append(f"intercom: {cells.match.sheet.name} names no account that is known, and is left out.")
        return []
    kept = f"{account} IS NOT NULL AND NOT {cells.true('deleted')}"
    kept += f" AND {cells.true('is_current')}" if cells.has("is_current") else ""
    kept += f" AND NOT {cells.is_one_of('author_type', 'admin', 'bot')}" if cells.has("author_type") else ""
    closed = cells.moment("closed")
    if not cells.has("closed"):
        closed = f"CASE WHEN {cells.is_one_of('state', 'closed')} THEN {cells.moment('updated')} END"
    high = cells.is_one_of("priority", "priority", "true", "high", "urgent")
    severity = f"CASE WHEN {high} THEN 'high' ELSE 'medium' END" if cells.has("priority") else "CAST(NULL AS VARCHAR)"
    query = (
        f"SELECT {account} AS account_id, {cells.moment('opened')} AS opened_at,\n"
        f"       {cells.moment('replied')} AS first_response_at, {closed} AS resolved_at,\n"
        f"       {severity} AS severity\n"
        f"FROM {cells.rows}\n{joins}\nWHERE {kept}"
    )
    columns = ("account_id", "opened_at", "first_response_at", "resolved_at", "severity")
    why = ("Conversations that customers began; those of admins and bots are campaigns.",)
    sheets = kit.sheets("conversations", "conversation_contacts", "contacts", "companies", "contact_companies")
    return [Draft("tickets", SOURCE, sheets, query, columns, why), *_ratings(kit, account, joins, kept)]


def _of_contacts(kit: Kit, conversation: str) -> str:
    """The join with the accounts of a conversation's contacts."""
    of = kit.cells("conversation_contacts", "c")
    return (
        f"\nLEFT JOIN (SELECT {of.text('conversation')} AS conversation, min(a.account_id) AS account_id\n"
        f"           FROM {of.rows}\n"
        f"           JOIN {{account_of_{CONTACT}}} AS a ON a.id = {of.text('contact')} GROUP BY 1) AS g\n"
        f"       ON g.conversation = {conversation}"
    )


def _ratings(kit: Kit, account: str, joins: str, kept: str) -> list[Draft]:
    """Ratings of conversations, 1 to 5."""
    cells = kit.cells("conversations")
    if not cells.has("rating"):
        return []
    day = cells.day("rated", "closed", "updated", "opened")
    query = (
        f"SELECT {account} AS account_id, {day} AS responded_on, 'csat' AS kind, {cells.number('rating')} AS score\n"
        f"FROM {cells.rows}\n{joins}\nWHERE {kept} AND {cells.text('rating')} IS NOT NULL"
    )
    columns = ("account_id", "responded_on", "kind", "score")
    return [Draft("surveys", SOURCE, kit.sheets("conversations"), query, columns, ("Ratings of 1 to 5 are csat.",))]
