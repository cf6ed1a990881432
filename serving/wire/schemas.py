"""What goes over the wire: requests and answers, with their units, limits and examples."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from serving.forecast.definitions import CROSS_SELL

MOST_IDS = 10_000
MOST_CHANGES = 200
MOST_PAGE = 1000

AccountId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Probability = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, StringConstraints(max_length=200)]
Sort = Literal[
    "arr_at_risk",
    "churn_probability",
    "expansion_probability",
    "expected_arr",
    "arr",
    "trend",
    "renews_on",
    "name",
    "account_id",
    "segment",
    "csm",
]
Metric = Literal[
    "nrr",
    "grr",
    "logo_retention",
    "reported_nrr",
    "ending_arr",
    "churned_arr",
    "contracted_arr",
    "expanded_arr",
]


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


class Horizon(BaseModel):
    """An account's chances over one horizon."""

    horizon_months: int
    churn_probability: Probability = Field(description="That no ARR is left at the window's end")
    contraction_probability: Probability = Field(description="That it stays, with less ARR than now")
    expansion_probability: Probability = Field(description="That it ends with more ARR than now")
    cross_sell_probability: Probability | None = Field(description=f"That {CROSS_SELL}")
    expected_arr: float = Field(description="Mean ARR at the window's end, currency a year")
    arr_p10: float = Field(description="10th percentile of it")
    arr_p50: float = Field(description="Median of it")
    arr_p90: float = Field(description="90th percentile of it")
    arr_at_risk: float = Field(description="arr x churn_probability, currency a year")


class Driver(BaseModel):
    """A reason: what the model saw, not what an action would change."""

    rank: int
    feature: str
    value: str
    effect: float = Field(description="What it adds to the probability against the average account; 0.01 = one point")
    text: str = Field(description="The sentence a CSM reads; typical = the median of its third of the accounts by ARR")


class Drivers(BaseModel):
    """Reasons by outcome, strongest first."""

    churn: list[Driver]
    expansion: list[Driver]


class Score(BaseModel):
    """An account's score."""

    account_id: str
    arr: float = Field(description="ARR at as_of, currency a year")
    renews_on: date | None = Field(description="Earliest known term end of its lines; null = evergreen")
    horizons: list[Horizon]
    drivers: Drivers


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


class PastScore(BaseModel):
    """What a score was: published then, or today's model on what was known then."""

    as_of: date
    kind: Literal["published", "rescored"]
    model_version: str
    churn_probability: Probability
    arr: float


class AccountPastScore(PastScore):
    """The same with its account."""

    account_id: str


class ContractEvent(BaseModel):
    """An event of a contract line."""

    day: date
    event: Literal["starts", "ends", "ended early", "notice given"]
    product: str | None
    kind: str | None
    mrr: float
    currency: str | None


class AccountDetail(Score, Head):
    """All that is known of an account."""

    definition: str
    name: str
    csm: str
    labels: dict[str, str]
    trend: float | None = Field(description="Change of the churn probability since the snapshot before")
    top_reason: str
    months: list[date] = Field(description="The months of `activity`")
    activity: dict[str, list[float]]
    events: list[ContractEvent]
    history: list[PastScore]


class AccountRow(BaseModel):
    """An account in a list, over one horizon."""

    account_id: str
    name: str
    csm: str
    segment: str | None
    region: str | None
    arr: float
    renews_on: date | None
    trend: float | None
    top_reason: str
    horizon_months: int
    churn_probability: Probability
    contraction_probability: Probability
    expansion_probability: Probability
    cross_sell_probability: Probability | None
    expected_arr: float
    arr_p10: float
    arr_p50: float
    arr_p90: float
    arr_at_risk: float


class Page(Head):
    """A page of a list."""

    definition: str
    total: int = Field(description="Rows in all, on all pages")
    offset: int
    limit: int


class Accounts(Page):
    """Accounts."""

    rows: list[AccountRow]


class NrrRow(BaseModel):
    """A figure of the portfolio or a part of it."""

    cut: str
    value: str
    horizon_months: int
    metric: Metric
    mean: float
    p05: float
    p10: float
    p25: float
    p50: float
    p75: float
    p90: float
    p95: float
    starting_arr: float
    accounts: int
    definition: str


class Nrr(Head):
    """The forecast of NRR, GRR and what they are made of."""

    red_flags: Annotated[
        list[str],
        Field(
            description="Where NRR stands far above GRR or logo retention over the horizon asked for, or over the "
            "longest if none was; of the cut and value asked for, whatever the metric"
        ),
    ]
    rows: list[NrrRow]


class RenewalRow(BaseModel):
    """What is up for renewal in a month."""

    cut: str
    value: str
    month: date
    available_to_renew: float
    expected_renewed: float
    renewal_rate: float | None
    p10: float
    p90: float
    accounts_due: int


class Renewals(Head):
    """Renewals by month."""

    definition: str
    rows: list[RenewalRow]


class BridgeRow(BaseModel):
    """One kind of movement, summed up."""

    movement: str
    accounts: int
    amount: float


class MovementRow(BaseModel):
    """One account's movement."""

    account_id: str
    csm: str
    movement: str
    product: str | None
    amount: float


class Movements(Page):
    """Movements of the last twelve months: the bridge, and a page of accounts."""

    bridge: list[BridgeRow]
    rows: list[MovementRow]


class History(Page):
    """Past scores of all accounts."""

    rows: list[AccountPastScore]


class SaidRow(BaseModel):
    """What a publication forecast."""

    as_of: date
    run_id: str
    made_at: str
    model_version: str
    cut: str
    value: str
    horizon_months: int
    metric: str
    mean: float
    p10: float
    p90: float


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


class ErrorBody(BaseModel):
    """The body of every error."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"error": {"code": "not_found", "message": "There is no account 'A-1'.", "details": []}}]
        }
    )

    error: Problem
