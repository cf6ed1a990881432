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
