"""Product analytics: Segment, Mixpanel and Amplitude; a row an event becomes use of the product."""

from collections.abc import Callable

from features.inputs.recipes.cells import Cells
from features.inputs.recipes.kit import Draft, Kit, Thing, reach
from features.inputs.recipes.shape import Shape, spelled

GROUPS = (
    "group_id context_group_id account_id company_id company organization_id organisation_id workspace_id team_id "
    "properties_account_id properties_company_id event_properties_account_id user_properties_account_id "
    "user_properties_company_id customer_id groups_company"
)
OWN_EVENTS = ("identify", "$identify", "$create_alias", "$mp_web_page_view", "session_start", "session_end")


def _event_shape(source: str, columns: str, marks: tuple[str, ...], not_with: tuple[str, ...] = ()) -> Shape:
    return Shape(
        source,
        "events",
        spelled(columns),
        needs=("when", "event"),
        marks=marks,
        stems=("track", "event"),
        not_with=(*not_with, "activity_type", "what_id", "stage_name"),
        adds_up=True,
    )


SHAPES = (
    _event_shape(
        "segment",
        f"""
        id: message_id
        event: event_text event_name
        when: timestamp original_timestamp sent_at received_at
        user: user_id
        anonymous: anonymous_id
        email: context_traits_email properties_email email
        group: {GROUPS}
        sent: sent_at original_timestamp received_at
        """,
        marks=("anonymous", "sent"),
        not_with=("distinct_id", "amplitude_id", "event_type"),
    ),
    Shape(
        "segment",
        "users",
        spelled(f"""
            id: user_id
            email: traits_email context_traits_email
            group: {GROUPS} traits_company_id traits_account_id
            anonymous: anonymous_id
            received: received_at
        """),
        needs=("id", "email"),
        marks=("anonymous", "received"),
        stems=("identif", "users"),
        not_with=("event", "event_text", "organization_id", "distinct_id"),
    ),
    Shape(
        "segment",
        "groups",
        spelled("user: user_id\ngroup: group_id\nname: traits_name\nreceived: received_at"),
        needs=("user", "group"),
        marks=("received",),
        stems=("group",),
        not_with=("event", "event_text", "requester_id"),
    ),
    _event_shape(
        "mixpanel",
        f"""
        id: insert_id event_id
        event: name event_name event_type
        when: time timestamp occurred_at
        user: distinct_id people_id user_id
        distinct: distinct_id people_id
        email: properties_email email
        group: {GROUPS}
        processed: mp_processing_time_ms
        """,
        marks=("distinct", "processed"),
        not_with=("amplitude_id", "anonymous_id"),
    ),
    _event_shape(
        "amplitude",
        f"""
        id: insert_id uuid
        event: event_type event_name
        when: event_time client_event_time server_received_time
        user: user_id
        amplitude: amplitude_id
        email: user_properties_email
        group: {GROUPS}
        properties: user_properties
        groups
        group_properties
        """,
        marks=("amplitude", "properties"),
        not_with=("distinct_id", "anonymous_id"),
    ),
)


def of(source: str) -> tuple[Callable[[Kit], list[Thing]], Callable[[Kit], list[Draft]]]:
    """What a tool's events say of users and groups, and the use they make."""
    return lambda kit: _things(kit, source), lambda kit: _drafts(kit, source)


def _things(kit: Kit, source: str) -> list[Thing]:
    """Groups and users, as events and the sheets of users name them."""
    if "events" not in kit:
        return []
    cells = kit.cells("events")
    sheet, listed = cells.match.sheet.name, []
    group = _group(cells)
    if group != "NULL":
        listing = f"SELECT DISTINCT {group} AS id FROM {cells.rows} WHERE {group} IS NOT NULL"
        listed.append(Thing(f"{source}_group", source, sheet, listing, (), {"id": "id"}))
    if cells.has("user"):
        listed.append(_users(kit, cells, source))
    return listed


def _users(kit: Kit, cells: Cells, source: str) -> Thing:
    """Users: their ids, which may be e-mails, with the e-mail and group that are known of them."""
    user, emails, groups = cells.text("user"), ["t.email"], "NULL"
    email = f"min(LOWER({cells.text('email')}))" if cells.has("email") else "NULL"
    rows = f"(SELECT {user} AS id, {email} AS email FROM {cells.rows} WHERE {user} IS NOT NULL GROUP BY 1) AS t"
    if "users" in kit:
        people = kit.cells("users", "u")
        identified = f"SELECT {people.text('id')} AS id, min(LOWER({people.text('email')})) AS email"
        rows += f"\nLEFT JOIN ({identified} FROM {people.rows} GROUP BY 1) AS e ON e.id = t.id"
        emails.insert(0, "e.email")
    if "groups" in kit:
        membership = kit.cells("groups", "g")
        grouped = f"SELECT {membership.text('user')} AS id, min({membership.text('group')}) AS named"
        rows += f"\nLEFT JOIN ({grouped} FROM {membership.rows} GROUP BY 1) AS n ON n.id = t.id"
        groups = "n.named"
    emails.append("CASE WHEN t.id LIKE '%@%' THEN LOWER(t.id) END")
    listing = f'SELECT t.id, COALESCE({", ".join(emails)}) AS email, {groups} AS "group"\nFROM {rows}'
    keys = {"id": "id", "group": "id", "email": "email"}
    return Thing(f"{source}_user", source, cells.match.sheet.name, listing, ("email",), keys, is_account=False)


def _group(cells: Cells) -> str:
    """The account that an event names, in a column or within its properties."""
    if cells.has("group"):
        return cells.text("group")
    for role in ("groups", "group_properties", "properties"):
        for key in ("account_id", "company_id", "group_id", "org_id", "organization_id", "company"):
            if any(f'"{key}"' in text for text in cells.seen(role)[:200]):
                return f"json_extract_string({cells.text(role)}, '$.{key}')"
    return "NULL"


def _drafts(kit: Kit, source: str) -> list[Draft]:
    """A row a day, account, feature and user, with the number of events."""
    if "events" not in kit:
        return []
    cells = kit.cells("events")
    account, joins = reach(kit, cells, ("user", f"{source}_user"))
    group, kind = _group(cells), f"{source}_group"
    if group != "NULL" and kind in kit.resolved:
        joins += f"\nLEFT JOIN {{account_of_{kind}}} AS b ON b.id = {group}"
        account = "b.account_id" if account == "NULL" else f"COALESCE(b.account_id, {account})"
    if account == "NULL":
        kit.questions.append(
            f"{source}: {cells.match.sheet.name} names neither accounts nor users that are known, and is left out."
        )
        return []
    event, day = cells.text("event"), cells.day("when")
    query = (
        f"SELECT {account} AS account_id, {day} AS used_on, {event} AS feature,\n"
        f"       {cells.text('user')} AS user_id, count(*) AS quantity\n"
        f"FROM {cells.rows}\n{joins}\nWHERE {account} IS NOT NULL AND {day} IS NOT NULL\n"
        f"  AND NOT {cells.is_one_of('event', *OWN_EVENTS)}\nGROUP BY ALL"
    )
    columns = ("account_id", "used_on", "feature", "user_id", "quantity")
    why = ("Events become one row a day, account, event and user; events of nobody who pays are left out.",)
    return [Draft("usage", source, kit.sheets("events", "users", "groups"), query, columns, why)]
