"""The verb that begins: settings from a folder of exports."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

SUBSCRIPTIONS = """\
id,Customer ID,Customer Email,Product,Quantity,Currency,Interval,Amount,Status,Created (UTC),Current Period End (UTC)
sub_1,cus_1,a@one.com,Pro,2,usd,month,2500,active,2024-01-10 10:00,2025-06-10 10:00
sub_2,cus_2,b@two.com,Pro,1,usd,year,120000,active,2024-03-01 10:00,2026-03-01 10:00
"""


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A folder with one export, and one file of no use."""
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "subscriptions.csv").write_text(SUBSCRIPTIONS)
    (folder / "notes.csv").write_text("what,why\nx,y\n")
    return folder


def test_init_writes_settings_that_check_accepts(run: Callable[..., Result], exports: Path, tmp_path: Path) -> None:
    result = run("init", "exports")
    assert result.exit_code == 0, result.stderr
    assert "stripe subscriptions" in result.stdout
    assert "Wrote mine.yaml." in result.stdout
    text = (tmp_path / "mine.yaml").read_text()
    assert "#   notes.csv: what, why" in text
    assert 'path: "exports"' in text
    checked = run("check", "--params", "mine.yaml", "--json", "--set", f"data_dir={tmp_path / 'data'}")
    assert checked.exit_code == 0, checked.stderr
    assert json.loads(checked.stdout)["data_until"] == "2025-05-11"


def test_init_gives_tables_mapping_and_questions_to_machines(run: Callable[..., Result], exports: Path) -> None:
    content = json.loads(run("init", str(exports), "--json", "--out", "other.yaml").stdout)
    [table] = content["tables"]
    assert (table["file"], table["source"], table["shape"]) == ("subscriptions.csv", "stripe", "subscriptions")
    assert content["mapping"].keys() == {"accounts", "contracts"}
    assert {"source", "files", "rows", "columns", "query", "confidence"} <= content["mapping"]["contracts"].keys()
    assert any("cents" in question for question in content["questions"])
    assert content["settings"] == "other.yaml"


def test_init_replaces_no_file_unless_told(run: Callable[..., Result], exports: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("seed: 3\n")
    result = run("init", str(exports))
    assert (result.exit_code, (tmp_path / "mine.yaml").read_text()) == (2, "seed: 3\n")
    assert "mine.yaml exists already. Give another file with --out, or --force" in result.stderr
    assert run("init", str(exports), "--force").exit_code == 0
    assert "source:" in (tmp_path / "mine.yaml").read_text()


def test_init_looks_for_the_tools_that_are_named(run: Callable[..., Result], exports: Path) -> None:
    refused = run("init", str(exports), "--from", "stripe,hubspt")
    assert refused.exit_code == 2
    assert "--from hubspt: there is no recipe. There are: chargebee, recurly, zuora, stripe" in refused.stderr
    other = run("init", str(exports), "--from", "zuora")
    assert other.exit_code == 2
    assert "contracts: cannot be made of what is there" in other.stderr or "accounts: cannot be made" in other.stderr
    assert run("init", str(exports), "--from", "stripe").exit_code == 0


def test_init_of_what_is_paid_by_use(run: Callable[..., Result], tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    lines = [f"c{n % 3},2024-{month:02d}-05,North,100" for n in range(6) for month in range(1, 7)]
    (folder / "orders.csv").write_text("\n".join(["customer_id,order_date,supplier,amount", *lines]) + "\n")
    result = run("init", str(folder), "--usage-priced")
    assert result.exit_code == 0, result.stderr
    checked = run("check", "--params", "mine.yaml", "--json", "--set", f"data_dir={tmp_path / 'data'}")
    assert checked.exit_code == 0, checked.stderr
    assert json.loads(checked.stdout)["data_until"] == "2024-06-01"


def test_init_reads_days_as_the_settings_say(run: Callable[..., Result], exports: Path, tmp_path: Path) -> None:
    days = SUBSCRIPTIONS.replace("2024-01-10 10:00", "10/01/2024").replace("2024-03-01 10:00", "01/03/2024")
    (exports / "subscriptions.csv").write_text(days)
    asked = json.loads(run("init", "exports", "--json").stdout)["questions"]
    assert any("--set source.day_first=true" in question for question in asked)
    told = json.loads(run("init", "exports", "--json", "--force", "--set", "source.day_first=true").stdout)
    assert not any("day_first" in question for question in told["questions"])
    assert "%d/%m/%Y" in (tmp_path / "mine.yaml").read_text()
