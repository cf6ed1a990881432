"""Files of no known tool, files of other forms, what has no answer, and businesses that are paid by use."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

import params
from features.inputs.recipes.proposal import propose
from features.revenue import movements
from features.tables.problems import BadInput

CLIENTS = """
    client_no,company,tier,country,shoe_size
    K1,Alpha,SMB,US,44
    K2,Beta,Mid,DE,45
"""
AGREEMENTS = """
    contract_no,client_no,begin_date,end_date,annual_value,plan_name
    V1,K1,2024-01-01,2025-01-01,"1,200.00",Core
    V2,K2,2024-03-01,2025-03-01,600.00,Core
"""
LOGINS = """
    client_no,event_date,event_name,user_id
    K1,2024-02-01,login,u1
    K2,2024-04-01,login,u2
"""


def test_files_of_ones_own_are_mapped_by_names_and_content_and_say_how_sure_that_is(
    company: Callable[..., Any],
) -> None:
    exports = company(clients=CLIENTS, agreements=AGREEMENTS, logins=LOGINS)
    proposal = exports.proposed()
    sure = {guess.table: guess.confidence for guess in proposal.guesses}
    assert sure.keys() == {"accounts", "contracts", "usage"}
    assert all(0.5 <= confidence < 1 for confidence in sure.values())
    assert exports.seen("contracts", "account_id", "starts_on", "mrr") == [
        ("K1", "2024-01-01", 100),
        ("K2", "2024-03-01", 50),
    ]
    assert exports.seen("accounts", "account_id", "name", "segment", "region") == [
        ("K1", "Alpha", "SMB", "US"),
        ("K2", "Beta", "Mid", "DE"),
    ]
    text = exports.file.read_text()
    assert "#   clients.csv: shoe_size" in text
    assert "annual_value is an amount a year: a twelfth of it is the MRR." in text


@pytest.mark.usefixtures("costly")
def test_what_is_written_passes_the_check_and_gives_the_arr(company: Callable[..., Any]) -> None:
    exports = company(clients=CLIENTS, agreements=AGREEMENTS, logins=LOGINS)
    exports.proposed()
    assert exports.arr(date(2024, 6, 1)) == {"K1": 1200.0, "K2": 600.0}


def test_tables_that_follow_the_contract_are_taken_as_they_are(company: Callable[..., Any]) -> None:
    proposal = company(
        accounts="account_id,name\na,Alpha", contracts="contract_id,account_id,starts_on,mrr\n1,a,2024-01-01,5"
    ).proposed()
    assert {guess.table: guess.confidence for guess in proposal.guesses} == {"accounts": 1.0, "contracts": 1.0}
    assert proposal.questions == ()


def test_workbooks_are_read(company: Callable[..., Any]) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    exports = company(clients=CLIENTS)
    book = openpyxl.Workbook()
    for line in AGREEMENTS.replace('"1,200.00"', "1200").strip().splitlines():
        book.active.append([cell.strip() for cell in line.split(",")])
    book.save(exports.folder / "agreements.xlsx")
    assert exports.seen("contracts", "account_id", "mrr") == [("K1", 100), ("K2", 50)]


@pytest.mark.parametrize("form", ["parquet", "duckdb", "schema"])
def test_parquet_files_and_databases_give_the_same(company: Callable[..., Any], form: str) -> None:
    exports = company(clients=CLIENTS, agreements=AGREEMENTS)
    with duckdb.connect(str(exports.folder / "warehouse.duckdb") if form != "parquet" else ":memory:") as connection:
        if form == "schema":
            connection.execute("CREATE SCHEMA crm")
        for file in sorted(exports.folder.glob("*.csv")):
            source = f"read_csv('{file}')"
            if form == "parquet":
                connection.execute(f"COPY (FROM {source}) TO '{file.with_suffix('.parquet')}'")
            else:
                table = f"crm.{file.stem}" if form == "schema" else file.stem
                connection.execute(f"CREATE TABLE {table} AS FROM {source}")
            file.unlink()
    lines = exports.seen("contracts", "account_id", "CAST(starts_on AS VARCHAR)", "mrr")
    assert lines == [("K1", "2024-01-01", 100), ("K2", "2024-03-01", 50)]


def test_settings_name_files_by_the_source_so_that_the_folder_may_move(company: Callable[..., Any]) -> None:
    exports = company(clients=CLIENTS, agreements=AGREEMENTS)
    exports.proposed()
    text = exports.file.read_text()
    assert text.count(str(exports.folder)) == 2, "in the title and in source.path alone"
    assert "{file:agreements.csv}" in text


def test_a_folder_without_contracts_is_refused_and_says_what_to_give(company: Callable[..., Any]) -> None:
    with pytest.raises(BadInput, match=r"contracts: cannot be made of what is there .*subscriptions"):
        company(clients=CLIENTS).proposed()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere does not exist"):
        propose(tmp_path / "nowhere", params.load().budget)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no CSV, Parquet or XLSX file"):
        propose(tmp_path, params.load().budget)


PURCHASES = """
    customer_id,order_date,supplier,amount
    c1,2024-01-10,North,300
    c1,2024-02-10,North,600
    c1,2024-03-10,North,300
    c1,2024-03-20,South,120
    c1,2024-04-02,North,-300
    c2,2024-03-31,North,90
    c2,2024-08-31,North,90
"""


@pytest.mark.usefixtures("costly")
def test_purchases_become_the_trailing_quarter_a_stream(company: Callable[..., Any]) -> None:
    exports = company(orders=PURCHASES)
    exports.proposed(as_usage_priced=True)
    assert exports.params.revenue.grace_days == 0
    assert exports.params.model.min_change == 0.1
    then = {day: exports.arr(day, known_by=day) for day in (date(2024, month, 1) for month in (3, 4, 5, 7, 9))}
    assert then[date(2024, 3, 1)] == {}, "no whole quarter lies before it"
    assert then[date(2024, 4, 1)] == {"c1": 4 * (1200 + 120), "c2": 4 * 90}
    assert then[date(2024, 5, 1)] == {"c1": 4 * (600 + 120), "c2": 4 * 90}, "a return lowers its month"
    assert then[date(2024, 7, 1)] == {}, "c1's quarter is all return; c2 was silent for three months"
    assert then[date(2024, 9, 1)] == {"c2": 4 * 90}
    assert exports.rows("contracts", "signed_on")[0] == (date(2024, 3, 31),)


def test_a_month_that_is_not_over_counts_for_nothing(company: Callable[..., Any]) -> None:
    exports = company(orders=PURCHASES.replace("2024-08-31", "2024-08-30"))
    newest = exports.seen("contracts", "max(starts_on)", as_usage_priced=True)
    assert newest == [(date(2024, 6, 1),)]


@pytest.mark.usefixtures("costly")
def test_a_stream_ends_with_its_last_paid_month_once_it_was_silent_for_a_quarter(company: Callable[..., Any]) -> None:
    sheet = """
        customer_id,order_date,amount
        c1,2024-01-10,300
        c1,2024-02-10,300
        c1,2024-03-10,300
        c2,2024-01-10,90
        c2,2024-04-10,90
        c2,2024-08-31,90
    """
    exports = company(orders=sheet)
    exports.proposed(as_usage_priced=True)
    days = [date(2024, month, 1) for month in (4, 5, 6, 7)]
    now = {day: exports.arr(day) for day in days}
    assert [now[day].get("c1") for day in days] == [3600, None, None, None], "it left with what it paid to the last"
    assert [now[day].get("c2") for day in days] == [360, 360, None, None], "a gap of two months is none; of three, one"
    then = [exports.arr(day, known_by=day).get("c1") for day in days]
    assert then == [3600, 2400, 1200, None], "nobody knew it then"
    moved = movements(
        exports.tables(), start=date(2024, 4, 1), end=date(2024, 5, 1), known_by=date(2024, 9, 1),
        rules=exports.params.revenue, budget=exports.params.budget,
    )  # fmt: skip
    assert list(zip(moved["movement"], moved["amount"], strict=True)) == [("churn", -3600)]


def test_purchases_in_two_currencies_are_two_streams(company: Callable[..., Any]) -> None:
    sheet = """
        customer_id,order_date,amount,currency
        c1,2024-01-10,300,USD
        c1,2024-02-10,600,EUR
        c1,2024-03-31,"1,200.00",usd
    """
    exports = company(orders=sheet)
    lines = exports.seen("contracts", "contract_id", "currency", "mrr", as_usage_priced=True)
    assert lines == [("c1/EUR/2024-04-01", "EUR", 200), ("c1/USD/2024-04-01", "USD", 500)]


def test_the_days_of_purchases_are_read_as_others_are(company: Callable[..., Any]) -> None:
    sheet = "customer_id,order_date,amount\nc1,01/02/2024,300\nc1,03/04/2024,300\nc1,05/06/2024,300"
    exports = company(orders=sheet)
    assert any("day_first" in question for question in exports.proposed(as_usage_priced=True).questions)
    exports.proposed(as_usage_priced=True, day_first=True)
    assert exports.seen("contracts", "min(starts_on)") == [(date(2024, 5, 1),)]
