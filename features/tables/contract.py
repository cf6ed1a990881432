"""The input tables, declared once: columns, types, which are required, and what they mean.

Reading, checking, the engine's types and `docs/data-dictionary.md` all follow from these declarations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from features.tables.sql import quoted


class Type(StrEnum):
    """What a column holds."""

    ID = "id"
    TEXT = "text"
    DATE = "date"
    TS = "ts"
    MONEY = "money"
    NUMBER = "number"
    INTEGER = "integer"
    BOOL = "bool"

    @property
    def sql(self) -> str:
        """The type a checked table stores (DuckDB's name)."""
        return _SQL_TYPES[self]


_SQL_TYPES = {
    Type.ID: "VARCHAR",
    Type.TEXT: "VARCHAR",
    Type.DATE: "DATE",
    Type.TS: "TIMESTAMP",
    Type.MONEY: "DECIMAL(18,6)",
    Type.NUMBER: "DOUBLE",
    Type.INTEGER: "BIGINT",
    Type.BOOL: "BOOLEAN",
}


@dataclass(frozen=True)
class Column:
    """A column of an input table.

    `blank` is what an empty cell stands for, where it stands for something: an unreadable or unknown value of
    such a column must not be emptied, since that would change what the row says. `filled_later` says that the source
    fills the cell in on a row it already holds, so that its value is known only from its own day on. `keyed` columns
    have so many values on so many rows that the engine works on a whole number for each.
    """

    name: str
    type: Type
    meaning: str
    required: bool = False
    allowed: tuple[str, ...] = ()
    blank: str = ""
    filled_later: bool = False
    keyed: bool = False

    def value(self, cell: str = "") -> str:
        """SQL of what a cell says: `blank` where it is empty, or where the column is absent and there is no cell."""
        empty = f"CAST({quoted(self.blank) if self.blank else 'NULL'} AS {self.type.sql})"
        if not cell:
            return empty
        return f"COALESCE({cell}, {empty})" if self.blank else cell


@dataclass(frozen=True)
class Table:
    """An input table.

    `event_day` is the column whose day, plus the table's `lag_days`, tells when a row became known where
    `recorded_at` is absent or empty. A row is identified by `key` together with `version`: rows that share
    the key are versions of one thing, told apart by the version column. `came_to_pass` names a column and its value
    on rows whose event day was no plan.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    event_day: str | None = None
    key: tuple[str, ...] = ()
    version: str | None = None
    required: bool = False
    came_to_pass: tuple[str, str] | None = None

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError if the table declares none."""
        return {column.name: column for column in self.columns}[name]

    def happened(self, present: Sequence[str]) -> str:
        """Condition on a row as its source has it, with the columns that are `present`: its event day was no plan."""
        if self.came_to_pass is None or self.came_to_pass[0] not in present:
            return "TRUE"
        name, value = self.came_to_pass
        return f"{self.column(name).value(name)} = {quoted(value)}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all declared columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def required_names(self) -> tuple[str, ...]:
        """Names of the columns a source must have."""
        return tuple(column.name for column in self.columns if column.required)


_ACCOUNT = Column("account_id", Type.ID, "The account the row belongs to", required=True)
_RECORDED = Column("recorded_at", Type.TS, "When the row became known to the business")


def _table(name: str, meaning: str, *columns: Column, **more: object) -> Table:
    return Table(name, meaning, (*columns, _RECORDED), **more)  # type: ignore[arg-type]


ACCOUNTS = _table(
    "accounts",
    "A row an account, or a row each time its attributes changed",
    Column("account_id", Type.ID, "The account", required=True),
    Column("name", Type.TEXT, "What people call it"),
    Column("segment", Type.TEXT, "Size or market segment"),
    Column("industry", Type.TEXT, "Industry"),
    Column("region", Type.TEXT, "Region"),
    Column("csm", Type.TEXT, "Customer success manager who owns the account"),
    Column("seller", Type.TEXT, "Seller who owns the account"),
    Column("touch_model", Type.TEXT, "How the account is served", allowed=("high", "low", "tech")),
    Column("fit", Type.TEXT, "How well the account fits the product", allowed=("good", "stretch", "bad")),
    Column("technical_fit", Type.NUMBER, "Technical fit, 0 to 1"),
    Column("functional_fit", Type.NUMBER, "Functional fit, 0 to 1"),
    Column("experience_fit", Type.NUMBER, "Experience fit, 0 to 1"),
    Column("support_fit", Type.NUMBER, "Support fit, 0 to 1"),
    Column("buy_in_fit", Type.NUMBER, "Internal buy-in, 0 to 1"),
    Column("parent_account_id", Type.ID, "The account this one belongs to"),
    Column("customer_since", Type.DATE, "When it became a customer"),
    Column("acquisition_cost", Type.MONEY, "What it cost to win"),
    Column("valid_from", Type.TS, "From when these attributes hold; rows of one account are its history"),
    key=("account_id",),
    version="valid_from",
    required=True,
)

CONTRACTS = _table(
    "contracts",
    "A row a contract line",
    Column("contract_id", Type.ID, "The line", required=True, keyed=True),
    _ACCOUNT,
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

USAGE = _table(
    "usage",
    "A row an event, or a day's sum of events",
    _ACCOUNT,
    Column("used_on", Type.DATE, "The day of use", required=True),
    Column("feature", Type.TEXT, "Which part of the product", keyed=True),
    Column("user_id", Type.ID, "Which user", keyed=True),
    Column("quantity", Type.NUMBER, "How much; 1 if absent", blank="1"),
    Column("usage_id", Type.ID, "The row's own id; where it is there, a repeated one is left out"),
    Column("contract_id", Type.ID, "The line it was used under; used for the check only"),
    event_day="used_on",
    key=("usage_id",),
)

CSM_ACTIONS = _table(
    "csm_actions",
    "A row an action of the customer success team, done, missed or planned",
    _ACCOUNT,
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

GOALS = _table(
    "goals",
    "A row a goal the customer wants to reach",
    _ACCOUNT,
    Column("goal", Type.TEXT, "The goal", required=True),
    Column("horizon", Type.TEXT, "Which goal it is", allowed=("first_value", "twelve_month", "other")),
    Column("set_on", Type.DATE, "When it was agreed"),
    Column("due_on", Type.DATE, "When it is due"),
    Column("achieved_on", Type.DATE, "When it was reached", filled_later=True),
    event_day="set_on",
)

ENGAGEMENT = _table(
    "engagement",
    "A row a contact between customer and vendor",
    _ACCOUNT,
    Column("happened_on", Type.DATE, "The day", required=True),
    Column(
        "kind",
        Type.TEXT,
        "meeting, email, training, community, webinar, event, self_help, referral or another",
        required=True,
    ),
    Column("contact_id", Type.ID, "The customer's contact"),
    event_day="happened_on",
)

MEMBER = "member_account_id"
"""Beside the lines of accounts that are rolled up by their parents: the account whose line it is."""

MILD_CODES = ("1", "2", "low", "medium")
SEVERE_CODES = ("3", "4", "high", "critical", "urgent")

TICKETS = _table(
    "tickets",
    "A row a support ticket",
    _ACCOUNT,
    Column("opened_at", Type.TS, "When it was opened", required=True),
    Column("first_response_at", Type.TS, "When it was first answered", filled_later=True),
    Column("resolved_at", Type.TS, "When it was resolved", filled_later=True),
    Column("severity", Type.TEXT, "How severe: 1 (low) to 4 (critical), or low, medium, high, critical or urgent"),
    event_day="opened_at",
)

SCORES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}

SURVEYS = _table(
    "surveys",
    "A row an answer to a survey",
    _ACCOUNT,
    Column("responded_on", Type.DATE, "The day of the answer", required=True),
    Column("kind", Type.TEXT, "nps (0 to 10), csat (1 to 5) or ces (1 to 7)", allowed=("nps", "csat", "ces")),
    Column("score", Type.NUMBER, "The score given", required=True),
    Column("respondent_role", Type.TEXT, "The respondent's role"),
    event_day="responded_on",
)

CONTACTS = _table(
    "contacts",
    "A row a person on either side of the account",
    Column("contact_id", Type.ID, "The person", required=True),
    _ACCOUNT,
    Column("role", Type.TEXT, "champion, executive_sponsor, decision_maker, user or another"),
    Column("side", Type.TEXT, "Whose person it is", allowed=("customer", "vendor")),
    Column("joined_on", Type.DATE, "When the person took the role"),
    Column("left_on", Type.DATE, "When the person left it", filled_later=True),
    event_day="joined_on",
)

CALLS = _table(
    "calls",
    "A row a person's own forecast of an account",
    _ACCOUNT,
    Column("called_on", Type.DATE, "The day of the call", required=True),
    Column("called_by", Type.TEXT, "Who called it"),
    Column("outcome", Type.TEXT, "What they expect", allowed=("renew", "churn", "contract", "expand")),
    Column("amount", Type.MONEY, "The amount they expect"),
    event_day="called_on",
)

CHURN_EVENTS = _table(
    "churn_events",
    "A row a churn that somebody wrote down; used for the check only, since who left is what the lines say",
    _ACCOUNT,
    Column("churned_on", Type.DATE, "The day it is said to have left", required=True),
    Column("reason", Type.TEXT, "The reason given"),
    event_day="churned_on",
)

FX_RATES = _table(
    "fx_rates",
    "A row a month and currency",
    Column("month", Type.DATE, "First day of the month the rate holds for", required=True),
    Column("currency", Type.TEXT, "The currency", required=True),
    Column("rate", Type.NUMBER, "Reporting currency per unit of it", required=True),
    key=("month", "currency"),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
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
        FX_RATES,
    )
}
