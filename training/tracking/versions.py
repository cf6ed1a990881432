"""The versions of a model, each with its record: how it, or another of the same recipe, did out of time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from params import Params
from training.tracking.champion import ALIAS
from training.tracking.records.reading import Records, StoredRun, StoredVersion, open_records
from training.tracking.store import is_there

RECORDS = ("backtest", "contest")  # names of the runs that hold a recipe's record
_LOG_LOSS = re.compile(r"churn_(\d+)m_log_loss")
_NEWEST = 200  # runs looked through for records


@dataclass(frozen=True)
class VersionRecord:
    """How a version, or another one of the same recipe, did out of time; NaN becomes None.

    `tested_by` says what it comes from: the newest backtest or contest of the same recipe by the same code, else the
    test at training.
    Figures are those of the longest horizon tested: log-loss and AUC of churn, CRPS of NRR in points, and the share of
    origins inside the 80 % interval.
    """

    tested_by: str
    tested_on: str
    horizon_months: int | None = None
    log_loss: float | None = None
    auc: float | None = None
    nrr_crps: float | None = None
    coverage_80: float | None = None


@dataclass(frozen=True)
class Version:
    """A row of `holdfast models`."""

    version: str
    aliases: tuple[str, ...]
    as_of: str
    recipe: str
    promotion: str
    record: VersionRecord = field(default_factory=lambda: VersionRecord("", ""))

    def to_json(self) -> dict[str, Any]:
        """The version as plain values."""
        return asdict(self)


def versions_of(params: Params) -> list[Version]:
    """All versions of the model, the newest first, each with its record.

    Raises
    ------
    StoreUnreachable
        The tracking store does not answer.
    """
    if not is_there(params):
        return []
    with open_records(params) as records:
        versions = sorted(records.versions(params.model.name), key=lambda item: -int(item.version))
        if not versions:
            return []
        aliases = records.aliases(params.model.name)
        evaluations = _evaluations(records, params)
        return [_version(records.run(item.run_id), item, aliases, evaluations) for item in versions]


def in_charge_of(versions: Sequence[Version]) -> Version | None:
    """The one in charge; None where none is."""
    return next((version for version in versions if ALIAS in version.aliases), None)


def _evaluations(records: Records, params: Params) -> dict[tuple[str, str], StoredRun]:
    """The newest finished backtest or contest of each recipe and code."""
    evaluations: dict[tuple[str, str], StoredRun] = {}
    for run in records.newest_runs(params.tracking.experiment, most=_NEWEST):
        if run.name in RECORDS and "recipe" in run.tags:
            evaluations.setdefault(_method(run.tags), run)
    return evaluations


def _method(tags: Mapping[str, str]) -> tuple[str, str]:
    """The recipe and the code of a run or a version."""
    return tags.get("recipe", ""), tags.get("code", "")


def _version(
    run: StoredRun,
    item: StoredVersion,
    aliases: Mapping[str, str],
    evaluations: Mapping[tuple[str, str], StoredRun],
) -> Version:
    tested = evaluations.get(_method(item.tags), run)
    return Version(
        version=item.version,
        aliases=tuple(sorted(alias for alias, version in aliases.items() if version == item.version)),
        as_of=run.tags.get("as_of", ""),
        recipe=item.tags.get("recipe", ""),
        promotion=item.tags.get("promotion", ""),
        record=_record(tested, "training" if tested is run else tested.name),
    )


def _record(run: StoredRun, tested_by: str) -> VersionRecord:
    metrics = run.metrics
    tested = [int(name.group(1)) for name in map(_LOG_LOSS.fullmatch, metrics) if name]
    if not tested:
        return VersionRecord("", "")
    longest = max(tested)
    return VersionRecord(
        tested_by=tested_by,
        tested_on=datetime.fromtimestamp(run.started_ms / 1000, tz=UTC).date().isoformat(),
        horizon_months=longest,
        log_loss=metrics.get(f"churn_{longest}m_log_loss"),
        auc=metrics.get(f"churn_{longest}m_auc"),
        nrr_crps=metrics.get(f"nrr_{longest}m_model_crps"),
        coverage_80=metrics.get(f"nrr_{longest}m_coverage_80"),
    )
