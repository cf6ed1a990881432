"""Schemas of facts about customers."""

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, Field

from serving.forecast.declared.customer_tables import LOSS, WHITESPACE
from serving.wire.event_schemas import PlanRow
from serving.wire.row_models import row_model
from serving.wire.schemas import Head, Page

LossRow: Any = row_model("LossRow", "An account that left.", LOSS)


class LossCause(BaseModel):
    """Losses of a cause, of all quarters or of one."""

    cause: str
    quarter: str = Field(description="all, or such as 2025-Q3")
    accounts: int
    arr_lost: float
    share: float | None = Field(description="Of the ARR lost in that quarter; null where none was")
    showed_before: int = Field(description="Accounts that showed a sign of some cause before")
    arr_showed_before: float


class Avoidable(BaseModel):
    """Losses by whether somebody could have done something."""

    kind: Literal["warned", "unwarned", "beyond us", "unknown"] = Field(
        description="warned: a cause in somebody's hands, and a sign was there before; unwarned: no sign was; "
        "beyond us: by losses.beyond_us of the settings; unknown: nobody wrote the cause down"
    )
    accounts: int
    arr_lost: float
    share: float | None = Field(description="Of the ARR lost; null where none was")


class CauseNow(BaseModel):
    """Today's customers that show a sign of a cause."""

    cause: str
    accounts: int
    arr: float
    arr_at_risk: float | None = Field(description="By the forecast; null where there is none")


class Agreement(BaseModel):
    """How often accounts that left for a cause had shown it before, beside those that left for others."""

    cause: str
    n: int
    showed: float
    n_others: int
    others_showed: float
    difference: float
    low: float
    high: float


class Losses(Page):
    """Accounts that left and why, most ARR first; `causes` sums up all pages."""

    departments: list[str] = Field(description="That own a loss; empty for role csm")
    causes: list[LossCause]
    avoidable: list[Avoidable]
    beyond_us: list[str] = Field(description="Causes about which nobody here could have done anything")
    at_risk: list[CauseNow] = Field(description="Of the whole company; empty for role csm")
    agreement: list[Agreement] = Field(description="Of the whole company; empty for role csm")
    signs: dict[str, str] = Field(description="What counts as a sign of each cause")
    rows: list[LossRow]


WhitespaceRow: Any = row_model("WhitespaceRow", "What a customer does not own.", WHITESPACE)


class Whitespace(Page):
    """What customers do not own, most ARR at the attach rate first."""

    totals: list[dict[str, Any]] = Field(description="By what is missing and whose it is; empty for role csm")
    log: list[dict[str, Any]] = Field(description="Expansions won, by source and owner; empty for role csm")
    leads: list[dict[str, Any]] = Field(
        default=[], description="Leads raised, open, won and lost, by source and owner; empty for role csm"
    )
    rows: list[WhitespaceRow]


class CompanyFact(Head):
    """A fact of the whole company; `rows` are as the command of the same name gives them with --json."""

    definition: str
    rows: list[dict[str, Any]]


class Voice(CompanyFact):
    """What customers say, with the ARR behind it."""

    themes: list[dict[str, Any]]
    tickets: list[dict[str, Any]]


class Behaviours(CompanyFact):
    """What customers who stay did when they were young: it goes with staying and need not cause it."""

    accounts: int
    power: dict[str, Any] = Field(default={}, description="What so many accounts that left can show")


class IdealCustomer(CompanyFact):
    """Which values of what was known at signing go with keeping."""

    accounts: int
    note: str
    given: list[dict[str, Any]] = Field(default=[], description="The same by class of fit as judged")
    sold: list[dict[str, Any]] = Field(default=[], description="Bad fit among accounts that began, by quarter")
    derived: int = Field(default=0, description="Accounts whose fit follows from the fits known")


class PlanState(PlanRow):
    """The same with its state."""

    state: Literal["reached", "open", "overdue"] | None
    progress: float | None = Field(description="Share of the way from the baseline to the target; null if not measured")


class Goal(PlanState):
    """A goal with its tasks; the last one has no name where tasks belong to no goal."""

    tasks: list[PlanState]


class Use(BaseModel):
    """Use of the product in the last 28 days."""

    measure: str
    title: str
    is_share: bool
    own: float
    usual: float | None = Field(description="Median of customers like it that stayed; null if fewer than ten")
    low: float | None = Field(description="A quarter of them lies below")
    high: float | None = Field(description="A quarter of them lies above")


class ImpactSheet(BaseModel):
    """What may be handed to the customer: no probability, money, health, fit or note."""

    account_id: str
    name: str
    as_of: date
    own_words: dict[str, str] = Field(description="use_case, impact, critical_event and its day, as agreed")
    goals: list[Goal]
    has_peers: bool = Field(description="Whether ten customers of its segment stayed a year and pay no less than then")
    use: list[Use]
    steps: list[PlanState] = Field(description="What is open, by due day")
