"""What goes over the wire: requests and answers, with their units, limits and examples."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from serving.forecast.declared.column import Place
from serving.forecast.declared.output_tables import (
    ACCOUNT_DRIVER,
    ACCOUNT_FACTS,
    ACCOUNT_FIGURES,
    ACCOUNT_ID,
    ACCOUNT_PEERS,
    HORIZON,
    METRIC_OF,
)
from serving.forecast.declared.published_lists import (
    ABOUT_AN_ACCOUNT,
    ACCOUNTS,
    BRIDGE,
    FORECASTS,
    HISTORY,
    MOVEMENTS,
    NRR,
    RENEWALS,
)
from serving.wire.event_schemas import ContractEvent, LifeEvent, PlanRow
from serving.wire.plain_values import stored_text, whole_text
from serving.wire.row_models import one_of, row_model
from serving.wire.team_schemas import HealthDetail

MOST_IDS = 10_000
MOST_CHANGES = 200
MOST_PAGE = 1000

AccountId = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(whole_text)]
Text = Annotated[str, StringConstraints(max_length=200), AfterValidator(stored_text)]
Sort: Any = one_of(column.name for column in ACCOUNTS.at(Place.API) if column.sortable)
Metric: Any = one_of(METRIC_OF)


class Wire(BaseModel):
    """A body: what is not declared, and numbers that are none, are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ScoreRequest(Wire):
    """Ask for the published scores of accounts."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"account_ids": ["A-002a87"], "horizons": [3, 12], "drivers": 5}}
    )

    account_ids: Annotated[list[AccountId], Field(min_length=1, max_length=MOST_IDS)]
    horizons: Annotated[list[Annotated[int, Field(ge=1, le=24)]], Field(max_length=24)] | None = Field(
        default=None, description="Months ahead to answer for; all if absent"
    )
    drivers: Annotated[int, Field(ge=0, le=50)] | None = Field(
        default=None, description="Reasons for each outcome; all published ones if absent"
    )


class ChangedAccount(Wire):
    """An account as it is, as it would be with other inputs, or a new one."""

    account_id: AccountId
    changes: Annotated[dict[Text, float | Text | None], Field(max_length=MOST_CHANGES)] = Field(
        default_factory=dict,
        description="Model inputs to replace, by name; null = not known. Names are in the model card.",
    )
    new: bool = Field(default=False, description="No such account yet: all inputs but those given are unknown")


class LiveRequest(Wire):
    """Ask the champion to score accounts now, with inputs changed."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"accounts": [{"account_id": "A-002a87", "changes": {"active_users_28d": 40, "term_days": 730}}]}
        }
    )

    accounts: Annotated[list[ChangedAccount], Field(min_length=1, max_length=MOST_IDS)]


class CallRequest(Wire):
    """Write down what you expect of an account: an outcome, how sure you are, or a probability."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"account_id": "A-002a87", "outcome": "renew", "category": "likely", "for_date": "2026-03-01"}
        }
    )

    account_id: AccountId
    outcome: Literal["renew", "churn", "contract", "expand"] | None = None
    amount: Annotated[float, Field(ge=0, le=1e13, description="ARR that you expect to be left")] | None = None
    for_date: date | None = Field(default=None, description="The renewal or month that is meant")
    category: Literal["commit", "likely", "best_case", "at_risk", "lost"] | None = None
    probability: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Of the outcome; without one, of the account being kept"
    )
    reason: Annotated[str, StringConstraints(max_length=500), AfterValidator(stored_text)] = ""
    seen_model: bool | None = Field(default=None, description="Whether you had seen the model's figure")
    replaces: Annotated[int, Field(ge=1, le=2**53)] | None = Field(
        default=None, description="The number of your own earlier call on this account whose place it takes"
    )
    is_final: bool = Field(
        default=False, description="Whether it is the one the company goes by, all others seen; it needs a reason"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.outcome is None and self.category is None and self.probability is None:
            raise ValueError("say an outcome, a category or a probability")
        if self.is_final and not self.reason.strip():
            raise ValueError("a final call says why: give a reason")
        return self


Horizon: Any = row_model("Horizon", "An account's chances over one horizon.", (HORIZON, *ACCOUNT_FIGURES))
Driver: Any = row_model(
    "Driver",
    "A reason: what the model saw, not what an action would change.",
    ACCOUNT_DRIVER,
)


class Drivers(BaseModel):
    """Reasons by outcome, strongest first."""

    churn: list[Driver]
    expansion: list[Driver]


Peers: Any = row_model("Peers", "Whom an account is compared with, and how the points add up.", ACCOUNT_PEERS)


class PeersByOutcome(BaseModel):
    """The same by outcome."""

    churn: Peers
    expansion: Peers


Score: Any = row_model(
    "Score",
    "An account's score.",
    (ACCOUNT_ID, *ACCOUNT_FACTS),
    horizons=list[Horizon],
    drivers=Drivers,
    peers=PeersByOutcome,
)


class Head(BaseModel):
    """What every answer says of where its figures come from."""

    run_id: str
    as_of: date = Field(description="Nothing that became known on this day or later was used")
    model_version: str
    made_at: str
    currency: str


class Scores(Head):
    """Scores, in the order asked for."""

    source: Literal["published", "live"]
    definition: str
    scores: list[Score]


PastScore: Any = row_model(
    "PastScore",
    "What a score was: published then, or today's model on what was known then.",
    (column for column in HISTORY if column is not ACCOUNT_ID),
)
AccountPastScore: Any = row_model("AccountPastScore", "The same with its account.", HISTORY)


AccountDetail: Any = row_model(
    "AccountDetail",
    "All that is known of an account.",
    ABOUT_AN_ACCOUNT,
    bases=(Score, Head),
    definition=str,
    labels=dict[str, str],
    months=(list[date], Field(description="The months of `activity`")),
    activity=dict[str, list[float]],
    events=list[ContractEvent],
    life=(list[LifeEvent], Field(description="What else happened, oldest first")),
    plan=(list[PlanRow], Field(default=[], description="Goals and tasks by due day, with how far each has come")),
    history=list[PastScore],
    health=(HealthDetail | None, Field(default=None, description="Its health by rule; null if published without")),
)
AccountRow: Any = row_model("AccountRow", "An account in a list, over one horizon.", ACCOUNTS)


class Page(Head):
    """A page of a list."""

    definition: str
    total: int = Field(description="Rows in all, on all pages")
    offset: int
    limit: int


class Accounts(Page):
    """Accounts."""

    rows: list[AccountRow]


NrrRow: Any = row_model("NrrRow", "A figure of the portfolio or a part of it.", NRR)


class Nrr(Head):
    """The forecast of NRR, GRR and what they are made of."""

    red_flags: Annotated[
        list[str],
        Field(
            description="Where NRR stands far above GRR over the horizon asked for, or over the "
            "longest if none was; of the cut and value asked for, whatever the metric"
        ),
    ]
    rows: list[NrrRow]


RenewalRow: Any = row_model("RenewalRow", "What is up for renewal in a month.", RENEWALS)


class Renewals(Head):
    """Renewals by month."""

    definition: str
    rows: list[RenewalRow]


class BridgeRow(BaseModel):
    """One kind of movement, summed up."""

    movement: str
    accounts: int
    amount: float


MovementRow: Any = row_model("MovementRow", "One account's movement.", MOVEMENTS)


class Movements(Page):
    """Movements of the last twelve months: the bridge, and a page of accounts."""

    bridge: list[BridgeRow]
    rows: list[MovementRow]


class BridgeStep(BaseModel):
    """One step between two forecasts, summed up."""

    step: str
    amount: float


ForecastBridgeRow: Any = row_model("ForecastBridgeRow", "One account's steps between two forecasts.", BRIDGE)


class ForecastBridge(Page):
    """From the last official forecast before to this one; empty where there is none."""

    from_as_of: str = Field(description="Date of the last official forecast before; empty without one")
    from_run_id: str
    target: str = Field(description="The date whose ARR both forecast")
    start: float = Field(description="Expected ARR then by the last official forecast")
    end: float = Field(description="Expected ARR then by this forecast")
    residual: float = Field(description="What the steps leave over: 0")
    steps: list[BridgeStep]
    rows: list[ForecastBridgeRow]


class History(Page):
    """Past scores of all accounts."""

    rows: list[AccountPastScore]


SaidRow: Any = row_model("SaidRow", "What a publication forecast.", FORECASTS)


class PublishedForecasts(Head):
    """NRR and GRR as this and earlier publications forecast them."""

    rows: list[SaidRow]


class ModelCard(Head):
    """The model: version, what it learned from, how it did out of time."""

    published_model: dict[str, Any]
    live_model: dict[str, Any] | None
    inputs: list[dict[str, Any]] = Field(
        description="What `changes` of a live score may name; of numbers the least and the most they can be"
    )


class About(Head):
    """What is published."""

    accounts: int
    horizon_months: int
    cuts: dict[str, list[str]]
    definition: str
    red_flag: str
    notes: list[str]


class Problem(BaseModel):
    """What went wrong."""

    code: str = Field(description="Stable; to be read by machines")
    message: str = Field(description="What came, what is allowed, what to do")
    details: list[dict[str, Any]] = Field(default_factory=list)


class Call(BaseModel):
    """A person's call, as it was written down."""

    number: int = Field(description="In the journal")
    call_id: str
    account_id: str
    called_on: date
    called_by: str | None = Field(description="By the name of their book or token; null = erased since")
    outcome: str | None
    amount: float | None = Field(description="ARR that they expect to be left")
    for_date: date | None
    category: str | None
    probability: float | None
    reason: str | None
    seen_model: bool | None = Field(description="Whether they had seen the model's figure; null = not said")
    superseded_by: str | None = Field(description="The call_id of the call that took its place")
    is_final: bool = Field(description="Whether it is the one the company goes by")


class Calls(BaseModel):
    """A page of calls."""

    total: int
    offset: int
    limit: int
    rows: list[Call]


class Written(BaseModel):
    """What was written down."""

    number: int = Field(description="Its number in the journal")


class ErrorBody(BaseModel):
    """The body of every error."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"error": {"code": "not_found", "message": "There is no account 'A-1'.", "details": []}}]
        }
    )

    error: Problem


class TrackRecord(Head):
    """How official forecasts did; what is of the whole company is null or empty for role csm."""

    basis: Literal["first actuals", "latest actuals"]
    head: str = Field(description="Head of the record's chain, which `holdfast ledger verify --head` proves")
    official: int | None = Field(description="Official forecasts on record")
    withdrawn: int | None = Field(description="Runs that were withdrawn, with a reason")
    scored: int | None = Field(description="Windows whose actual is known")
    waiting: int | None = Field(description="Windows that are not over, or not known yet")
    next_known_on: str = Field(description="When the next actual can be known; empty = none is to come")
    answer: list[str] = Field(description="What it says in sentences")
    rows: list[dict[str, Any]] = Field(description="Scores by metric, cut, value and horizon, in points")
    accounts: list[dict[str, Any]] = Field(description="Scores of the accounts' probabilities")
    misses: list[dict[str, Any]] = Field(
        description="The accounts that ended farthest from what was expected, with what happened and the two steps "
        "that the difference is the sum of"
    )
    notes: list[str]
    definitions: dict[str, str]
