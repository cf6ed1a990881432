"""What the watch found on the last night, beside the publications: for metrics, whoever asks."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.tables.whole_file import write_whole

FILE = "last-watch.json"


def note_watch(folder: Path, content: Mapping[str, Any]) -> None:
    """Write down what the watch found, in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FILE, json.dumps(content).encode())


def last_watch(folder: Path) -> dict[str, Any]:
    """What it found last; empty where there is nothing that can be read."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
