"""A figure more takes one declaration and one computation: the two lines below, and it is everywhere.

The two lines are put into a copy of the code, and a company's forecast is made, published and served by that copy in a
process of its own: nothing of it can be there by hand.
"""

import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from features.tables.spreadsheet_text import safe

ROOT = Path(__file__).parents[3]
CODE = (
    "features",
    "models",
    "training",
    "serving",
    "params.py",
    "params_outlets.py",
    "params_reading.py",
    "params_signals.py",
    "params_team.py",
    "params.yaml",
)
DECLARATION = """\
    OutColumn(
        "kept_share", Kind.SHARE, "share", "Expected ARR over ARR at as_of", places=EVERYWHERE, head="ARR kept",
        sortable=True, definition="ARR kept = expected ARR / ARR",
    ),
"""  # fmt: skip
COMPUTATION = """\
        "kept_share": paths.expected_arr / arr[:, None],
"""
# What is asked of the copy: a folder as the only argument, answers as JSON on the last line.
SCRIPT = """
import importlib.util, io, json, sys
from pathlib import Path

from rich.console import Console

spec = importlib.util.spec_from_file_location("places", sys.argv[1])
places = importlib.util.module_from_spec(spec)
sys.modules["places"] = places
spec.loader.exec_module(places)

from serving.forecast import export, terminal
from training.tracking.champion import load_champion
from serving.forecast.declared.output_tables import render_markdown

folder = Path(sys.argv[2])
(folder / "data").mkdir()
place = places.make_place(folder / "data")
champion = load_champion(place.params)
made = places.forecast(
    place.tables, champion, as_of=places.AS_OF, params=place.params, made_at=places.MADE_AT
)
files = export.publish(made, folder / "forecasts")
client = (service := places.make_service(place.params)).client()
service.desk.following.look()


def printed(show, content):
    console = Console(file=io.StringIO(), width=200, markup=False, highlight=False)
    show(console, content)
    return console.file.getvalue()


for name in ("csv", "xlsx"):
    (folder / f"accounts.{name}").write_bytes(client.get(f"/api/accounts.{name}?limit=1").content)
explained = terminal.explanation(made, "a02")
live = client.post("/api/live", json={"accounts": [{"account_id": "a02"}]})
print(json.dumps({
    "store": str(places.publication_file.newest(places.publication_file.folder_of(place.params.data_dir))),
    "accounts": client.get("/api/accounts?limit=1000&sort=kept_share").json(),
    "account": client.get("/api/accounts/a02").json(),
    "live": live.json(),
    "openapi": client.get("/openapi.json").json()["components"]["schemas"],
    "explained": explained,
    "explain": printed(terminal.print_explanation, explained),
    "forecast": printed(terminal.print_forecast, terminal.summarise(made)),
    "account_page": client.get("/accounts/a02").text,
    "accounts_page": client.get("/accounts").text,
    "portfolio_page": client.get("/").text,
    "docs": render_markdown(),
}))
"""


def add_before(file: Path, pattern: str, lines: str) -> None:
    """Put lines before the one line of a file that a pattern matches."""
    text = file.read_text()
    (at,) = re.finditer(pattern, text, re.M)
    file.write_text(text[: at.start()] + lines + text[at.start() :])


@pytest.fixture(scope="module")
def folder(costly: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("added")


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, Any]:
    """What a copy of the code with one figure more answers everywhere."""
    code = folder / "code"
    code.mkdir()
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, code / name)
    forecast = code / "serving" / "forecast"
    add_before(forecast / "declared" / "output_tables.py", r'^    OutColumn\(\n        "arr_at_risk"', DECLARATION)
    add_before(forecast / "batch.py", r'^        "arr_at_risk": ', COMPUTATION)
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parents[1] / "published.py"), str(folder)]
    done = subprocess.run(
        command, cwd=code, env={**os.environ, "PYTHONPATH": str(code)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    content: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return content


def horizon_of(rows: list[dict[str, Any]], months: int) -> dict[str, Any]:
    return next(row for row in rows if row["horizon_months"] == months)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def cells(html: str, start: str) -> list[list[str]]:
    """The cells of the first table after some text: its heads, then row by row."""
    table = html[html.index(start) :].partition("</table>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in table.split("<tr")[1:]]
    return [[re.sub(r"<[^>]*>", "", cell).strip() for cell in row] for row in rows]


@pytest.fixture
def kept(answers: dict[str, Any]) -> float:
    """Account a02's over six months, as the computation says."""
    account = answers["account"]
    return float(horizon_of(account["horizons"], 6)["expected_arr"] / account["arr"])


def test_it_is_in_the_forecast_s_files(answers: dict[str, Any], folder: Path, kept: float) -> None:
    files = folder / "forecasts" / "2026-01-01"
    for frame in (pd.read_parquet(files / "account_forecast.parquet"), pd.read_csv(files / "account_forecast.csv")):
        row = frame[(frame["account_id"] == "a02") & (frame["horizon_months"] == 6)].iloc[0]
        assert row["kept_share"] == pytest.approx(kept, abs=1e-5)
        assert "ARR kept = expected ARR / ARR" in row["definition"]
    book = openpyxl.load_workbook(files / "forecast.xlsx")
    assert "kept_share" in [cell.value for cell in book["account_forecast"][1]]
    meanings = {(row[0].value, row[1].value): row[2].value for row in book["definitions"].iter_rows(min_row=2)}
    assert meanings["account_forecast", "kept_share"] == "Expected ARR over ARR at as_of (share)"


def test_it_is_in_the_published_database(answers: dict[str, Any], kept: float) -> None:

    with sqlite3.connect(answers["store"]) as database:
        query = (
            "SELECT kept_share FROM horizon JOIN account USING (number) WHERE account_id = 'a02' AND horizon_months = 6"
        )
        assert database.execute(query).fetchone()[0] == pytest.approx(kept, abs=1e-5)
    database.close()


def test_it_is_in_the_api_and_can_be_sorted_by(answers: dict[str, Any], kept: float) -> None:
    listed = {safe(row["account_id"]): row["kept_share"] for row in answers["accounts"]["rows"]}
    assert listed["a02"] == horizon_of(answers["account"]["horizons"], 6)["kept_share"] == pytest.approx(kept, abs=1e-5)
    assert list(listed.values()) == sorted(listed.values(), reverse=True)
    live = horizon_of(answers["live"]["scores"][0]["horizons"], 6)
    assert live["kept_share"] == pytest.approx(kept, abs=1e-5)


@pytest.mark.parametrize("schema", ["Horizon", "AccountRow"])
def test_it_is_in_the_openapi_document(answers: dict[str, Any], schema: str) -> None:
    declared = answers["openapi"][schema]["properties"]["kept_share"]
    assert (declared["type"], declared["description"]) == ("number", "Expected ARR over ARR at as_of (share)")
    assert "kept_share" in answers["openapi"][schema]["required"]


def test_it_is_in_the_downloads(answers: dict[str, Any], folder: Path) -> None:
    listed = {safe(row["account_id"]): row["kept_share"] for row in answers["accounts"]["rows"]}
    frame = pd.read_csv(io.BytesIO((folder / "accounts.csv").read_bytes())).set_index("account_id")
    assert frame["kept_share"].to_dict() == listed
    sheet = openpyxl.load_workbook(folder / "accounts.xlsx")["accounts"]
    column = [cell.value for cell in sheet[1]].index("kept_share")
    assert sheet[2][column].number_format == "0.0%"
    assert sheet[2][column].value == listed[sheet[2][0].value]


def test_the_terminal_shows_it(answers: dict[str, Any], kept: float) -> None:
    assert horizon_of(answers["explained"]["horizons"], 6)["kept_share"] == pytest.approx(kept, abs=1e-5)
    assert re.search(r"expansion .* ARR kept", answers["explain"])
    assert percent(kept) in answers["explain"]
    at_risk = answers["forecast"].partition("Most ARR at risk")[2]
    assert re.search(r"churn .* ARR kept .* ARR at risk", at_risk)


@pytest.mark.parametrize(
    ("page", "start"),
    [
        ("account_page", 'aria-label="Probabilities by months ahead"'),
        ("accounts_page", 'aria-label="Accounts, one a row"'),
        ("portfolio_page", 'aria-label="Accounts that need attention"'),
    ],
)
def test_the_pages_show_it(answers: dict[str, Any], page: str, start: str) -> None:
    heads, *rows = cells(answers[page], start)
    column = heads.index("ARR kept")
    assert all(re.fullmatch(r"\d+\.\d %", row[column]) for row in rows)
    if page == "account_page":
        shown = {int(row[0]): row[column] for row in rows}
        assert shown == {
            row["horizon_months"]: percent(row["kept_share"])
            for row in answers["account"]["horizons"]
            if row["horizon_months"] in shown
        }


def test_the_docs_list_it(answers: dict[str, Any]) -> None:
    assert "| kept_share | share | share | Expected ARR over ARR at as_of |" in answers["docs"]
