"""How long what names someone is kept: what is older than `retention` says is removed, at the end of every publish."""

import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from features.forgetting.suppression import read_suppressed
from models.words import counted
from params import Params
from serving.access import audit
from serving.forgetting.exports import remove_export
from serving.forgetting.log_lines import forget_log
from serving.ledger.chain.named_files import remove_past_keeping
from serving.ledger.record import open_record
from serving.publication import publication_file
from serving.publication.on_record import NOT_TAKEN_OVER

DAY_SECONDS = 86_400
_PLURALS = {"file of account rows of revisions": "files of account rows of revisions"}


def apply_retention(params: Params, today: date) -> list[str]:
    """Remove what is older than the settings allow; gives a sentence for each kind of thing that was.

    Ids of the erased that someone asked for since are written over in the log, too.
    """
    rules, serving = params.retention, publication_file.folder_of(params.data_dir)
    log = serving / audit.FOLDER
    expired = {
        ("month of the audit log", rules.audit_days): list(_months(log, rules.audit_days, today)),
        ("snapshot", rules.superseded_snapshots_days): list(
            _superseded(params.data_dir / "snapshots", rules.superseded_snapshots_days)
        ),
        ("unread publication", rules.unread_publications_days): list(
            _older(serving / NOT_TAKEN_OVER, rules.unread_publications_days)
        ),
    }
    for files in expired.values():
        for file in files:
            file.unlink(missing_ok=True)
    links = list(_forecasts(params.data_dir / "forecasts", rules.forecasts_days, today))
    for link in links:
        remove_export(link)
    if suppressed := read_suppressed(params):
        forget_log(log, suppressed)
    with open_record(params) as record:
        revisions = remove_past_keeping(record, today, rules.revision_accounts_days)
    expired["exported forecast", rules.forecasts_days] = links
    counts = [(len(files), what, days) for (what, days), files in expired.items()]
    counts.append((revisions, "file of account rows of revisions", rules.revision_accounts_days))
    return [
        f"Removed {counted(count, what, _PLURALS.get(what, ''))}: older than {days} days, as `retention` says."
        for count, what, days in counts
        if count
    ]


def _months(log: Path, days: int | None, today: date) -> Iterator[Path]:
    """Months of the log whose last day is longer ago."""
    for file in log.glob("????-??.jsonl"):
        year, month = map(int, file.stem.split("-"))
        last_day = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        if days is not None and last_day < today - timedelta(days=days):
            yield file


def _superseded(snapshots: Path, days: int | None) -> Iterator[Path]:
    """Snapshots of dates that have a younger one, made longer ago."""
    by_date: dict[str, list[Path]] = defaultdict(list)
    for file in snapshots.glob("*/*.parquet"):
        by_date[file.name.partition(".")[0]].append(file)
    for files in by_date.values():
        *others, _ = sorted(files, key=lambda file: file.stat().st_mtime)
        yield from (file for file in others if _is_older(file, days))


def _older(folder: Path, days: int | None) -> Iterator[Path]:
    yield from (file for file in folder.glob("*") if _is_older(file, days))


def _is_older(file: Path, days: int | None) -> bool:
    return days is not None and file.stat().st_mtime < time.time() - days * DAY_SECONDS


def _forecasts(forecasts: Path, days: int | None, today: date) -> Iterator[Path]:
    """Exports of dates longer ago, but the newest."""
    for link in sorted(link for link in forecasts.glob("[0-9]*") if link.is_symlink())[:-1]:
        if days is not None and date.fromisoformat(link.name) < today - timedelta(days=days):
            yield link
