"""Zendesk: tickets, organizations and users from its exports, and Fivetran's tables."""

from features.inputs.recipes.cells import Cells
from features.inputs.recipes.kit import Draft, Kit, Thing, listed_thing, reach
from features.inputs.recipes.shape import Shape, spelled

SOURCE = "zendesk"
ORGANIZATION, USER = "zendesk_organization", "zendesk_user"

SHAPES = (
    Shape(
        SOURCE,
        "tickets",
        spelled("""
            id: ticket_id
            org: organization_id ticket_organization_id organisation_id
            org_name: organization ticket_organization_name organisation
            asker: requester_id
            requester_name: requester
            requester_email: requester_email_address
            submitter: submitter_id
            opened: created_at ticket_created_date created ticket_created_timestamp
            replied: first_replied_at first_reply_at initially_answered_at first_agent_reply_at
            solved: solved_at ticket_solved_date last_solved_at first_solved_at
            closed: closed_at
            updated: updated_at
            status: ticket_status
            priority: ticket_priority
            type: ticket_type
            rating: satisfaction_rating satisfaction_score ticket_satisfaction_score satisfaction_rating_score
            rated: satisfaction_rating_created_at satisfaction_date
            channel: via_channel via created_channel
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("id", "opened", "status"),
        marks=("asker", "requester_name", "org", "org_name", "submitter", "channel"),
        stems=("ticket",),
        not_with=("property_pipeline", "hs_pipeline", "ticket_pipeline"),
        adds_up=True,
    ),
    Shape(
        SOURCE,
        "organizations",
        spelled("""
            id: organization_id
            name: organization_name
            domain: domain_names domains
            external: external_id
            details
            shared: shared_tickets
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("id", "name"),
        marks=("shared", "domain", "details"),
        stems=("organization", "organisation"),
        not_with=("lifecycle_stage", "billing_country", "email"),
    ),
    Shape(
        SOURCE,
        "users",
        spelled("""
            id: user_id
            email
            org: organization_id
            role
            external: external_id
            suspended: is_suspended
            verified
            deleted: _fivetran_deleted is_deleted
        """),
        needs=("id", "email"),
        marks=("suspended", "verified", "org"),
        stems=("user",),
        not_with=("profile_id", "distinct_id"),
    ),
    Shape(
        SOURCE,
        "domains",
        spelled("org: organization_id\ndomain: domain_name"),
        needs=("org", "domain"),
        marks=("domain",),
    ),
    Shape(
        SOURCE,
        "field_history",
        spelled("ticket: ticket_id\nfield: field_name\nwhen: updated updated_at\nvalue\nuser: user_id"),
        needs=("ticket", "field", "when", "value"),
        marks=("field",),
    ),
    Shape(
        SOURCE,
        "comments",
        spelled("id\nticket: ticket_id\nwhen: created created_at\nis_public: public\nuser: user_id author_id"),
        needs=("ticket", "when", "user"),
        marks=("is_public",),
    ),
)


def things(kit: Kit) -> list[Thing]:
    """Organizations, and the users within them."""
    return [*_organizations(kit), *_users(kit)]


def _organizations(kit: Kit) -> list[Thing]:
    """Of their own export, else by the names that tickets have."""
    if "organizations" in kit:
        cells = kit.cells("organizations", "t")
        domain = cells.text("domain")
        if "domains" in kit:
            of = kit.cells("domains", "d")
            known = f"{of.text('org')} = {cells.text('id')}"
            domain = f"(SELECT min({of.text('domain')}) FROM {of.rows} WHERE {known})"
        columns = {"name": cells.text("name"), "domain": f"regexp_extract({domain}, '[^\\s,;\\[\\]\"'']+')"}
        keys = {"domain": "domain", "name": "name", "external": "id"}
        columns |= {"external": cells.text("external")}
        return [listed_thing(kit, cells, ORGANIZATION, cells.text("id"), columns, keys)]
    if "tickets" not in kit or kit.cells("tickets").has("org"):
        return []
    return _named_on_tickets(kit, ORGANIZATION, "org_name", "name")


def _users(kit: Kit) -> list[Thing]:
    """Of their own export, else by the e-mails that tickets have."""
    if "users" not in kit:
        return _named_on_tickets(kit, USER, "requester_email", "email")
    cells = kit.cells("users")
    columns = {"email": f"LOWER({cells.text('email')})", "external": cells.text("external")}
    within = {}
    if cells.has("org"):
        columns["org"], within = cells.text("org"), {"org": ORGANIZATION}
    keys = {"email": "email", "external": "id"}
    return [listed_thing(kit, cells, USER, cells.text("id"), columns, keys, within=within, is_account=False)]


def _named_on_tickets(kit: Kit, kind: str, role: str, by: str) -> list[Thing]:
    """Things that tickets name, by that name."""
    if "tickets" not in kit or not kit.cells("tickets").has(role):
        return []
    cells = kit.cells("tickets")
    name = f"LOWER({cells.text(role)})" if by == "email" else cells.text(role)
    listing = f"SELECT DISTINCT {name} AS id, {name} AS {by}\nFROM {cells.rows} WHERE {name} IS NOT NULL"
    keys = {"id": "id", by: by} if by == "name" else {by: by}
    return [Thing(kind, SOURCE, cells.match.sheet.name, listing, (by,), keys, is_account=by == "name")]


def drafts(kit: Kit) -> list[Draft]:
    """Tickets, and the answers to how content the requester was."""
    if "tickets" not in kit:
        return []
    cells = kit.cells("tickets")
    by_email = () if cells.has("asker") and "users" in kit else (("requester_email", USER),)
    account, joins = reach(kit, cells, ("org", ORGANIZATION), ("org_name", ORGANIZATION), ("asker", USER), *by_email)
    if account == "NULL":
        kit.questions.append(f"zendesk: {cells.match.sheet.name} names no account that is known, and is left out.")
        return []
    joins, replied, solved = _history(kit, joins, cells.text("id"), cells)
    kept = f"{account} IS NOT NULL AND NOT {cells.true('deleted')} AND NOT {cells.is_one_of('status', 'deleted')}"
    severity = (
        f"CASE LOWER({cells.text('priority')}) WHEN 'normal' THEN 'medium' ELSE LOWER({cells.text('priority')}) END"
    )
    query = (
        f"SELECT {account} AS account_id, {cells.moment('opened')} AS opened_at,\n"
        f"       {replied} AS first_response_at, {solved} AS resolved_at,\n       {severity} AS severity\n"
        f"FROM {cells.rows}\n{joins}\nWHERE {kept}"
    )
    columns = ("account_id", "opened_at", "first_response_at", "resolved_at", "severity")
    why = ("Zendesk's priority normal is severity medium. Tickets of nobody who pays are left out.",)
    sheets = kit.sheets("tickets", "organizations", "users", "domains", "field_history", "comments")
    return [Draft("tickets", SOURCE, sheets, query, columns, why), *_ratings(kit, account, joins, kept)]


def _history(kit: Kit, joins: str, ticket: str, cells: Cells) -> tuple[str, str, str]:
    """When a ticket was answered and solved: of its own columns, else of its history and comments."""
    replied, solved = cells.moment("replied"), cells.moment("solved", "closed")
    if "field_history" in kit and not cells.has("solved"):
        of = kit.cells("field_history", "f")
        joins += (
            f"\nLEFT JOIN (SELECT {of.text('ticket')} AS ticket, max({of.moment('when')}) AS at FROM {of.rows}\n"
            f"           WHERE {of.is_one_of('field', 'status')} AND {of.is_one_of('value', 'solved', 'closed')}\n"
            f"           GROUP BY 1) AS s\n"
            f"       ON s.ticket = {ticket} AND {cells.is_one_of('status', 'solved', 'closed')}"
        )
        solved = "s.at"
    elif not cells.has("solved") and not cells.has("closed"):
        solved = f"CASE WHEN {cells.is_one_of('status', 'solved', 'closed')} THEN {cells.moment('updated')} END"
    if "comments" in kit and not cells.has("replied"):
        of = kit.cells("comments", "c")
        staff = ""
        if "users" in kit and kit.cells("users").has("role"):
            user = kit.cells("users", "u")
            staff = (
                f" AND {of.text('user')} IN (SELECT {user.text('id')} FROM {user.rows} "
                f"WHERE {user.is_one_of('role', 'agent', 'admin')})"
            )
        joins += (
            f"\nLEFT JOIN (SELECT {of.text('ticket')} AS ticket, min({of.moment('when')}) AS at FROM {of.rows}\n"
            f"           WHERE {of.true('is_public')}{staff} GROUP BY 1) AS r ON r.ticket = {ticket}"
        )
        replied = "r.at" if staff else replied
    return joins, replied, solved


def _ratings(kit: Kit, account: str, joins: str, kept: str) -> list[Draft]:
    """Good and bad as 5 and 1 of satisfaction."""
    cells = kit.cells("tickets")
    if not cells.has("rating"):
        return []
    rating = f"LOWER({cells.text('rating')})"
    score = f"CASE WHEN {rating} LIKE 'good%' THEN 5 WHEN {rating} LIKE 'bad%' THEN 1 END"
    day = cells.day("rated", "solved", "closed", "updated")
    query = (
        f"SELECT {account} AS account_id, {day} AS responded_on, 'csat' AS kind, {score} AS score\n"
        f"FROM {cells.rows}\n{joins}\nWHERE {kept} AND {score} IS NOT NULL AND {day} IS NOT NULL"
    )
    why = ("Satisfaction good is a csat of 5, bad of 1; offered and unoffered are no answers.",)
    columns = ("account_id", "responded_on", "kind", "score")
    return [Draft("surveys", SOURCE, kit.sheets("tickets"), query, columns, why)]
