"""Files as spreadsheets, data frames and databases leave them: read, or refused with a message that says what to do."""

import json
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from features.tables.problems import BadInput

LINES = "contract_id,account_id,starts_on,mrr"
NAMES = "account_id,name / a,Zoë / b,Blåbær"


def refused(source: Any, *settings: str, **tables: dict[str, Any]) -> list[str]:
    with pytest.raises(BadInput) as caught:
        source.load(*settings, **tables)
    assert not source.data_dir.exists()
    return [str(problem) for problem in caught.value.problems]


def warned(source: Any, *settings: str, **tables: dict[str, Any]) -> list[str]:
    return [str(warning) for warning in source.load(*settings, **tables).report.warnings]


def written(source: Any, name: str, content: bytes) -> None:
    (source.folder / name).write_bytes(content)


def sheets(file: Path, **tables: list[list[Any]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in tables.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(file)


NAN = float("nan")
FRAMES: dict[str, dict[str, list[Any]]] = {  # data frames with NaN where there is no value
    "contracts": {
        "contract_id": ["1", "2"],
        "account_id": ["a", "b"],
        "starts_on": [date(2024, 1, 1)] * 2,
        "mrr": [1.0, 2.0],
        "list_mrr": [NAN, 5.0],
        "seats": [3.0, NAN],
        "product": [NAN, 7.5],
    },
    "usage": {
        "account_id": ["a", "b"],
        "used_on": [date(2024, 4, 1)] * 2,
        "quantity": [NAN, 2.0],
        "user_id": [NAN, 8.5],
    },
    "accounts": {"account_id": ["a", "b"], "technical_fit": [0.5, NAN], "acquisition_cost": [NAN, 4.0]},
}
STORED = {
    "contracts": [("1", "a", "1.000000", None, "3", None), ("2", "b", "2.000000", "5.000000", None, "7.5")],
    "usage": [("a", None, None), ("b", "2.0", "8.5")],
    "accounts": [("a", "0.5", None), ("b", None, "4.000000")],
}
COLUMNS = {
    "contracts": ("contract_id", "account_id", "mrr", "list_mrr", "seats", "product"),
    "usage": ("account_id", "quantity", "user_id"),
    "accounts": ("account_id", "technical_fit", "acquisition_cost"),
}


def from_files(source: Any, table: str) -> dict[str, Any]:
    (source.folder / f"{table}.csv").unlink(missing_ok=True)
    pd.DataFrame(FRAMES[table]).to_parquet(source.folder / f"{table}.parquet", index=False)
    return {}


def from_a_query(source: Any, table: str) -> dict[str, Any]:
    from_files(source, table)
    return {table: {"query": f"SELECT * FROM '{{path}}/{table}.parquet'"}}


def from_csv(source: Any, table: str) -> dict[str, Any]:
    pd.DataFrame(FRAMES[table]).to_csv(source.folder / f"{table}.csv", index=False, na_rep="NaN")
    return {}


@pytest.mark.parametrize("way", [from_files, from_a_query, from_csv])
@pytest.mark.parametrize("table", FRAMES)
def test_nan_is_no_value_in_any_column(source: Any, table: str, way: Any) -> None:
    """Statistics of Parquet know no NaN, and DuckDB folds the test for it away."""
    source.load("forecast.cuts=[]", **way(source, table))
    shown = ", ".join(f"{name}::VARCHAR" for name in COLUMNS[table])
    assert source.rows(f"SELECT {shown} FROM {table}") == STORED[table]


def test_nan_in_a_database_is_no_value(source: Any, tmp_path: Path) -> None:
    database = tmp_path / "crm.duckdb"
    with duckdb.connect(str(database)) as connection:
        for table in FRAMES:
            from_files(source, table)
            file = source.folder / f"{table}.parquet"
            connection.execute(f"CREATE TABLE {table} AS FROM read_parquet('{file}', can_have_nan = true)")
    source.load("source.kind=duckdb", f"source.path={database}", "forecast.cuts=[]")
    for table, rows in STORED.items():
        shown = ", ".join(f"{name}::VARCHAR" for name in COLUMNS[table])
        assert source.rows(f"SELECT {shown} FROM {table}") == rows


def test_nan_where_a_value_is_required_is_one_error(source: Any) -> None:
    lines = pd.DataFrame({name: FRAMES["contracts"][name] for name in LINES.split(",")} | {"mrr": [1.0, NAN]})
    (source.folder / "contracts.csv").unlink()
    lines.to_parquet(source.folder / "contracts.parquet", index=False)
    (problem,) = refused(source)
    assert problem.startswith("contracts.mrr: 1 of 2 rows without a value (")


def test_a_month_whose_rate_is_nan_is_as_good_as_not_there(source: Any) -> None:
    months = [date(2024, 1, 1), date(2024, 2, 1)]
    rates = pd.DataFrame({"month": months, "currency": ["EUR"] * 2, "rate": [1.1, NAN]})
    rates.to_parquet(source.folder / "fx_rates.parquet", index=False)
    source.load()
    assert source.rows("SELECT month, rate FROM fx_rates") == [(date(2024, 1, 1), 1.1)]


NOTHING = "account_id,segment,region / a,NULL,nan / b,N/A,None"


def test_texts_for_nothing_are_empty_and_told(source: Any) -> None:
    source.write("accounts", NOTHING)
    source.write("contracts", f"{LINES},product,ends_on / 1,a,2024-01-01,5,#N/A,NaT / 2,b,2024-01-01,5,null,NULL")
    warnings = warned(source)
    assert source.rows("FROM accounts") == [("a", None, None), ("b", None, None)]
    assert source.rows("SELECT product, ends_on FROM contracts") == [(None, None)] * 2
    told = "holds 4 cells of segment, region that say NULL, N/A or the like. They are read as empty;"
    assert [warning for warning in warnings if told in warning]


def test_which_texts_are_nothing_is_a_setting(source: Any) -> None:
    source.write("accounts", f"{NOTHING} / c,-,Null")
    source.write("contracts", f"{LINES} / 1,a,2024-01-01,5 / 2,b,2024-01-01,5 / 3,c,2024-01-01,5")
    source.load('source.null_texts=["-"]')
    assert source.rows("FROM accounts") == [("a", "NULL", "nan"), ("b", "N/A", "None"), ("c", None, "Null")]
    source.load("source.null_texts=[]")
    assert source.rows("SELECT segment FROM accounts") == [("NULL",), ("N/A",), ("-",)]


def test_names_that_only_resemble_nothing_are_kept(source: Any) -> None:
    source.write("accounts", "account_id,csm,region / a,Nan,NA / b,Null,Nat")
    source.load("forecast.cuts=[csm]")
    assert source.rows("SELECT csm, region FROM accounts") == [("Nan", "NA"), ("Null", "Nat")]


ALIKE = [  # an id of contracts that only looks like that of accounts, and how the two are told apart
    ("Cafe\u0301", "Café", "Cafe\\u0301 in NFD for Caf\\xe9 in NFC"),
    ("a\u200b", "a", "a\\u200b for a"),
    ("a\u00a0b", "a b", "a\\xa0b for a b"),
]


@pytest.mark.parametrize(("own", "twin", "told"), ALIKE)
def test_ids_that_only_look_the_same_are_told_apart(source: Any, own: str, twin: str, told: str) -> None:
    source.write("accounts", f"account_id / {twin} / b")
    source.write("contracts", f"{LINES} / 1,{own},2024-01-01,5 / 2,b,2024-01-01,5 / 3,zz,2024-01-01,5")
    alike, lacking = refused(source, "forecast.cuts=[]")
    assert alike.startswith("contracts.account_id: 1 of 3 rows with an id that only looks like one of accounts")
    assert f"({told})" in alike
    assert lacking.startswith("contracts.account_id: 1 of 3 rows of an account that accounts lacks (zz)")


def test_accounts_that_look_the_same_are_named(source: Any) -> None:
    source.write("accounts", "account_id / a / b / b\u200b")
    (warning,) = [text for text in warned(source, "forecast.cuts=[]") if "looks like" in text]
    assert warning.startswith("accounts.account_id: 1 of 3 rows with an id that looks like another account's")
    assert "(b\\u200b for b). They count as two accounts" in warning


HEADERS = [  # a file of accounts, and what is told of it
    ('"account_id";"name, legal, full"\na;x\nb;y\n', ""),
    ("account_id;name, legal, full\na;x\nb;y\n", ""),
    ("sep=;\naccount_id;name\na;x\nb;y\n", ""),
    ("\ufeffsep=\t\r\naccount_id\tname\r\na\tx\r\nb\ty\r\n", ""),
    ('"sep=^"\naccount_id^name\na^x\nb^y\n', ""),
    ("sep=,\naccount_id,name\r\na,x\r\nb,y\r\n", ""),
    ("sep=,\r\naccount_id,name\na,x\nb,y\n", ""),
    ("account_id,name\r\na,x\nb,y\r\n", ""),
    ("account_id,name,,\na,x,,\nb,y,, \n", "has no name for columns 3, 4 of accounts.csv, and no value there"),
    ("account_id,,name\na,,x\nb,,y\n", "has no name for column 2 of accounts.csv, and no value there"),
    ("account_id,name\na,x\n,\nb,y\n,\n", "2 of 4 rows without any value. Such lines are left out."),
]


@pytest.mark.parametrize(("content", "told"), HEADERS)
def test_headers_of_spreadsheets_are_understood(source: Any, content: str, told: str) -> None:
    written(source, "accounts.csv", content.encode())
    columns = {"name": "name, legal, full"} if "legal" in content else {}
    warnings = warned(source, "forecast.cuts=[]", accounts={"columns": columns})
    assert source.rows("FROM accounts") == [("a", "x"), ("b", "y")]
    assert [text for text in warnings if told and told in text] or not told


NAMELESS = [  # a file of accounts, and the problem
    (
        "account_id,name,,\na,x,,1\nb,y,,2\n",
        "accounts: has values in column 4 of accounts.csv, which the first line does not name (1, 2). Name it there, "
        "or remove the column.",
    ),
    (",account_id\n0,a\n1,b\n", "accounts: has values in column 1 of accounts.csv, which the first line does not name"),
    ("account_id,name\na,x\n,y\n", "accounts.account_id: 1 of 2 rows without a value (accounts.csv line 3)"),
    ("account_id,unmapped\na,x\n,Total\n", "accounts.account_id: 1 of 2 rows without a value (accounts.csv line 3)"),
    ("sep=;\naccount_id;name\na;x\n;y\n", "accounts.account_id: 1 of 2 rows without a value (accounts.csv line 4)"),
    ("sep=;\n", "accounts: accounts.csv is empty"),
]


@pytest.mark.parametrize(("content", "problem"), NAMELESS)
def test_columns_without_a_name_that_hold_values_are_refused(source: Any, content: str, problem: str) -> None:
    written(source, "accounts.csv", content.encode())
    assert refused(source, "forecast.cuts=[]")[0].startswith(problem)


def test_a_cell_of_three_megabytes_is_read(source: Any) -> None:
    source.write("accounts", f"account_id,name / a,{'x' * 3_000_000} / b,y")
    source.load("forecast.cuts=[]")
    assert source.rows("SELECT account_id, length(name) FROM accounts") == [("a", 3_000_000), ("b", 1)]


def test_a_line_beyond_all_bounds_is_one_error(source: Any) -> None:
    source.write("accounts", f"account_id,name / a,{'x' * 17_000_000} / b,y")
    (problem,) = refused(source, "forecast.cuts=[]")
    assert problem.startswith("accounts: 1 of 2 rows of a line of more than 16,000,000 bytes (accounts.csv line 2)")


def test_names_of_files_may_be_in_capitals(source: Any) -> None:
    (source.folder / "contracts.csv").rename(source.folder / "Contracts.CSV")
    (source.folder / "accounts.csv").rename(source.folder / "ACCOUNTS.Csv")
    source.load()
    assert source.rows("SELECT count(*) FROM contracts") == [(2,)]
    pd.DataFrame(FRAMES["usage"]).to_parquet(source.folder / "usage.PARQUET")
    (source.folder / "USAGE.csv").write_text("account_id,used_on\na,2024-04-01\n")
    assert refused_again(source) == ["usage: is there more than once: usage.PARQUET, USAGE.csv"]


def refused_again(source: Any) -> list[str]:
    with pytest.raises(BadInput) as caught:
        source.load()
    return [str(problem).partition(". ")[0] for problem in caught.value.problems]


def test_zstandard_is_unpacked(source: Any) -> None:
    with pa.output_stream(str(source.folder / "usage.csv.ZST"), compression="zstd") as file:
        file.write(b"account_id,used_on\na,2024-04-01\n")
    source.load()
    assert source.rows("FROM usage") == [("a", date(2024, 4, 1))]
    written(source, "usage.csv.ZST", b"account_id,used_on")
    assert "usage.csv.ZST cannot be read" in refused_again(source)[0]


def test_a_sheet_is_a_table(source: Any) -> None:
    """Days, moments, numbers and true and false come by their types, rows without a value not at all."""
    (source.folder / "contracts.csv").unlink()
    header = [*LINES.split(","), "seats", "auto_renew", "recorded_at", None]
    sheets(
        source.folder / "contracts.xlsx",
        notes=[["nothing"]],
        Contracts=[
            header,
            [1, "a", datetime(2024, 1, 1), 10.25, 3, True, datetime(2024, 1, 1, 12, 30)],
            [None] * 4,
            [2.0, "b", date(2024, 2, 3), 1200, None, False, None],
        ],
    )
    for settings in ((), ("source.day_first=true", "source.decimal_comma=true")):
        source.load(*settings)
        assert source.rows("SELECT * REPLACE (mrr::VARCHAR AS mrr) FROM contracts") == [
            ("1", "a", date(2024, 1, 1), "10.250000", 3, True, datetime(2024, 1, 1, 12, 30)),
            ("2", "b", date(2024, 2, 3), "1200.000000", None, False, None),
        ]


def test_the_first_sheet_is_taken_where_none_has_the_name_and_that_is_said(source: Any) -> None:
    sheets(source.folder / "use.xlsx", one=[["account_id", "used_on"], ["a", date(2024, 4, 1)]], two=[["x"]])
    warnings = warned(source, usage={"file": "use.xlsx"})
    assert source.rows("FROM usage") == [("a", date(2024, 4, 1))]
    told = (
        "usage: is read from one, the first of 2 sheets of use.xlsx (one, two). If it is another one, call that usage."
    )
    assert told in warnings


BOOKS = [  # what is written as a workbook, and the problem
    (b"no workbook", "usage: usage.xlsx cannot be read as a workbook: File is not a zip file. Save it again as .xlsx"),
    (b"", "usage: usage.xlsx cannot be read as a workbook"),
]


@pytest.mark.parametrize(("content", "problem"), BOOKS)
def test_what_is_no_workbook_is_named(source: Any, content: bytes, problem: str) -> None:
    written(source, "usage.xlsx", content)
    assert refused(source)[0].startswith(problem)


def test_lines_of_a_sheet_are_told_as_they_are_there(source: Any) -> None:
    sheets(source.folder / "accounts.xlsx", accounts=[["account_id", "name"], ["a", "x"], [None] * 2, [None, "y"]])
    (source.folder / "accounts.csv").unlink()
    told = "accounts.account_id: 1 of 2 rows without a value (accounts.xlsx line 4)"
    assert refused(source, "forecast.cuts=[]")[0].startswith(told)


def test_an_empty_sheet_is_named(source: Any) -> None:
    sheets(source.folder / "usage.xlsx", usage=[])
    assert refused(source)[0].startswith("usage: usage.xlsx is empty.")


ENCODED = [  # the encoding of a file, and the setting
    ("utf-16", "null"),
    ("utf-8-sig", "cp1252"),
    ("utf-8", "cp1252"),
    ("cp1252", "cp1252"),
    ("latin-1", "latin-1"),
    ("utf-16-le", "utf-16-le"),
    ("utf-32", "null"),
]


@pytest.mark.parametrize(("encoding", "setting"), ENCODED)
def test_files_are_read_in_their_encoding(source: Any, encoding: str, setting: str) -> None:
    source.write("accounts", NAMES, encoding=encoding)
    source.load("forecast.cuts=[]", f"source.encoding={setting}")
    assert source.rows("FROM accounts") == [("a", "Zoë"), ("b", "Blåbær")]


UNREAD = [  # the encoding of a file, the setting, and the problem
    (
        "cp1252",
        "null",
        "accounts: 2 of 2 rows not in UTF-8 (accounts.csv line 2, accounts.csv line 3). It seems to be in cp1252: set "
        "source.encoding: cp1252, or save it in UTF-8.",
    ),
    (
        "utf-16-le",
        "null",
        "accounts: accounts.csv cannot be read: it is not in UTF-8. It seems to be in utf-16-le: set",
    ),
    (
        "utf-16-be",
        "null",
        "accounts: accounts.csv cannot be read: it is not in UTF-8. It seems to be in utf-16-be: set",
    ),
    (
        "cp1252",
        "shift_jis",
        "accounts: accounts.csv cannot be read as shift_jis: illegal multibyte sequence, in line 1",
    ),
    (
        "utf-8",
        "klingon",
        "source.encoding: klingon is no encoding of text. Give one such as cp1252, latin-1 or utf-16.",
    ),
    ("utf-8", "base64", "source.encoding: base64 is no encoding of text."),
]


@pytest.mark.parametrize(("encoding", "setting", "problem"), UNREAD)
def test_another_encoding_is_one_error_that_names_it(source: Any, encoding: str, setting: str, problem: str) -> None:
    source.write("accounts", NAMES, encoding=encoding)
    (told,) = refused(source, "forecast.cuts=[]", f"source.encoding={setting}")
    assert told.startswith(problem)


def test_few_rows_in_another_encoding_are_no_rows_to_be_left_out(source: Any) -> None:
    rows = ["account_id,used_on,feature", *["a,2024-04-01,x"] * 99, "a,2024-04-01,Zürich"]
    written(source, "usage.csv", "\n".join(rows).encode("cp1252"))
    assert "source.encoding: cp1252" in refused(source)[0]
    written(source, "usage.csv", ("\n".join(rows)).encode() + b"\na,2024-04-01,\xff\n")
    (warning,) = [text for text in warned(source) if "UTF-8" in text]
    assert warning.startswith("usage: 1 of 101 rows not in UTF-8 (usage.csv line 102). Left out")


COMMAS = [
    ("12,50", "12.500000"),
    ("1.234,56", "1234.560000"),
    ("1 234", "1234.000000"),
    ("-3", "-3.000000"),
    ("1.234", "1234.000000"),
]


@pytest.mark.parametrize(("number", "stored"), COMMAS)
def test_a_decimal_comma_is_a_setting(source: Any, number: str, stored: str) -> None:
    source.write("accounts", f'account_id,acquisition_cost,technical_fit / a,"{number}","0,5" / b,,')
    source.load("source.decimal_comma=true")
    assert source.rows("SELECT acquisition_cost::VARCHAR, technical_fit FROM accounts") == [(stored, 0.5), (None, None)]


def test_a_decimal_point_is_no_number_with_decimal_commas(source: Any) -> None:
    """It would be a hundred times as much."""
    source.write("contracts", f"{LINES} / 1,a,2024-01-01,12.50 / 2,b,2024-01-01,7")
    assert refused(source, "source.decimal_comma=true")[0].startswith(
        "contracts.mrr: 1 of 2 rows with a value that is no"
    )


def test_decimal_commas_are_named(source: Any) -> None:
    source.write(
        "contracts", f'{LINES} / 1,a,2024-01-01,"12,50" / 2,b,2024-01-01,"1,234.50" / 3,a,2024-01-01,"1.000,5"'
    )
    comma, other, *_ = refused(source)
    assert comma == (
        "contracts.mrr: 2 of 3 rows with a decimal comma (1: 12,50, 3: 1.000,5). Set source.decimal_comma: true, if "
        "all files write numbers that way; else write 12.50."
    )
    assert other.startswith("contracts.mrr: 1 of 3 rows with a value that is no amount (2: 1,234.50)")


DAYS = [  # a day or a moment as written, and its day in Berlin
    ("2024-03-31T22:00:00Z", date(2024, 4, 1)),
    ("2024-03-31 22:00:00+00", date(2024, 4, 1)),
    ("2024-03-31T21:59:59Z", date(2024, 3, 31)),
    ("2024-03-31T18:30:00-04:00", date(2024, 4, 1)),
    ("2024-03-31 22:00:00", date(2024, 4, 1)),
    ("03/31/2024 22:00", date(2024, 4, 1)),
    ("2024-03-31 00:00:00", date(2024, 3, 31)),
    ("2024-03-31", date(2024, 3, 31)),
    ("20240331", date(2024, 3, 31)),
    ("2024-01-31T23:30:00 Europe/Berlin", date(2024, 1, 31)),
]


@pytest.mark.parametrize(("moment", "day"), DAYS)
def test_days_are_those_of_the_time_zone(source: Any, moment: str, day: date) -> None:
    source.write("contracts", f"{LINES} / 1,a,{moment},5 / 2,b,2024-01-01,5")
    source.load("source.timezone=Europe/Berlin")
    assert source.rows("SELECT starts_on FROM contracts WHERE contract_id = '1'") == [(day,)]


def test_moments_of_types_are_local_and_days_stay(source: Any) -> None:
    """West of Greenwich a day at midnight would else become the day before."""
    frame = pd.DataFrame(
        {
            "account_id": ["a", "b"],
            "used_on": pd.to_datetime(["2024-04-01 00:00", "2024-04-01 02:00"]),
            "recorded_at": pd.to_datetime(["2024-04-02 03:00", "2024-11-03 06:30"]).tz_localize("UTC"),
        }
    )
    frame.to_parquet(source.folder / "usage.parquet", index=False)
    source.load("source.timezone=America/New_York")
    assert source.rows("SELECT account_id, used_on, recorded_at, recorded_at_day FROM usage ORDER BY 1") == [
        ("a", date(2024, 4, 1), datetime(2024, 4, 1, 23), date(2024, 4, 1)),
        ("b", date(2024, 3, 31), datetime(2024, 11, 3, 1, 30), date(2024, 11, 3)),
    ]


def test_a_time_zone_that_there_is_not_is_named(source: Any) -> None:
    (problem,) = refused(source, "source.timezone=Mars/Olympus")
    assert problem.startswith("source.timezone: Mars/Olympus is no time zone. Give one such as Europe/Berlin")


def test_ends_may_be_the_last_day_covered(source: Any) -> None:
    source.write(
        "contracts", f"{LINES},ends_on,ended_on / 1,a,2024-01-01,5,2024-12-31,2024-06-30 / 2,b,2024-01-01,5,2099-12-31,"
    )
    source.load(contracts={"end_is_last_day": True})
    ends = [(date(2025, 1, 1), date(2024, 7, 1)), (date(2099, 12, 31), None)]
    assert source.rows("SELECT ends_on, ended_on FROM contracts") == ends
    source.write("usage", "account_id,used_on / a,2024-04-01")
    with pytest.raises(BadInput, match=r"source.tables.usage.end_is_last_day: is set\. It says of contracts"):
        source.load(usage={"end_is_last_day": True})


MONTHS = ("2023-01", "2023/01", "Jan 2023", "January 2023", "01/2023", "2023-01-01", "Jan-23")


@pytest.mark.parametrize("month", MONTHS)
def test_months_of_rates_may_be_written_without_a_day(source: Any, month: str) -> None:
    source.write("fx_rates", f"month,currency,rate / {month},EUR,1.1")
    source.load()
    assert source.rows("SELECT month FROM fx_rates") == [(date(2023, 1, 1),)]


BOTH_WAYS = "that reads both ways"
ORDERS = [  # starts and ends of two lines, the setting, and what is told
    (
        ("01/04/2024", "01/04/2025"),
        ("01/02/2024", ""),
        "null",
        "2 of 2 rows with a date that reads both ways (as in ends",
    ),
    (("01/04/2024", ""), ("04-02-2024", ""), "null", "2 of 2 rows"),
    (("01/04/2024", ""), ("01/02/2024", ""), "false", ""),
    (("01/04/2024", ""), ("01/02/2024", ""), "true", ""),
    (("01/04/2024", "04/30/2025"), ("01/02/2024", ""), "null", ""),
    (("01/04/2024", ""), ("01/31/2024", ""), "null", ""),
    (("01/01/2024", ""), ("02/02/2024", ""), "null", ""),
    (("2024-04-01", ""), ("2024-02-01", ""), "null", ""),
]


@pytest.mark.parametrize(("first", "second", "setting", "told"), ORDERS)
def test_dates_that_read_both_ways_are_named(source: Any, first: Any, second: Any, setting: str, told: str) -> None:
    lines = f"1,a,{first[0]},5,{first[1]} / 2,b,{second[0]},5,{second[1]}"
    source.write("contracts", f"{LINES},ends_on / {lines}")
    warnings = [
        found for found in source.load(f"source.day_first={setting}").report.warnings if BOTH_WAYS in found.what
    ]
    assert [found.rule for found in warnings] == ["dates_read_both_ways"] * bool(told)
    assert told in "".join(map(str, warnings))


def test_a_column_that_decides_for_another_is_named_beside_its_error(source: Any) -> None:
    source.write("contracts", f"{LINES},ends_on / 1,a,01/04/2024,5,31/03/2025 / 2,b,01/02/2024,5,")
    with pytest.raises(BadInput) as caught:
        source.load()
    (problem,), (warning, *_) = caught.value.problems, caught.value.warnings
    assert (problem.column, problem.examples) == ("ends_on", ("1: 31/03/2025",))
    assert warning.todo == "Days come first in ends_on, so they seem to here: set source.day_first: true."


def test_a_column_of_which_nothing_matches_is_said_to_be_the_wrong_one(source: Any) -> None:
    source.write("contracts", "contract_id,Name,starts_on,mrr / 1,Ann,2024-01-01,5 / 2,Bob,2024-01-01,5")
    (problem,) = refused(source, contracts={"columns": {"account_id": "name"}})
    assert problem == (
        "contracts.account_id: 2 of 2 rows of an account that accounts lacks: none of them is there, so Name seems to "
        "be the wrong column (Ann, Bob). Accounts are called a, b. Map the column that holds such ids: "
        "source.tables.contracts.columns.account_id."
    )


QUERIES = [  # a query, and what is shown of it
    ("SELECT a,\n  b FRM x\n", "      line 2:   b FRM x\n                      ^"),
    ("SELECT contract_idd FROM '{path}/contracts.csv'", "      line 1: SELECT contract_idd FROM '"),
]


@pytest.mark.parametrize(("query", "shown"), QUERIES)
def test_a_query_that_fails_shows_its_line_and_the_place(source: Any, query: str, shown: str) -> None:
    with pytest.raises(BadInput) as caught:
        source.load(contracts={"query": query})
    text = str(caught.value)
    assert "contracts: its query cannot be run: " in text
    assert shown in text
    assert text.rstrip().endswith("^")


def test_a_query_may_end_with_a_comment(source: Any) -> None:
    source.load(contracts={"query": "SELECT * FROM '{path}/contracts.csv' -- all of them"})
    assert source.rows("SELECT count(*) FROM contracts") == [(2,)]


def test_accounts_whose_lines_were_deleted_are_named(source: Any) -> None:
    source.write("accounts", "account_id / a / b / c")
    (warning,) = [text for text in warned(source, "forecast.cuts=[]") if "without any contract" in text]
    assert warning.startswith("accounts.account_id: 1 of 3 rows of accounts without any contract (c).")
    assert "deleted_at" in warning


def test_a_line_that_was_taken_back_does_not_overlap_the_one_that_replaced_it(source: Any) -> None:
    columns = f"{LINES},product,ends_on,deleted_at"
    lines = "1,a,2024-01-01,5,P,2025-01-01,2024-03-01 / 2,a,2024-03-01,5,P,2025-01-01, / 3,b,2024-06-01,5,P,,2024-02-01"
    source.write("contracts", f"{columns} / {lines}")
    assert "overlap" not in " ".join(warned(source))


TWICE = [  # parts, a query, and the problem
    (
        {},
        "SELECT *, CAST(mrr AS DOUBLE) * 10 AS MRR FROM {file:contracts.csv}",
        "source.tables.contracts.query: gives the column mrr more than once. Name each column once: SELECT * REPLACE "
        "(... AS mrr), or SELECT * EXCLUDE (mrr), ... AS mrr.",
    ),
    (
        {"paid": "SELECT *, 5 AS mrr FROM {file:contracts.csv}"},
        "SELECT * FROM {paid}",
        "source.parts.paid: gives the column mrr more than once.",
    ),
    (
        {"paid": "SELECT 1", "lines": "SELECT 2"},
        "SELECT 'it is {no} part', * FROM {pad}",
        "source.parts: has no part pad, which its query names. The parts are paid, lines. Did you mean paid? A file is",
    ),
    ({}, "SELECT * FROM {paid}", "source.parts: has no part paid, which its query names. There are none. A file is"),
    (
        {"paid": "SELECT * FROM {lines}"},
        "SELECT * FROM {paid}",
        "source.parts: has no part lines, which source.parts.paid names. The parts are paid.",
    ),
    (
        {"paid": "SELECT * FROM {lines}", "lines": "SELECT * FROM {paid}"},
        "SELECT * FROM {paid}",
        "source.parts: name each other in a circle: paid -> lines -> paid. Let one of them name a file or a table",
    ),
    (
        {},
        "SELECT *, mrr / 12 AS share FROM {file:contracts.csv}",
        "contracts: its query cannot be run: Binder Error: No function matches the given name and argument types "
        "'/(VARCHAR, INTEGER_LITERAL)'. You might need to add explicit type casts. Correct source.tables.contracts."
        "query; it is one SELECT in DuckDB's SQL. Columns of CSV files are text there: write CAST(amount AS DOUBLE)",
    ),
]


@pytest.mark.parametrize(("parts", "query", "problem"), TWICE)
def test_a_query_that_cannot_be_meant_is_named(source: Any, parts: dict[str, str], query: str, problem: str) -> None:
    (told,) = refused(source, f"source.parts={json.dumps(parts)}", contracts={"query": query})
    assert told.startswith(problem)


def test_braces_within_a_text_name_no_part(source: Any) -> None:
    query = "FROM {file:contracts.csv} -- {none}\n WHERE regexp_matches(starts_on, '^[0-9]{4}-') AND '{a}' <> ''"
    source.load(contracts={"query": query})
    assert source.rows("SELECT count(*) FROM contracts") == [(2,)]


def test_lines_that_end_in_two_ways_further_down_are_named(source: Any) -> None:
    written(source, "accounts.csv", b"account_id,name\na,x\nb,y\nc,z\r\nd,z\n")
    (told,) = refused(source, "forecast.cuts=[]")
    assert told.startswith("accounts: cannot be read: some of its lines end with LF, and some with CRLF. Save it with")


def test_what_a_query_cannot_convert_is_no_fault_of_the_file(source: Any) -> None:
    query = "SELECT * REPLACE (CAST(account_id AS INTEGER) AS account_id) FROM {file:contracts.csv}"
    (told, *_) = refused(source, contracts={"query": query})
    assert told == (
        "contracts: 2 of 2 rows with a cell that the query of source.tables cannot convert in contracts.csv, which its "
        "query reads (contracts.csv line 2, account_id, contracts.csv line 3, account_id). Correct the query or these "
        "cells: TRY_CAST in place of CAST leaves a cell empty that is no such value."
    )


def test_the_encoding_of_a_file_that_a_query_reads_is_named(source: Any) -> None:
    written(source, "clients.csv", b"id,client\na,Z\xfcrich\nb,x\n")
    (told, *_) = refused(source, accounts={"query": "SELECT id AS account_id, client AS name FROM {file:clients.csv}"})
    assert told == (
        "accounts: 1 of 2 rows not in UTF-8 in clients.csv, which its query reads (clients.csv line 2). It seems to be "
        "in cp1252: set source.encoding: cp1252, or save it in UTF-8."
    )


def test_the_example_of_the_readme_works(source: Any) -> None:
    """Its settings are those for files of a source's own, as CSV."""
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    block = next(text for text in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL) if "orders.csv" in text)
    source.write("accounts", "id,size_band / a,S / b,M")
    source.write("orders", "contract_id,account_id,starts_on,amount / 1,a,2024-01-05,1200 / 2,b,2024-02-05,50.5")
    source.load("forecast.cuts=[]", **yaml.safe_load(block)["source"]["tables"])
    assert source.rows("SELECT mrr::VARCHAR FROM contracts ORDER BY mrr") == [("4.208333",), ("100.000000",)]


def test_a_month_that_there_is_not_is_told_with_its_currency_and_how_months_are_written(source: Any) -> None:
    source.write("fx_rates", "month,currency,rate / 2024-01,EUR,1.1 / 2023-13,GBP,1.2")
    assert refused(source) == [
        "fx_rates.month: 1 of 2 rows with a value that is no month (GBP: 2023-13). Write it as YYYY-MM, such as "
        "2024-01, or as its first day."
    ]
