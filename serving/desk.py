"""What one worker has at hand: settings, what it answers from, who may ask, and where that is written down."""

import os
from pathlib import Path

from params import Params, load
from serving import metrics, store
from serving.access import Tokens
from serving.audit import Audit
from serving.following import Following
from serving.limits import RateLimit

SETTINGS = "HOLDFAST_SETTINGS"  # all settings as JSON, as `holdfast serve` hands them to its workers
PARAMS = "HOLDFAST_PARAMS"  # a settings file, for whoever starts the service by other means
OVERRIDES = "HOLDFAST_SET"  # key.path=value, one a line
FAILED_PER_MINUTE = 30


class Desk:
    """Everything that requests share in a worker; made without touching any file."""

    def __init__(self, params: Params) -> None:
        folder = store.folder_of(params.data_dir)
        self.params = params
        self.following = Following(params, self._told)
        self.tokens = Tokens(folder)
        self.audit = Audit(folder)
        self.limit = RateLimit(params.serving.requests_per_minute)
        self.failed = RateLimit(FAILED_PER_MINUTE)

    def _told(self, what: str) -> None:
        metrics.EVENTS.labels(what).inc()
        metrics.remember(self.following.state)


def settings() -> Params:
    """The settings a worker was started with.

    Raises
    ------
    SettingsError
        They cannot be used.
    """
    whole = os.environ.get(SETTINGS)
    if whole:
        return Params.model_validate_json(whole)
    file = os.environ.get(PARAMS)
    beside = Path("params.yaml")
    chosen = Path(file) if file else beside if beside.exists() else None
    return load(chosen, [line for line in os.environ.get(OVERRIDES, "").splitlines() if line])
