"""What goes over the wire of facts about the business: KPIs, cohorts, behaviours, fit, books, and the model watch."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from serving.wire.schemas import Head, Wire

Rows = list[dict[str, Any]]


class Told(Head):
    """A fact about the business, or why there is none."""

    lacking: str = Field(description="Why there is nothing; empty where there is")


class Kpis(Told):
    """The KPIs now and at the starts of past quarters."""

    months: int = Field(description="How long the window is that a rate is of")
    definitions: dict[str, str] = Field(description="What each KPI means, by its name")
    rows: Rows = Field(description="kpi, cut, value, as_of, figure, n, unit, note, target, first_target, reached")
    grid: Rows = Field(
        description="Customers by people active on either side: customer_people, vendor_people, accounts, arr"
    )
    warnings: list[str]


class Cohorts(Told):
    """Accounts by the quarter in which they began."""

    definition: str
    left_out: int = Field(description="Accounts that began before their first contract line on file")
    rows: Rows = Field(description="cohort, age_quarters, accounts, starting_arr, logo_retention, grr, nrr")
    ahead: Rows = Field(
        description="The cells that the next twelve months fill: the same, each figure with _low and _high (80 %)"
    )


class PaidPerson(BaseModel):
    """Pay of a person under a plan."""

    person: str
    quarters: int
    on_target: float
    pay: float = Field(description="Less clawback")
    clawback: float
    compared_pay: float | None
    difference: float | None
    outcome: str


class PayPlan(BaseModel):
    """A pay plan replayed; null = not known, or not yours to see."""

    name: str
    role: str
    lacking: str = Field(description="Why it could not be replayed; empty where it could")
    is_in_force: bool = Field(description="The first of its role; others are weighed against it")
    split: str = Field(description="Fixed / variable")
    on_target_pay: float | None = Field(description="A year")
    components: Rows
    clawback_months: int | None
    expansion_credit: float
    people: list[PaidPerson]
    cost: float | None
    luck_share: float | None = Field(description="Of the differences in pay between people, what luck makes")
    compared_with: str = Field(description="plan, or paid; empty = nothing")
    compared_plan: str
    compared_cost: float | None
    same_ranking: float | None
    steady_ranking: float | None
    notes: list[str]


class Pay(Told):
    """Pay under the plans of the settings, as far as it is yours to see."""

    definition: str
    plans: list[PayPlan]


class ScorecardQuery(Wire):
    """Whose books."""

    by: Annotated[Literal["csm", "seller"], Field(description="Whose books")] = "csm"


class Scorecards(Told):
    """Each person's book beside what it was expected to do, with a word."""

    by: str
    definition: str
    notes: list[str]
    rows: Rows = Field(
        description="person, periods, accounts, expected, low, high, actual, difference_points, verdict, basis"
    )


class ModelWatch(Told):
    """What the watch of data, inputs and calibration found last."""

    looked_as_of: str = Field(description="As of when it looked; empty if it never did")
    version: str = Field(description="The model version that it looked at")
    verdict: str
    todo: str = Field(description="What to do, the least that may help first")
    ladder: dict[str, Any] = Field(
        description="action: leave, go back, wait or train; reason; version to go back to. Empty if nobody looked"
    )
    data: Rows = Field(description="A row a table: rows, volume_score, age_days, stale, missing, alarm")
    inputs: dict[str, Any] = Field(description="moved_share, and rows of the model's inputs")
    calibration: dict[str, Any] = Field(description="charts with statistic, limit, alarm, cause; and months")
