"""The audit log: whole lines whatever stops a writer, nothing lost in silence, and strangers cannot fill it."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from serving.access.audit import LINES_A_MINUTE, MOST_ADDRESSES, Audit, Strangers, seen, without_secrets


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.rglob("*.jsonl")) for line in file.read_text().splitlines()]


def file_of(folder: Path) -> Path:
    (file,) = folder.rglob("*.jsonl")
    return file


@pytest.mark.parametrize("torn", ['{"at":"2026', "x" * 200_000, '{"at":"2026-01-01","who":"é'])
def test_a_torn_line_is_closed_before_the_next(tmp_path: Path, torn: str) -> None:
    Audit(tmp_path).write("ada", "GET /a")
    with file_of(tmp_path).open("ab") as stream:
        stream.write(torn.encode()[:-1])
    Audit(tmp_path).write("ben", "GET /b")
    assert [line["what"] for line in lines_of(tmp_path)] == ["GET /a", "a torn line", "GET /b"]
    assert torn.startswith(lines_of(tmp_path)[1]["torn"].rstrip("�")[:1000])


def test_what_another_process_left_torn_is_closed_while_this_one_goes_on(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    audit.write("ada", "GET /a")
    with file_of(tmp_path).open("ab") as stream:
        stream.write(b'{"at"')
    audit.write("ada", "GET /b")
    audit.write("ada", "GET /c")
    assert [line["what"] for line in lines_of(tmp_path)] == ["GET /a", "a torn line", "GET /b", "GET /c"]


def test_a_line_that_does_not_fit_leaves_nothing_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit, write = Audit(tmp_path), os.write
    audit.write("ada", "GET /a")

    def full(handle: int, content: bytes) -> int:
        if len(content) < 40:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, content[:30])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        audit.write("ada", "GET /b")
    assert audit.trouble == "No space left on device"
    monkeypatch.undo()
    audit.write("ada", "GET /c")
    assert [line["what"] for line in lines_of(tmp_path)] == ["GET /a", "GET /c"]
    assert audit.trouble == ""


def test_a_log_that_was_removed_is_begun_again(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    audit.write("ada", "GET /a")
    file_of(tmp_path).unlink()
    audit.write("ada", "GET /b")
    assert [line["what"] for line in lines_of(tmp_path)] == ["GET /b"]


def test_lines_are_on_disk_where_the_log_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    Audit(tmp_path).write("ada", "GET /a")
    assert not synced, "a wait for the disk at each request is nothing to pay for unasked"
    Audit(tmp_path, synced=True).write("ada", "GET /b")
    assert len(synced) == 1


def test_strangers_get_so_many_lines_a_minute_and_the_rest_is_counted(tmp_path: Path) -> None:
    now = [0.0]
    strangers = Strangers(Audit(tmp_path), lambda: now[0])
    for number in range(1000):
        strangers.write("GET /", f"10.0.{number % 40}.9", 401)
    assert len(lines_of(tmp_path)) == LINES_A_MINUTE
    now[0] = 61.0
    strangers.write("GET /", "10.0.0.9", 401)
    more, first = lines_of(tmp_path)[LINES_A_MINUTE:]
    assert (more["requests"], sum(more["from"].values())) == (1000 - LINES_A_MINUTE, 1000 - LINES_A_MINUTE)
    assert len(more["from"]) == MOST_ADDRESSES + 1
    assert (first["from"], first["status"]) == ("10.0.0.9", 401)
    strangers.flush()
    assert len(lines_of(tmp_path)) == LINES_A_MINUTE + 2, "nothing was left to be counted"


def test_all_accounts_are_named_however_many(tmp_path: Path) -> None:
    accounts = [f"account {number}" for number in range(5000)]
    Audit(tmp_path).write("ada", "GET /api/accounts.csv", **seen(accounts))
    assert [(line["accounts"], line["account_ids"]) for line in lines_of(tmp_path)] == [(5000, accounts)]


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/accounts/a01", "/accounts/a01"),
        ("/hf_3x-AbCdEfGhIjKl", "/..."),
        ("/x/hs_3x-AbCdEfGhIjKl/y", "/x/.../y"),
        ("/" + "a" * 1000, "/" + "a" * 299),
    ],
)
def test_a_secret_in_an_address_is_left_out(path: str, logged: str) -> None:
    assert without_secrets(path) == logged
