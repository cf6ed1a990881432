"""What goes over the wire of facts about the business: KPIs, cohorts, behaviours, fit, books, and the model watch."""

from typing import Annotated, Any, Literal

from pydantic import Field

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
