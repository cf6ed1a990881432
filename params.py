"""`params.yaml` as frozen types: loaded once, every unknown or unreadable setting named, no value hidden in code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

import params_reading as reading
from params_outlets import Deliver, Outlet
from params_outlets import Serving as Serving
from params_reading import SettingsError as SettingsError
from params_reading import ascending, different
from params_reading import told_in_words as told_in_words
from params_signals import AlertRule, Alerts, Health, Measure
from params_team import Actions, Cadence, Declared, Effects, Expansion, IdealCustomer, Journey, Lifetime, Phase, Play
from params_team import Condition as Condition
from params_team import Losses as Losses
from params_team import OwnFeature as OwnFeature
from params_team import Section as Section

DEFAULTS = Path(__file__).with_name("params.yaml")
LAST_DAY_OF_EVERY_MONTH = 28


Share = Annotated[float, Field(ge=0, le=1)]
Extra = Annotated[dict[str, Literal["text", "number"] | None], BeforeValidator(reading.kinds_by_name)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Budget:
    """What a computation may use of the machine; its result does not depend on it."""

    threads: int
    memory_gb: float


class TableSource(Section):
    """Where one table of the contract comes from."""

    file: str | None = None
    query: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    lag_days: Annotated[int, Field(ge=0)] = 0
    extra: Extra = Field(default_factory=dict)
    end_is_last_day: bool = False


class Source(Section):
    """Where the raw tables are and what is tolerated in them."""

    kind: Literal["simulated", "files", "duckdb"]
    path: Path | None
    outside: tuple[Path, ...]
    engine: Literal["duckdb", "postgres", "spark"]
    url: str | None
    data_until: date | None
    max_bad_share: Share
    encoding: str | None
    null_texts: tuple[str, ...]
    decimal_comma: bool
    day_first: bool | None
    timezone: str | None
    earliest: date
    latest: date
    parts: dict[Annotated[str, StringConstraints(pattern=r"^\w+$")], str]
    tables: dict[str, TableSource]


class Simulated(Section):
    """The simulated company."""

    accounts: Positive
    months: Annotated[int, Field(ge=6)]
    ends_on: date
    team: Literal["steady", "stretched"]

    @field_validator("ends_on")
    @classmethod
    def _in_every_month(cls, day: date) -> date:
        if day.day > LAST_DAY_OF_EVERY_MONTH:
            raise ValueError("take a day from 1 to 28, so that every month has it")
        return day


class Revenue(Section):
    """Rules of the revenue arithmetic."""

    currency: Annotated[str, StringConstraints(to_upper=True, pattern="^[A-Za-z]{3}$")]
    grace_days: Annotated[int, Field(ge=0, le=120)]
    reactivation: Literal["exclude", "include"]
    replaces_share: PositiveShare
    overlap: Literal["add", "replace", "refuse"] | None
    early_renewal_days: Annotated[int, Field(ge=0, le=366)]
    pause_days: Annotated[int, Field(ge=0, le=366)]
    gap_days: Annotated[int, Field(ge=0, le=366)]
    account_level: Literal["account", "parent"]

    @property
    def by_parent(self) -> bool:
        """Whether accounts are rolled up by their parents."""
        return self.account_level == "parent"

    @property
    def settling_days(self) -> int:
        """Days after an instant until it can no longer change who was a customer at it."""
        return max(self.grace_days, self.gap_days)


class Snapshots(Section):
    """Which snapshots are made, and of what."""

    first: date | None
    drop: tuple[str, ...]


class Leaks(Section):
    """What `check --leaks` takes for a leak."""

    snapshots: Positive
    within_months: Annotated[int, Field(ge=1, le=12)]
    min_churned: Annotated[int, Field(ge=5)]
    max_auc: Annotated[float, Field(gt=0.5, lt=1)]
    left_share: Annotated[float, Field(gt=0, lt=1)]
    times_faster: Annotated[float, Field(gt=1)]
    late_days: Positive
    bulk_share: Annotated[float, Field(gt=0, le=1)]
    cost_months: Annotated[int, Field(ge=1, le=24)]


class Model(Section):
    """How the outcome models are fitted."""

    horizon_months: Annotated[int, Field(ge=1, le=24)]
    learner: Literal["ensemble", "lightgbm", "logistic"]
    trees: Positive
    leaves: Annotated[int, Field(ge=2)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    min_rows_per_leaf: Positive
    min_hessian_per_leaf: Annotated[float, Field(ge=0)]
    l2: Annotated[float, Field(ge=0)]
    extra_trees: bool
    logistic_l2: Annotated[float, Field(gt=0)]
    feature_fraction: PositiveShare
    bagging_fraction: PositiveShare
    category_smoothing: Annotated[float, Field(ge=0)]
    category_l2: Annotated[float, Field(ge=0)]
    max_bins: Annotated[int, Field(ge=2)]
    patience: Positive
    min_trees: Positive
    max_rows: Annotated[int, Field(ge=1000)]
    least_past_share: Share
    calibration_prior_sd: Annotated[float, Field(gt=0)]
    luck_prior_sd: Annotated[float, Field(gt=0)]
    min_accounts: Positive
    min_months: Positive
    min_churned: Positive
    monotone: dict[Literal["churn", "contraction", "expansion"], dict[str, Literal[-1, 1]]]
    comfortable_months: Positive
    comfortable_churned: Positive
    suspicious_auc: Annotated[float, Field(gt=0.5, le=1)]
    min_change: Share
    with_calls: bool
    leave_out: Annotated[tuple[str, ...], AfterValidator(different)]
    name: Annotated[str, StringConstraints(pattern=r"^[\w. -]+$")]


class Forecast(Section):
    """How predictions are rolled up."""

    draws: Annotated[int, Field(ge=100)]
    cuts: Annotated[tuple[str, ...], AfterValidator(different)]
    cut_bins: Annotated[int, Field(ge=2, le=20)]
    cut_edges: dict[str, Annotated[tuple[float, ...], AfterValidator(ascending)]]
    drivers: Positive

    @model_validator(mode="after")
    def _edges_are_of_cuts(self) -> Self:
        unknown = [name for name in self.cut_edges if name not in self.cuts]
        if unknown:
            raise ValueError(f"cut_edges names {', '.join(unknown)}, and cuts does not: name it in both")
        return self


class Scoring(Section):
    """Where a forecast's work on the accounts is done."""

    spark: Annotated[str, StringConstraints(min_length=1)] | None
    shares: Positive | None
    tables: str | None


class Backtest(Section):
    """The rolling backtest."""

    origins: Positive
    every_months: Positive
    horizons: Annotated[tuple[Positive, ...], Field(min_length=1)]
    capacity: Annotated[tuple[Positive, ...], Field(min_length=1)]
    min_accounts_in_cut: Positive
    resamples: Annotated[int, Field(ge=100)]


class Tune(Section):
    """Tuning of the model's settings before each fit."""

    enabled: bool
    trials: Positive
    minutes: Annotated[float, Field(gt=0)]
    months: Annotated[int, Field(ge=1, le=24)]


class Promotion(Section):
    """When a model that is better on the whole may still not take charge."""

    most_canary_change: Share
    slice_floor: Annotated[float, Field(ge=0)]
    retrain_months: Annotated[int, Field(ge=0, le=60)]


class Tracking(Section):
    """Where runs are recorded."""

    uri: str | None
    experiment: str


class Demo(Section):
    """What `holdfast demo` does beside the whole way."""

    replay_months: Annotated[int, Field(ge=0, le=24)]


class Record(Section):
    """Where published forecasts are recorded."""

    url: Annotated[str, StringConstraints(pattern=r"^postgresql://\S+$")] | None
    folder: Path | None


class Retention(Section):
    """How long what names someone is kept, and where the list of the erased lies."""

    erased_folder: Path | None
    audit_days: Positive | None
    forecasts_days: Positive | None
    superseded_snapshots_days: Positive | None
    unread_publications_days: Positive | None
    revision_accounts_days: Positive | None


class Params(Section):
    """All settings."""

    seed: Annotated[int, Field(ge=0)]
    threads: Positive
    memory_gb: Annotated[float, Field(gt=0.1)]
    data_dir: Path
    source: Source
    simulated: Simulated
    revenue: Revenue
    snapshots: Snapshots
    features: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")], OwnFeature]
    journey: dict[str, Journey]
    cadence: Cadence
    lifetime: Lifetime
    losses: Losses
    expansion: Expansion
    ideal_customer: IdealCustomer
    actions: Actions
    health: Health
    alerts: Alerts
    leaks: Leaks
    model: Model
    forecast: Forecast
    scoring: Scoring
    export: Annotated[tuple[Literal["parquet", "csv", "xlsx"], ...], Field(min_length=1)]
    backtest: Backtest
    tune: Tune
    effects: Effects
    promotion: Promotion
    tracking: Tracking
    record: Record
    demo: Demo
    retention: Retention
    serving: Serving
    deliver: Deliver
    write_back: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")], Outlet]

    @model_validator(mode="after")
    def _horizons_are_modelled(self) -> Self:
        if max(self.backtest.horizons, default=0) > self.model.horizon_months:
            raise ValueError(
                f"backtest.horizons {list(self.backtest.horizons)} reach beyond model.horizon_months "
                f"{self.model.horizon_months}: shorten the first or lengthen the second"
            )
        return self

    @property
    def declared(self) -> Declared:
        """The features that the settings declare, and the journey and the cadence that others follow from."""
        return Declared(self.features, self.journey, self.cadence)

    @property
    def budget(self) -> Budget:
        """What a computation may use of the machine."""
        return Budget(self.threads, self.memory_gb)

    @property
    def rules(self) -> dict[str, str]:
        """The settings that say what is forecast: a model that learned by others forecasts something else."""
        revenue = {f"revenue.{name}": str(value) for name, value in self.revenue.model_dump(mode="json").items()}
        return revenue | {"model.min_change": str(self.model.min_change)}

    @property
    def source_name(self) -> str:
        """Where the data come from; newer data in the same place have the same name."""
        if self.source.kind == "simulated":
            return f"a simulated company of {self.simulated.accounts} accounts, seed {self.seed}"
        return f"{self.source.kind} {self.source_place}".strip()

    @property
    def source_place(self) -> str:
        """The path of the source: whole, or within the data folder, which may be moved; empty where it has none."""
        if self.source.path is None:
            return ""
        path, data_dir = self.source.path.resolve(), self.data_dir.resolve()
        return str(path.relative_to(data_dir) if path.is_relative_to(data_dir) else path)


def load(file: Path | None = None, overrides: Sequence[str] = ()) -> Params:
    """Read the settings: the defaults, `file` over them, then each `key.path=value` of `overrides`.

    Raises
    ------
    SettingsError
        A file that is missing or not YAML, an unknown key, a value of the wrong kind.
    """
    settings = reading.read(DEFAULTS)
    layers = [reading.read(file)] if file is not None and file.resolve() != DEFAULTS else []
    for layer in (*layers, *map(reading.parsed_override, overrides)):
        settings = reading.overlay(settings, layer)
    reading.require_no_password(settings)
    try:
        return Params.model_validate(settings)
    except ValidationError as error:
        raise SettingsError(reading.explained(error, reading.known_keys(reading.read(DEFAULTS)), _ITEMS)) from None


_ITEMS = {"source.tables.": tuple(TableSource.model_fields), "features.": tuple(OwnFeature.model_fields)}
_ITEMS |= {"journey.": (*Phase.model_fields, *Journey.model_fields), "actions.kinds.": tuple(Play.model_fields)}
_ITEMS |= {"health.": tuple(Measure.model_fields), "alerts.rules.": tuple(AlertRule.model_fields)}
