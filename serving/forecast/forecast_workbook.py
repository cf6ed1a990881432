"""Tables as XLSX workbooks, written row by row as they are read: memory does not grow with their length.

Text is always written as text, so that none of it is run as a formula, and shows its control characters.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from features.tables import spreadsheet_text
from features.tables.spreadsheet_text import write_text
from models.words import counted
from serving.forecast.batch import Forecast
from serving.forecast.declared.column import Kind, OutTable
from serving.forecast.declared.output_tables import ACCOUNT_ID, INTERVAL, METRIC_OF, METRICS, TABLES, horizons_shown

MOST_SHEET_ROWS = 1_000_000  # of the 1,048,576 that a sheet can hold
_NAME = "name"
_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False}
_FORMATS = {
    Kind.MONEY: "#,##0.00",
    Kind.SHARE: "0.0%",
    Kind.NUMBER: "#,##0.0000",
    Kind.INTEGER: "0",
    Kind.DATE: "yyyy-mm-dd",
    Kind.TIME: "yyyy-mm-dd hh:mm:ss",
}


def write_workbook(forecast: Forecast, file: Path, names: Mapping[str, str] | None = None) -> None:
    """Write a forecast as one workbook: a summary, the definitions, and a sheet a table.

    A table longer than a sheet goes on in further sheets, and the definitions say so. With `names`, by account id, the
    tables of accounts show them.
    """
    import xlsxwriter

    with xlsxwriter.Workbook(str(file), {**_OPTIONS, "constant_memory": True}) as workbook:
        workbook.set_properties({"created": forecast.made_at.replace(tzinfo=None), "title": "Holdfast forecast"})
        formats, header = _formats(workbook), workbook.add_format({"bold": True, "bottom": 1})
        _summary_sheet(workbook.add_worksheet("summary"), forecast, formats, header)
        _rows_sheet(workbook.add_worksheet("definitions"), _definitions(forecast), formats[Kind.TEXT], header)
        for name, frame in forecast.tables.items():
            _table_sheets(workbook, TABLES[name], frame, formats, header, names)


def write_table(table: OutTable, frame: pd.DataFrame, file: IO[bytes], about: Mapping[str, str]) -> None:
    """Write one table as an XLSX workbook, with a sheet of what it is and what its columns mean first."""
    write_sheets([(table, frame)], file, about)


def write_sheets(tables: Sequence[tuple[OutTable, pd.DataFrame]], file: IO[bytes], about: Mapping[str, str]) -> None:
    """Write tables as an XLSX workbook, with a sheet of what they are and what their columns mean first."""
    import xlsxwriter

    with xlsxwriter.Workbook(file, {**_OPTIONS, "in_memory": True}) as workbook:
        formats, header = _formats(workbook), workbook.add_format({"bold": True, "bottom": 1})
        rows = [(tables[0][0].name, key, value) for key, value in about.items()]
        rows += [(table.name, column.name, column.description) for table, _ in tables for column in table]
        _rows_sheet(workbook.add_worksheet("definitions"), rows, formats[Kind.TEXT], header)
        for table, frame in tables:
            _table_sheets(workbook, table, frame, formats, header)


def _formats(workbook: Any) -> dict[Kind, Any]:
    """How each kind of value is shown."""
    formats = {kind: workbook.add_format({"num_format": code}) for kind, code in _FORMATS.items()}
    return formats | {Kind.TEXT: workbook.add_format(spreadsheet_text.QUOTED)}


def _summary_sheet(sheet: Any, forecast: Forecast, formats: Mapping[Kind, Any], header: Any) -> None:
    """The portfolio's figures at a few horizons: mean and 80 % interval."""
    nrr = forecast.nrr_forecast
    total = nrr[nrr["cut"] == "total"].set_index(["metric", "horizon_months"])
    horizons = horizons_shown(int(nrr["horizon_months"].max()))
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 3 * len(horizons), 16)
    heads = [f"{counted(months, 'month')}: {part}" for months in horizons for part in ("mean", "p10", "p90")]
    for column, title in enumerate([f"As of {forecast.as_of}, in {forecast.currency}", *heads]):
        write_text(sheet, 0, column, title, header)
    figures = [metric for metric in METRICS if metric.name in total.index.get_level_values(0)]
    for row, metric in enumerate(figures, start=1):
        write_text(sheet, row, 0, metric.title, formats[Kind.TEXT])
        of_metric = total.loc[metric.name]
        values = of_metric.reindex(horizons)[["mean", *INTERVAL[:2]]].to_numpy(dtype=float).ravel()
        for column, value in enumerate(values.tolist(), start=1):
            if not np.isnan(value):
                sheet.write_number(row, column, value, formats[metric.kind])
    notes = [forecast.red_flag, *forecast.notes] if forecast.red_flag else forecast.notes
    for row, note in enumerate(notes, start=len(figures) + 2):
        write_text(sheet, row, 0, note)


def _definitions(forecast: Forecast) -> list[tuple[str, str, str]]:
    """Table, figure and meaning of everything in the workbook."""
    rows = [("forecast", key, str(value)) for key, value in forecast.describe().items() if isinstance(value, str)]
    rows += [("forecast", "note", note) for note in forecast.notes]
    for name, frame in forecast.tables.items():
        if (sheets := len(_sheet_rows(frame))) > 1:
            rows.append((name, "sheets", f"{len(frame):,} rows go on over {sheets} sheets, which hold all of them"))
        rows += [(name, column.name, column.description) for column in TABLES[name]]
    return rows


def _rows_sheet(sheet: Any, rows: list[tuple[str, str, str]], text: Any, header: Any) -> None:
    for column, (title, width) in enumerate((("table", 20), ("figure", 26), ("definition", 110))):
        sheet.set_column(column, column, width)
        write_text(sheet, 0, column, title, header)
    for row, cells in enumerate(rows, start=1):
        for column, cell in enumerate(cells):
            write_text(sheet, row, column, cell, text)
    sheet.freeze_panes(1, 0)


def _sheet_rows(frame: pd.DataFrame) -> list[slice]:
    """The rows of each sheet that a table takes."""
    starts = range(0, max(len(frame), 1), MOST_SHEET_ROWS)
    return [slice(start, min(start + MOST_SHEET_ROWS, len(frame))) for start in starts]


def _table_sheets(
    workbook: Any,
    table: OutTable,
    frame: pd.DataFrame,
    formats: Mapping[Kind, Any],
    header: Any,
    names: Mapping[str, str] | None = None,
) -> None:
    for number, rows in enumerate(_sheet_rows(frame), start=1):
        sheet = workbook.add_worksheet(table.name if number == 1 else f"{table.name} {number}")
        _table_sheet(sheet, table, frame.iloc[rows], formats, header, names)


def _table_sheet(
    sheet: Any,
    table: OutTable,
    rows: pd.DataFrame,
    formats: Mapping[Kind, Any],
    header: Any,
    names: Mapping[str, str] | None,
) -> None:
    kinds = {column.name: column.kind for column in table}
    if names is not None and ACCOUNT_ID.name in kinds:
        rows = rows.assign(**{_NAME: rows[ACCOUNT_ID.name].map(names).astype("str")})
        kinds = {ACCOUNT_ID.name: Kind.TEXT, _NAME: Kind.TEXT} | kinds
    for position, (name, kind) in enumerate(kinds.items()):
        write_text(sheet, 0, position, name, header)
        sheet.set_column(position, position, _width(name, kind), formats[kind])
    of_metric = {metric: formats[figure.kind] for metric, figure in METRIC_OF.items()}
    by_metric = [of_metric.get(metric, formats[Kind.SHARE]) for metric in rows["metric"]] if "metric" in kinds else None
    number_places = [place for place, kind in enumerate(kinds.values()) if kind is Kind.NUMBER]
    texts = [kind is Kind.TEXT for kind in kinds.values()]
    for row, cells in enumerate(_cells(rows, kinds), start=1):
        styles = dict.fromkeys(number_places, by_metric[row - 1]) if by_metric else {}
        for place, (cell, is_text) in enumerate(zip(cells, texts, strict=True)):
            if cell is None:
                continue
            if is_text:
                write_text(sheet, row, place, cell)
            else:
                sheet.write_number(row, place, cell, styles.get(place))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(len(rows), 1), len(kinds) - 1)


def _cells(rows: pd.DataFrame, kinds: Mapping[str, Kind]) -> Iterator[tuple[Any, ...]]:
    """The cells of each row, as a spreadsheet takes them; None where there is no value."""
    columns = []
    for name, kind in kinds.items():
        values = _serial(rows[name]) if kind in (Kind.DATE, Kind.TIME) else rows[name]
        columns.append(values.astype(object).where(values.notna(), None).tolist())
    return zip(*columns, strict=True)


def _serial(times: "pd.Series[Any]") -> "pd.Series[float]":
    """Dates and times as a spreadsheet counts them: days since 1899-12-30."""
    since = times.dt.tz_localize(None) - pd.Timestamp("1899-12-30")
    return pd.Series(since / pd.Timedelta(days=1))


def _width(name: str, kind: Kind) -> int:
    if name in ("definition", "text"):
        return 60
    return max(len(name) + 3, {Kind.TIME: 20, Kind.TEXT: 16, Kind.MONEY: 16}.get(kind, 12))
