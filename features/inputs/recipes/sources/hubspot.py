"""HubSpot: its exports of records, API objects as CSV, and Fivetran's tables."""

from features.inputs.recipes.kit import Draft, Kit, Thing, listed_thing, reach
from features.inputs.recipes.shape import Shape, spelled
from features.inputs.recipes.sources.crm import DEAL, Activities, activity_drafts, activity_shape, deals

SOURCE = "hubspot"
COMPANY, CONTACT = "hubspot_company", "hubspot_contact"
OTHERS = ("monthly_spend", "session_count", "billing_country", "shared_tickets", "billing_country_code", "crm_id")
SHEETS = (
    Activities("engagements", "activity"),
    Activities("calls", "call"),
    Activities("meetings", "meeting"),
    Activities("emails", "email"),
    Activities("tasks", "task"),
)

SHAPES = (
    Shape(
        SOURCE,
        "companies",
        spelled("""
            id: record_id company_id hs_object_id
            name: company_name
            domain: company_domain_name website website_url
            industry
            segment: customer_segment company_segment customer_tier tier size_segment
            region: country_region sales_region territory country
            csm: customer_success_manager cs_owner customer_success_owner
            owner: company_owner hubspot_owner_id owner_id hubspot_owner
            lifecycle: lifecycle_stage lifecyclestage
            parent: parent_company_id hs_parent_company_id parent_company
            created: create_date createdate
            employees: number_of_employees numberofemployees
            deleted: is_deleted _fivetran_deleted
            prefixed: with_property_prefix
        """),
        needs=("id", "name"),
        marks=("lifecycle", "domain", "prefixed"),
        stems=("compan",),
        not_with=(*OTHERS, "email", "deal_name", "dealname", "amount"),
    ),
    Shape(
        SOURCE,
        "contacts",
        spelled("""
            id: record_id contact_id hs_object_id vid
            email: email_address
            first: first_name firstname
            last: last_name lastname
            company: associated_company_id primary_associated_company_id associatedcompanyid associated_company_ids \
company_id
            company_name: company
            title: job_title jobtitle
            buying_role: hs_buying_role contact_role role
            created: create_date createdate
            lifecycle: lifecycle_stage lifecyclestage
            owner: contact_owner hubspot_owner_id
            deleted: is_deleted _fivetran_deleted
            prefixed: with_property_prefix
        """),
        needs=("id", "email"),
        marks=("lifecycle", "company", "owner", "prefixed"),
        stems=("contact",),
        not_with=("organization_id", "mailing_country", "account_id", "requester_id", "signed_up_at", "delinquent"),
    ),
    Shape(
        SOURCE,
        "owners",
        spelled("id: owner_id\nfirst: first_name\nlast: last_name\nemail\nuser: active_user_id user_id"),
        needs=("id", "first", "last", "email"),
        marks=("user",),
        stems=("owner",),
        not_with=("organization_id", "account_id", "company_id", "profile_id"),
    ),
    Shape(
        SOURCE,
        "deals",
        spelled(DEAL + "\n            prefixed: with_property_prefix"),
        needs=("id", "amount", "closed_on"),
        marks=("pipeline", "prefixed"),
        stems=("deal",),
        not_with=("forecast_category", "stage_name"),
    ),
    Shape(
        SOURCE,
        "deal_stages",
        spelled(
            "id: stage_id\nlabel\nwon: closed_won is_closed_won\nclosed: is_closed\nprobability\npipeline: pipeline_id"
        ),
        needs=("id", "label", "probability"),
        marks=("won", "pipeline"),
    ),
    Shape(SOURCE, "deal_companies", spelled("deal: deal_id\ncompany: company_id"), ("deal", "company"), ("deal",)),
    Shape(
        SOURCE,
        "engagement_companies",
        spelled("engagement: engagement_id\ncompany: company_id"),
        needs=("engagement", "company"),
        marks=("engagement",),
        stems=("engagement_company",),
        not_with=("timestamp", "activity_date"),
    ),
    Shape(
        SOURCE,
        "engagement_contacts",
        spelled("engagement: engagement_id\ncontact: contact_id"),
        needs=("engagement", "contact"),
        marks=("engagement",),
        not_with=("timestamp", "activity_date"),
    ),
    Shape(
        SOURCE,
        "forms",
        spelled("""
            when: timestamp submitted_at conversion_date submission_date
            form: form_id form_name title conversion_title
            contact: contact_id record_id
            email
            page: page_url
        """),
        needs=("when", "form"),
        marks=("page",),
        stems=("form",),
        not_with=("activity_type",),
    ),
    Shape(
        SOURCE,
        "tickets",
        spelled("""
            id: record_id ticket_id hs_object_id
            subject: ticket_name
            opened: create_date createdate created_at
            closed: close_date closed_date
            replied: first_agent_reply_date first_agent_response_date
            priority: hs_ticket_priority ticket_priority
            category: hs_ticket_category
            pipeline: hs_pipeline ticket_pipeline
            company: associated_company_id associated_company_ids company_id
            contact: associated_contact_id associated_contact_ids contact_id
            deleted: is_deleted _fivetran_deleted
            prefixed: with_property_prefix
        """),
        needs=("id", "opened", "subject"),
        marks=("pipeline", "replied", "prefixed"),
        stems=("ticket",),
        not_with=("organization_id", "requester_id", "requester", "submitter_id"),
    ),
    *(
        activity_shape(
            SOURCE,
            sheet.name,
            *(("outcome", "direction") if sheet.name != "engagements" else ("type",)),
            stems=(sheet.name.removesuffix("s"),),
            not_with=("organization_id", "requester_id", "what_id", "who_id", "distinct_id", "event_type", "user_id"),
        )
        for sheet in SHEETS
    ),
)


def things(kit: Kit) -> list[Thing]:
    """Companies, and the contacts within them."""
    listed = []
    if "companies" in kit:
        cells = kit.cells("companies")
        columns = {"name": cells.text("name"), "domain": cells.text("domain")}
        listed.append(
            listed_thing(kit, cells, COMPANY, cells.text("id"), columns, {"domain": "domain", "name": "name"})
        )
    if "contacts" in kit:
        cells = kit.cells("contacts")
        company = cells.text("company")
        columns = {"email": f"LOWER({cells.text('email')})"}
        within = {}
        if cells.has("company"):
            columns["company"], within = f"split_part({company}, ';', 1)", {"company": COMPANY}
        listed.append(
            listed_thing(
                kit, cells, CONTACT, cells.text("id"), columns, {"email": "email"}, within=within, is_account=False
            )
        )
    return listed


def drafts(kit: Kit) -> list[Draft]:
    """Attributes of companies, contacts, what staff and customers did, tickets; deals where nothing bills."""
    tables = [*_attributes(kit), *_contacts(kit), *_activities(kit), *_forms(kit), *_tickets(kit)]
    return tables + (_deals(kit) if "deals" in kit else [])


def _owners(kit: Kit) -> str:
    """The staff by id."""
    if "owners" not in kit:
        return ""
    cells = kit.cells("owners", "w")
    name = f"concat_ws(' ', {cells.text('first')}, {cells.text('last')})"
    name = f"COALESCE(NULLIF({name}, ''), {cells.text('email')})"
    return f"SELECT {cells.text('id')} AS id, {name} AS name FROM {cells.rows}"


def _attributes(kit: Kit) -> list[Draft]:
    if "companies" not in kit:
        return []
    cells, owners = kit.cells("companies"), _owners(kit)
    owner = f"COALESCE(o.name, {cells.text('owner')})" if owners else cells.text("owner")
    join = f"\nLEFT JOIN ({owners}) AS o ON o.id = {cells.text('owner')}" if owners else ""
    csm = f"COALESCE({cells.text('csm')}, {owner})" if cells.has("csm") else owner
    query = (
        f"SELECT {cells.text('id')} AS id, {cells.text('name')} AS name, {cells.text('segment')} AS segment,\n"
        f"       {cells.text('industry')} AS industry, {cells.text('region')} AS region, {csm} AS csm,\n"
        f"       {cells.text('parent')} AS parent\nFROM {cells.rows}{join}\nWHERE NOT {cells.true('deleted')}"
    )
    why = ("The company's owner is read as its CSM; Country/Region as region.",)
    columns = [("name", "name"), ("segment", "segment"), ("industry", "industry"), ("region", "region")]
    columns += [("csm", "csm" if cells.has("csm") else "owner"), ("parent", "parent")]
    there = tuple(column for column, role in columns if cells.has(role))
    return [Draft(f"accounts:{COMPANY}", SOURCE, kit.sheets("companies", "owners"), query, there, why)]


def _contacts(kit: Kit) -> list[Draft]:
    if "contacts" not in kit or CONTACT not in kit.resolved:
        return []
    cells = kit.cells("contacts")
    account, joins = reach(kit, cells, ("id", CONTACT))
    query = (
        f"SELECT {cells.text('id')} AS contact_id, {account} AS account_id, {cells.text('buying_role')} AS role,\n"
        f"       'customer' AS side, {cells.day('created')} AS joined_on\nFROM {cells.rows}\n{joins}\n"
        f"WHERE {account} IS NOT NULL AND NOT {cells.true('deleted')}"
    )
    columns = ("contact_id", "account_id", "role", "side", "joined_on")
    return [Draft("contacts", SOURCE, kit.sheets("contacts"), query, columns)]


def _activities(kit: Kit) -> list[Draft]:
    """Of each sheet of activities the rows by staff and those by customers."""
    activities: list[Draft] = []
    for sheet in SHEETS:
        if sheet.name in kit:
            links, join = (("company", COMPANY), ("contact", CONTACT)), ""
            cells = kit.cells(sheet.name)
            if not cells.has("company") and "engagement_companies" in kit and cells.has("id"):
                of, kind = kit.cells("engagement_companies", "e"), COMPANY
                join = _engaged(cells.text("id"), of.text("engagement"), of.text("company"), of.rows, kind)
            elif not cells.has("company") and not cells.has("contact") and "engagement_contacts" in kit:
                of = kit.cells("engagement_contacts", "e")
                join = _engaged(cells.text("id"), of.text("engagement"), of.text("contact"), of.rows, CONTACT)
            activities += activity_drafts(kit, sheet, links, _owners(kit), join)
    return activities


def _engaged(engagement: str, other: str, thing: str, rows: str, kind: str) -> str:
    """A join that brings the account of an activity from the sheet that associates them."""
    return (
        f"\nLEFT JOIN (SELECT {other} AS engagement, min(a.account_id) AS account_id FROM {rows}\n"
        f"           JOIN {{account_of_{kind}}} AS a ON a.id = {thing} GROUP BY 1) AS g ON g.engagement = {engagement}"
    )


def _forms(kit: Kit) -> list[Draft]:
    if "forms" not in kit:
        return []
    cells = kit.cells("forms")
    account, joins = reach(kit, cells, ("contact", CONTACT))
    if account == "NULL":
        return []
    query = (
        f"SELECT {account} AS account_id, {cells.day('when')} AS happened_on, 'form' AS kind,\n"
        f"       {cells.text('contact')} AS contact_id\nFROM {cells.rows}\n{joins}\nWHERE {account} IS NOT NULL"
    )
    columns = ("account_id", "happened_on", "kind", "contact_id")
    return [Draft("engagement", SOURCE, kit.sheets("forms"), query, columns, ("Forms that contacts submitted.",))]


def _tickets(kit: Kit) -> list[Draft]:
    if "tickets" not in kit:
        return []
    cells = kit.cells("tickets")
    account, joins = reach(kit, cells, ("company", COMPANY), ("contact", CONTACT))
    if account == "NULL":
        return []
    query = (
        f"SELECT {account} AS account_id, {cells.moment('opened')} AS opened_at,\n"
        f"       {cells.moment('replied')} AS first_response_at, {cells.moment('closed')} AS resolved_at,\n"
        f"       LOWER({cells.text('priority')}) AS severity\nFROM {cells.rows}\n{joins}\n"
        f"WHERE {account} IS NOT NULL AND NOT {cells.true('deleted')}"
    )
    columns = ("account_id", "opened_at", "first_response_at", "resolved_at", "severity")
    return [Draft("tickets", SOURCE, kit.sheets("tickets"), query, columns)]


def _deals(kit: Kit) -> list[Draft]:
    stages = ""
    if "deal_stages" in kit:
        stage = kit.cells("deal_stages", "g")
        won = stage.true("won") if stage.has("won") else f"{stage.number('probability')} = 1"
        stages = f"SELECT {stage.text('id')} FROM {stage.rows} WHERE {won}"
    join = ""
    if "deal_companies" in kit and not kit.cells("deals").has("account") and COMPANY in kit.resolved:
        of = kit.cells("deal_companies", "e")
        join = (
            f"\nLEFT JOIN (SELECT {of.text('deal')} AS deal, min(a.account_id) AS company FROM {of.rows}\n"
            f"           JOIN {{account_of_{COMPANY}}} AS a ON a.id = {of.text('company')} GROUP BY 1) AS a\n"
            f"       ON a.deal = {kit.cells('deals', 'd').text('id')}"
        )
    return deals(kit, "deals", ("account", COMPANY), stages, join)
