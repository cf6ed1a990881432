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
