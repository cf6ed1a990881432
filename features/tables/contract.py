"""The input tables, declared once: columns, types, which are required, and what they mean.

Reading, checking, the engine's types and `docs/data-dictionary.md` all follow from these declarations.
"""

from features.tables.declaration import ACCOUNT, table
from features.tables.declaration import Column as Column
from features.tables.declaration import Table as Table
from features.tables.declaration import Type as Type
from params_team import TIERS

ACCOUNTS = table(
    "accounts",
    "A row an account, or a row each time its attributes changed",
    Column("account_id", Type.ID, "The account", required=True),
    Column("name", Type.TEXT, "What people call it"),
    Column("segment", Type.TEXT, "Size or market segment"),
    Column("industry", Type.TEXT, "Industry"),
    Column("region", Type.TEXT, "Region"),
    Column("csm", Type.TEXT, "Customer success manager who owns the account"),
    Column("seller", Type.TEXT, "Seller who owns the account"),
    Column("source", Type.TEXT, "Where it came from as a lead: inbound, outbound, partner, referral or another"),
    Column("touch_model", Type.TEXT, "How the account is served", allowed=TIERS),
    Column("fit", Type.TEXT, "How well the account fits the product", allowed=("good", "stretch", "bad")),
    Column("technical_fit", Type.NUMBER, "Technical fit, 0 to 1"),
    Column("functional_fit", Type.NUMBER, "Functional fit, 0 to 1"),
    Column("experience_fit", Type.NUMBER, "Experience fit, 0 to 1"),
    Column("support_fit", Type.NUMBER, "Support fit, 0 to 1"),
    Column("buy_in_fit", Type.NUMBER, "Internal buy-in, 0 to 1"),
    Column("parent_account_id", Type.ID, "The account this one belongs to"),
    Column("use_case", Type.TEXT, "What it uses the product for"),
    Column("pain", Type.TEXT, "What hurts today, in its own words", free_text=True),
    Column("impact", Type.TEXT, "What it wants to be better, in its own words", free_text=True),
    Column("decision_criteria", Type.TEXT, "By what it decides", free_text=True),
    Column("critical_event", Type.TEXT, "What must be reached by a date of its own", free_text=True),
    Column("critical_event_on", Type.DATE, "That date"),
    Column("potential_seats", Type.INTEGER, "Seats it could use, sold or not"),
    Column("customer_since", Type.DATE, "When it became a customer"),
    Column("acquisition_cost", Type.MONEY, "What it cost to win"),
    Column("valid_from", Type.TS, "From when these attributes hold; rows of one account are its history"),
    key=("account_id",),
    version="valid_from",
    required=True,
)

CONTRACTS = table(
    "contracts",
    "A row a contract line",
    Column("contract_id", Type.ID, "The line", required=True, keyed=True),
    ACCOUNT,
    Column("product", Type.TEXT, "What was sold"),
    Column(
        "kind",
        Type.TEXT,
        "Why the line was signed",
        allowed=("new", "renewal", "upsell", "cross_sell", "downsell", "price_change", "discount"),
    ),
    Column("buying_center", Type.TEXT, "The part of the customer that pays for it"),
    Column("starts_on", Type.DATE, "First day of the line", required=True),
    Column("ends_on", Type.DATE, "Scheduled end of the term, first day not covered; empty = evergreen"),
    Column(
        "ended_on", Type.DATE, "When it really stopped early; empty = it ran or runs to its term", filled_later=True
    ),
    Column("signed_on", Type.DATE, "When it was signed, known from then; empty = starts_on"),
    Column("notice_on", Type.DATE, "When the customer gave notice of leaving", filled_later=True),
    Column("mrr", Type.MONEY, "Monthly recurring revenue", required=True),
    Column("list_mrr", Type.MONEY, "The same at list price"),
    Column("seats", Type.INTEGER, "Seats or licences sold"),
    Column("auto_renew", Type.BOOL, "Whether the term renews unless notice is given"),
    Column("currency", Type.TEXT, "Currency of the money columns; empty = the reporting currency"),
    Column(
        "status",
        Type.TEXT,
        "active, paused (a customer that pays nothing for a while) or trial (no revenue); empty = active",
        allowed=("active", "paused", "trial"),
    ),
    Column(
        "deleted_at",
        Type.TS,
        "When the source took the row back; the line ends on that day unless it had ended before",
        filled_later=True,
    ),
    key=("contract_id",),
    version="recorded_at",
    event_day="signed_on",
    required=True,
)

USAGE = table(
    "usage",
    "A row an event, or a day's sum of events",
    ACCOUNT,
    Column("used_on", Type.DATE, "The day of use", required=True),
    Column("feature", Type.TEXT, "Which part of the product", keyed=True),
    Column("user_id", Type.ID, "Which user", keyed=True),
    Column("quantity", Type.NUMBER, "How much; 1 if absent", blank="1"),
    Column("usage_id", Type.ID, "The row's own id; where it is there, a repeated one is left out"),
    Column("contract_id", Type.ID, "The line it was used under; used for the check only"),
    event_day="used_on",
    key=("usage_id",),
)

CSM_ACTIONS = table(
    "csm_actions",
    "A row an action of the customer success team, done, missed or planned",
    ACCOUNT,
    Column("acted_on", Type.DATE, "The day of the action; of a planned or missed one, its due day", required=True),
    Column("action", Type.TEXT, "What was done", required=True),
    Column("process", Type.TEXT, "Onboarding, expansion, retention, success plan or advocacy"),
    Column("playbook", Type.TEXT, "The playbook it belongs to"),
    Column("csm", Type.TEXT, "Who acted"),
    Column("status", Type.TEXT, "What became of it; empty = done", allowed=("done", "missed", "planned"), blank="done"),
    Column("planned_on", Type.DATE, "The day it was planned for"),
    event_day="acted_on",
    came_to_pass=("status", "done"),
)

GOALS = table(
    "goals",
    "A row a goal the customer wants to reach, or a milestone on the way, of either side",
    ACCOUNT,
    Column("goal", Type.TEXT, "The goal", required=True),
    Column("horizon", Type.TEXT, "Which goal it is", allowed=("first_value", "twelve_month", "other")),
    Column("set_on", Type.DATE, "When it was agreed"),
    Column("due_on", Type.DATE, "When it is due"),
    Column("achieved_on", Type.DATE, "When it was reached", filled_later=True),
    Column("milestone_of", Type.TEXT, "The goal that it is a milestone of; empty = a goal itself"),
    Column("owner_side", Type.TEXT, "Whose task it is", allowed=("customer", "vendor")),
    Column("metric", Type.TEXT, "What it is measured by"),
    Column("unit", Type.TEXT, "In which unit"),
    Column("baseline_value", Type.NUMBER, "The metric when the goal was set"),
    Column("target_value", Type.NUMBER, "The metric that is to be reached"),
    Column("current_value", Type.NUMBER, "The metric as of updated_on, known from then", filled_later=True),
    Column("updated_on", Type.DATE, "When current_value was measured", filled_later=True),
    event_day="set_on",
)

ENGAGEMENT = table(
    "engagement",
    "A row a contact between customer and vendor",
    ACCOUNT,
    Column("happened_on", Type.DATE, "The day", required=True),
    Column(
        "kind",
        Type.TEXT,
        "meeting, email, training, community, webinar, event, self_help, referral, reference or another",
        required=True,
    ),
    Column("contact_id", Type.ID, "The customer's contact"),
    Column("item", Type.TEXT, "Which course, article, event or reference it was about"),
    event_day="happened_on",
)

MEMBER = "member_account_id"
"""Beside the lines of accounts that are rolled up by their parents: the account whose line it is."""

MILD_CODES = ("1", "2", "low", "medium")
SEVERE_CODES = ("3", "4", "high", "critical", "urgent")

TICKETS = table(
    "tickets",
    "A row a support ticket",
    ACCOUNT,
    Column("opened_at", Type.TS, "When it was opened", required=True),
    Column("first_response_at", Type.TS, "When it was first answered", filled_later=True),
    Column("resolved_at", Type.TS, "When it was resolved", filled_later=True),
    Column("severity", Type.TEXT, "How severe: 1 (low) to 4 (critical), or low, medium, high, critical or urgent"),
    Column("category", Type.TEXT, "What it is about", allowed=("bug", "how_to", "request")),
    event_day="opened_at",
)

SCORES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}

SURVEYS = table(
    "surveys",
    "A row an answer to a survey, or a survey sent that nobody answered",
    ACCOUNT,
    Column("responded_on", Type.DATE, "The day of the answer", required=True),
    Column("kind", Type.TEXT, "nps (0 to 10), csat (1 to 5) or ces (1 to 7)", allowed=("nps", "csat", "ces")),
    Column("score", Type.NUMBER, "The score given", required=True),
    Column("respondent_role", Type.TEXT, "The respondent's role"),
    Column("contact_id", Type.ID, "The customer's contact who was asked"),
    Column("sent_on", Type.DATE, "When it was sent, known from then; answered only once responded_on is there"),
    Column("moment", Type.TEXT, "On which occasion", allowed=("onboarding", "support", "renewal", "other")),
    Column("theme", Type.TEXT, "What the comment is about"),
    Column("comment", Type.TEXT, "What was written beside the score", free_text=True),
    event_day="responded_on",
    opened_by="sent_on",
    answer=("responded_on", "score", "theme", "comment"),
)

CONTACTS = table(
    "contacts",
    "A row a person on either side of the account",
    Column("contact_id", Type.ID, "The person", required=True),
    ACCOUNT,
    Column("role", Type.TEXT, "champion, executive_sponsor, decision_maker, user or another"),
    Column("side", Type.TEXT, "Whose person it is", allowed=("customer", "vendor")),
    Column("joined_on", Type.DATE, "When the person took the role"),
    Column("left_on", Type.DATE, "When the person left it", filled_later=True),
    Column("user_id", Type.ID, "The person's user in `usage`"),
    Column("department", Type.TEXT, "The department the person works in"),
    event_day="joined_on",
)

CALLS = table(
    "calls",
    "A row a person's own forecast of an account",
    ACCOUNT,
    Column("called_on", Type.DATE, "The day of the call", required=True),
    Column("called_by", Type.TEXT, "Who called it"),
    Column("outcome", Type.TEXT, "What they expect", allowed=("renew", "churn", "contract", "expand")),
    Column("amount", Type.MONEY, "The amount they expect"),
    Column("call_id", Type.ID, "The call's own id"),
    Column("for_date", Type.DATE, "The renewal or month that is meant"),
    Column(
        "category",
        Type.TEXT,
        "How sure they are",
        allowed=("commit", "likely", "best_case", "at_risk", "lost"),
    ),
    Column("probability", Type.NUMBER, "How likely they think it is, 0 to 1"),
    Column("reason", Type.TEXT, "Why, in their own words", free_text=True),
    Column("seen_model", Type.BOOL, "Whether they had seen the model's figure"),
    Column("superseded_by", Type.ID, "The call_id of the call that took its place"),
    event_day="called_on",
)

CHURN_EVENTS = table(
    "churn_events",
    "A row a loss that somebody wrote down, with its reason; who left is what the lines say",
    ACCOUNT,
    Column(
        "left_on", Type.DATE, "The day it is said to have left; churned_on too", required=True, formerly="churned_on"
    ),
    Column("reason", Type.TEXT, "The reason given"),
    Column(
        "cause",
        Type.TEXT,
        "The reason as one of a short list",
        allowed=("product", "service", "value", "competitor", "price", "fit", "stakeholder", "insolvency"),
    ),
    Column("competitor", Type.TEXT, "Whom it was lost to"),
    Column("amount", Type.MONEY, "ARR that was lost with it, as written down"),
    Column("owner_department", Type.TEXT, "The department that owns the cause"),
    event_day="left_on",
)

LEADS = table(
    "leads",
    "One row per lead: a chance of more business with an account, who owned it, and how it ended",
    ACCOUNT,
    Column("raised_on", Type.DATE, "The day it was raised", required=True),
    Column("source", Type.TEXT, "Where it came from: csm, usage, support, event, referral or another"),
    Column("owner", Type.TEXT, "Whose it is to win, by the name in people"),
    Column("kind", Type.TEXT, "What it would be", allowed=("upsell", "cross_sell")),
    Column("product", Type.TEXT, "Of which product"),
    Column("amount", Type.MONEY, "ARR that it would bring, in the reporting currency"),
    Column("won_on", Type.DATE, "The day it was won; empty = open or lost", filled_later=True),
    Column("lost_on", Type.DATE, "The day it was given up; empty = open or won", filled_later=True),
    event_day="raised_on",
)

SERVICES = table(
    "services",
    "A row a paid service that was delivered: revenue once, and never ARR",
    ACCOUNT,
    Column("delivered_on", Type.DATE, "The day it was delivered", required=True),
    Column("service", Type.TEXT, "What was sold: onboarding, training, consulting or another"),
    Column("amount", Type.MONEY, "What was paid for it", required=True),
    Column("currency", Type.TEXT, "Currency of the amount; empty = the reporting currency"),
    event_day="delivered_on",
)

PEOPLE = table(
    "people",
    "A row a person of the vendor: who does what, and who manages whom",
    Column("name", Type.TEXT, "The name, as in accounts.csm and accounts.seller", required=True),
    Column(
        "role",
        Type.TEXT,
        "What the person does",
        allowed=("csm", "seller", "manager", "onboarding", "support", "product", "leader"),
    ),
    Column("manager", Type.TEXT, "The name of the person's manager; empty at the top"),
    Column("team", Type.TEXT, "The team"),
    Column("hours_per_month", Type.NUMBER, "Hours a month for customers"),
    Column("on_target_pay", Type.MONEY, "Variable pay a year at target"),
    Column("started_on", Type.DATE, "When the person started"),
    Column("left_on", Type.DATE, "When the person left", filled_later=True),
    Column("address", Type.TEXT, "Where alerts reach the person"),
    event_day="started_on",
    key=("name",),
)

TARGETS = table(
    "targets",
    "A row a target; append-only: one that was moved is one more row with its own set_on",
    Column("kpi", Type.TEXT, "The figure it is for, such as nrr", required=True),
    Column("cut", Type.TEXT, "Cut by which column of accounts; empty = of all"),
    Column("value", Type.TEXT, "Of which value of the cut"),
    Column("quarter", Type.TEXT, "The quarter, as 2025-Q3", required=True),
    Column("target", Type.NUMBER, "What is to be reached", required=True),
    Column("set_on", Type.DATE, "When it was set"),
    event_day="set_on",
)

PAY = table(
    "pay",
    "A row a person and quarter: the variable pay that was paid",
    Column("person", Type.TEXT, "The person, as in people.name", required=True),
    Column("quarter", Type.TEXT, "The quarter, as 2025-Q3", required=True),
    Column("paid", Type.MONEY, "What was paid", required=True),
    key=("person", "quarter"),
)

FX_RATES = table(
    "fx_rates",
    "A row a month and currency",
    Column("month", Type.DATE, "First day of the month the rate holds for", required=True),
    Column("currency", Type.TEXT, "The currency", required=True),
    Column("rate", Type.NUMBER, "Reporting currency per unit of it", required=True),
    key=("month", "currency"),
)

TABLES: dict[str, Table] = {
    each.name: each
    for each in (
        ACCOUNTS,
        CONTRACTS,
        USAGE,
        CSM_ACTIONS,
        GOALS,
        ENGAGEMENT,
        TICKETS,
        SURVEYS,
        CONTACTS,
        CALLS,
        CHURN_EVENTS,
        LEADS,
        SERVICES,
        PEOPLE,
        TARGETS,
        PAY,
        FX_RATES,
    )
}
