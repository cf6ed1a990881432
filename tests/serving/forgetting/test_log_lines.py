"""The audit log: ids are written over where they stand, whatever they look like, and nothing else is touched."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from features.forgetting.suppression import ACCOUNT, Suppressed, suppress
from params import load
from serving.access.audit import Audit
from serving.forgetting.log_lines import forget_log

POISON = ("A1", 'say "x"', "O'Hara; --", "Zürich 東京", "a/06 é?#%", "-x", "back\\slash", "100%", "a b")


def erased(folder: Path, name: str) -> Suppressed:
    return suppress(load(overrides=[f"data_dir={folder}"]), ACCOUNT, name)


def lines_of(log: Audit) -> list[dict[str, Any]]:
    return [json.loads(line) for file in log.folder.iterdir() for line in file.read_text().splitlines()]


@pytest.mark.parametrize("name", POISON)
def test_an_id_is_written_over_in_lists_paths_and_queries_and_its_like_are_not(tmp_path: Path, name: str) -> None:
    log, like = Audit(tmp_path), f"{name}0"
    for account in (name, like):
        log.write("Ann", f"GET /accounts/{account}", status=200, account_ids=[account, "z"], accounts=2)
        log.write("Ann", f"GET /accounts/{quote(account, safe='')}", query=f"sort=arr&search={quote_plus(account)}")
    before, sizes = lines_of(log), [file.stat().st_size for file in log.folder.iterdir()]
    assert forget_log(log.folder, erased(tmp_path, name)) >= 4
    after = lines_of(log)
    assert after[2:] == before[2:]
    assert [file.stat().st_size for file in log.folder.iterdir()] == sizes
    assert after[0]["account_ids"][1] == "z"
    assert set(after[0]["account_ids"][0]) == {"-"}
    for line in after[:2]:
        assert set(line["what"].removeprefix("GET /accounts/")) == {"-"}
    assert after[1]["query"].startswith("sort=arr&search=--")
    assert (after[0]["who"], after[0]["status"], after[0]["accounts"]) == ("Ann", 200, 2)


def test_the_service_may_go_on_writing_and_a_torn_line_does_no_harm(tmp_path: Path) -> None:
    log = Audit(tmp_path)
    log.write("Ann", "GET /accounts/a", account_ids=["a"])
    (file,) = log.folder.iterdir()
    with file.open("a") as stream:
        stream.write('{"at":"2026-01-01","who":"Ann","what":"GET /accounts/a","account_ids":["a"\n')
    forget_log(log.folder, erased(tmp_path, "a"))
    log.write("Ann", "GET /accounts/b", account_ids=["b"])
    assert '"a"' not in file.read_text()
    assert json.loads(file.read_text().splitlines()[2])["account_ids"] == ["b"]
    assert forget_log(log.folder, erased(tmp_path, "a")) == 0


@pytest.mark.parametrize("name", [*POISON, "a1"])
def test_a_line_that_was_torn_names_nobody_who_is_erased_either(tmp_path: Path, name: str) -> None:
    """It is kept as a text within the next line, its own quotes escaped."""
    log, like = Audit(tmp_path), f"{name}0"
    many = [f"z{number}" for number in range(40)]
    log.write("Ann", f"GET /accounts/{name}", account_ids=[*many, name, like, "cut off here"])
    (file,) = log.folder.iterdir()
    file.write_bytes(file.read_bytes()[:-7])
    Audit(tmp_path).write("Ann", "GET /b")
    forget_log(log.folder, erased(tmp_path, name))
    torn = lines_of(log)[0]["torn"]
    written = json.dumps(name)
    assert written not in torn
    assert f"/accounts/{written[1:-1]}" not in torn
    assert json.dumps(like) in torn
    assert all(json.dumps(other) in torn for other in many)
    assert "cut off" not in torn, "half an id may be one that is erased later"


def test_an_id_behind_many_parts_of_an_address_is_written_over(tmp_path: Path) -> None:
    log = Audit(tmp_path)
    log.write("Ann", f"GET /accounts/{'x/' * 100}A1/{'y/' * 10}")
    log.write("Ann", f"GET /accounts/{'x/' * 100}A1")
    assert forget_log(log.folder, erased(tmp_path, "A1")) == 2
