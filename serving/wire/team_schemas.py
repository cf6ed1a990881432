"""What goes over the wire of health and alerts: answers with their meanings, and what people send."""

from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from serving.forecast.declared.team_tables import HEALTH, HEALTH_FIGURES
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
HealthRow: Any = row_model("HealthRow", "The health of an account, by rule.", HEALTH)
