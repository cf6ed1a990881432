"""Where things go, as settings: who is sent what, by addresses that the environment holds, and how it is served."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, IPvAnyAddress, StringConstraints, model_validator

from params_team import Section

EVENTS = ("forecast.published", "run.failed", "alerts.fired", "escalation.raised")
Event = Literal["forecast.published", "run.failed", "alerts.fired", "escalation.raised"]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")]


class Target(Section):
    """Somebody who is told.

    `url` and `secret` name environment variables: an address of Slack or Teams is a secret itself.
    """

    kind: Literal["webhook", "slack", "teams"]
    url: Variable
    secret: Variable | None = None
    events: Annotated[tuple[Event, ...], Field(min_length=1)] = EVENTS  # type: ignore[assignment]


class Deliver(Section):
    """Who is told, and how patiently."""

    targets: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")], Target]
    allow_private: bool
    timeout_seconds: Annotated[float, Field(ge=1, le=60)]
    give_up_hours: Annotated[int, Field(ge=1, le=720)]


class WarehouseOutlet(Section):
    """A warehouse that forecasts are written back into; `url` names an environment variable.

    Of DuckDB it holds the path of the file.
    """

    kind: Literal["duckdb", "postgresql"]
    url: Variable
    schema_name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = "holdfast"


class SparkOutlet(Section):
    """A catalogue of Spark that forecasts are written back into; `url` names the variable that holds its master.

    `location` is where the tables lie, if not where the catalogue puts them.
    """

    kind: Literal["spark"]
    url: Variable
    schema_name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = "holdfast"
    location: Annotated[str, StringConstraints(pattern=r"^[^'\\]+$")] | None = None


class FilesOutlet(Section):
    """A folder for files of changed rows."""

    kind: Literal["files"]
    folder: Path
    tables: Annotated[tuple[str, ...], Field(min_length=1)] = ("account_forecast", "health_score", "alert")


Outlet = Annotated[WarehouseOutlet | SparkOutlet | FilesOutlet, Field(discriminator="kind")]


class Serving(Section):
    """How forecasts are published and answered from."""

    host: IPvAnyAddress
    port: Annotated[int, Field(ge=0, le=65535)]
    workers: Annotated[int, Field(ge=1, le=64)]
    access: Literal["auto", "required", "anyone_is_admin"]
    base_path: Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$", max_length=100)]
    audit: Literal["best_effort", "required"]
    hosts: tuple[
        Annotated[str, StringConstraints(pattern=r"^([a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:]*:[0-9a-f:.]*)$")], ...
    ]
    proxies: tuple[IPvAnyAddress, ...]
    proxy_header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] | None
    poll_seconds: Annotated[float, Field(ge=0.1, le=3600)]
    requests_per_minute: Annotated[int, Field(ge=1)]
    max_body_kb: Annotated[int, Field(ge=16)]
    max_accounts: Annotated[int, Field(ge=1, le=10_000)]
    history_months: Annotated[int, Field(ge=1, le=120)]
    rescored_months: Annotated[int, Field(ge=0, le=60)]
    insight_quarters: Annotated[int, Field(ge=1, le=20)]
    pay_plans: tuple[Path, ...]
    mlflow_url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] | None

    @model_validator(mode="after")
    def _proxies_name_users(self) -> Self:
        if bool(self.proxies) != bool(self.proxy_header):
            raise ValueError("proxies and proxy_header go together: which proxies to trust, and in which header")
        return self
