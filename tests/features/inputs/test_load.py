"""Opening, mapping, typing and storing: from whatever form the input has to the same checked tables."""

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import params
from features.inputs.load import load_tables
from features.revenue.cut_labels import labels_in_force
from features.snapshots.building import build
from features.snapshots.on_demand import of_account
from features.tables.problems import BadInput

pytestmark = pytest.mark.usefixtures("costly")

ROOT = Path(__file__).parents[3]
USAGE = pd.DataFrame(
    {"account_id": ["a", "a", "b"], "used_on": pd.to_datetime(["2024-04-01", "2024-04-02", "2024-04-03"])}
)
SAME = [("a", date(2024, 4, 1)), ("a", date(2024, 4, 2)), ("b", date(2024, 4, 3))]


def to_parquet(frame: pd.DataFrame, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    frame.to_parquet(file, index=False)


def to_csv(frame: pd.DataFrame, file: Path, **how: Any) -> None:
    file.parent.mkdir(exist_ok=True)
    frame.to_csv(file, index=False, **how)


FORMS: dict[str, Callable[[Path], object]] = {
    "parquet": lambda folder: to_parquet(USAGE, folder / "usage.parquet"),
    "csv": lambda folder: to_csv(USAGE, folder / "usage.csv"),
    "csv with semicolons": lambda folder: to_csv(USAGE, folder / "usage.csv", sep=";"),
    "csv with a byte order mark and carriage returns": lambda folder: to_csv(
        USAGE, folder / "usage.csv", encoding="utf-8-sig", lineterminator="\r\n"
    ),
    "csv, compressed": lambda folder: (folder / "usage.csv.gz").write_bytes(
        gzip.compress(USAGE.to_csv(index=False).encode())
    ),
    "folder of parquet": lambda folder: [
        to_parquet(USAGE[:2], folder / "usage" / "1.parquet"),
        to_parquet(USAGE[2:], folder / "usage" / "2.parquet"),
    ],
    "folder of csv in different orders": lambda folder: [
        to_csv(USAGE[:2], folder / "usage" / "1.csv"),
        to_csv(USAGE[2:][["used_on", "account_id"]], folder / "usage" / "2.csv"),
    ],
    "a data frame engine's folder": lambda folder: to_parquet(USAGE, folder / "usage.parquet" / "part-0.parquet"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_gives_the_same_rows(source: Any, form: str) -> None:
    FORMS[form](source.folder)
    source.load()
    assert source.rows("FROM usage") == SAME


def test_file_names_a_file_or_a_pattern(source: Any) -> None:
    to_csv(USAGE[:2], source.folder / "exports" / "use-1.csv")
    to_csv(USAGE[2:], source.folder / "exports" / "use-2.csv")
    source.load(usage={"file": "exports/use-1.csv"})
    assert source.rows("FROM usage") == SAME[:2]
    source.load(usage={"file": "exports/use-*.csv"})
    assert source.rows("FROM usage") == SAME


def test_a_query_stands_for_a_table(source: Any) -> None:
    to_csv(USAGE, source.folder / "it's.csv")
    query = "SELECT account_id, used_on + 1 AS used_on FROM read_csv('{path}/it''s.csv');"
    source.load(usage={"query": query})
    assert source.rows("SELECT min(used_on) FROM usage") == [(date(2024, 4, 2),)]


def test_a_database_gives_tables_and_queries(source: Any, tmp_path: Path) -> None:
    database = tmp_path / "crm.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE TABLE Accounts AS SELECT unnest([1, 2]) AS account_id")
        connection.execute("CREATE VIEW lines AS SELECT 7 AS contract_id, 1 AS account_id, 9.5 AS mrr")
    query = "SELECT *, DATE '2024-01-01' AS starts_on FROM lines"
    loaded = source.load("source.kind=duckdb", f"source.path={database}", contracts={"query": query})
    assert source.rows("FROM accounts") == [("1",), ("2",)]
    assert source.rows("SELECT contract_id, mrr::VARCHAR FROM contracts") == [("7", "9.500000")]
    assert loaded.tables.data_until == date(2024, 1, 2)


def test_columns_are_renamed_and_extra_ones_and_cuts_kept_as_text(source: Any) -> None:
    source.write("accounts", "ID,Tier,state,floor,unused / a,small,WA,3,x / b,large,,4,y")
    mapping = {"columns": {"account_id": "ID", "segment": "tier"}, "extra": ["state"]}
    loaded = source.load("forecast.cuts=[segment,floor]", accounts=mapping)
    assert loaded.tables.columns["accounts"] == ("account_id", "segment", "state", "floor")
    assert source.rows("FROM accounts") == [("a", "small", "WA", "3"), ("b", "large", None, "4")]
    assert loaded.report.tables[0].extra == ("state", "floor")


def test_columns_of_ones_own_are_kept_of_tables_of_events_too(source: Any) -> None:
    source.write("usage", "account_id,used_on,Plan Tier,seconds / a,2024-04-01,pro,1.5 / b,2024-04-02,,2")
    setting = {"columns": {"plan_tier": "plan tier"}, "extra": {"plan_tier": None, "seconds": "number"}}
    loaded = source.load(usage=setting)
    assert loaded.tables.columns["usage"] == ("account_id", "used_on", "plan_tier", "seconds")
    assert source.rows("SELECT plan_tier, seconds FROM usage") == [("pro", 1.5), (None, 2.0)]
    assert loaded.tables.numbers["usage"] == ("seconds",)
    assert next(table for table in loaded.report.tables if table.table == "usage").extra == ("plan_tier", "seconds")


def test_a_column_of_any_name_is_read_by_all_that_reads_attributes(source: Any) -> None:
    source.write("accounts", 'account_id,"we""ird",select,Mixed Case / a,x,y,z / b,,,')
    names = ['we"ird', "select", "Mixed Case"]
    settings = source.params("source.data_until=2024-06-01", accounts={"extra": names})
    tables = load_tables(settings).tables
    as_of = date(2024, 4, 1)
    assert labels_in_force(tables, as_of, names, settings.budget).loc["a"].tolist() == ["x", "y", "z"]
    frame = build(tables, [as_of], revenue=settings.revenue, settings=settings.snapshots, budget=settings.budget).frame
    assert frame.set_index("account_id").loc["a", names].tolist() == ["x", "y", "z"]
    assert of_account(tables, "a", as_of, params=settings).frame[names].to_numpy().tolist() == [["x", "y", "z"]]


def test_what_is_no_number_in_a_column_declared_as_one_is_named(source: Any) -> None:
    source.write("usage", "account_id,used_on,seconds / a,2024-04-01,1.5 / b,2024-04-02,long")
    with pytest.raises(BadInput, match=r"usage.seconds: 1 of 2 rows with a value that is no number \(long\)"):
        source.load(usage={"extra": {"seconds": "number"}})


PEOPLE = "account_id,plan,size,postcode,floor / a,pro,12,01234,3 / b,basic,,98765,4 / c,basic,n/a,12345,4"


def test_a_column_that_a_feature_names_is_kept_and_typed(source: Any) -> None:
    """Text that is all numbers is numbers where it is learned from; a postal code is none, a cut is a label."""
    source.write("accounts", PEOPLE)
    source.write("contracts", "contract_id,account_id,starts_on,mrr / 1,a,2024-01-01,100")
    source.write("usage", "account_id,used_on,seconds,channel / a,2024-04-01,1.5,Web")
    features = {
        **{name: {"table": "accounts"} for name in ("plan", "size", "postcode")},
        "seconds_28d": {"table": "usage", "measure": "sum", "column": "seconds", "window": 28},
        "web_28d": {"table": "usage", "filter": {"channel": "web"}, "window": 28},
    }
    loaded = source.load(f"features={features}", "forecast.cuts=[floor]")
    assert loaded.tables.numbers == {"accounts": ("size",), "usage": ("seconds",)}
    assert source.rows("SELECT plan, size, postcode, floor FROM accounts") == [
        ("pro", 12.0, "01234", "3"), ("basic", None, "98765", "4"), ("basic", None, "12345", "4"),
    ]  # fmt: skip
    assert source.rows("SELECT seconds, channel FROM usage") == [(1.5, "Web")]
    again = source.load(f"features={features}", "forecast.cuts=[floor]")
    assert again.tables == loaded.tables  # stored, and read again
    text = {"extra": {"size": "text"}}
    assert "accounts" not in source.load(f"features={features}", accounts=text).tables.numbers


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        ({"web": {"table": "usage", "filter": {"chanel": "web"}, "window": 9}}, BadInput,
         "usage.chanel: is named in features.web, and the source lacks it. Correct the name, or remove it. "
         "The columns are account_id, used_on, channel. Did you mean channel?"),
        ({"web": {"table": "usage", "filter": {"featur": "web"}, "window": 9}}, BadInput, "Did you mean feature?"),
        ({"web": {"table": "usge", "window": 9}}, params.SettingsError,
         "features.web: there is no table usge. Did you mean usage?"),
        ({"web": {"table": "goals", "filter": {"achieved_on": "x"}, "window": 9}}, params.SettingsError,
         "goals.achieved_on is filled in later than the row's day (set_on)"),
    ],
)  # fmt: skip
def test_a_feature_that_cannot_be_is_named_and_nothing_is_written(
    source: Any, features: Any, error: type[Exception], message: str
) -> None:
    source.write("usage", "account_id,used_on,channel / a,2024-04-01,web")
    with pytest.raises(error, match=re.escape(message)):
        source.load(f"features={features}")
    assert not (source.data_dir / "tables.duckdb").exists()


def test_the_stored_tables_are_no_excuse_for_a_feature_that_does_not_fit(source: Any) -> None:
    source.write("usage", "account_id,used_on,feature / a,2024-04-01,web")
    source.load()
    with pytest.raises(params.SettingsError, match=r"features\.web: usage\.feature holds text, and a number"):
        source.load("features={web: {table: usage, measure: sum, column: feature, window: 9}}")


def test_lag_days_reach_the_tables(source: Any) -> None:
    to_csv(USAGE, source.folder / "usage.csv")
    assert source.load(usage={"lag_days": 3}).tables.lag_days == {"usage": 3}


VALUES = [  # column of contracts, as written, as stored
    ("starts_on", "2024-01-31", date(2024, 1, 31)),
    ("starts_on", "2024-01-31 23:30:00", date(2024, 1, 31)),
    ("starts_on", "2024-01-31T23:30:00-05:00", date(2024, 2, 1)),
    ("starts_on", "31.01.2024", date(2024, 1, 31)),
    ("starts_on", "20240131", date(2024, 1, 31)),
    ("starts_on", "01/02/2024", date(2024, 1, 2)),
    ("recorded_at", "2024-01-31 23:30", datetime(2024, 1, 31, 23, 30)),
    ("recorded_at", "2024-01-31T23:30:00Z", datetime(2024, 1, 31, 23, 30)),
    ("recorded_at", "2024-01-31 23:30:00+02:00", datetime(2024, 1, 31, 21, 30)),
    ("recorded_at", "2024-07-01 12:00:00 Europe/Berlin", datetime(2024, 7, 1, 10)),
    ("mrr", "10.005", "10.005000"),
    ("mrr", " 7 ", "7.000000"),
    ("mrr", "1e3", "1000.000000"),
    ("seats", "12.0", 12),
    ("auto_renew", "Yes", True),
    ("auto_renew", "f", False),
    ("auto_renew", "NULL", None),
    ("ends_on", "n/a", None),
    ("product", "NA", "NA"),
    ("product", '""', None),
    ("kind", "cross sell", "cross_sell"),
    ("currency", "usd", "USD"),
]


@pytest.mark.parametrize(("column", "written", "stored"), VALUES, ids=[f"{c} {w}" for c, w, _ in VALUES])
def test_text_is_read_in_its_usual_spellings(source: Any, column: str, written: str, stored: object) -> None:
    line = {"contract_id": "1", "account_id": "a", "starts_on": "2024-01-01", "mrr": "5"} | {column: written}
    source.write("contracts", f"{','.join(line)} / {','.join(line.values())}")
    source.load()
    shown = "mrr::VARCHAR" if column == "mrr" else column
    assert source.rows(f"SELECT {shown} FROM contracts") == [(stored,)]


def test_day_first_turns_ambiguous_dates(source: Any) -> None:
    source.write("usage", "account_id,used_on / a,03-04-2024 / a,2024-04-05")
    source.write("tickets", "account_id,opened_at / a,03/04/2024 17:30")
    source.load("source.day_first=true")
    assert source.rows("SELECT used_on FROM usage ORDER BY 1") == [(date(2024, 4, 3),), (date(2024, 4, 5),)]
    assert source.rows("SELECT opened_at FROM tickets") == [(datetime(2024, 4, 3, 17, 30),)]


def test_typed_columns_are_taken_by_their_type(source: Any) -> None:
    """Of a data frame: zones become UTC, a missing number is empty, ids that met one are whole again."""
    tickets = pd.DataFrame(
        {
            "account_id": [1.0, 2.0],
            "opened_at": pd.to_datetime(["2024-04-01 01:00", "2024-04-02 12:00"]).tz_localize("Europe/Paris"),
            "resolved_at": pd.to_datetime([None, "2024-04-03"]),
        }
    )
    source.write("accounts", "account_id / 1 / 2")
    source.write("contracts", "contract_id,account_id,starts_on,mrr / 1,1,2024-01-01,1")
    to_parquet(tickets, source.folder / "tickets.parquet")
    source.load()
    assert source.rows("FROM tickets") == [
        ("1", datetime(2024, 3, 31, 23), None),
        ("2", datetime(2024, 4, 2, 10), datetime(2024, 4, 3)),
    ]


UNTIL = [
    ({}, date(2024, 3, 2)),
    ({"usage": "account_id,used_on / a,2024-02-01"}, date(2024, 2, 2)),
    ({"tickets": "account_id,opened_at / a,2024-05-01 23:59"}, date(2024, 5, 2)),
    (
        {"csm_actions": "account_id,acted_on,action,status / a,2024-04-01,call, / a,2024-09-01,call,planned"},
        date(2024, 4, 2),
    ),
    (
        {"contracts": "contract_id,account_id,starts_on,signed_on,mrr / 1,a,2025-01-01,2024-06-01,5"},
        date(2024, 6, 2),
    ),
]


@pytest.mark.parametrize(("tables", "until"), UNTIL)
def test_data_until_is_the_day_after_the_newest_that_happened(source: Any, tables: dict[str, str], until: date) -> None:
    for name, text in tables.items():
        source.write(name, text)
    loaded = source.load()
    assert loaded.tables.data_until == loaded.report.data_until == until


def test_rows_are_stored_in_one_order_and_the_digest_is_that_of_the_content(source: Any) -> None:
    source.write("usage", "account_id,used_on / b,2024-04-03 / a,2024-04-02 / a,2024-04-01")
    first = source.load().tables
    assert source.rows("FROM usage") == SAME
    to_parquet(USAGE, source.folder / "usage.parquet")
    (source.folder / "usage.csv").unlink()
    second = source.load().tables
    assert first.digest == second.digest
    assert first.fingerprint != second.fingerprint


def test_stored_tables_are_reused_until_a_file_or_a_setting_changes(source: Any) -> None:
    first = source.load()
    made = (source.data_dir / "tables.duckdb").stat().st_mtime_ns

    def made_again(*overrides: str) -> bool:
        assert source.load(*overrides).tables.digest
        return (source.data_dir / "tables.duckdb").stat().st_mtime_ns != made

    assert source.load() == first
    assert not made_again("threads=1")
    assert made_again("source.max_bad_share=0.2")
    made = (source.data_dir / "tables.duckdb").stat().st_mtime_ns
    source.write("usage", "account_id,used_on / a,2024-04-01")
    assert made_again("source.max_bad_share=0.2")


def test_tables_that_are_damaged_or_older_are_made_again(source: Any) -> None:
    first = source.load()
    (source.data_dir / "tables.duckdb").write_bytes(b"no database")
    assert source.load() == first


def test_a_bad_input_leaves_the_last_good_tables(source: Any) -> None:
    source.load()
    before = (source.data_dir / "tables.duckdb").read_bytes()
    source.write("accounts", "account_id / a / a")
    with pytest.raises(BadInput, match="repeating an earlier one"):
        source.load()
    assert (source.data_dir / "tables.duckdb").read_bytes() == before
    assert sorted(file.name for file in source.data_dir.iterdir()) == ["tables.duckdb"]


KILLED = """
import os, signal, sys
import params
from features.inputs import load
load.put_in_place = lambda *folders: os.kill(os.getpid(), signal.SIGKILL)
load.load_tables(params.load(None, sys.argv[1:]))
"""


def test_a_run_killed_before_it_puts_the_tables_in_place_leaves_the_old_ones(source: Any) -> None:
    source.load()
    before = (source.data_dir / "tables.duckdb").read_bytes()
    source.write("usage", "account_id,used_on / a,2024-04-01")
    settings = ["source.kind=files", f"source.path={source.folder}", f"data_dir={source.data_dir}"]
    died = subprocess.run([sys.executable, "-c", KILLED, *settings], cwd=ROOT, check=False)
    assert died.returncode == -9
    assert (source.data_dir / "tables.duckdb").read_bytes() == before
    source.load()
    assert source.rows("SELECT count(*) FROM usage") == [(1,)]


def test_progress_tells_what_is_done(source: Any) -> None:
    told: list[str] = []
    settings = ["source.kind=files", f"source.path={source.folder}", f"data_dir={source.data_dir}"]
    load_tables(params.load(None, settings), progress=told.append)
    assert told == [
        "reading accounts",
        "reading contracts",
        "checking accounts",
        "checking contracts",
        "writing the checked tables",
    ]


def test_the_simulated_company_passes_and_is_made_again_only_when_its_settings_change(tmp_path: Path) -> None:
    told: list[str] = []

    def load(*overrides: str) -> Any:
        small = [f"data_dir={tmp_path}", "simulated.accounts=40", "simulated.months=12", *overrides]
        return load_tables(params.load(None, small), progress=told.append)

    first = load()
    assert first.tables.data_until == date(2026, 1, 1)
    assert load("source.max_bad_share=0.1").tables.digest == first.tables.digest
    assert load("seed=8").tables.digest != first.tables.digest
    assert told.count("simulating the company") == 2
    assert json.loads((tmp_path / "simulated.json").read_text())["seed"] == 8


WHERE = [  # settings of the source, and the problem
    (["source.path=null"], "source.path: is not set. Give a folder with the tables: --set source.path=PATH."),
    (["source.path=/no/such"], "source.path: /no/such does not exist. Give a folder with the tables."),
    (
        ["source.kind=duckdb", f"source.path={Path(__file__)}"],
        "cannot be opened as a DuckDB database",
    ),
    (
        ["source.tables.contrct={}"],
        "source.tables.contrct: is no table of the contract. The tables are accounts, contracts, usage, csm_actions, "
        "goals, engagement, tickets, surveys, contacts, calls, churn_events, leads, services, people, "
        "targets, pay, fx_rates. "
        "Did you mean contracts?",
    ),
    (
        ["source.tables.accounts.columns={segmnt: segment}"],
        "source.tables.accounts.columns: maps segmnt, which is no column of accounts.",
    ),
    (
        ["source.tables.accounts.columns={segment: segmnt}"],
        "accounts.segment: is mapped to segmnt, which the source lacks. Correct source.tables.accounts.columns.segment."
        " The columns are account_id, segment, valid_from. Did you mean segment?",
    ),
    (["source.tables.contracts.extra=[x]"], "source.tables.contracts.extra: names x. Extra columns are kept of"),
    (
        ["source.tables.contracts={query: SELECT 1, file: x.csv}"],
        "contracts: has both a file and a query. Keep one in source.tables.contracts.",
    ),
    (
        ["source.tables.contracts.query=SELECT * FROM nothing"],
        "contracts: its query cannot be run: Catalog Error: Table with name nothing does not exist!. Correct",
    ),
    (
        ["source.tables.contracts.query=SELECT error('no') AS contract_id"],
        "contracts: its query cannot be run: Invalid Input Error: no. Correct",
    ),
]


@pytest.mark.parametrize(("settings", "problem"), WHERE)
def test_settings_that_lead_nowhere_are_named(source: Any, settings: list[str], problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        source.load(*settings)
    assert problem in str(caught.value)


GZIPPED = gzip.compress(b"account_id,used_on\na,2024-01-01\n", mtime=0).decode("latin-1")
FILES = [  # what is written into the folder, and the problem
    ("usage.parquet", "no parquet", "usage: cannot be read: "),
    ("usage.csv", "account_id,used_on,used_on\na,b,c\n", "usage: usage.csv names used_on more than once. Give CSV"),
    ("usage.csv", "", "usage: usage.csv is empty. Give CSV"),
    ("usage.csv.gz", gzip.compress(b"", mtime=0).decode("latin-1"), "usage: usage.csv.gz is empty. Give CSV"),
    ("usage.csv", "\na,b\n", "usage: usage.csv has no column names in its first line. Give CSV"),
    ("usage.csv", "konto,na\0me\x1b[1m\n", "The columns are konto, na\\x00me\\x1b[1m."),
    ("usage.csv", "na\0me,na\0me\n", "usage: usage.csv names na\\x00me more than once."),
    ("usage.csv", "konto;name\n\xe9;x\n", "usage.account_id: is missing, and the column is required."),
    ("usage.csv", "account_id;\xe9\n", "usage: usage.csv cannot be read: 'utf-8' codec can't decode"),
    ("usage.csv", f'account_id,"{"x" * 131_073}"\n', "usage: usage.csv cannot be read: field larger than field limit"),
    ("usage.csv", "account_id,used_on\ra,2024-01-01\r", "usage: usage.csv cannot be read: its lines end with CR alone"),
    ("usage.csv.gz", "account_id", "usage: usage.csv.gz cannot be read: Not a gzipped file"),
    ("usage.csv.gz", GZIPPED[:20], "usage: usage.csv.gz cannot be read: Compressed file ended before"),
    ("usage.csv.gz", GZIPPED[:10] + "\xff" * 8, "usage: usage.csv.gz cannot be read: Error -3 while decompressing"),
    ("usage/readme.txt", "x", "usage: "),
]


@pytest.mark.parametrize(("name", "text", "problem"), FILES)
def test_files_that_cannot_be_read_are_named(source: Any, name: str, text: str, problem: str) -> None:
    (source.folder / name).parent.mkdir(exist_ok=True)
    (source.folder / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput) as caught:
        source.load()
    assert problem in str(caught.value)


def test_a_missing_table_is_named_with_what_is_there(source: Any) -> None:
    (source.folder / "contracts.csv").rename(source.folder / "contract.csv")
    with pytest.raises(BadInput) as caught:
        source.load()
    assert str(caught.value).splitlines()[1:] == [
        "  1. contracts: is missing, and the table is required. Add contracts.parquet, contracts.csv or a folder "
        "contracts/, or map it in source.tables.contracts. There are: accounts.csv, contract.csv. "
        "Did you mean contract?"
    ]


def test_a_missing_table_in_another_form_is_named(source: Any) -> None:
    (source.folder / "contracts.csv").rename(source.folder / "contracts.xls")
    (source.folder / "contacts.csv").write_text("contact_id,account_id\n1,a\n")
    with pytest.raises(BadInput, match=r"contacts.csv, contracts.xls\. contracts.xls is not read: export it as") as bad:
        source.load()
    assert "Did you mean" not in str(bad.value)


def test_a_table_that_is_there_twice_or_in_two_kinds_is_named(source: Any) -> None:
    to_csv(USAGE, source.folder / "usage.csv")
    to_parquet(USAGE, source.folder / "usage.parquet")
    to_csv(USAGE, source.folder / "calls" / "1.csv")
    to_parquet(USAGE, source.folder / "calls" / "1.parquet")
    with pytest.raises(BadInput, match=r"usage: is there more than once: usage\.parquet, usage\.csv") as caught:
        source.load()
    assert "calls: has Parquet and CSV files in one folder. Keep one kind, or name one in `file`." in str(caught.value)
