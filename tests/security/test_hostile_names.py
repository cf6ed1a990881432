"""Thirty hostile names of accounts, their ids and their CSMs, from the tables to pages, CSV, XLSX and the audit log."""

import csv
import io
import json
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import openpyxl
import pytest

from features.tables.spreadsheet_text import neutral, safe
from serving.pages.formats import account_address

pytestmark = pytest.mark.slow

NAMES = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", "</title><b>", "<!--",
    "]]>", "javascript:alert(1)", "{{7*7}}", "{% include 'x' %}", "${7*7}", "&lt;b&gt;", "&#x3c;b&#x3e;",
    "Robert'); DROP TABLE account;--", '" OR "1"="1', "%' OR 1=1 --", "=1+1", "+1+1", "-1+1", "@SUM(1)", "\uff1d1+1",
    '=HYPERLINK("http://h.example","x")', "=cmd|' /C calc'!A0", 'a","=1+1', "../../etc/passwd", "..", "//h.example/x",
    "https://h.example/?a#b", "a\\b\"c%00%0a", "\u202etxt.exe", "\u6771\u4eac \U0001f600 e\u0301",
)  # fmt: skip
PLAIN = "a58"  # called by no such name
LISTS = ("accounts", "history")


class Page(HTMLParser):
    """The elements of a page, each with the names of its attributes; where it leads to; its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[tuple[str, ...]] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add((tag, *sorted(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "formaction")]

    def handle_comment(self, data: str) -> None:
        self.elements.add(("comment", data))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def named(place: Any, service_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The service of a company whose first accounts are called so."""
    made = service_of(place.called(NAMES, tmp_path_factory.mktemp("named") / "data").params)
    made.desk.following.look()
    return made


def test_on_pages_a_name_is_text_and_nothing_else(named: Any, service: Any, attack: Any) -> None:
    assert len(set(NAMES)) == len(NAMES) == 30
    usual = set()
    for client in (named.client(accept="text/html"), service.client(accept="text/html")):
        usual |= Page(client.get(f"/accounts/{PLAIN}").text).elements
    lists = ("/", "/accounts", "/accounts?sort=name&order=asc")
    for address in lists:
        usual |= Page(service.client(accept="text/html").get(address).text).elements
    for address in (*lists, *map(account_address, NAMES), *(f"/accounts?csm={quote(name, '')}" for name in NAMES)):
        answer = named.client(accept="text/html").get(address)
        assert answer.status_code == 200, address
        page = Page(answer.text)
        assert page.elements <= usual, address
        assert [link for link in page.links if not link.startswith(("/", "#", "?")) or link[:2] == "//"] == [], address
    for name in NAMES:
        assert name in Page(named.client(accept="text/html").get(account_address(name)).text).text, name
    attack.count("hostile names through pages", len(NAMES))


@pytest.mark.parametrize("name", LISTS)
def test_in_csv_they_are_text_that_is_not_run(named: Any, name: str, attack: Any) -> None:
    text = named.client().get(f"/api/{name}.csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {safe(hostile) for hostile in NAMES} <= {row["account_id"] for row in rows}
    assert all(len(row) == len(rows[0]) and None not in row for row in rows), "no name breaks out of its cell"
    assert not [cell for row in rows for cell in row.values() if cell[:1] in "=@+\uff1d" and cell]
    attack.count(f"hostile names through CSV ({name})", len(NAMES))


@pytest.mark.parametrize("name", LISTS)
def test_in_a_workbook_they_are_text_that_stays_text(named: Any, name: str, attack: Any) -> None:
    book = openpyxl.load_workbook(io.BytesIO(named.client().get(f"/api/{name}.xlsx").content))
    cells = [cell for sheet in book for row in sheet.iter_rows(min_row=2) for cell in row]
    assert {neutral(hostile) for hostile in NAMES} <= {cell.value for cell in cells}
    for cell in cells:
        assert (cell.data_type != "f", cell.hyperlink) == (True, None), cell.coordinate
        assert cell.data_type != "s" or cell.quotePrefix, cell.coordinate
    attack.count(f"hostile names through XLSX ({name})", len(NAMES))


def test_the_audit_log_names_them_exactly_a_line_a_request(named: Any, attack: Any) -> None:
    named.client().get("/api")  # so that there is a log
    (file,) = named.desk.audit.folder.iterdir()
    before = len(file.read_bytes().splitlines())
    for name in NAMES:
        assert named.client().get(f"/api{account_address(name)}").json()["account_id"] == name
    lines = file.read_text(encoding="utf-8").split("\n")[before:-1]
    assert [json.loads(line)["account_ids"] for line in lines] == [[name] for name in NAMES]
    attack.count("hostile names through the audit log", len(NAMES))


def test_each_csm_sees_their_own_book_whatever_they_are_called(named: Any) -> None:
    for name in NAMES:
        client = named.client(named.desk.tokens.issue("csm", "csm", name)[1])
        assert [row["account_id"] for row in client.get("/api/accounts").json()["rows"]] == [name]
