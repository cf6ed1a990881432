"""Salesforce: exports of objects and reports, and Fivetran's tables."""

from features.inputs.recipes.kit import Draft, Kit, Thing, listed_thing, reach
from features.inputs.recipes.shape import Shape, spelled
from features.inputs.recipes.sources.crm import DEAL, Activities, activity_drafts, activity_shape, deals

SOURCE = "salesforce"
ACCOUNT, CONTACT = "salesforce_account", "salesforce_contact"
SHEETS = (Activities("tasks", "task"), Activities("events", "meeting"))

SHAPES = (
    Shape(
        SOURCE,
        "accounts",
        spelled("""
            id: account_id case_safe_id
            name: account_name
            domain: website
            industry
            segment: segment_c segment customer_segment_c account_segment tier_c tier account_tier
            region: region_c region territory_c territory billing_country billing_country_code billing_state
            csm: csm_c csm customer_success_manager_c customer_success_manager
            owner: owner_id account_owner owner_name
            parent: parent_id parent_account_id parent_account
            type: account_type
            billing_country
            rating
            sic
            number: account_number
            created: created_date
            deleted: is_deleted
            is_current: _fivetran_active
        """),
        needs=("id", "name"),
        marks=("billing_country", "owner", "sic", "rating"),
        stems=("account",),
        not_with=("email", "stage_name", "amount", "mrr", "invoice_template_id", "bill_cycle_day", "lifecycle_stage"),
    ),
    Shape(
        SOURCE,
        "contacts",
        spelled("""
            id: contact_id
            account: account_id
            email
            title
            created: created_date
            reports_to: reports_to_id
            salutation
            mailing_country
            gone: no_longer_at_company_c
            deleted: is_deleted
            is_current: _fivetran_active
        """),
        needs=("id", "account", "email"),
        marks=("reports_to", "mailing_country", "salutation"),
        stems=("contact",),
        not_with=("sub_type", "work_email", "bill_to"),
    ),
    Shape(
        SOURCE,
        "users",
        spelled(
            "id: user_id\nname: user_name\nfirst: first_name\nlast: last_name\nemail\nusername\nprofile: profile_id"
        ),
        needs=("id", "email", "username"),
        marks=("username", "profile"),
        stems=("user",),
        not_with=("organization_id",),
    ),
    Shape(
        SOURCE,
        "opportunities",
        spelled(DEAL + "\n            forecast: forecast_category forecast_category_name\n            probability"),
        needs=("id", "amount", "closed_on", "stage"),
        marks=("forecast", "won"),
        stems=("opportunit",),
        not_with=("lifecycle_stage", "deal_pipeline_id"),
    ),
    Shape(
        SOURCE,
        "cases",
        spelled("""
            id: case_id
            number: case_number
            account: account_id
            contact: contact_id
            opened: created_date date_time_opened
            closed: closed_date date_time_closed
            priority
            status
            type: case_type
            deleted: is_deleted
        """),
        needs=("id", "opened", "priority"),
        marks=("number",),
        stems=("case",),
        not_with=("requester_id", "organization_id"),
    ),
    activity_shape(
        SOURCE,
        "tasks",
        "related",
        stems=("task",),
        not_with=("activity_date_time", "end_date_time", "start_date_time", "duration_in_minutes"),
    ),
    activity_shape(SOURCE, "events", "related", stems=("sf_event", "events", "meeting"), not_with=("task_subtype",)),
)


def things(kit: Kit) -> list[Thing]:
    """Accounts, and the contacts within them."""
    listed = []
    if "accounts" in kit:
        cells = kit.cells("accounts")
        columns = {"name": cells.text("name"), "domain": cells.text("domain")}
        keys = {"domain": "domain", "name": "name"}
        listed.append(listed_thing(kit, cells, ACCOUNT, cells.text("id"), columns, keys))
    if "contacts" in kit:
        cells = kit.cells("contacts")
        columns = {"email": f"LOWER({cells.text('email')})", "account": cells.text("account")}
        listed.append(
            listed_thing(
                kit,
                cells,
                CONTACT,
                cells.text("id"),
                columns,
                {"email": "email"},
                within={"account": ACCOUNT},
                is_account=False,
            )
        )
    return listed


def drafts(kit: Kit) -> list[Draft]:
    """Attributes of accounts, contacts, what staff and customers did, cases; opportunities where nothing bills."""
    tables = [*_attributes(kit), *_contacts(kit), *_cases(kit)]
    for sheet in SHEETS:
        if sheet.name in kit:
            tables += activity_drafts(
                kit, sheet, (("company", ACCOUNT), ("related", ACCOUNT), ("contact", CONTACT)), _users(kit)
            )
    return tables + (deals(kit, "opportunities", ("account", ACCOUNT)) if "opportunities" in kit else [])


def _users(kit: Kit) -> str:
    """The staff by id."""
    if "users" not in kit:
        return ""
    cells = kit.cells("users", "w")
    name = f"NULLIF(concat_ws(' ', {cells.text('first')}, {cells.text('last')}), '')"
    return f"SELECT {cells.text('id')} AS id, COALESCE({cells.text('name')}, {name}) AS name FROM {cells.rows}"


def _attributes(kit: Kit) -> list[Draft]:
    if "accounts" not in kit:
        return []
    cells, users = kit.cells("accounts"), _users(kit)
    owner = f"COALESCE(o.name, {cells.text('owner')})" if users else cells.text("owner")
    join = f"\nLEFT JOIN ({users}) AS o ON o.id = {cells.text('owner')}" if users else ""
    csm = f"COALESCE({cells.text('csm')}, {owner})" if cells.has("csm") else owner
    seller = owner if cells.has("csm") else "NULL"
    current = f" AND {cells.true('is_current')}" if cells.has("is_current") else ""
    query = (
        f"SELECT {cells.text('id')} AS id, {cells.text('name')} AS name, {cells.text('segment')} AS segment,\n"
        f"       {cells.text('industry')} AS industry, {cells.text('region')} AS region, {csm} AS csm,\n"
        f"       {seller} AS seller, {cells.text('parent')} AS parent\nFROM {cells.rows}{join}\n"
        f"WHERE NOT {cells.true('deleted')}{current}"
    )
    columns = [("name", "name"), ("segment", "segment"), ("industry", "industry"), ("region", "region")]
    columns += [("csm", "csm" if cells.has("csm") else "owner"), ("parent", "parent")]
    columns += [("seller", "owner")] if cells.has("csm") else []
    there = tuple(column for column, role in columns if cells.has(role))
    why = ("The account's owner is its CSM where no column names one; the billing country is the region.",)
    return [Draft(f"accounts:{ACCOUNT}", SOURCE, kit.sheets("accounts", "users"), query, there, why)]


def _contacts(kit: Kit) -> list[Draft]:
    if "contacts" not in kit or CONTACT not in kit.resolved:
        return []
    cells = kit.cells("contacts")
    account, joins = reach(kit, cells, ("id", CONTACT))
    current = f" AND {cells.true('is_current')}" if cells.has("is_current") else ""
    query = (
        f"SELECT {cells.text('id')} AS contact_id, {account} AS account_id, {cells.text('title')} AS role,\n"
        f"       'customer' AS side, {cells.day('created')} AS joined_on\nFROM {cells.rows}\n{joins}\n"
        f"WHERE {account} IS NOT NULL AND NOT {cells.true('deleted')}{current}"
    )
    columns = ("contact_id", "account_id", "role", "side", "joined_on")
    return [Draft("contacts", SOURCE, kit.sheets("contacts"), query, columns, ("A contact's title is its role.",))]


def _cases(kit: Kit) -> list[Draft]:
    if "cases" not in kit:
        return []
    cells = kit.cells("cases")
    account, joins = reach(kit, cells, ("account", ACCOUNT), ("contact", CONTACT))
    if account == "NULL":
        return []
    query = (
        f"SELECT {account} AS account_id, {cells.moment('opened')} AS opened_at,\n"
        f"       {cells.moment('closed')} AS resolved_at, LOWER({cells.text('priority')}) AS severity\n"
        f"FROM {cells.rows}\n{joins}\nWHERE {account} IS NOT NULL AND NOT {cells.true('deleted')}"
    )
    columns = ("account_id", "opened_at", "resolved_at", "severity")
    return [Draft("tickets", SOURCE, kit.sheets("cases"), query, columns)]
