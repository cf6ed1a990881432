"""Every rule of the check, each by one small input that breaks it, and what is said about it."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from features.tables.problems import BadInput

ERRORS = [  # what is written over the good source, the settings, and the problem that is named
    (
        {"contracts": "contract_id,account_id,starts_on,mrr,kind / 1,a,2024-01-01,-5,new / 2,b,2024-01-01,-7.5,new"},
        "contracts.mrr: 2 of 2 rows with a negative amount (1: -5.0, 2: -7.5). Give a recurring discount kind "
        "discount; leave one-off credits and refunds out.",
    ),
    (
        {
            "contracts": "contract_id,account_id,starts_on,ended_on,mrr,kind / 1,a,2024-01-01,2024-06-01,5,new / "
            "2,a,2024-03-01,,-4,discount / 3,a,2024-04-01,,-3,discount"
        },
        "contracts.mrr: 1 of 3 rows with a discount of more than there is to lower (3: -3.0, which leaves -2.0). "
        "Correct the discount, or add the line that it lowers: ARR cannot be negative.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,mrr / 1,a,2024-01-01,inf / 2,b,2024-01-01,-inf"},
        "contracts.mrr: 2 of 2 rows with an amount that is not finite (1: inf, 2: -inf). Give a finite amount.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,mrr / 1,a,2024-01-01,nan / 2,b,2024-01-01,7"},
        "contracts.mrr: 1 of 2 rows without a value (contracts.csv line 2). Every row needs one; map another column in "
        "source.tables.contracts.columns if it is there.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,mrr / 1,a,2024-01-01,$5 / 2,b,2024-01-01,7"},
        "contracts.mrr: 1 of 2 rows with a value that is no amount (1: $5). Write it as 1234.56, without a currency "
        "sign or thousands separators.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,mrr / 1,a,2024-01-01,5 / 2,b,2024-01-01,"},
        "contracts.mrr: 1 of 2 rows without a value (contracts.csv line 3). Every row needs one; map another column in "
        "source.tables.contracts.columns if it is there.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,ends_on,mrr / 1,a,2024-01-01,soon,5"},
        "contracts.ends_on: 1 of 1 row with a value that is no date (1: soon). Write it as YYYY-MM-DD; with days "
        "first, such as 31-12-2024, set source.day_first.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,mrr,seats / 1,a,2024-01-01,5,2.5"},
        "contracts.seats: 1 of 1 row with a value that is no whole number (1: 2.5). Write it as 1234.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,mrr,auto_renew / 1,a,2024-01-01,5,perhaps"},
        "contracts.auto_renew: 1 of 1 row with a value that is no true or false (1: perhaps). Write it as true or "
        "false.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,mrr / 1,a,2024-01-01,5 / 1,b,2024-02-01,6"},
        "contracts.contract_id: 1 of 2 rows repeating an earlier one (1). A row is known by contract_id: keep one of "
        "each.",
    ),
    (
        {"accounts": "account_id,segment / a,small / b,large / b,large"},
        "accounts.account_id: 1 of 3 rows repeating an earlier one (b). A row is known by account_id: keep one of "
        "each.",
    ),
    (
        {"accounts": "account_id,acquisition_cost / a,n/a / b,much"},
        "accounts.acquisition_cost: 1 of 2 rows with a value that is no amount (b: much). Write it as 1234.56, without "
        "a currency sign or thousands separators.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,mrr / 1,a,2024-01-01,5 / 2,zz,2024-01-01,5"},
        "contracts.account_id: 1 of 2 rows of an account that accounts lacks (zz). Add the account, or remove them.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,ends_on,mrr / 1,a,2024-02-01,2024-01-01,5"},
        "contracts.starts_on: 1 of 1 row starting after ends_on (1: 2024-02-01 after 2024-01-01). A line cannot "
        "start after it ends: correct starts_on or ends_on.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,ended_on,mrr / 1,a,2024-02-01,2024-01-01,5"},
        "contracts.starts_on: 1 of 1 row starting after ended_on (1: 2024-02-01 after 2024-01-01). A line cannot "
        "start after it ends: correct starts_on or ended_on.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,mrr / 1,a,1899-12-31,5 / 2,b,2100-01-01,5"},
        "contracts.starts_on: 2 of 2 rows with a date before 1990-01-01 or from 2100-01-01 on (1: 1899-12-31, "
        "2: 2100-01-01). Correct it (years have four digits), or leave it empty if it stands for an open end; "
        "source.earliest and source.latest set the limits.",
    ),
    (
        {"usage": "account_id,used_on / a,1970-01-01"},
        "usage.used_on: 1 of 1 row with a date before 1990-01-01 or from 2100-01-01 on (1970-01-01). Correct it "
        "(years have four digits), or leave it empty if it stands for an open end; source.earliest and source.latest "
        "set the limits.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,mrr,currency / 1,a,2024-01-01,5,usd / 2,b,2024-01-01,5,eur"},
        "contracts.currency: 1 of 2 rows in a currency that has no rate (EUR). Add its rates to fx_rates, or set "
        "revenue.currency if it is not USD.",
    ),
    (
        {"fx_rates": "month,currency,rate / 2024-01-01,EUR,0"},
        "fx_rates.rate: 1 of 1 row with a rate of 0 or less (EUR 2024-01-01: 0.0). A rate is the reporting currency "
        "per unit, above 0.",
    ),
    (
        {"fx_rates": "month,currency,rate / 2024-01-01,EUR,1.1 / 2024-01-01,eur,1.2"},
        "fx_rates.month: 1 of 2 rows repeating an earlier one (2024-01-01 EUR). A row is known by month, currency: "
        "keep one of each.",
    ),
    ({"accounts": "account_id,segment"}, "accounts: is empty. Give its rows."),
    ({"usage": "account_id,used_on"}, "usage: is empty. Give its rows, or remove it: the table is optional."),
    (
        {"usage": "account_id,used_on / a,2024-04-01 / zz,2024-04-01"},
        "usage.account_id: 1 of 2 rows of an account that accounts lacks (zz). 1 of 2 rows of usage are bad, over the "
        "limit of 5.0%: correct them, or raise source.max_bad_share. Add the account, or remove them.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,mrr / 1,a,2024-01-01,5 / 2,b"},
        "contracts: 1 of 2 rows with more or fewer fields than the header has columns (contracts.csv line 3: 2 fields "
        "for 4 columns). Correct these lines: a value that holds the delimiter belongs in quotes.",
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,arr / 1,a,2024-01-01,5"},
        "contracts.mrr: is missing, and the column is required. Add it, or map it: "
        "source.tables.contracts.columns.mrr: THEIR_NAME. The columns are contract_id, account_id, starts_on, arr. It "
        "is an amount a month: divide yearly ones by 12 in a query (source.tables.contracts.query). Columns of CSV "
        "files are text there: CAST(amount AS DOUBLE) / 12 AS mrr.",
    ),
    (
        {"accounts": "acount_id,segment / a,small / b,large"},
        "accounts.account_id: is missing, and the column is required. Add it, or map it: "
        "source.tables.accounts.columns.account_id: THEIR_NAME. The columns are acount_id, segment. Did you mean "
        "acount_id?",
    ),
]


@pytest.mark.parametrize(("tables", "problem"), ERRORS, ids=[problem.split(".")[0] for _, problem in ERRORS])
def test_what_cannot_be_lived_with_is_an_error(source: Any, tables: dict[str, str], problem: str) -> None:
    for name, text in tables.items():
        source.write(name, text)
    with pytest.raises(BadInput) as caught:
        source.load()
    assert problem in [str(found) for found in caught.value.problems]


FIELDS = "with more or fewer fields than the header has columns"
UNREADABLE = [  # accounts as bytes, whose line breaks may lie within quotes, and what is said of them
    (
        b'account_id,name\na,"A\nB"\nb,B, Inc\nc,C,d,e\n',
        [f"2 of 3 rows {FIELDS}", "line 4: 3 fields", "line 5: 4 fields"],
    ),
    (b'account_id,name\r\na,"A\r\nB"\r\nb\r\n', [f"1 of 2 rows {FIELDS}", "line 4: 1 field for 2 columns"]),
    (b"account_id\na\nb,B\n", [f"1 of 2 rows {FIELDS}", "line 3: 2 fields for 1 column)"]),
    (
        b'account_id,name\na,"A "x, y" B"\nb,B\n',
        ["1 of 2 rows with quotes that do not match (accounts.csv line 2, name)"],
    ),
    (b'account_id,name\na,A\nb,"B\n', ["1 of 2 rows with quotes that do not match (accounts.csv line 3, name)"]),
    (
        b"account_id,name\na,Z\xfcrich\nb,B,x\n",
        ["1 of 2 rows not in UTF-8 (accounts.csv line 2)", f"1 of 2 rows {FIELDS}"],
    ),
    (
        b'account_id,name\n,A\nb,"B\n',
        ["account_id: 1 of 2 rows without a value (accounts.csv line 2)", "1 of 2 rows with quotes that do not match"],
    ),
    (
        b'account_id,name\n,A\na,"A\n' + b"b,B\n" * 40_000,
        ["without a value (accounts.csv line 2)", "with quotes that do not match (accounts.csv line 3, name)"],
    ),
    (b"account_id,name\n,A\n", ["account_id: 1 of 1 row without a value (accounts.csv line 2)"]),
    (b"account_id,name\n", ["accounts: is empty"]),
    ("account_id\na".encode("utf-16-le"), ["accounts.csv cannot be read", "set source.encoding: utf-16-le"]),
]


@pytest.mark.parametrize(("content", "said"), UNREADABLE)
def test_what_cannot_be_read_is_said_line_by_line_and_nothing_that_follows_from_it(
    source: Any, content: bytes, said: list[str]
) -> None:
    """Contracts and usage name accounts that may be on the lines which cannot be read."""
    (source.folder / "accounts.csv").write_bytes(content)
    source.write("usage", "account_id,used_on / a,2023-04-01")
    with pytest.raises(BadInput) as caught:
        source.load("forecast.cuts=[]")
    assert {problem.table for problem in caught.value.problems} == {"accounts"}
    assert caught.value.warnings == ()
    assert [part for part in said if part not in str(caught.value)] == []


def test_rates_that_cannot_be_read_are_not_said_to_lack_a_currency(source: Any) -> None:
    source.write("contracts", "contract_id,account_id,starts_on,mrr,currency / 1,a,2024-01-01,5,EUR")
    (source.folder / "fx_rates.parquet").write_bytes(b"no Parquet")
    with pytest.raises(BadInput, match=r"fx_rates: cannot be read: .* Give Parquet or CSV files") as caught:
        source.load()
    assert len(caught.value.problems) == 1


def test_lines_of_missing_values_are_those_of_the_file(source: Any) -> None:
    """Whatever stands for no value, behind records of several lines, in whichever file of a folder."""
    source.write("accounts", "account_id / a / b")
    (source.folder / "usage").mkdir()
    (source.folder / "usage" / "1.csv").write_text('feature;account_id;used_on\n"x\ny";a;2024-04-01\n;a;N/A\n;b; \n')
    (source.folder / "usage" / "2.csv").write_text("account_id,used_on\na,2024-04-01\n\n\\N,2024-04-01\n")
    with pytest.raises(BadInput) as caught:
        source.load()
    places = {problem.column: problem.examples for problem in caught.value.problems}
    assert places == {"used_on": ("1.csv line 4", "1.csv line 5"), "account_id": ("2.csv line 4",)}


LINES = [  # a file of usage, how many records are searched, and the examples of a missing account_id
    ("account_id\na\n\nb\n\n", 9, ("usage.csv line 3", "usage.csv line 5")),
    ("account_id,used_on\na,2024-04-01\n,2024-04-02\n", 9, ("usage.csv line 3",)),
    ("account_id,used_on\na,2024-04-01\n,2024-04-02\n", 1, ("2024-04-02",)),
    (f"account_id,used_on,feature\na,2024-04-01,{'x' * 140_000}\n,2024-04-02,x\n", 9, ("2024-04-02",)),
    (f"account_id,used_on,feature\n,2024-04-01,x\n,2024-04-02,{'x' * 140_000}\n", 9, ("usage.csv line 2",)),
]


@pytest.mark.parametrize(("content", "searched", "examples"), LINES)
def test_where_the_lines_of_missing_values_cannot_be_found_other_examples_are_given(
    source: Any, monkeypatch: pytest.MonkeyPatch, content: str, searched: int, examples: tuple[str, ...]
) -> None:
    """Python reads no cell of more than 128 KiB, and not all of a large file in good time."""
    monkeypatch.setattr("features.inputs.files.csv_files.MOST_SEARCHED", searched)
    (source.folder / "usage.csv").write_text(content)
    with pytest.raises(BadInput) as caught:
        source.load()
    assert [found.examples for found in caught.value.problems if found.what == "without a value"] == [examples]


def test_no_file_is_searched_for_lines_of_what_can_be_lived_with(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good source loads without reading its files again."""
    monkeypatch.delattr("features.inputs.checks.table_check.lines_without")
    source.write("usage", f"{GOOD_USAGE} / ,2024-04-02,1,x")
    (warning,) = [str(found) for found in source.load().report.warnings if found.column == "account_id"]
    assert warning.startswith("usage.account_id: 1 of 98 rows without a value (x). Left out, see quarantine/usage.")


MISSING_KEYS = [  # what is written over the good source, and what is missing beside a key
    (
        {
            "accounts": "account_id,name / a,A / ,B",
            "contracts": "contract_id,account_id,starts_on,mrr / 1,a,2024-01-01,5 / 2,zz,2024-01-01,5",
        },
        ["accounts.account_id: 1 of 2 rows without a", "contracts.account_id: 1 of 2 rows of an account that accounts"],
    ),
    (
        {
            "contracts": "contract_id,account_id,starts_on,mrr,currency / 1,a,2024-01-01,5,EUR / 2,b,2024-01-01,5,CHF",
            "fx_rates": "month,currency,rate / 2024-01-01,EUR,1.1 / 2024-01-01,,1.2",
        },
        ["contracts.currency: 1 of 2 rows in a currency that has no rate (CHF)", "fx_rates.currency: 1 of 2 rows with"],
    ),
]


@pytest.mark.parametrize(("tables", "problems"), MISSING_KEYS)
def test_the_others_are_held_against_the_keys_that_are_there(
    source: Any, tables: dict[str, str], problems: list[str]
) -> None:
    for name, text in tables.items():
        source.write(name, text)
    with pytest.raises(BadInput) as caught:
        source.load()
    found = [str(problem) for problem in caught.value.problems]
    assert len(found) == len(problems)
    assert [said for said, start in zip(found, problems, strict=True) if not said.startswith(start)] == []


def test_all_problems_of_all_tables_are_named_at_once_and_nothing_is_written(source: Any) -> None:
    source.write("accounts", "account_id / a / a")
    source.write("contracts", "contract_id,account_id,starts_on,mrr,kind / 1,a,2024-13-01,-1,new")
    source.write("usage", "account_id / a")
    with pytest.raises(BadInput) as caught:
        source.load("forecast.cuts=[team]", tickets={"columns": {"opend_at": "x"}}, calls={"file": "calls_*.csv"})
    assert str(caught.value).splitlines() == [
        "The input has 7 problems. Nothing was written.",
        "  1. accounts.team: is named in forecast.cuts or source.tables.accounts.extra, and the source lacks it. "
        "Correct the name, or remove it. The columns are account_id.",
        "  2. accounts.account_id: 1 of 2 rows repeating an earlier one (a). A row is known by account_id: keep one "
        "of each.",
        "  3. contracts.starts_on: 1 of 1 row with a value that is no date (1: 2024-13-01). Write it as YYYY-MM-DD; "
        "with days first, such as 31-12-2024, set source.day_first.",
        "  4. contracts.mrr: 1 of 1 row with a negative amount (1: -1.0). Give a recurring discount kind discount; "
        "leave one-off credits and refunds out.",
        "  5. usage.used_on: is missing, and the column is required. Add it, or map it: "
        "source.tables.usage.columns.used_on: THEIR_NAME. The columns are account_id.",
        "  6. tickets: is mapped in source.tables.tickets, and is not there. Give the table, or remove the mapping.",
        "  7. calls: calls_*.csv does not exist or holds no Parquet or CSV file. Correct source.tables.calls.file, or "
        "put the files there.",
    ]
    assert not source.data_dir.exists()


def test_warnings_are_listed_after_the_problems(source: Any) -> None:
    """Those of the tables that are whole, of tables beside, and of rows that would be left out."""
    source.write("accounts", "account_id,fit / a,good / b,bad")
    source.write(
        "contracts", "contract_id,account_id,starts_on,mrr,kind / 1,a,2024-01-01,-5,new / 2,b,2024-01-01,5,gift"
    )
    source.write("usage", f"{GOOD_USAGE} / zz,2024-04-01,1,x / a,2023-12-31,1,y")
    source.write("tickets", "account_id,opened_at / zz,2024-04-01 / a,2024-04-01")
    with pytest.raises(BadInput) as caught:
        source.load()
    assert str(caught.value).splitlines() == [
        "The input has 2 problems. Nothing was written.",
        "  1. contracts.mrr: 1 of 2 rows with a negative amount (1: -5.0). Give a recurring discount kind discount; "
        "leave one-off credits and refunds out.",
        "  2. tickets.account_id: 1 of 2 rows of an account that accounts lacks (zz). 1 of 2 rows of tickets are bad, "
        "over the limit of 5.0%: correct them, or raise source.max_bad_share. Add the account, or remove them.",
        "And 4 warnings:",
        f"  1. {HISTORY.format('fit')}",
        "  2. contracts.kind: 1 of 2 rows with a value that is not allowed (2: gift). Allowed are new, renewal, "
        "upsell, cross_sell, downsell, price_change, discount; it is read as empty.",
        "  3. usage.account_id: 1 of 99 rows of an account that accounts lacks (zz). Such rows are left out. Add the "
        "account, or remove them.",
        "  4. usage.used_on: 1 of 98 rows before the account's first contract starts (a: 2023-12-31 before "
        "2024-01-01). Correct the dates or the account; such usage counts as seen before the contract.",
    ]
    assert not source.data_dir.exists()


HISTORY = (
    "accounts.valid_from: is absent or empty, so every past date sees today's {}. One that is changed after the fact, "
    "such as a fit re-rated once a customer struggles, leaks the future into training: give its history with "
    "valid_from, or leave it out (snapshots.drop, forecast.cuts)."
)
NO_HISTORY = [  # accounts, settings, the attributes that are named
    ("account_id,name,segment,csm,fit / a,x,s,c,good / b,x,s,c,bad", [], "segment, csm, fit"),
    ("account_id,fit,valid_from / a,good, / b,bad,", [], "fit"),
    (
        "account_id,segment,fit / a,s,good / b,s,bad",
        ["snapshots.drop=[fit,segment]", "forecast.cuts=[tier]"],
        "segment, tier",
    ),
    ("account_id,name,seller / a,x,y / b,x,y", [], None),  # neither a feature nor a cut
    ("account_id,fit / a,good / b,bad", ["snapshots.drop=[fit]"], None),
    ("account_id,fit,valid_from / a,good,2024-01-01 / b,bad,", [], None),
    ("account_id,fit,recorded_at / a,good,2024-01-01 / a,bad,2024-03-01 / b,bad,", [], None),
]


@pytest.mark.parametrize(("accounts", "settings", "named"), NO_HISTORY)
def test_attributes_without_a_history_are_named_once(
    source: Any, accounts: str, settings: list[str], named: str | None
) -> None:
    if named == "segment, tier":
        accounts = accounts.replace("account_id", "account_id,tier").replace(" a,", " a,1,").replace(" b,", " b,1,")
    source.write("accounts", accounts)
    found = [str(warning) for warning in source.load(*settings).report.warnings]
    assert found == ([HISTORY.format(named)] if named else [])


OVERLAPS = "contract_id,account_id,product,kind,starts_on,ends_on,mrr / "
OVERLAPPED = OVERLAPS + (
    "1,a,x,new,2024-01-01,2024-07-01,5 / 2,a,x,,2024-06-30,2024-09-01,6 / 3,a,y,,2024-02-01,2024-09-01,5 / "
    "4,b,x,new,2024-01-01,2025-01-01,5 / 5,b,x,,2024-02-01,2024-09-01,7.5"
)
SAME = "overlapping an earlier line of the same account_id, product"
REPLACING = (
    f"contracts.starts_on: 1 of 5 rows {SAME}, and replacing it from its start (MRR 6.00 in place of 5.00) "
    "(2: 2024-06-30). Renewals do, and lines that outlast the other and start within revenue.early_renewal_days (90) "
    "of its end; revenue.overlap: add counts both."
)
ADDING = (
    f"contracts.starts_on: 1 of 5 rows {SAME}, and adding to it (MRR 7.50 beside 5.00) (5: 2024-02-01). If it replaces "
    "the earlier line, end that one (ended_on), give kind renewal, or set revenue.overlap: replace; revenue.overlap: "
    "refuse makes it an error."
)


def test_lines_that_overlap_are_listed_by_what_they_do(source: Any) -> None:
    source.write("contracts", OVERLAPPED)
    warnings = [str(warning) for warning in source.load().report.warnings if SAME in str(warning)]
    assert warnings == [REPLACING, ADDING]
    for setting, words in (("replace", ["and replacing"]), ("add", ["and adding"])):
        found = [str(w) for w in source.load(f"revenue.overlap={setting}", "seed=2").report.warnings if SAME in str(w)]
        assert [word in found[0] for word in words] == [True] * len(found), setting
    with pytest.raises(BadInput, match=r"2 of 5 rows overlapping an earlier line"):
        source.load("revenue.overlap=refuse")


NO_PRODUCT = [  # contracts whose lines overlap, and the warning
    "contract_id,account_id,starts_on,ends_on,mrr / 1,a,2024-01-01,2025-01-01,5 / 2,a,2024-06-01,2025-06-01,5",
    "contract_id,account_id,product,starts_on,ends_on,mrr / 1,a,,2024-01-01,2025-01-01,5 / 2,a,,2024-06-01,,5 / "
    "3,a,x,2024-06-01,,5",
]


@pytest.mark.parametrize("contracts", NO_PRODUCT)
def test_overlapping_lines_without_a_product_are_a_warning(source: Any, contracts: str) -> None:
    source.write("contracts", contracts)
    report = source.load().report
    lines = len(contracts.split(" / ")) - 1
    assert [str(warning) for warning in report.warnings if warning.column == "product"] == [
        f"contracts.product: 1 of {lines} rows overlapping an earlier line of the account, and naming no product to "
        "tell them apart by (2: 2024-06-01). Their revenue adds up; give product to have overlaps checked."
    ]
    assert source.rows("SELECT count(*) FROM contracts") == [(lines,)]


def test_dates_that_cannot_be_do_not_lead_to_warnings_beside(source: Any) -> None:
    source.write("usage", "account_id,used_on / a,2024-04-01")
    source.write("tickets", "account_id,opened_at / " + " / ".join(f"a,0024-05-{day:02}" for day in range(1, 29)))
    with pytest.raises(BadInput, match=r"years have four digits") as caught:
        source.load()
    assert caught.value.warnings == ()


def test_versions_of_a_line_count_once_and_a_line_replaced_mid_term_does_not_overlap(source: Any) -> None:
    source.write(
        "contracts",
        "contract_id,account_id,starts_on,ends_on,ended_on,mrr,recorded_at / 1,a,2024-01-01,2025-01-01,,5,2024-01-01 / "
        "1,a,2024-01-01,2025-01-01,2024-05-01,5,2024-05-01 / 2,a,2024-05-01,2025-01-01,,9,2024-05-01",
    )
    source.load()
    assert source.rows("SELECT count(*) FROM contracts") == [(3,)]


GOOD_USAGE = "account_id,used_on,quantity,usage_id / " + " / ".join(f"a,2024-04-01,1,{n}" for n in range(97))
LEFT_OUT = [
    ("zz,2024-04-01,1,x", "account_id: of an account that accounts lacks", ("zz", "2024-04-01", "1.0", "x")),
    (",2024-04-01,1,x", "account_id: without a value", (None, "2024-04-01", "1.0", "x")),
    ("a,,1,x", "used_on: without a value", ("a", None, "1.0", "x")),
    ("a,yesterday,1,x", "used_on: with a value that is no date", ("a", "yesterday", "1.0", "x")),
    ("a,2024-04-01,many,x", "quantity: with a value that is no number", ("a", "2024-04-01", "many", "x")),
    ("a,2024-04-02,2,3", "usage_id: repeating an earlier one", ("a", "2024-04-02", "2.0", "3")),
    ("zz,soon,1,x", "used_on: with a value that is no date; account_id: of an account that accounts lacks",
     ("zz", "soon", "1.0", "x")),
    ("a,2024-04-01", "usage.csv line 99: 2 fields for 4 columns: a,2024-04-01", (None, None, None, None)),
]  # fmt: skip


@pytest.mark.parametrize(("row", "reason", "kept"), LEFT_OUT, ids=[reason for _, reason, _ in LEFT_OUT])
def test_rows_that_can_be_lived_without_go_to_the_quarantine(
    source: Any, row: str, reason: str, kept: tuple[Any, ...]
) -> None:
    source.write("usage", f"{GOOD_USAGE} / {row}")
    report = source.load().report
    usage = report.tables[2]
    assert (usage.rows_read, usage.rows_kept, usage.rows_quarantined) == (98, 97, 1)
    assert source.rows("SELECT count(*) FROM usage") == [(97,)]
    quarantine = duckdb.sql(f"FROM '{source.data_dir}/quarantine/usage.parquet'")
    assert quarantine.columns == ["reason", "account_id", "used_on", "quantity", "usage_id"]
    assert quarantine.fetchall() == [(reason, *kept)]
    assert all("1 of 98 rows" in str(warning) for warning in report.warnings)
    assert all("Left out, see quarantine/usage.parquet." in str(warning) for warning in report.warnings)


def test_the_limit_on_rows_left_out_is_a_setting(source: Any) -> None:
    source.write("usage", "account_id,used_on / a,2024-04-01 / zz,2024-04-01")
    assert source.load("source.max_bad_share=0.5").report.tables[2].rows_quarantined == 1


def test_a_quarantine_that_is_no_longer_true_is_removed(source: Any) -> None:
    source.write("usage", f"{GOOD_USAGE} / zz,2024-04-01,1,x")
    source.load()
    source.write("usage", GOOD_USAGE)
    source.load()
    assert not (source.data_dir / "quarantine").exists()


def test_each_way_an_account_can_be_served_is_kept(source: Any) -> None:
    tiers = ("high", "medium", "low", "tech")
    source.write("accounts", "account_id,touch_model / " + " / ".join(f"{tier},{tier}" for tier in tiers))
    source.write(
        "contracts", "contract_id,account_id,starts_on,mrr / " + " / ".join(f"{t},{t},2024-01-01,5" for t in tiers)
    )
    source.load()
    rows = source.rows("SELECT account_id, touch_model FROM accounts ORDER BY 1")
    assert rows == [(tier, tier) for tier in sorted(tiers)]


def test_an_unknown_value_is_emptied_unless_empty_means_something(source: Any) -> None:
    source.write(
        "contracts", "contract_id,account_id,starts_on,mrr,kind / 1,a,2024-01-01,5,Cross-Sell / 2,b,2024-01-01,5,gift"
    )
    rows = "account_id,acted_on,action,status / " + " / ".join(["a,2024-04-01,call,Done"] * 30)
    source.write("csm_actions", f"{rows} / b,2024-04-01,call,cancelled")
    report = source.load().report
    assert source.rows("SELECT contract_id, kind FROM contracts ORDER BY 1") == [("1", "cross_sell"), ("2", None)]
    assert source.rows("SELECT status, count(*) FROM csm_actions GROUP BY 1") == [("done", 30)]
    assert [str(warning) for warning in report.warnings] == [
        "contracts.kind: 1 of 2 rows with a value that is not allowed (2: gift). Allowed are new, renewal, upsell, "
        "cross_sell, downsell, price_change, discount; it is read as empty.",
        "csm_actions.status: 1 of 31 rows with a value that is not allowed (cancelled). Left out, see "
        "quarantine/csm_actions.parquet. Allowed are done, missed, planned.",
    ]


LINE = "contract_id,account_id,starts_on,mrr"
ENDED = f"{LINE},ends_on / 1,a,2024-01-01,100,2024-06-01 / 2,b,2024-03-01,50,"
CONTRADICTIONS = [
    (
        {"contracts": f"{LINE} / 1,a,2024-01-01,0 / 2,b,2024-03-01,0"},
        "contracts.mrr: 2 of 2 rows with an amount of 0 (1, 2)",
    ),
    (
        {"usage": "account_id,used_on / a,2023-12-31 / a,2024-01-01"},
        "usage.used_on: 1 of 2 rows before the account's first contract starts (a: 2023-12-31 before 2024-01-01)",
    ),
    (
        {"usage": "account_id,used_on,contract_id / b,2024-02-29,2 / b,2024-03-01,2"},
        "usage.used_on: 1 of 2 rows before the contract line they were used under starts "
        "(2: 2024-02-29 before 2024-03-01)",
    ),
    (
        {"usage": "account_id,used_on,contract_id / b,2024-03-01,9"},
        "usage.contract_id: 1 of 1 row of a line that contracts lacks (9)",
    ),
    (
        {"usage": "account_id,used_on,quantity / a,2024-04-01,-2.5 / b,2024-04-01,0 / b,2024-04-01, / b,2024-04-01,-1"},
        "usage.quantity: 2 of 4 rows with a negative quantity (a: -2.5, b: -1.0)",
    ),
    (
        {"contracts": ENDED, "engagement": "account_id,happened_on,kind / a,2024-07-01,email / a,2024-06-30,email"},
        "engagement.happened_on: 1 of 2 rows 30 days or more after the account's last contract ended "
        "(a: 2024-07-01 after 2024-06-01)",
    ),
    (
        {"contracts": ENDED, "churn_events": "account_id,left_on / a,2024-05-31 / a,2024-06-01 / b,2024-03-01"},
        "churn_events.left_on: 2 of 3 rows with a subscription still open (a: 2024-05-31, b: 2024-03-01)",
    ),
    (
        {"churn_events": "account_id,left_on / b,2024-02-01"},
        "churn_events.left_on: 1 of 1 row before the account's first contract starts "
        "(b: 2024-02-01 before 2024-03-01)",
    ),
    (
        {"tickets": "account_id,opened_at,resolved_at / a,2024-02-02 10:00,2024-02-01 09:00"},
        "tickets.resolved_at: 1 of 1 row with resolved_at before opened_at "
        "(a: 2024-02-01 09:00:00 before 2024-02-02 10:00:00)",
    ),
    (
        {"surveys": "account_id,responded_on,kind,score / a,2024-02-01,nps,11 / a,2024-02-01,csat,5"},
        "surveys.score: 1 of 2 rows of nps outside 0 to 10 (11.0)",
    ),
    (
        {"surveys": "account_id,responded_on,score,recorded_at / a,2024-02-01,9,2024-01-31 23:59"},
        "surveys.recorded_at: 1 of 1 row recorded before the event (a: 2024-01-31 before 2024-02-01)",
    ),
    (
        {"accounts": "account_id,fit,technical_fit,customer_since / a,good,7,2024-02-01 / b,bad,1,2024-01-01"},
        "accounts.technical_fit: 1 of 2 rows outside 0 to 1 (a: 7.0)",
    ),
    (
        {"accounts": "account_id,customer_since / a,2024-02-01 / b,2024-01-01"},
        "accounts.customer_since: 1 of 2 rows later than the first line's start (a: 2024-02-01 after 2024-01-01)",
    ),
    ({"accounts": "account_id / a / b / c"}, "accounts.account_id: 1 of 3 rows of accounts without any contract (c)"),
    (
        {"contracts": f"{LINE},ends_on,notice_on / 1,a,2024-01-01,5,2024-06-01,2024-06-02"},
        "contracts.notice_on: 1 of 1 row with a notice after the line's end (1: 2024-06-02 after 2024-06-01)",
    ),
    (
        {"contracts": f"{LINE},ends_on,ended_on / 1,a,2024-01-01,5,2024-06-01,2024-06-02"},
        "contracts.ended_on: 1 of 1 row stopped after the scheduled end (1: 2024-06-02 after 2024-06-01)",
    ),
    (
        {
            "contracts": "contract_id,account_id,starts_on,mrr,currency / 1,a,2024-01-01,5,EUR / 2,b,2024-08-01,5,EUR",
            "fx_rates": "month,currency,rate / 2024-02-01,EUR,1.1 / 2024-03-01,EUR,1.1",
        },
        "contracts.currency: 1 of 2 rows starting before the currency's first rate (EUR from 2024-02-01)",
    ),
    (
        {
            "contracts": "contract_id,account_id,starts_on,mrr,currency / 1,a,2024-02-01,5,EUR / 2,b,2024-08-01,5,EUR",
            "fx_rates": "month,currency,rate / 2024-02-01,EUR,1.1 / 2024-03-01,EUR,1.1",
        },
        "fx_rates.month: 1 of 2 rows holding a currency's last rate, more than 62 days before the data end "
        "(EUR: 2024-03-01)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "warning"), CONTRADICTIONS, ids=[text.split(": ")[0] for _, text in CONTRADICTIONS])
def test_contradictions_are_named_and_kept(source: Any, tables: dict[str, str], warning: str) -> None:
    for name, text in tables.items():
        source.write(name, text)
    report = source.load().report
    assert warning in [str(found).rsplit(". ", 1)[0] for found in report.warnings]
    assert all(table.rows_quarantined == 0 for table in report.tables)


SEVERITIES = [  # severities of tickets, and what is said of those that are not known
    (["1", "2", "3", "4", "Low", "medium", "HIGH", "critical", "urgent"], None),
    (["1", ""], None),
    (["P1", "critical", "P1", "Sev-1", "blocker"], "4 of 5 rows of a severity that is not known (P1, Sev-1, blocker)"),
    ([f"S{n}" for n in range(1, 8)], "7 of 7 rows of a severity that is not known (S1, S2, S3, S4, S5, ...)"),
]


@pytest.mark.parametrize(("severities", "said"), SEVERITIES)
def test_severities_that_count_for_nothing_are_named(source: Any, severities: list[str], said: str | None) -> None:
    source.write("tickets", "account_id,opened_at,severity / " + " / ".join(f"a,2024-04-01,{s}" for s in severities))
    todo = (
        "They count as not severe. Known are 1, 2, low, medium and, as severe, 3, 4, high, critical, urgent: map the "
        "others in the source or in source.tables.tickets.query, with CASE severity WHEN 'P1' THEN 'critical' ELSE "
        "severity END AS severity."
    )
    warnings = [str(warning) for warning in source.load().report.warnings]
    assert warnings == ([f"tickets.severity: {said}. {todo}"] if said else [])


def test_the_query_of_the_docs_keeps_the_severities_it_does_not_list(source: Any) -> None:
    page = (Path(__file__).parents[3] / "docs" / "input-check.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    tables = yaml.safe_load(example)["source"]["tables"]
    source.write("tickets", "account_id,opened_at,severity / a,2024-04-01,P3 / a,2024-04-02,P4")
    (warning,) = source.load(**tables).report.warnings
    assert (warning.what, warning.examples) == ("of a severity that is not known", ("P4",))


def test_a_query_maps_severities(source: Any) -> None:
    """As the warning says."""
    source.write("tickets", "account_id,opened_at,severity / a,2024-04-01,P1 / a,2024-04-02,low")
    case = "CASE severity WHEN 'P1' THEN 'critical' ELSE severity END AS severity"
    query = f"SELECT account_id, opened_at, {case} FROM read_csv('{{path}}/tickets.csv', all_varchar = true)"
    assert source.load(tickets={"query": query}).report.warnings == ()
    assert source.rows("SELECT severity FROM tickets ORDER BY 1") == [("critical",), ("low",)]


def test_what_happens_after_the_data_end_is_named(source: Any) -> None:
    source.write("usage", "account_id,used_on / a,2024-04-01 / a,2024-05-01")
    report = source.load("source.data_until=2024-05-01").report
    assert [str(warning).split(". ")[0] for warning in report.warnings] == [
        "usage.used_on: 1 of 2 rows on or after 2024-05-01, where the data end (a: 2024-05-01)",
    ]


def test_the_report_tells_what_is_there_and_what_is_lost(source: Any) -> None:
    source.write("usage", "account_id,used_on,feature / a,2024-04-01,x / a,2024-05-01,y")
    report = source.load().report
    usage = report.tables[2]
    assert (usage.table, usage.columns) == ("usage", ("account_id", "used_on", "feature"))
    assert usage.absent == ("user_id", "quantity", "usage_id", "contract_id", "recorded_at")
    assert (str(usage.first_day), str(usage.last_day)) == ("2024-04-01", "2024-05-01")
    assert "tickets" in report.absent_tables
    needs = {"users": ("usage.used_on", "usage.user_id"), "days": ("usage.used_on",), "open": ("tickets.opened_at",)}
    assert report.lost(needs) == {"usage.user_id": ("users",), "tickets": ("open",)}


def test_a_good_source_gives_no_warning(source: Any) -> None:
    assert source.load().report.warnings == ()


def test_rows_that_say_nothing_are_left_out_however_many_they_are(source: Any) -> None:
    """A month without a rate, and a survey that was sent and not answered."""
    source.write(
        "contracts", "contract_id,account_id,starts_on,mrr,currency / 1,a,2024-01-01,5,EUR / 2,b,2024-01-01,5,"
    )
    source.write("fx_rates", "month,currency,rate / 2024-01-01,EUR,1.1 / 2024-02-01,EUR, / 2024-03-01,EUR,")
    source.write("surveys", "account_id,responded_on,kind,score / a,2024-02-01,nps, / b,2024-02-01,nps,9")
    warnings = [str(warning) for warning in source.load().report.warnings if warning.rule == "missing_value"]
    assert warnings == [
        "surveys.score: 1 of 2 rows without a value (a). Left out, see quarantine/surveys.parquet. A survey without a "
        "score was not answered.",
        "fx_rates.rate: 2 of 3 rows without a value (2024-02-01, 2024-03-01). Left out, see "
        "quarantine/fx_rates.parquet. The rate of the month before goes on.",
    ]
    assert source.rows("SELECT count(*) FROM surveys") == source.rows("SELECT count(*) FROM fx_rates") == [(1,)]


def test_a_column_is_read_by_its_former_name_and_mapped_by_its_name_of_today(source: Any) -> None:
    source.write("churn_events", "account_id,churned_on / b,2024-06-02")
    source.load()
    assert [str(day) for (day,) in source.rows("SELECT left_on FROM churn_events")] == ["2024-06-02"]
    with pytest.raises(BadInput, match=r"maps churned_on, which is no column of churn_events.* It is left_on now\."):
        source.load("source.tables.churn_events.columns={churned_on: churned_on}")
