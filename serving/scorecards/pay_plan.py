"""A pay plan's file, and the plan replayed over the quarters whose books can be judged."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from features.revenue.cut_labels import NO_LABEL
from features.tables.checked import Tables
from models.books.compensation import Component, Plan, replay
from models.books.scorecards import adjusted
from params import Params
from serving.forecast.refusals import BadRequest
from serving.scorecards.report import NONE_YET, scorecard_report

DEFINITION = (
    "Pay of each quarter under the plan, from the NRR of the book at the owner of record, and what was expected of it "
    "at the level of all other books. luck_share: the variance between people that pay would have had with everybody "
    "of average skill, over the variance seen, both relative to on-target pay."
)
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlanComponent(_Part):
    """One measure that pay depends on."""

    measure: Literal["nrr", "nrr_against_expected"]
    weight: Annotated[float, Field(gt=0, le=1)]
    threshold: Annotated[float, Field(ge=-1, le=3)]
    target: Annotated[float, Field(ge=-1, le=3)]
    at_threshold: Share = 0.0
    accelerator: Annotated[float, Field(ge=0, le=10)] = 1.0
    cap: Annotated[float, Field(ge=1, le=10)] = 2.0

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.target <= self.threshold:
            raise ValueError(f"the target {self.target:g} must lie above the threshold {self.threshold:g}")
        return self


class PlanFile(_Part):
    """A pay plan as it is written down."""

    role: Literal["csm", "seller"] = "csm"
    on_target_pay: Annotated[float, Field(gt=0)]
    split: Annotated[str, StringConstraints(pattern=r"^\d{1,3}/\d{1,3}$")]
    components: Annotated[tuple[PlanComponent, ...], Field(min_length=1)]

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


@dataclass(frozen=True)
class PayReplay:
    """What a plan would have paid."""

    people: list[dict[str, Any]]
    cost: float
    luck_share: float | None
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "definition": DEFINITION}


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


def replay_plan(tables: Tables, file: PlanFile, params: Params, quarters: int) -> PayReplay:
    """Run a plan over the last quarters that can be judged.

    Raises
    ------
    BadRequest
        There is none, or `accounts` has no column for the role.
    """
    report = scorecard_report(tables, file.role, params, quarters)
    if report.periods.empty:
        raise BadRequest(NONE_YET)
    rows = adjusted(report.periods)
    rows = _as_shares(rows[rows["person"] != NO_LABEL])
    on_target = file.on_target_pay / 4
    result = replay(file.plan, rows.assign(on_target=on_target), params.seed)
    people = [{str(key): value for key, value in row.items()} for row in result.people.to_dict("records")]
    rounded = [row | {name: round(float(row[name]), 2) for name in ("on_target", "pay")} for row in people]
    return PayReplay(rounded, round(float(result.people["pay"].sum()), 2), result.luck_share, report.notes)


def _as_shares(rows: pd.DataFrame) -> pd.DataFrame:
    """NRR of each quarter's books, actual and expected, and its standard deviation."""
    start = rows["starting_arr"]
    return rows.assign(actual=rows["actual_arr"] / start, expected=rows["expected_arr"] / start, sd=rows["sd"] / start)


def _fault(error: Mapping[str, Any]) -> str:
    where = ".".join(str(step) for step in error["loc"])
    why = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {why}" if where else why
