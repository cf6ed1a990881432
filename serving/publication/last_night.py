"""How the last nightly run ended, beside the publications: what the pages say when it did not end well."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from features.tables.whole_file import write_whole

FILE = "last-night.json"
RUNNING, DONE, FAILED = "running", "done", "failed"
DELIVER = "deliver"  # the step after publishing
HANGS_AFTER = timedelta(hours=12)  # one that still runs then was killed


@dataclass(frozen=True)
class LastNight:
    """The nightly run that began last: as of when, how it ended, and at which step if it failed."""

    as_of: str
    began_at: str
    status: str
    step: str = ""

    def has_failed(self, now: datetime) -> bool:
        """Whether it failed, or was killed and never ended."""
        hangs = self.status == RUNNING and now - datetime.fromisoformat(self.began_at) > HANGS_AFTER
        return self.status == FAILED or hangs

    def warning(self, now: datetime) -> str:
        """A sentence for whoever reads the figures; empty where nothing is wrong."""
        if not self.has_failed(now):
            return ""
        where = f" at the step “{self.step}”" if self.step else ""
        # messages go out last: what is shown was published by that night itself
        own, last = "The figures are its own.", "These are the figures of the last one that did."
        figures = own if self.step == DELIVER else last
        return f"The nightly run as of {self.as_of} did not finish{where}, begun on {self.began_at[:10]}. {figures}"


def note(folder: Path, night: LastNight) -> None:
    """Write down how a night stands, in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FILE, json.dumps(asdict(night)).encode())


def last_night(folder: Path) -> LastNight | None:
    """The last night noted; None if there is none that can be read."""
    try:
        return LastNight(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def warning_in(folder: Path) -> str:
    """What to say of the last night, now."""
    night = last_night(folder)
    return night.warning(datetime.now(tz=UTC)) if night else ""
