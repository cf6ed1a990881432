"""Schemas of what happened at an account: to its contract, and else."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, Field


class ContractEvent(BaseModel):
    """An event of a contract line."""

    day: date
    event: Literal["starts", "ends", "ended early", "notice given"]
    product: str | None
    kind: str | None
    mrr: float
    currency: str | None


class LifeEvent(BaseModel):
    """Something that happened at a customer other than to its contract."""

    day: date
    event: str = Field(description="Which table it is of, such as ticket, survey or goal")
    what: str | None
    side: str | None = Field(description="Of a contact: customer or vendor")
    score: float | None
    due: date | None


class PlanRow(BaseModel):
    """A goal of the success plan, or a task on the way to one."""

    goal: str
    milestone_of: str | None = Field(description="The goal that a task belongs to; null of a goal itself")
    owner_side: str | None = Field(description="customer or vendor")
    metric: str | None
    unit: str | None
    baseline_value: float | None
    target_value: float | None
    due_on: date | None
    set_on: date | None
    reached_on: date | None
    current_value: float | None = Field(description="When it was measured last")
    measured_on: date | None
