"""How accounts are judged and who is told of them, as settings: the health score, alerts and their playbooks."""

import difflib
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from params_team import Section, terms_of

Band = Literal["A", "B", "C", "D"]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
_SUM_TOLERANCE = 1e-6


def _require_whole(weights: Mapping[str, float], what: str) -> None:
    """Weights that stand for shares of a whole must add up to it."""
    total = sum(weights.values())
    if abs(total - 1) > _SUM_TOLERANCE:
        listed = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
        raise ValueError(f"the weights of {what} add up to {total:g}, and must add up to 1: {listed}")


def _rising(targets: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Targets in the order of their values, each with 0 to 100 points."""
    values = [value for value, _ in targets]
    if len(targets) < 2 or values != sorted(set(values)):
        raise ValueError("give at least two pairs [value, points], in ascending order of the values, each once")
    if any(not 0 <= points <= 100 for _, points in targets):
        raise ValueError("points lie between 0 and 100")
    return targets


Targets = Annotated[tuple[tuple[Number, Number], ...], AfterValidator(_rising)]


class MeasureElsewhere(Section):
    """What a measure of the health score is worth in a segment, in a phase, or in both together."""

    segment: str | None = None
    phase: str | None = None
    targets: Targets | None = None
    weight: Weight | None = None


class Measure(Section):
    """A measure of the health score: a feature of the snapshot, its weight, and what its values are worth."""

    weight: Weight
    targets: Targets
    by: tuple[MeasureElsewhere, ...] = ()
    age: str | None = None
    cadence_days: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _age_has_a_cadence(self) -> Self:
        if (self.age is None) != (self.cadence_days is None):
            raise ValueError(
                "age and cadence_days go together: the feature that says how old it is, and how often it comes"
            )
        return self


class HealthHalf(Section):
    """One half of the health score."""

    weight: Weight
    measures: dict[str, Measure]

    @model_validator(mode="after")
    def _weights_are_shares(self) -> Self:
        _require_whole({name: measure.weight for name, measure in self.measures.items()}, "the measures")
        return self


class Cap(Section):
    """What holds the band down whatever the score; with `if_known`, only where there is such a feature."""

    when: str
    band: Literal["B", "C", "D"]
    if_known: bool = False

    @field_validator("when")
    @classmethod
    def _is_condition(cls, condition: str) -> str:
        terms_of(condition)
        return condition


class Health(Section):
    """The health score: a rule, and no model."""

    csm_actions: HealthHalf
    customer_actions: HealthHalf
    least_known: Annotated[float, Field(gt=0, le=1)]
    bands: dict[Literal["A", "B", "C"], Annotated[float, Field(gt=0, le=100)]]
    colours: dict[Band, Literal["green", "yellow", "red"]]
    caps: dict[str, Cap]
    trend_days: Annotated[int, Field(ge=28, le=366)]
    trend_points: Annotated[float, Field(ge=0, le=50)]
    history_months: Annotated[int, Field(ge=1, le=36)]
    override_days: Annotated[int, Field(ge=1, le=90)]

    @property
    def halves(self) -> dict[str, HealthHalf]:
        """Both halves by the name of their column."""
        return {"csm_half": self.csm_actions, "customer_half": self.customer_actions}

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        _require_whole({name: half.weight for name, half in self.halves.items()}, "the halves")
        if list(self.bands) != ["A", "B", "C"] or list(self.bands.values()) != sorted(
            self.bands.values(), reverse=True
        ):
            raise ValueError("bands: give where A, B and C begin, in descending order; what lies below is D")
        if set(self.colours) != {"A", "B", "C", "D"}:
            raise ValueError("colours: give one for each of A, B, C and D")
        return self


class Step(Section):
    """A step of a playbook."""

    step: str
    owner: str = "csm"
    due_days: Annotated[int, Field(ge=0, le=366)]


class AlertRule(Section):
    """When people are told of an account: a feature or a probability crosses a threshold, and has not come back."""

    kind: Literal["risk", "opportunity"]
    feature: str
    at_least: Number | None = None
    at_most: Number | None = None
    leave: Number
    where: str | None = None
    hold_days: Annotated[int, Field(ge=0, le=90)] | None = None
    says: str
    playbook: str
    enabled: bool = True

    @field_validator("where")
    @classmethod
    def _is_condition(cls, condition: str | None) -> str | None:
        if condition is not None:
            terms_of(condition)
        return condition

    @property
    def enter(self) -> float:
        """The threshold."""
        return float(self.at_most if self.at_least is None else self.at_least)  # type: ignore[arg-type]

    @model_validator(mode="after")
    def _ends_where_it_did_not_begin(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give at_least or at_most, one of them (null takes one of the defaults away)")
        if self.at_least is not None and self.leave >= self.at_least:
            raise ValueError(f"leave {self.leave:g} must lie below at_least {self.at_least:g}, or it would flicker")
        if self.at_most is not None and self.leave <= self.at_most:
            raise ValueError(f"leave {self.leave:g} must lie above at_most {self.at_most:g}, or it would flicker")
        return self


class Escalation(Section):
    """When leadership is told: null asks for nothing."""

    churn_probability: Annotated[float, Field(gt=0, lt=1)]
    arr_at_risk_share: Annotated[float, Field(gt=0, lt=1)] | None
    arr_at_risk: Annotated[float, Field(gt=0)] | None
    accounts: Annotated[int, Field(ge=1)] | None
    cuts: tuple[str, ...]
    group_arr_at_risk_share: Annotated[float, Field(gt=0, lt=1)] | None
    group_accounts: Annotated[int, Field(ge=1)] | None
    lost_beyond_luck: bool
    loss_rose: bool
    eases_at: Annotated[float, Field(gt=0, le=1)]
    acknowledged_days: Annotated[int, Field(ge=1, le=366)]


class Alerts(Section):
    """Alerts, their playbooks, and when they are passed up."""

    hold_days: Annotated[int, Field(ge=0, le=90)]
    cooldown_days: Annotated[int, Field(ge=0, le=366)]
    expires_days: Annotated[int, Field(ge=1, le=366)]
    weekly_budget: Annotated[int, Field(ge=0, le=1000)]
    snooze_days: Annotated[int, Field(ge=1, le=366)]
    rules: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")], AlertRule]
    playbooks: dict[str, Annotated[tuple[Step, ...], Field(min_length=1)]]
    escalate: Escalation

    @model_validator(mode="after")
    def _playbooks_are_there(self) -> Self:
        for name, rule in self.rules.items():
            if rule.playbook not in self.playbooks:
                near = difflib.get_close_matches(rule.playbook, self.playbooks, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.playbooks)}"
                raise ValueError(f"rules.{name}: there is no playbook {rule.playbook}; {hint}")
        return self
