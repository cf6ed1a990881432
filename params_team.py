"""How a team works, as settings: its own features, the journey, the promised cadence, and the plays it can do."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

import params_reading as reading

Words = Annotated[tuple[bool | int | float | str, ...], BeforeValidator(reading.as_words)]
TIERS = ("high", "medium", "low", "tech")  # how an account is served
_TERM = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*)(\.(?P<measure>users|uses|days))?\s*(?P<sign>>=|<=|>|<|=)\s*(?P<number>-?\d+(\.\d+)?)"
    r"(\s+within\s+(?P<days>\d+)\s*d)?"
)
_COMPARISON = re.compile(r"\s*(?P<name>\w+)\s*(?P<sign>>=|<=|!=|>|<|=)\s*(?P<value>\S.*?)\s*")
LONGEST_DAYS = 1095


class Section(BaseModel):
    """A part of params.yaml: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _as_condition(value: Any) -> Any:
    """A value, or a list of them, as the condition that one of them is there."""
    if value is None or value == {}:
        raise ValueError("say what the cell must hold: a value, a list of them, or such as {at_least: 10}")
    return value if isinstance(value, Mapping | BaseModel) else {"any_of": value}


class Condition(Section):
    """What a cell must hold for its row to count; all that is given must be true of it."""

    any_of: Words | None = None
    other_than: Words | None = None
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None


class OwnFeature(Section):
    """A feature declared in the settings: `measure` of the rows of `table` that fulfil `filter`, over `window` days.

    `column` is what is summed up, told apart or, of accounts, read. What is null follows from the others.
    """

    table: str
    measure: Literal["count", "sum", "distinct", "days", "recency", "share", "trend", "attribute"] | None = None
    column: str | None = None
    filter: dict[str, Annotated[Condition, BeforeValidator(_as_condition)]] = Field(default_factory=dict)
    window: Annotated[int, Field(ge=1, le=1095)] | None = None
    sentence: str | None = None
    signal: str | None = None
    expected: Literal[-1, 0, 1] = 0


class Term(Section):
    """One comparison of a condition: a feature of the snapshot, or the use of a part of the product within days."""

    name: str
    measure: Literal["users", "uses", "days"] | None
    sign: Literal[">=", "<=", ">", "<", "="]
    number: float
    days: Annotated[int, Field(ge=1, le=LONGEST_DAYS)] = LONGEST_DAYS

    def follows_from(self, other: "Term") -> bool:
        """Whether this holds wherever the other does."""
        if (self.name, self.measure) != (other.name, other.measure):
            return False
        if self == other or self.sign == "=" or other.sign[0] != self.sign[0]:
            return self == other
        is_lower_bound = self.sign[0] == ">"
        is_wider = self.days >= other.days if is_lower_bound else self.days <= other.days
        is_looser = self.number < other.number if is_lower_bound else self.number > other.number
        is_same = self.number == other.number and (self.sign.endswith("=") or self.sign == other.sign)
        return is_wider and (is_looser or is_same)


def terms_of(condition: str) -> tuple[Term, ...]:
    """The comparisons of a condition, such as `invites.users >= 3 within 90d and seats >= 5`.

    Raises
    ------
    ValueError
        It cannot be read.
    """
    terms = []
    for text in re.split(r"\s+and\s+", condition.strip()):
        match = _TERM.fullmatch(text.strip())
        if match is None or (match["days"] and not match["measure"]):
            raise ValueError(
                f"{text!r} cannot be read: write FEATURE >= NUMBER, or PART.users (.uses, .days) >= NUMBER within 90d, "
                "joined by and"
            )
        found = {name: match[name] for name in ("name", "measure", "sign", "number")}
        terms.append(Term.model_validate(found | ({"days": match["days"]} if match["days"] else {})))
    return tuple(terms)


def comparison_of(condition: str) -> tuple[str, str, str]:
    """The column, sign and value of a condition on an account, such as `touch_model = tech`.

    Raises
    ------
    ValueError
        It cannot be read.
    """
    match = _COMPARISON.fullmatch(condition)
    if match is None:
        raise ValueError(f"{condition!r} cannot be read: write COLUMN = VALUE, or COLUMN >= NUMBER")
    return match["name"], match["sign"], match["value"]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _but_removed(kinds: Any) -> Any:
    """Without the kinds that a settings file takes away by null."""
    return {name: play for name, play in kinds.items() if play is not None} if isinstance(kinds, Mapping) else kinds


class Phase(Section):
    """A phase of the journey: it begins where the one before ends, and lasts until a condition holds."""

    begins: str | None = None
    until: str | None = None
    expected_day: Annotated[int, Field(ge=1)] | None = None
    playbook: str | None = None


class Journey(Section):
    """The phases of a segment's customers, in order, and what first value is for them."""

    first_value: str | None = None
    phases: Annotated[dict[str, Phase], Field(min_length=1)]

    @field_validator("first_value")
    @classmethod
    def _is_condition(cls, condition: str | None) -> str | None:
        if condition is not None:
            terms_of(condition)
        return condition

    @model_validator(mode="after")
    def _phases_follow_each_other(self) -> Self:
        names = list(self.phases)
        before: str | None = None
        terms: list[Term] = []  # all that holds once the phases before have ended
        for place, (name, phase) in enumerate(self.phases.items()):
            self._require_end(name, phase, is_last=place == len(names) - 1)
            if phase.begins is not None:
                _require_same(name, phase.begins, names[place - 1] if place else None, before)
            before = self.condition(phase.until) if phase.until is not None else None
            if before is not None:
                self._require_open(name, before, terms)
                terms += terms_of(before)
        return self

    def condition(self, text: str) -> str:
        """A condition as it stands, with `first_value` as what that is."""
        return self.first_value if text.strip() == "first_value" and self.first_value else text

    @staticmethod
    def _require_open(name: str, until: str, terms: Sequence[Term]) -> None:
        """A phase whose end has come as soon as those before it have ended is never entered."""
        if all(any(term.follows_from(other) for other in terms) for term in terms_of(until)):
            raise ValueError(
                f"{name} is never entered: its end, {until}, has come whenever the phases before it have ended. "
                "Put the phases in the order in which they end"
            )

    def _require_end(self, name: str, phase: Phase, *, is_last: bool) -> None:
        if is_last and phase.until is not None:
            raise ValueError(f"{name} is the last phase: leave its until out, or say what comes after it")
        if not is_last and phase.until is None:
            raise ValueError(f"{name} never ends: give its until, or make it the last phase")
        if phase.until is not None:
            if phase.until.strip() == "first_value" and self.first_value is None:
                raise ValueError(f"{name} lasts until first_value, and the journey does not say what that is")
            terms_of(self.condition(phase.until))


def _require_same(name: str, begins: str, before_name: str | None, before: str | None) -> None:
    """A phase that says when it begins must begin where the one before ends."""
    if before_name is None:
        raise ValueError(f"{name} is the first phase, which begins with the contract: leave its begins out")
    if before is None or terms_of(begins) != terms_of(before):
        raise ValueError(
            f"{name} begins at {begins}, and {before_name} lasts until {before}: they overlap, or leave days between "
            f"them. Leave begins out: a phase begins where the one before ends"
        )


class Touch(Section):
    """What is promised: an action of a kind, every so many days."""

    kind: str
    every_days: Annotated[int, Field(ge=1, le=366)]


class Cadence(Section):
    """What is promised to customers by touch tier and phase, and how it is judged."""

    touches: Annotated[int, Field(ge=1, le=6)]
    tolerance_days: Annotated[int, Field(ge=0, le=60)]
    rules: dict[str, dict[str, tuple[Touch, ...]]]

    @field_validator("rules")
    @classmethod
    def _tiers(cls, rules: dict[str, dict[str, tuple[Touch, ...]]]) -> dict[str, dict[str, tuple[Touch, ...]]]:
        for tier in rules:
            if tier not in TIERS:
                raise ValueError(f"there is no touch tier {tier}: accounts.touch_model is one of {', '.join(TIERS)}")
        return rules


class Play(Section):
    """What the team can do for an account: an action of csm_actions, what it costs, and for whom it is not.

    `hours` are of one account or, where `group` says how many accounts a session holds, of a session. `exclude` holds
    conditions on the snapshot, such as `touch_model = tech`; whoever meets one is not offered it.
    """

    hours: Annotated[float, Field(ge=0, le=1000)]
    min_gap_days: Annotated[int, Field(ge=0, le=1095)] = 0
    exclude: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    group: Annotated[int, Field(ge=2)] | None = None
    assumed_logit: float | None = None
    assumed_expansion_logit: float = 0.0

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if self.hours == 0 and self.min_gap_days == 0:
            raise ValueError("hours is 0 and min_gap_days too: say how often it may be done, or how long it takes")
        for condition in self.exclude:
            comparison_of(condition)
        return self


class Holdout(Section):
    """Whether recommendations are withheld by lot from a share of the accounts, so that their effect can be told.

    `acknowledged_arr` is the ARR at stake a quarter that somebody has read in `holdfast holdout` and accepts.
    """

    share: Annotated[float, Field(ge=0, le=0.5)]
    salt: str
    acknowledged_arr: Annotated[float, Field(ge=0)] | None
    largest_accounts: Annotated[int, Field(ge=0)]
    exclude: Annotated[tuple[str, ...], BeforeValidator(_as_list)]

    @model_validator(mode="after")
    def _is_acknowledged(self) -> Self:
        if self.share > 0 and (not self.salt.strip() or self.acknowledged_arr is None):
            raise ValueError(
                "share is above 0: read with `holdfast holdout --share` what it costs and can show, then give salt "
                "(words of your own, which stay) and acknowledged_arr (the ARR at stake that you accept)"
            )
        for condition in self.exclude:
            comparison_of(condition)
        return self


class Actions(Section):
    """Which plays there are, the hours for them, and how large their effects are taken to be until they are known."""

    hours_per_month: Annotated[float, Field(gt=0, le=1000)] | None
    pooled_hours_per_month: Annotated[float, Field(gt=0)]
    must_do_days: Annotated[int, Field(ge=0, le=366)]
    decay: Annotated[float, Field(gt=0, le=1)]
    assumed_logit: Annotated[float, Field(ge=-2, le=2)]
    assumed_sd: Annotated[float, Field(ge=0, le=2)]
    elasticity: tuple[float, float]
    outcome_months: Annotated[int, Field(ge=1, le=24)]
    holdout: Holdout
    kinds: Annotated[dict[str, Play], BeforeValidator(_but_removed)]


class Lifetime(Section):
    """What the value of a customer is worked out with."""

    gross_margin: Annotated[float, Field(gt=0, le=1)]
    discount_rate: Annotated[float, Field(ge=0, lt=1)]
    growth: Annotated[float, Field(gt=-1, le=1)]
    history_months: Annotated[int, Field(ge=6, le=120)]


LossCause = Literal["product", "service", "value", "competitor", "price", "fit", "stakeholder", "insolvency"]


class Losses(Section):
    """Why revenue was lost: what speaks for a cause before, and when a reason belongs to a loss.

    `signs` holds, for each cause, conditions on the snapshot; one that is met is enough. `before_days` is how long
    before the loss they are looked for, `within_days` how far the day that was written down may lie from that of the
    lines. `beyond_us` are the causes about which nobody here could have done anything.
    """

    before_days: Annotated[int, Field(ge=0, le=366)]
    within_days: Annotated[int, Field(ge=0, le=366)]
    signs: dict[LossCause, Annotated[tuple[str, ...], BeforeValidator(_as_list)]]
    beyond_us: Annotated[tuple[LossCause, ...], BeforeValidator(_as_list)]

    @model_validator(mode="after")
    def _are_conditions(self) -> Self:
        for condition in (each for conditions in self.signs.values() for each in conditions):
            comparison_of(condition)
        return self


class Expansion(Section):
    """Whose it is to sell more: to the buying centre that buys already, and to another of the same customer."""

    same_buying_center: Literal["csm", "seller"]
    other_buying_center: Literal["csm", "seller"]


class IdealCustomer(Section):
    """How the overall fit follows from the five fits where nobody judged it: by the mean of those that are known.

    From `good_from` on it is good, below `bad_below` bad, else stretch; with fewer than `fewest_fits` known it stays
    empty.
    """

    good_from: Annotated[float, Field(ge=0, le=1)]
    bad_below: Annotated[float, Field(ge=0, le=1)]
    fewest_fits: Annotated[int, Field(ge=1, le=5)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.bad_below > self.good_from:
            raise ValueError(f"bad_below is {self.bad_below}, above good_from ({self.good_from}): let it be lower.")
        return self


class Declared(Mapping[str, OwnFeature]):
    """The features that settings declare, by name; beside them the journey and the cadence, of which more are made."""

    def __init__(self, features: Mapping[str, OwnFeature], journey: Mapping[str, Journey], cadence: Cadence) -> None:
        self._features, self.journey, self.cadence = features, journey, cadence

    def __getitem__(self, name: str) -> OwnFeature:
        """A feature by its name."""
        return self._features[name]

    def __iter__(self) -> Iterator[str]:
        """The names of the features."""
        return iter(self._features)

    def __len__(self) -> int:
        """How many features."""
        return len(self._features)


class Effects(Section):
    """How the effects of actions are estimated."""

    levels: Annotated[tuple[Literal["action", "process", "playbook"], ...], Field(min_length=1)]
    kinds: tuple[str, ...]
    null_action: str | None
    moves: dict[str, str]
    decay: Annotated[float, Field(gt=0, le=1)]
    allowance: Annotated[float, Field(gt=0, le=1)]
    pooling_sd: Annotated[float, Field(gt=0, le=2)]
    folds: Annotated[int, Field(ge=2, le=10)]
    trees: Annotated[int, Field(ge=10)]
    max_rows: Annotated[int, Field(ge=1000)]
    every_months: Annotated[int, Field(ge=0, le=60)]
