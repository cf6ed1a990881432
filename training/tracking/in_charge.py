"""Putting a version in charge by hand: the one before, or any other that can be read."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from params import Params
from training.tracking.champion import ALIAS, champion_of, version_in_charge
from training.tracking.errors import NoModel
from training.tracking.store import Store, is_there, open_store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

TOOK_OVER = "took_over_from"  # the version that was in charge before, as a tag of the one that took over
WITHDRAWN = "withdrawn_on"
LEDGER_HEAD = "ledger_head"  # hash of the record's last entry once a forecast by the version was on it


class CannotPutInCharge(NoModel):
    """There is no such version, or none that can be read; the one in charge stays."""


def took_over_from(params: Params) -> str:
    """The version that the one in charge took over from; empty where there is none on record.

    Raises
    ------
    StoreUnreachable
        The tracking store does not answer.
    """
    if not is_there(params):
        return ""
    with open_store(params) as store:
        current = version_in_charge(store, params)
        return str(current.tags.get(TOOK_OVER, "")) if current else ""


def note_ledger_head(params: Params, version: str, head: str) -> None:
    """Tag a version with the head of the record, as one more place where it is kept.

    Raises
    ------
    StoreUnreachable
        The tracking store does not answer.
    """
    with open_store(params) as store:
        store.client.set_model_version_tag(params.model.name, version, LEDGER_HEAD, head)


def put_in_charge(params: Params, version: str = "", *, by: str = "by hand") -> tuple[str, str]:
    """Put a version in charge; whoever forecasts or serves follows by itself.

    It is loaded first, and must be whole and of today's format.

    Parameters
    ----------
    version
        Which; empty for the one that was in charge before.
    by
        Who does, for the version's record: by hand, or by the watch and why.

    Returns
    -------
    tuple
        The version that was in charge, and the one that is.

    Raises
    ------
    CannotPutInCharge
        It is in charge already, there is none, or it cannot be read.
    StoreUnreachable
        The tracking store does not answer.
    """
    if not is_there(params):
        raise CannotPutInCharge("No version is registered yet: run `holdfast train`.")
    with open_store(params) as store:
        current = version_in_charge(store, params)
        chosen = _found(store, params, version or _before(current))
        before = str(current.version) if current else ""
        if str(chosen.version) == before:
            raise CannotPutInCharge(f"Version {before} is in charge already.")
        _require_readable(store, chosen, params)
        _move(store, params, current, chosen, is_rollback=not version, by=by)
    return before, str(chosen.version)


def _before(current: "ModelVersion | None") -> str:
    """The version that one took over from."""
    before = current.tags.get(TOOK_OVER, "") if current else ""
    if not before:
        raise CannotPutInCharge(
            "It is not on record which version was in charge before. `holdfast models` lists them; name one: "
            "`holdfast models --in-charge VERSION`."
        )
    return str(before)


def _found(store: Store, params: Params, version: str) -> "ModelVersion":
    from mlflow.exceptions import MlflowException

    try:
        return store.client.get_model_version(params.model.name, version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise CannotPutInCharge(
                f"There is no version {version} of {params.model.name}. `holdfast models` lists them."
            ) from None
        raise


def _require_readable(store: Store, chosen: "ModelVersion", params: Params) -> None:
    try:
        champion_of(store, chosen, params)
    except NoModel as error:
        why = getattr(error, "why", str(error))
        raise CannotPutInCharge(
            f"Version {chosen.version} cannot be put in charge, and what was in charge stays: {why}"
        ) from None


def _move(
    store: Store, params: Params, current: "ModelVersion | None", chosen: "ModelVersion", *, is_rollback: bool, by: str
) -> None:
    """Move the alias last, in one step. Going back leaves the chain of who took over from whom as it was."""
    client, name, day = store.client, params.model.name, datetime.now(tz=UTC).date().isoformat()
    before = str(current.version) if current else ""
    what = f"put in charge {by} on {day}" + (f" in place of version {before}" if before else "")
    client.set_model_version_tag(name, str(chosen.version), "promotion", what)
    if before and is_rollback:
        client.set_model_version_tag(name, before, WITHDRAWN, day)
    elif before:
        client.set_model_version_tag(name, str(chosen.version), TOOK_OVER, before)
    client.set_registered_model_alias(name, ALIAS, str(chosen.version))
