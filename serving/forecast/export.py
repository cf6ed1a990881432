"""Writing a forecast out: Parquet, CSV and XLSX in one folder that appears whole or not at all.

Every forecast is written to a folder of its own under `forecasts/.kept/`; then the link `forecasts/<as_of>` is
turned to it in one step. Whoever reads through the link sees the last whole forecast, whenever a run is killed.
"""

import functools
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

import pandas as pd

from features.tables import spreadsheet_text
from features.tables.spreadsheet_text import write_text
from serving.forecast.batch import Forecast
from serving.forecast.column import Kind, OutTable
from serving.forecast.output_tables import METRIC_OF, TABLES

KEPT = ".kept"
LATEST = "latest"
WORKBOOK = "forecast.xlsx"
DESCRIPTION = "forecast.json"
SUMS = "forecast.sha256"  # as `sha256sum -c` reads it
MOST_SHEET_ROWS = 1_000_000
_FORMATS = {
    Kind.MONEY: "#,##0.00",
    Kind.SHARE: "0.0%",
    Kind.NUMBER: "#,##0.0000",
    Kind.INTEGER: "0",
    Kind.DATE: "yyyy-mm-dd",
    Kind.TIME: "yyyy-mm-dd hh:mm:ss",
}


def publish(forecast: Forecast, forecasts: Path) -> Path:
    """Write a forecast under the folder `forecasts` and return the link to it, `forecasts/<as_of>`.

    The link `latest` follows if no forecast of a later date is there. A forecast of the same date that was there
    before is removed once the new one is whole.
    """
    earlier = forecasts / KEPT
    earlier.mkdir(parents=True, exist_ok=True)
    day = forecast.as_of.isoformat()
    folder = Path(tempfile.mkdtemp(prefix=f"{day}.{forecast.run_id}.", dir=earlier))
    write_files(forecast, folder)
    link = forecasts / day
    _turn(link, Path(KEPT) / folder.name)
    if _newest(forecasts) == forecast.as_of:
        _turn(forecasts / LATEST, Path(day))
    _clear(earlier, prefix=f"{day}.", keep=folder.name)
    return link


def write_files(forecast: Forecast, folder: Path) -> None:
    """Write all tables in all formats, a description of the run and the sums of all into an existing folder."""
    for name, frame in forecast.tables.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
        write_csv(TABLES[name], frame, folder / f"{name}.csv")
    write_workbook(forecast, folder / WORKBOOK)
    text = json.dumps(forecast.describe(), indent=1, sort_keys=True)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    lines = [f"{_sum_of(file.read_bytes())}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


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


def write_csv(table: OutTable, frame: pd.DataFrame, file: Path | IO[str]) -> None:
    """Write one table as CSV, its text so that no spreadsheet runs it."""
    text = frame.copy()
    for column in table:
        if column.kind is Kind.DATE:
            text[column.name] = frame[column.name].dt.strftime("%Y-%m-%d")
        elif column.kind is Kind.TIME:
            text[column.name] = frame[column.name].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    spreadsheet_text.write_csv(text, file)


def write_workbook(forecast: Forecast, file: Path) -> None:
    """Write all tables as one XLSX workbook, with a sheet of definitions first.

    Text is always written as text, so that none of it is run as a formula, and shows its control characters. A table
    longer than a sheet can hold is cut there, and the definitions say so.
    """
    import xlsxwriter

    with xlsxwriter.Workbook(str(file), {"strings_to_formulas": False, "strings_to_urls": False}) as workbook:
        workbook.set_properties({"created": forecast.made_at.replace(tzinfo=None), "title": "Holdfast forecast"})
        formats, header = _formats(workbook), workbook.add_format({"bold": True, "bottom": 1})
        _definitions_sheet(workbook.add_worksheet("definitions"), forecast, formats[Kind.TEXT], header)
        for name, frame in forecast.tables.items():
            _table_sheet(workbook.add_worksheet(name), TABLES[name], frame, formats, header)


def write_table(table: OutTable, frame: pd.DataFrame, file: IO[bytes], about: Mapping[str, str]) -> None:
    """Write one table as an XLSX workbook, with a sheet of what it is and what its columns mean first."""
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    with xlsxwriter.Workbook(file, options) as workbook:
        formats, header = _formats(workbook), workbook.add_format({"bold": True, "bottom": 1})
        rows = [(table.name, key, value) for key, value in about.items()]
        rows += [(table.name, column.name, column.description) for column in table]
        _rows_sheet(workbook.add_worksheet("definitions"), rows, formats[Kind.TEXT], header)
        _table_sheet(workbook.add_worksheet(table.name), table, frame, formats, header)


def _formats(workbook: Any) -> dict[Kind, Any]:
    """How each kind of value is shown."""
    formats = {kind: workbook.add_format({"num_format": code}) for kind, code in _FORMATS.items()}
    return formats | {Kind.TEXT: workbook.add_format(spreadsheet_text.QUOTED)}


def _definitions_sheet(sheet: Any, forecast: Forecast, text: Any, header: Any) -> None:
    rows = [("forecast", key, str(value)) for key, value in forecast.describe().items() if isinstance(value, str)]
    rows += [("forecast", "note", note) for note in forecast.notes]
    for name, frame in forecast.tables.items():
        if len(frame) > MOST_SHEET_ROWS:
            rows.append((name, "rows", f"only the first {MOST_SHEET_ROWS:,} of {len(frame):,}; the CSV holds all"))
        rows += [(name, column.name, column.description) for column in TABLES[name]]
    _rows_sheet(sheet, rows, text, header)


def _rows_sheet(sheet: Any, rows: list[tuple[str, str, str]], text: Any, header: Any) -> None:
    for column, (title, width) in enumerate((("table", 20), ("figure", 26), ("definition", 110))):
        sheet.set_column(column, column, width)
        write_text(sheet, 0, column, title, header)
    for row, cells in enumerate(rows, start=1):
        for column, cell in enumerate(cells):
            write_text(sheet, row, column, cell, text)
    sheet.freeze_panes(1, 0)


def _table_sheet(sheet: Any, table: OutTable, frame: pd.DataFrame, formats: Mapping[Kind, Any], header: Any) -> None:
    rows = frame.head(MOST_SHEET_ROWS)
    by_metric = [formats[_kind_of(metric)] for metric in rows["metric"]] if "metric" in table.names else None
    for position, column in enumerate(table):
        write_text(sheet, 0, position, column.name, header)
        sheet.set_column(position, position, _width(column.name, column.kind), formats[column.kind])
        of_rows = by_metric if column.kind is Kind.NUMBER else None
        _write_column(sheet, position, column.kind, rows[column.name], of_rows)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(len(rows), 1), len(table.columns) - 1)


def _kind_of(metric: str) -> Kind:
    """Of a metric that is not of the portfolio, such as a rival's probability: a share."""
    return METRIC_OF[metric].kind if metric in METRIC_OF else Kind.SHARE


def _write_column(sheet: Any, position: int, kind: Kind, values: "pd.Series[Any]", formats: list[Any] | None) -> None:
    """Write values, text as text; missing ones stay empty cells. `formats`: one a row, else the column's."""
    write = functools.partial(write_text, sheet) if kind is Kind.TEXT else sheet.write_number
    if kind in (Kind.DATE, Kind.TIME):
        values = _serial(values)
    present = values.notna().tolist()
    for row, value in enumerate(values.tolist()):
        if present[row]:
            write(row + 1, position, value, formats[row] if formats else None)


def _serial(times: "pd.Series[Any]") -> "pd.Series[float]":
    """Dates and times as a spreadsheet counts them: days since 1899-12-30."""
    since = times.dt.tz_localize(None) - pd.Timestamp("1899-12-30")
    return pd.Series(since / pd.Timedelta(days=1))


def _width(name: str, kind: Kind) -> int:
    if name in ("definition", "text"):
        return 60
    return max(len(name) + 3, {Kind.TIME: 20, Kind.TEXT: 16, Kind.MONEY: 16}.get(kind, 12))


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
