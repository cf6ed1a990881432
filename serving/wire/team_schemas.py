"""What goes over the wire of health and alerts: answers with their meanings, and what people send."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from serving.forecast.declared.team_tables import HEALTH, HEALTH_FIGURES
from serving.wire.plain_values import stored_text, whole_text
from serving.wire.row_models import row_model


class MeasureScore(BaseModel):
    """One measure of an account's health: what was measured, and what it is worth."""

    half: str = Field(description="csm_half or customer_half")
    measure: str = Field(description="The feature of the snapshot")
    meaning: str
    value: float | None = Field(description="null = not known")
    points: float | None = Field(description="0 to 100; null = not known, or stale")
    weight: float = Field(description="Its share of the half's weight; 0 = not asked for here")
    stale: bool
    targets: list[list[float]] = Field(description="Pairs of a value and its points, with straight lines between")


class PastHealth(BaseModel):
    """What an account's health was, by today's rule from what was known then."""

    as_of: date
    score: float | None
    band: str


HealthDetail: Any = row_model(
    "HealthDetail",
    "An account's health by rule, down to its measures.",
    HEALTH_FIGURES,
    measures=list[MeasureScore],
    history=list[PastHealth],
)


class HealthOverride(BaseModel):
    """A person's own judgement, which stands beside the computed score for a while."""

    band: Literal["A", "B", "C", "D"]
    colour: str
    reason: str
    by: str
    until: date = Field(description="The first day on which it does not stand any more")


HealthRow: Any = row_model(
    "HealthRow",
    "The health of an account, by rule.",
    HEALTH,
    override=(HealthOverride | None, Field(default=None, description="What a person set beside it; null if none")),
)


class OverrideRequest(BaseModel):
    """Put your own judgement beside an account's health."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"account_id": "A-002a87", "band": "C", "reason": "Sponsor on leave", "until": "2026-02-01"}
        },
    )

    account_id: Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(whole_text)]
    band: Literal["A", "B", "C", "D"]
    reason: Annotated[str, StringConstraints(min_length=3, max_length=500), AfterValidator(stored_text)]
    until: date = Field(description="The first day on which it does not stand any more")


class AnswerRequest(BaseModel):
    """Say that you have taken an alert up, or put it off with a reason."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"account_id": "A-002a87", "rule": "champion_left", "answer": "acknowledged"}},
    )

    account_id: Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(whole_text)]
    rule: Annotated[str, StringConstraints(min_length=1, max_length=40), AfterValidator(stored_text)]
    answer: Literal["acknowledged", "snoozed"]
    until: date | None = Field(default=None, description="Of a snooze: the first day on which it is open again")
    reason: Annotated[str, StringConstraints(max_length=500), AfterValidator(stored_text)] = Field(
        default="", description="A snooze needs one"
    )

    @model_validator(mode="after")
    def _snooze_says_why(self) -> Self:
        if self.answer == "snoozed" and (len(self.reason.strip()) < 3 or self.until is None):
            raise ValueError("a snooze needs until and a reason")
        return self


class AlertStep(BaseModel):
    """A step of the alert's playbook."""

    step: str
    owner: str
    due_days: int
    due_on: date


class AlertRow(BaseModel):
    """An open alert."""

    alert_id: int
    rule: str
    kind: Literal["risk", "opportunity"]
    account_id: str
    name: str
    csm: str
    arr: float
    feature: str = Field(description="What the rule watches")
    value: float = Field(description="Its value when the alert was given")
    fired_on: date
    delivery: Literal["new", "digest"] = Field(description="digest: beyond the CSM's budget of that week")
    says: str
    playbook: str
    steps: list[AlertStep]
    expires_on: date
    status: Literal["open", "acknowledged", "snoozed"]
    by: str = Field(description="Who answered; empty if nobody did")
    until: date | None
    reason: str


class EscalationRow(BaseModel):
    """Something that was passed up to leadership and stands."""

    number: int
    what: str = Field(description="arr_at_risk_share, arr_at_risk, accounts, lost_arr_share or shared_cause")
    cut: str = Field(description="total, or the column of accounts whose group it is")
    group: str
    value: float = Field(description="When it was raised")
    limit: float
    raised_on: date
    says: str
    causes: list[str] = Field(description="What the accounts that alarmed then have in common; mostly nothing")
    status: Literal["open", "acknowledged"]
    by: str = Field(description="Who took it up; empty if nobody did")
    note: str
    acknowledged_on: date | None
    asks_again_on: date | None = Field(description="When it is open again if it still stands")


class EscalationAnswer(BaseModel):
    """Say that you have taken an escalation up."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"number": 12, "note": "Review on Monday"}})

    number: Annotated[int, Field(ge=1, le=2**53, description="Of the escalation")]
    note: Annotated[str, StringConstraints(max_length=500), AfterValidator(stored_text)] = ""


class ReviewRow(BaseModel):
    """An account at risk: whose it is, what comes next, and by when."""

    account_id: str
    name: str
    csm: str
    arr: float
    churn_probability: float = Field(description="Over the longest horizon")
    arr_at_risk: float
    renews_on: date | None
    why: list[str] = Field(description="What open alerts say of it")
    state: Literal["open", "proposed", "nothing decided"] = Field(
        description="open: somebody decided it; proposed: the first step of the playbook of an open alert"
    )
    step: str
    owner: str
    department: str
    due_on: date | None
    by: str = Field(description="Who decided; empty if nobody did")
    overdue: bool


class ReviewOutcome(BaseModel):
    """What came of a decision, 90 days later or more."""

    account_id: str
    name: str
    step: str
    owner: str
    decided_on: date
    arr_then: float
    arr_now: float
    outcome: Literal["kept", "kept with less", "left"]


class DecisionRequest(BaseModel):
    """Write down what comes next for an account at risk."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"account_id": "A-002a87", "step": "Call the CFO", "owner": "Ada", "due_on": "2026-02-01"}
        },
    )

    account_id: Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(whole_text)]
    step: Annotated[str, StringConstraints(min_length=3, max_length=500), AfterValidator(stored_text)]
    owner: Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(stored_text)]
    due_on: date
    department: Literal["csm", "seller", "manager", "onboarding", "support", "product", "leader"] = "csm"
    state: Literal["open", "done", "dropped"] = "open"
