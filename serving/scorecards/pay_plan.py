"""A pay plan's file: what it may say, and what is refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from models.books.compensation import ALL_QUARTERS, Component, Plan
from serving.forecast.refusals import BadRequest

Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlanComponent(_Part):
    """One measure that pay depends on."""

    measure: Literal[
        "nrr",
        "nrr_against_expected",
        "grr",
        "logo_retention",
        "expansion_rate",
        "goals_reached",
        "cadence_kept",
        "first_value_by_day_90",
    ]
    weight: Annotated[float, Field(gt=0, le=1)]
    threshold: Annotated[float, Field(ge=-1, le=3)]
    target: Annotated[float, Field(ge=-1, le=3)]
    at_threshold: Share = 0.0
    accelerator: Annotated[float, Field(ge=0, le=10)] = 1.0
    cap: Annotated[float, Field(ge=1, le=10)] = 2.0
    floor: Share = 0.0
    in_quarters: Annotated[tuple[Annotated[int, Field(ge=1, le=4)], ...], Field(min_length=1)] = ALL_QUARTERS

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.target <= self.threshold:
            raise ValueError(f"the target {self.target:g} must lie above the threshold {self.threshold:g}")
        return self


class Clawback(_Part):
    """What growth earned is taken back where its account leaves within so many months after the quarter."""

    months: Annotated[int, Field(ge=1, le=24)]


class PlanFile(_Part):
    """A pay plan as it is written down.

    `expansion_credit` is the share of an account's expansion that counts for the plan's role where the account has both
    a CSM and a seller; where it has one of them alone, that one has all of it.
    """

    role: Literal["csm", "seller"] = "csm"
    on_target_pay: Annotated[float, Field(gt=0)]
    split: Annotated[str, StringConstraints(pattern=r"^\d{1,3}/\d{1,3}$")]
    components: Annotated[tuple[PlanComponent, ...], Field(min_length=1)]
    clawback: Clawback | None = None
    expansion_credit: Share = 1.0

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        fixed, variable = map(int, self.split.split("/"))
        if fixed + variable != 100:
            raise ValueError(f"the split {self.split} does not add up to 100")
        weights = sum(one.weight for one in self.components)
        if abs(weights - 1) > 1e-6:
            raise ValueError(f"the weights of the components add up to {weights:g}, not 1")
        return self

    @property
    def plan(self) -> Plan:
        """The plan as it is worked out."""
        variable = int(self.split.split("/")[1]) / 100
        return Plan(variable, [Component(**component.model_dump()) for component in self.components])


def read_plan(file: Path) -> PlanFile:
    """A plan from its YAML file.

    Raises
    ------
    BadRequest
        It cannot be read, or says what no plan can; the first three faults are named.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return PlanFile.model_validate(content)
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BadRequest(f"{file} is not YAML.") from None
    except ValidationError as error:
        told = "; ".join(_fault(one) for one in error.errors()[:3])
        raise BadRequest(f"{file}: {told}. docs/scorecards.md shows a plan.") from None


def _fault(error: Mapping[str, Any]) -> str:
    where = ".".join(str(step) for step in error["loc"])
    why = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {why}" if where else why
