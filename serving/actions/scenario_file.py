"""Scenarios as they are written: a YAML file, or a preset by its name; whatever it does not know it refuses."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from params import told_in_words
from params_team import Section, comparison_of
from serving.forecast.refusals import BadRequest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

RECOMMENDED, THIS_MONTH = "recommended", "this month"
LATEST_MONTH = 24
Month = Annotated[int, Field(ge=1, le=LATEST_MONTH)]


def _as_outcome(value: Any) -> Any:
    return {"outcome": value} if isinstance(value, str) else value


class _Chosen(Section):
    """Which accounts: by id, by a condition such as `segment = smb`, or all."""

    accounts: tuple[str, ...] = ()
    where: str | None = None

    @field_validator("where")
    @classmethod
    def _is_condition(cls, condition: str | None) -> str | None:
        if condition is not None:
            comparison_of(condition)
        return condition

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.accounts and self.where is not None:
            raise ValueError("give accounts or where, not both")
        return self


class PlannedPlay(_Chosen):
    """A play that is done for some accounts in a month ahead."""

    kind: str
    month: Month = 1


class PriceChange(_Chosen):
    """A change of price that comes with the renewal: 0.05 is 5 % more.

    `elasticity` is the range of what a price twice as high would add to the log-odds of leaving at that renewal.
    """

    change: Annotated[float, Field(gt=-1, le=10)]
    elasticity: Annotated[tuple[float, float], Field()] | None = None

    @field_validator("elasticity")
    @classmethod
    def _ascending(cls, bounds: tuple[float, float] | None) -> tuple[float, float] | None:
        if bounds is not None and bounds[0] > bounds[1]:
            raise ValueError("give the lower end of the range first")
        return bounds


class Market(Section):
    """How the months ahead differ from what is expected of them.

    `sd` standard deviations worse; as bad as the `worst_quarter` of the history; or as the last months were
    (`continues`), without coming back to the usual.
    """

    sd: Annotated[float, Field(ge=-5, le=5)] | None = None
    worst_quarter: bool = False
    continues: bool = False
    months: Month = LATEST_MONTH

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        if self.sd is None and not self.worst_quarter and not self.continues:
            raise ValueError("say how the market differs: sd, worst_quarter or continues")
        return self


class Fate(Section):
    """What becomes of one account: it leaves in a month ahead, or it stays."""

    outcome: Literal["churn", "stay"]
    month: Month = 1


class Scenario(Section):
    """What is otherwise than in the forecast."""

    name: str = "scenario"
    actions: Literal["recommended", "this month"] | tuple[PlannedPlay, ...] = ()
    prices: tuple[PriceChange, ...] = ()
    market: Market | None = None
    hours: Annotated[float, Field(gt=0, le=100)] | dict[str, Annotated[float, Field(ge=0)]] | None = None
    accounts: dict[str, Annotated[Fate, BeforeValidator(_as_outcome)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _hours_are_used(self) -> Self:
        if self.hours is not None and not isinstance(self.actions, str):
            raise ValueError(f"hours decide what is recommended: give actions: {RECOMMENDED} with them")
        return self


PRESETS: Mapping[str, Scenario] = {
    "base": Scenario(name="base"),
    "momentum": Scenario(name="momentum", market=Market(continues=True)),
    "plan": Scenario(name="plan", actions="recommended"),
    "downside": Scenario(name="downside", market=Market(sd=1.0)),
    "severe": Scenario(name="severe", market=Market(sd=2.0, worst_quarter=True)),
}
MEANINGS: Mapping[str, str] = {
    "base": "Nothing differs from the forecast.",
    "momentum": "The market of the last months goes on, and does not come back to the usual.",
    "plan": "What is recommended now is done, again and again as its minimum gaps allow.",
    "downside": "The market is one standard deviation worse throughout.",
    "severe": "The market is throughout as in the worst quarter of the history, or two standard deviations worse if "
    "that is more.",
}


def preset(name: str) -> Scenario:
    """A scenario by its name.

    Raises
    ------
    BadRequest
        There is none of that name.
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name, list(PRESETS), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise BadRequest(f"--preset {name}: there is no such preset; there are {', '.join(PRESETS)}.{hint}")
    return PRESETS[name]


def read_scenario(file: Path) -> Scenario:
    """The scenario of a YAML file.

    Raises
    ------
    BadRequest
        It cannot be read, or holds what a scenario does not: each line says which key and what is allowed.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadRequest(f"No scenario file {file}. Give an existing file, or --preset.") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadRequest(f"The scenario file {file} cannot be read: {error}") from None
    if not isinstance(content, Mapping):
        raise BadRequest(f"The scenario file {file} must hold `key: value` lines, such as `market: {{sd: 1}}`.")
    return scenario_of({"name": file.stem, **content})


def scenario_of(content: Mapping[str, Any]) -> Scenario:
    """A scenario given as plain data.

    Raises
    ------
    BadRequest
        It holds what a scenario does not.
    """
    try:
        return Scenario.model_validate(dict(content))
    except ValidationError as error:
        raise BadRequest(_explained(error)) from None


_FIELDS = {
    "": tuple(Scenario.model_fields),
    "actions": tuple(PlannedPlay.model_fields),
    "prices": tuple(PriceChange.model_fields),
    "market": tuple(Market.model_fields),
    "accounts": tuple(Fate.model_fields),
}


_OF_TYPES = ("literal[", "tuple[", "function-", "dict[", "constrained-")  # parts of a place that name a type


_OF_ANOTHER_FORM = ("literal_error", "tuple_type", "dict_type", "float_type", "float_parsing")


def _of_what_was_meant(problems: "Sequence[ErrorDetails]") -> "list[ErrorDetails]":
    """Problems without those of a form that was not meant: hours of -1 need not be told to be a list of names."""
    meant = {
        place for place, problem in ((_place(each), each) for each in problems) if place and not _is_of_form(problem)
    }
    return [each for each in problems if not (_is_of_form(each) and _place(each) in meant)]


def _is_of_form(problem: "ErrorDetails") -> bool:
    """Whether it says no more than that a value has another form; of a text, one that allows texts says more."""
    is_form = str(problem["loc"][-1]).startswith(_OF_TYPES) if problem["loc"] else False
    is_word = problem["type"] == "literal_error" and isinstance(problem["input"], str)
    return is_form and problem["type"] in _OF_ANOTHER_FORM and not is_word


def _place(problem: "ErrorDetails") -> tuple[str, ...]:
    """The value that may have one of several forms; empty where there is one form alone."""
    parts = [str(part) for part in problem["loc"]]
    forms = [number for number, part in enumerate(parts) if part.startswith(_OF_TYPES)]
    return tuple(parts[: forms[0]]) if forms else ()


def _explained(error: ValidationError) -> str:
    """All that is wrong with a scenario, a line a problem."""
    lines: list[str] = []
    for problem in _of_what_was_meant(error.errors()):
        parts = [str(part) for part in problem["loc"] if not str(part).startswith(_OF_TYPES)]
        where = ".".join(parts)
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(parts[-1], _FIELDS.get(parts[0] if len(parts) > 1 else "", ()), n=1)
            line = f"{where}: there is no such key{f'; did you mean {near[0]}?' if near else ''}"
        elif problem["type"] == "missing":
            line = f"{where}: is missing"
        else:
            line = f"{where or 'scenario'}: {told_in_words(problem)}"
        if line not in lines:
            lines.append(line)
    return "\n".join(["The scenario cannot be used:", *(f"  {line}" for line in lines)])
