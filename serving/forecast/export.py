"""Writing a forecast out: Parquet, CSV or XLSX in one folder that appears whole or not at all.

Every forecast is written to a folder of its own under `forecasts/.kept/`; then the link `forecasts/<as_of>` is
turned to it in one step. Whoever reads through the link sees the last whole forecast, whenever a run is killed.
"""

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

import pandas as pd

from features.tables import spreadsheet_text
from serving.forecast.batch import Forecast
from serving.forecast.declared.column import Kind, OutTable
from serving.forecast.declared.output_tables import FORECAST_BRIDGE, TABLES
from serving.forecast.declared.team_tables import TEAM_TABLES
from serving.forecast.forecast_workbook import write_workbook

KEPT = ".kept"
LATEST = "latest"
WORKBOOK = "forecast.xlsx"
DESCRIPTION = "forecast.json"
SUMS = "forecast.sha256"  # as `sha256sum -c` reads it
FORMS = ("parquet", "csv", "xlsx")
BESIDE: Mapping[str, OutTable] = {**TEAM_TABLES, FORECAST_BRIDGE.name: FORECAST_BRIDGE}


def publish(
    forecast: Forecast,
    forecasts: Path,
    forms: Collection[str] = FORMS,
    names: Mapping[str, str] | None = None,
    beside: Mapping[str, pd.DataFrame] | None = None,
) -> Path:
    """Write a forecast under the folder `forecasts` and return the link to it, `forecasts/<as_of>`.

    `forms` says as what: some of `FORMS`. A workbook shows `names`, by account id, where they are given. `beside` are
    tables of `BESIDE` that go with it, as Parquet and CSV.

    The link `latest` follows if no forecast of a later date is there. A forecast of the same date that was there
    before is removed once the new one is whole.
    """
    earlier = forecasts / KEPT
    earlier.mkdir(parents=True, exist_ok=True)
    day = forecast.as_of.isoformat()
    folder = Path(tempfile.mkdtemp(prefix=f"{day}.{forecast.run_id}.", dir=earlier))
    write_files(forecast, folder, forms, names, beside)
    link = forecasts / day
    _turn(link, Path(KEPT) / folder.name)
    if _newest(forecasts) == forecast.as_of:
        _turn(forecasts / LATEST, Path(day))
    _clear(earlier, prefix=f"{day}.", keep=folder.name)
    return link


def write_files(
    forecast: Forecast,
    folder: Path,
    forms: Collection[str],
    names: Mapping[str, str] | None,
    beside: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """Write all tables in some forms, a description of the run and the sums of all into an existing folder."""
    declared = {**TABLES, **BESIDE}
    for name, frame in {**forecast.tables, **(beside or {})}.items():
        if "parquet" in forms:
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        if "csv" in forms:
            write_csv(declared[name], frame, folder / f"{name}.csv")
    if "xlsx" in forms:
        write_workbook(forecast, folder / WORKBOOK, names)
    text = json.dumps(forecast.describe(), indent=1, sort_keys=True)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    lines = [f"{_sum_of_file(file)}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def forms_of(folder: Path) -> tuple[str, ...]:
    """The forms in which the tables of a forecast lie in its folder."""
    return tuple(form for form in FORMS if any(folder.glob(f"*.{form}")))


def read_published(forecasts: Path, as_of: date) -> Forecast | None:
    """The forecast of a date that was published last.

    None if there is none, if a figure was declared since, or if a file is not the one that was written.
    """
    folder = (forecasts / as_of.isoformat()).resolve()
    contents = _whole(folder, [DESCRIPTION, *(f"{name}.parquet" for name in TABLES)])
    if contents is None:
        return None
    content: dict[str, Any] = json.loads(contents[DESCRIPTION])
    content |= {
        "as_of": date.fromisoformat(content["as_of"]),
        "made_at": datetime.fromisoformat(content["made_at"]),
        "notes": tuple(content["notes"]),
    }
    frames = {name: pd.read_parquet(io.BytesIO(contents[f"{name}.parquet"])) for name in TABLES}
    if any(set(TABLES[name].names) - set(frame.columns) for name, frame in frames.items()):
        return None
    return Forecast(**(content | frames))


def read_beside(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables that went with a forecast, by name: those that lie in its folder as they were written."""
    names = [name for name in BESIDE if (folder / f"{name}.parquet").exists()]
    contents = _whole(folder, [f"{name}.parquet" for name in names]) or {}
    return {name.removesuffix(".parquet"): pd.read_parquet(io.BytesIO(content)) for name, content in contents.items()}


def _whole(folder: Path, names: Iterable[str]) -> dict[str, bytes] | None:
    """The content of files of a forecast, by the sums beside them; None if one is missing, or not what was written."""
    try:
        sums = set((folder / SUMS).read_text(encoding="utf-8").splitlines())
        contents = {name: (folder / name).read_bytes() for name in names}
    except (OSError, UnicodeDecodeError):
        return None
    whole = all(f"{_sum_of(content)}  {name}" in sums for name, content in contents.items())
    return contents if whole else None


def _sum_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sum_of_file(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write_csv(table: OutTable, frame: pd.DataFrame, file: Path | IO[str]) -> None:
    """Write one table as CSV, its text so that no spreadsheet runs it."""
    text = frame.copy()
    for column in table:
        if column.kind is Kind.DATE:
            text[column.name] = frame[column.name].dt.strftime("%Y-%m-%d")
        elif column.kind is Kind.TIME:
            text[column.name] = frame[column.name].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    spreadsheet_text.write_csv(text, file)


def _turn(link: Path, target: Path) -> None:
    """Point `link` at `target` in one step."""
    fresh = link.with_name(f".{link.name}.tmp")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target, target_is_directory=True)
    fresh.replace(link)


def _newest(forecasts: Path) -> date:
    """The latest date a whole forecast is there for."""
    links = [entry.name for entry in forecasts.iterdir() if entry.is_symlink() and entry.name[:1].isdigit()]
    return max(date.fromisoformat(name) for name in links)


def _clear(folder: Path, *, prefix: str, keep: str) -> None:
    """Remove what earlier runs for the same date left, whole or not."""
    for entry in folder.iterdir():
        if entry.name.startswith(prefix) and entry.name != keep:
            shutil.rmtree(entry, ignore_errors=True)
