"""The settings of a worker, from the environment that whoever started it gave it."""

import os
from pathlib import Path

from params import Params, load

SETTINGS = "HOLDFAST_SETTINGS"  # all settings as JSON, as `holdfast serve` hands them to its workers
PARAMS = "HOLDFAST_PARAMS"  # a settings file, for whoever starts the service by other means
OVERRIDES = "HOLDFAST_SET"  # key.path=value, one a line
ADDRESS = "HOLDFAST_ADDRESS"  # a file with the address, for the first worker that answers there to say so


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
