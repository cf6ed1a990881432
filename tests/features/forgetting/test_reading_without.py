"""Whoever was erased is left out of what is read: of every table, of what is left out of it, and of what is told."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from features.forgetting.suppression import ACCOUNT, CONTACT, USER, suppress
from features.inputs.load import load_tables
from params import Params, load

pytestmark = pytest.mark.usefixtures("costly")

POISON = ("A1", "O'Hara; DROP TABLE contracts;--", "Zürich 東京", "a/06 é?#%", "-x", "100%")
OTHERS = ("A10", "A", "O'Hara", "zürich 東京")


def write_source(folder: Path, ids: tuple[str, ...]) -> None:
    folder.mkdir()
    rows: dict[str, list[str]] = {
        "accounts.csv": ["account_id,name,parent_account_id", *(f'"{i}","Name of {i}",' for i in ids)],
        "contracts.csv": ["contract_id,account_id,starts_on,ends_on,mrr"],
        "contacts.csv": ["contact_id,account_id,role"],
        "engagement.csv": ["account_id,happened_on,kind,contact_id"],
        "usage.csv": ["account_id,used_on,user_id,quantity,mail"],
    }
    for number, name in enumerate(ids):
        rows["contracts.csv"].append(f'c{number},"{name}",2024-01-01,2025-01-01,100')
        rows["contacts.csv"].append(f'"{name}","{name}",champion')
        rows["engagement.csv"].append(f'"{name}",2024-05-0{1 + number % 9},meeting,"{name}"')
        rows["usage.csv"].append(f'"{name}",2024-05-0{1 + number % 9},"{name}",3,mail@{number}')
    rows["accounts.csv"].append(f'child,Child,"{ids[0]}"')
    rows["contracts.csv"].append("cc,child,2024-01-01,2025-01-01,100")
    rows["usage.csv"].append(f'"{ids[0]}",2024-05-01,"{ids[0]}",3,mail@x,too,many')
    for file, lines in rows.items():
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")


def settings(tmp_path: Path) -> Params:
    source = ["source.kind=files", f"source.path={tmp_path / 'source'}", "source.max_bad_share=0.5"]
    own = "features.mails={table: usage, measure: distinct, column: mail, window: 28}"
    return load(overrides=[f"data_dir={tmp_path / 'data'}", *source, own])


def rows_of(params: Params, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(params.data_dir / "tables.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def params(tmp_path: Path) -> Params:
    """Of a source with all of them."""
    write_source(tmp_path / "source", (*POISON, *OTHERS))
    return settings(tmp_path)


def test_accounts_are_left_out_of_every_table_and_of_what_is_left_out(params: Params, traces: Any) -> None:
    load_tables(params)
    assert traces(params.data_dir, "Name of A1")
    for name in POISON:
        suppress(params, ACCOUNT, name)
    loaded = load_tables(params)  # the list has changed: they are not taken from what is stored
    for table, others in (("accounts", {*OTHERS, "child"}), ("usage", set(OTHERS)), ("contacts", set(OTHERS))):
        assert {row[0] for row in rows_of(params, f"SELECT account_id FROM {table}")} == others
    assert rows_of(params, "SELECT count(*) FROM contracts") == [(len(OTHERS) + 1,)]
    assert rows_of(params, "SELECT parent_account_id FROM accounts WHERE account_id = 'child'") == [(None,)]
    assert traces(params.data_dir, *POISON, *(f"Name of {name}" for name in POISON)) == []
    assert [table.table for table in loaded.report.tables if table.rows_quarantined] == ["usage"]
    assert load_tables(params).tables.digest == loaded.tables.digest


def test_contacts_and_users_go_and_what_happened_stays_without_them(params: Params, traces: Any) -> None:
    """So do texts of one's own beside a user, which may tell who it was."""
    for name in POISON:
        suppress(params, CONTACT, name)
        suppress(params, USER, name)
    load_tables(params)
    total, names = len(POISON) + len(OTHERS), set(OTHERS)
    assert {row[0] for row in rows_of(params, "SELECT contact_id FROM contacts")} == names
    assert rows_of(params, "SELECT count(*), count(contact_id) FROM engagement") == [(total, len(OTHERS))]
    assert rows_of(params, "SELECT count(*), sum(quantity) FROM usage") == [(total, 3 * total)]
    mails = [(other, f"mail@{number}") for number, other in enumerate(OTHERS, start=len(POISON))]
    assert rows_of(params, "SELECT user_id, mail FROM usage WHERE mail IS NOT NULL ORDER BY mail") == sorted(
        mails, key=lambda row: row[1]
    )
    assert {row[0] for row in rows_of(params, "SELECT user_id FROM keys_user_id")} == names
    assert {row[0] for row in rows_of(params, "SELECT account_id FROM accounts")} == {*POISON, *OTHERS, "child"}
    assert traces(params.data_dir, "mail@0") == []
