"""Publishing: whole or not at all, the same bytes twice, and nothing in it that a spreadsheet would run."""

import dataclasses
import hashlib
from datetime import date
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from serving.forecast.batch import Forecast
from serving.forecast.declared.column import Kind
from serving.forecast.declared.output_tables import FORECAST_BRIDGE, TABLES
from serving.forecast.export import forms_of, publish, read_beside, read_published

pytestmark = pytest.mark.usefixtures("costly")

DAY = date(2026, 1, 1)


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_every_table_is_written_in_every_form(small_forecast: Forecast, tmp_path: Path) -> None:
    folder = publish(small_forecast, tmp_path)
    expected = {f"{name}.{form}" for name in TABLES for form in ("parquet", "csv")}
    assert {file.name for file in folder.iterdir()} == expected | {"forecast.xlsx", "forecast.json", "forecast.sha256"}


def test_the_bridge_lies_beside_the_other_tables_and_reads_back(small_forecast: Forecast, tmp_path: Path) -> None:
    assert read_beside(publish(small_forecast, tmp_path)) == {}
    rows = small_forecast.account_forecast.query("horizon_months == 1").reset_index(drop=True)
    blank = {c.name: 0.5 for c in FORECAST_BRIDGE if c.name not in rows and c.kind is Kind.MONEY}
    days = {name: pd.Timestamp("2025-12-01") for name in ("from_as_of", "target")}
    bridge = FORECAST_BRIDGE.shape(rows.assign(**blank, **days, from_run_id="r0", reason="=2+5"))
    folder = publish(small_forecast, tmp_path, beside={"forecast_bridge": bridge})
    back = read_beside(folder)
    pd.testing.assert_frame_equal(FORECAST_BRIDGE.shape(back["forecast_bridge"]), bridge)
    assert "'=2+5" in (folder / "forecast_bridge.csv").read_text()
    assert read_published(tmp_path, DAY) is not None
    (folder / "forecast_bridge.parquet").write_bytes(b"other")
    assert read_beside(folder) == {}


def test_what_is_published_reads_back_as_it_was(small_forecast: Forecast, tmp_path: Path) -> None:
    publish(small_forecast, tmp_path)
    back = read_published(tmp_path, DAY)
    assert back is not None
    assert back.describe() == small_forecast.describe()
    for name, frame in small_forecast.tables.items():
        pd.testing.assert_frame_equal(TABLES[name].shape(back.tables[name]), frame)


def test_nothing_published_reads_as_none(tmp_path: Path) -> None:
    assert read_published(tmp_path, DAY) is None


def test_what_was_published_before_a_figure_was_declared_reads_as_none(
    small_forecast: Forecast, tmp_path: Path
) -> None:
    """It cannot stand for today's forecast, though its run id is the same."""
    file = publish(small_forecast, tmp_path) / "account_forecast.parquet"
    pd.read_parquet(file).drop(columns="arr_p10").to_parquet(file, index=False)
    assert read_published(tmp_path, DAY) is None


def test_the_same_forecast_gives_the_same_bytes(small_forecast: Forecast, tmp_path: Path) -> None:
    first = digests(publish(small_forecast, tmp_path / "a"))
    assert digests(publish(small_forecast, tmp_path / "b")) == first


def test_a_newer_forecast_of_the_date_takes_the_place_of_the_old_one(small_forecast: Forecast, tmp_path: Path) -> None:
    publish(small_forecast, tmp_path)
    folder = publish(dataclasses.replace(small_forecast, run_id="r2"), tmp_path)
    assert folder == tmp_path / "2026-01-01"
    back = read_published(tmp_path, DAY)
    assert back is not None
    assert back.run_id == "r2"
    assert len(list((tmp_path / ".kept").iterdir())) == 1


def test_a_run_that_dies_while_writing_leaves_the_last_good_forecast(
    small_forecast: Forecast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = publish(small_forecast, tmp_path)
    before = digests(folder)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("serving.forecast.export.write_workbook", die)
    with pytest.raises(KeyboardInterrupt):
        publish(dataclasses.replace(small_forecast, run_id="r2"), tmp_path)
    assert digests(folder) == before
    monkeypatch.undo()
    publish(small_forecast, tmp_path)
    assert len(list((tmp_path / ".kept").iterdir())) == 1, "what the dead run left is removed"


@pytest.mark.parametrize(
    ("days", "latest"),
    [
        ([date(2026, 1, 1), date(2026, 2, 1)], "2026-02-01"),
        ([date(2026, 2, 1), date(2026, 1, 1)], "2026-02-01"),
    ],
)
def test_latest_points_at_the_latest_date_whatever_the_order(
    small_forecast: Forecast, tmp_path: Path, days: list[date], latest: str
) -> None:
    for day in days:
        publish(dataclasses.replace(small_forecast, as_of=day), tmp_path)
    assert (tmp_path / "latest").resolve() == (tmp_path / latest).resolve()


@pytest.mark.parametrize("name", ["forecast.json", "account_forecast.parquet"])
def test_a_forecast_whose_files_are_not_what_was_written_is_none(
    small_forecast: Forecast, tmp_path: Path, name: str
) -> None:
    """A figure that was changed in place would else be read as if it had been forecast."""
    file = publish(small_forecast, tmp_path) / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert read_published(tmp_path, DAY) is None


def test_a_forecast_without_sums_is_none(small_forecast: Forecast, tmp_path: Path) -> None:
    """As one of an older version, which is worked out anew."""
    (publish(small_forecast, tmp_path) / "forecast.sha256").unlink()
    assert read_published(tmp_path, DAY) is None


def test_csv_holds_guarded_text_plain_numbers_and_iso_dates(small_forecast: Forecast, tmp_path: Path) -> None:
    folder = publish(small_forecast, tmp_path)
    accounts = pd.read_csv(folder / "account_forecast.csv", dtype=str, keep_default_na=False)
    assert accounts["account_id"].tolist() == ["'=2+5", "'=2+5", "b", "b"]
    assert accounts["renews_on"].tolist() == ["2026-03-01", "2026-03-01", "", ""]
    assert accounts["made_at"].unique().tolist() == ["2026-01-02T03:04:05Z"]
    drivers = pd.read_csv(folder / "account_driver.csv", dtype=str)
    assert set(drivers["value"]) == {"-3.5", "'@risk"}


def test_the_workbook_holds_values_formats_and_definitions(small_forecast: Forecast, tmp_path: Path) -> None:
    folder = publish(small_forecast, tmp_path)
    book = openpyxl.load_workbook(folder / "forecast.xlsx")
    assert book.sheetnames == ["summary", "definitions", *TABLES]
    sheet = book["account_forecast"]
    names = [cell.value for cell in sheet[1]]
    assert tuple(names) == TABLES["account_forecast"].names
    first = dict(zip(names, sheet[2], strict=True))
    assert (first["account_id"].value, first["account_id"].data_type) == ("=2+5", "s")
    assert first["churn_probability"].number_format == "0.0%"
    assert first["renews_on"].value.date() == date(2026, 3, 1)
    assert dict(zip(names, sheet[4], strict=True))["renews_on"].value is None
    said = {(row[0].value, row[1].value): row[2].value for row in book["definitions"].iter_rows(min_row=2)}
    assert said["forecast", "definition"] == "NRR = ..."
    assert "arr x churn_probability" in said["account_forecast", "arr_at_risk"]


def test_the_workbook_shows_ratios_as_percent_and_amounts_as_money(small_forecast: Forecast, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(publish(small_forecast, tmp_path) / "forecast.xlsx")
    sheet = book["nrr_forecast"]
    names = [cell.value for cell in sheet[1]]
    formats = {
        row[names.index("metric")].value: row[names.index("p10")].number_format for row in sheet.iter_rows(min_row=2)
    }
    assert formats["nrr"] == "0.0%"
    assert formats["ending_arr"] == "#,##0.00"


def test_only_the_forms_asked_for_are_written(small_forecast: Forecast, tmp_path: Path) -> None:
    folder = publish(small_forecast, tmp_path, ("csv",))
    assert {file.suffix for file in folder.iterdir()} == {".csv", ".json", ".sha256"}
    assert forms_of(folder) == ("csv",)


def test_the_workbook_begins_with_a_summary_of_the_portfolio(small_forecast: Forecast, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(publish(small_forecast, tmp_path) / "forecast.xlsx")
    rows = list(book["summary"].iter_rows())
    assert [cell.value for cell in rows[0][1:4]] == ["2 months: mean", "2 months: p10", "2 months: p90"]
    nrr = next(row for row in rows if row[0].value == "NRR")
    assert [cell.value for cell in nrr[1:4]] == [1.0, 0.85, 1.1]
    assert nrr[1].number_format == "0.0%"


def test_the_workbook_shows_the_names_of_accounts(small_forecast: Forecast, tmp_path: Path) -> None:
    folder = publish(small_forecast, tmp_path, ("xlsx",), {"=2+5": "=Oak", "b": "Birch"})
    book = openpyxl.load_workbook(folder / "forecast.xlsx")
    for name in ("account_forecast", "account_driver"):
        head, first, *_, last = book[name].iter_rows()
        place = [cell.value for cell in head].index("name")
        assert (first[place].value, first[place].data_type, last[place].value) == ("=Oak", "s", "Birch")
    assert "name" not in [cell.value for cell in book["nrr_forecast"][1]]


def test_a_table_longer_than_a_sheet_goes_on_in_the_next(
    small_forecast: Forecast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row is cut off, and the definitions say where the rest is."""
    monkeypatch.setattr("serving.forecast.forecast_workbook.MOST_SHEET_ROWS", 3)
    book = openpyxl.load_workbook(publish(small_forecast, tmp_path) / "forecast.xlsx")
    ids = [cell.value for name in ("account_forecast", "account_forecast 2") for cell in book[name]["A"][1:]]
    assert ids == small_forecast.account_forecast["account_id"].tolist()
    notes = {(row[0].value, row[1].value): row[2].value for row in book["definitions"].iter_rows(min_row=2)}
    assert notes["account_forecast", "sheets"] == "4 rows go on over 2 sheets, which hold all of them"
