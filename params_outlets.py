"""Where things are sent, as settings: addresses and secrets are named by the environment variables that hold them."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from params_team import Section

EVENTS = ("forecast.published", "run.failed")
Event = Literal["forecast.published", "run.failed"]
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
