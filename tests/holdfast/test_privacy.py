"""Erase, on the whole way: nothing is left of who was erased, and the next night publishes without them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from typer.testing import Result

Verb = Callable[..., Result]


@pytest.fixture
def data_dir(demo_data: tuple[Path, Result], tmp_path: Path) -> Path:
    """A copy of the demo's data folder."""
    shutil.copytree(demo_data[0], tmp_path / "data", symlinks=True)
    return tmp_path / "data"


def one(data_dir: Path, query: str) -> tuple[str, ...]:
    with duckdb.connect(str(data_dir / "tables.duckdb"), read_only=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return tuple(map(str, row))


def test_an_account_and_its_people_are_nowhere_and_stay_away(
    run: Verb, data_dir: Path, demo_data: tuple[Path, Result], traces: Callable[..., list[str]]
) -> None:
    query = "SELECT account_id, name FROM accounts JOIN contracts USING (account_id) WHERE ends_on > '2026-01-01'"
    account, name = one(data_dir, f"{query} ORDER BY 1")
    (contact,) = one(data_dir, f"SELECT contact_id FROM contacts WHERE account_id > '{account}' ORDER BY 1")
    (user,) = one(data_dir, f"SELECT user_id FROM usage WHERE account_id > '{account}' ORDER BY 1")
    words = (account, name, contact, user)
    assert run("publish", data_dir=data_dir).exit_code == 0
    before = {place.rpartition(": ")[0].partition("/")[0] for place in traces(data_dir, *words)}
    assert before >= {"tables.duckdb", "simulated", "snapshots", "forecasts", "serving", "record.sqlite"}
    for options in ([account], ["--contact", contact], ["--user", user]):
        result = run("erase", *options, "--json", data_dir=data_dir)
        assert (result.exit_code, json.loads(result.stdout)["already"]) == (0, False)
    assert traces(data_dir, *words) == []
    again = run("erase", account, data_dir=data_dir)
    assert (again.exit_code, "This account was erased already." in again.stdout) == (0, True)
    backup = next(demo_data[0].glob("snapshots/*/2026-01-01.*"))
    shutil.copy(backup, next((data_dir / "snapshots").glob("*/")))
    again = run("erase", "--again", data_dir=data_dir)
    assert (again.exit_code, "snapshots (1)" in again.stdout) == (0, True)
    (data_dir / "simulated.json").unlink()  # the source brings all of them once more
    published = run("publish", data_dir=data_dir)
    assert published.exit_code == 0, published.stderr
    assert traces(data_dir, *words) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["nobody"], "There is no account 'nobody' in"),
        (["--user", "nobody"], "There is no user 'nobody' in"),
        (["--contact", ""], "There is no contact '' in"),
        ([], "Say whom to erase, one at a time"),
        (["a", "--user", "u"], "Say whom to erase, one at a time"),
    ],
)
def test_whom_nobody_knows_exits_2_with_one_error(
    run: Verb, demo_data: tuple[Path, Result], options: list[str], told: str
) -> None:
    result = run("erase", *options, data_dir=demo_data[0])
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (demo_data[0] / "erased").exists()


def test_a_folder_restored_whole_is_swept_by_the_next_verb_where_the_list_lies_elsewhere(
    run: Verb, data_dir: Path, demo_data: tuple[Path, Result], tmp_path: Path, traces: Callable[..., list[str]]
) -> None:
    elsewhere = ["--set", f"retention.erased_folder={tmp_path / 'list'}"]
    (account,) = one(data_dir, "SELECT min(account_id) FROM contracts WHERE ends_on > '2026-01-01'")
    assert run("erase", account, *elsewhere, data_dir=data_dir).exit_code == 0
    shutil.rmtree(data_dir)
    shutil.copytree(demo_data[0], data_dir, symlinks=True)
    assert run("check", *elsewhere, data_dir=data_dir).exit_code == 0
    assert traces(data_dir, account) == []
