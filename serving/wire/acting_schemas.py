"""What goes over the wire of plays and of what if."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from serving.forecast.declared.published_lists import ACTIONS
from serving.wire.row_models import row_model
from serving.wire.schemas import AccountId, Head, Page, Text, Wire

LONGEST_REASON = 500
Answer = Literal["done", "not now", "disagree"]
ActionRow: Any = row_model("ActionRow", "What to do next for an account.", ACTIONS)


class Capacity(BaseModel):
    """Hours of a CSM or of the pool, and what they are planned for."""

    model_config = ConfigDict(extra="allow")

    csm: str
    hours: float = Field(description="A month")
    spent: float = Field(default=0.0, description="Of them, what plays done this month have taken already")
    used: float = Field(description="Planned")
    must_do_hours: float = Field(description="Of those used, the ones for what must be done")
    shadow_price: float = Field(description="ARR that one more hour would save")
    accounts: int


class Actions(Page):
    """What to do next: a page of plays, and the hours they are planned within."""

    capacity: list[Capacity]
    notes: list[str]
    rows: list[ActionRow]


class ScenarioQuery(Wire):
    """Which preset."""

    preset: Annotated[
        Literal["base", "momentum", "plan", "downside", "severe"], Field(description="The scenario", examples=["plan"])
    ] = "base"


class Spread(BaseModel):
    """Mean and 80 % interval over the simulated futures."""

    mean: float
    p10: float
    p90: float


class NamedSpread(Spread):
    """The same of a scenario."""

    name: str
    meaning: str


class ScenarioMark(BaseModel):
    """One thing that a scenario changes."""

    lever: str
    mark: Literal["estimated", "assumed"]
    text: str


class ScenarioForecast(Head):
    """NRR as it is and as it would be, by the same futures, and all other figures."""

    metric: str
    horizon_months: int
    accounts: int
    base: Spread
    scenario: NamedSpread
    difference: Spread
    marks: list[ScenarioMark]
    rows: list[dict[str, Any]] = Field(description="All metrics and horizons: scenario_forecast")
    definition: str


class EffectRow(BaseModel):
    """What one more action of a kind changed, and what may be said of it; null = could not be estimated."""

    model_config = ConfigDict(extra="allow")

    level: Literal["action", "process", "playbook"]
    action: str = Field(description="The kind")
    verdict: Literal["helpful", "harmful", "no effect found", "not known", "not separable without a trial"]
    evidence: Literal["good", "weak", "none yet"]
    conclusion: str = Field(description="What may and may not be said of it, in a sentence or two")
    reason: str
    treated_rows: int = Field(description="Account-months in which it was done")
    treated_accounts: int
    churn_points: float | None = Field(description="Points of 12-month churn; below 0 is less churn")
    low: float | None = Field(description="Lower end of its 95 % interval, the allowance for hidden confounding within")
    high: float | None
    expansion_points: float | None
    contraction_points: float | None
    arr_points: float | None = Field(description="Points of ARR a year later, of the ARR at the month start")
    allowance: float = Field(description="How far hidden confounding may have moved it, log-odds")
    rows_needed: int | None = Field(description="Account-months that would tell; null = no number will do")
    withstood: bool | None = Field(description="Whether it withstood all that tried to refute it; null = nothing did")
    failed: list[str] = Field(description="What it did not withstand")
    refuters: dict[str, Any] = Field(description="Their figures")


class Effects(Head):
    """What past actions changed, a kind a row, by the last study."""

    effects_as_of: str | None = Field(description="Of the study; null = there is none")
    effects_run_id: str
    rows: list[EffectRow]
    cautions: list[str] = Field(description="What must be said with any of them")
    notes: list[str]


class Days(BaseModel):
    """Half-open."""

    model_config = ConfigDict(populate_by_name=True)

    first: str = Field(alias="from")
    to: str


class ProcessMeasure(BaseModel):
    """A measure of the team's work in the quarter and in the one before; null = not known."""

    measure: str
    unit: str
    definition: str
    now: float | None
    before: float | None
    change: float | None
    went: Literal["better", "worse", ""]


class ProcessRow(BaseModel):
    """How often a kind was done in the quarter, for how many, and what is known of its effect."""

    model_config = ConfigDict(extra="allow")

    level: Literal["process", "action", "playbook"]
    kind: str
    done: int
    missed: int
    kept_share: float | None = Field(description="Done over done and missed")
    coverage: float | None = Field(description="Share of customers for whom it was done")
    before: dict[str, Any] = Field(description="The same of the quarter before")
    verdict: str
    churn_points: float | None
    low: float | None
    high: float | None
    conclusion: str


class WhatFollows(BaseModel):
    """By how many points NRR would differ if a kind were done otherwise."""

    change: Literal["stopped", "none missed", "as in the quarter before"]
    kind: str = Field(description="(all) = all kinds together")
    per_year: float = Field(description="So many more a year and account")
    nrr_points: float
    low: float = Field(description="80 % interval, of the effect alone")
    high: float
    mark: Literal["estimated", "assumed"]
    evidence: Literal["estimated", "assumed"] = Field(description="Of the effect itself")


class ProcessReview(Head):
    """The quarterly review of the team's processes."""

    quarter: Days
    quarter_before: Days
    customers: int
    measures: list[ProcessMeasure]
    processes: list[ProcessRow]
    nrr: float = Field(description="Expected if the team keeps on as it does")
    horizon_months: int
    follows: list[WhatFollows]
    definition: str
    notes: list[str]


class HoldoutPlan(BaseModel):
    """What withholding recommendations by lot would cost, or costs, and can show."""

    model_config = ConfigDict(extra="allow")

    share: float = Field(description="Of the eligible accounts that are withheld")
    eligible: int = Field(description="Accounts near the cut of the hours that are not excluded")
    withheld: int
    arr_at_stake: float = Field(description="ARR a quarter that it may cost, at most")
    arr_at_stake_low: float = Field(description="Lower end of its 80 % interval")
    arr_at_stake_high: float
    detectable_points: float | None = Field(
        description="The smallest effect on churn that it shows in 4 of 5 cases; null = too few accounts"
    )
    expected_points: float | None = Field(description="What these plays are expected to change, points of churn")


class HoldoutResult(BaseModel):
    """What the holdout showed of a kind of play; null = not known yet."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(description="(all) = all kinds together")
    offered: int
    withheld: int
    intention_points: float | None = Field(description="Difference of churn between the arms, points")
    effect_points: float | None = Field(description="Effect where the offer was taken up")
    low: float | None = Field(description="Lower end of its 95 % interval")
    high: float | None
    text: str


class HoldoutResults(BaseModel):
    """What the holdout on record showed."""

    model_config = ConfigDict(extra="allow")

    outcome_months: int
    enrolled: int
    waiting: int = Field(description="Of them, those whose window is not over")
    rows: list[HoldoutResult]


class Assigned(BaseModel):
    """An account in this quarter's holdout."""

    account_id: str
    name: str
    csm: str
    action: str = Field(description="The play it was to get when the quarter began")
    is_withheld: bool
    probability_of_assignment: float
    since: str


class Holdout(Head):
    """The holdout of recommendations."""

    lacking: str = Field(description="Why there is nothing; empty where there is")
    status: Literal["off", "on", "not begun", ""]
    note: str
    quarter: str = Field(description="Its first day")
    enrolled: int
    withheld: int
    plan: HoldoutPlan | None
    results: HoldoutResults | None
    assignments: list[Assigned]


class ActionAnswer(Wire):
    """What somebody did with a play that was recommended."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"account_id": "A-002a87", "action": "training", "answer": "not now", "reason": "In a migration"}
        }
    )

    account_id: AccountId
    action: Text
    answer: Answer
    reason: Annotated[str, StringConstraints(max_length=LONGEST_REASON, strip_whitespace=True)] = Field(
        default="", description="Why, in your own words; needed to disagree"
    )

    @model_validator(mode="after")
    def _disagreement_has_a_reason(self) -> Self:
        if self.answer == "disagree" and not self.reason:
            raise ValueError("reason: say why you disagree")
        return self


class RecordedAnswer(BaseModel):
    """An answer on record."""

    account_id: str
    action: str
    answer: Answer
    reason: str
    answered_by: str
    answered_at: str


class Answers(Page):
    """Answers on record, the newest first."""

    rows: list[RecordedAnswer]


class FollowedPlay(BaseModel):
    """A play on record, and what came of it; null = its window has not passed yet."""

    account_id: str
    action: str
    recommended_on: str
    must_do: bool
    evidence: str
    arr_saved: float = Field(description="As it was expected then")
    low: float
    high: float
    probability_of_assignment: float
    answer: Answer | Literal[""]
    reason: str
    answered_by: str
    is_done: bool | None = Field(description="Within 30 days")
    done_on: str | None
    happened: Literal["stayed", "left", "expanded", "shrank"] | None = Field(
        description="What the account did until actions.outcome_months later; no effect of the play"
    )
    arr_before: float | None
    arr_after: float | None


class FollowedPlays(Head):
    """Plays on record, the newest first, and what came of them in all."""

    total: int
    offset: int
    limit: int
    summary: dict[str, int]
    rows: list[FollowedPlay]


class AnswerTaken(BaseModel):
    """The answer as it is on record now."""

    account_id: str
    action: str
    answer: Answer
    reason: str
    answered_by: str
    entry: int = Field(description="Its number in the journal")
