"""The published store: whole or not at all, the last good one kept, what was said carried on."""

import json
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from serving.forecast.refusals import NoPublication
from serving.publication import publication_file
from serving.publication.account_filter import AccountFilter
from serving.publication.account_texts import unpack
from serving.publication.file_tables import HORIZONS, PAST_SCORE
from serving.publication.gather import top_reason
from serving.publication.reader import Published


@pytest.fixture
def folder(place: Any, tmp_path: Path) -> Path:
    """A copy of the published store."""
    source = publication_file.newest(publication_file.folder_of(place.params.data_dir))
    (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / publication_file.CURRENT).write_text(source.name + "\n")
    return tmp_path


@pytest.fixture
def published(place: Any) -> Iterator[Published]:
    """The newest publication, open."""
    with Published(publication_file.newest(publication_file.folder_of(place.params.data_dir))) as opened:
        yield opened


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def second(folder: Path) -> Path:
    """A second, younger publication, made current: the same content with one more row."""
    first = publication_file.newest(folder)
    fresh = folder / "fresh"
    fresh.write_bytes(first.read_bytes())
    with closing(sqlite3.connect(fresh)) as connection, connection:
        connection.execute("INSERT INTO renewal (cut, value, month) VALUES ('total', 'total', 'second')")
    file = folder / f"2026-01-01.second.{publication_file.digest_of(fresh)}{publication_file.SUFFIX}"
    fresh.rename(file)
    (folder / publication_file.CURRENT).write_text(file.name + "\n")
    return file


@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink])
def test_a_damaged_publication_is_refused_and_the_last_good_one_taken(
    folder: Path, damage: Callable[[Path], None]
) -> None:
    first, file = publication_file.newest(folder), second(folder)
    assert publication_file.newest(folder) == file
    damage(file)
    assert publication_file.newest(folder) == first


@pytest.mark.parametrize("pointer", ["", "nonsense\n", "../../etc/passwd\n", "\udcff"])
def test_a_damaged_pointer_leads_to_the_youngest_whole_publication(folder: Path, pointer: str) -> None:
    first = publication_file.newest(folder)
    (folder / publication_file.CURRENT).write_bytes(pointer.encode("utf-8", "surrogateescape"))
    assert publication_file.newest(folder) == first


def test_with_nothing_whole_the_message_says_what_to_do(folder: Path) -> None:
    flip(publication_file.newest(folder))
    with pytest.raises(NoPublication, match=r"Nothing is published in .* yet: run `holdfast publish`"):
        publication_file.newest(folder)


def test_a_publication_of_another_format_is_refused(folder: Path) -> None:
    file = publication_file.newest(folder)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE about SET value = ? WHERE key = 'about'", [json.dumps({"format": 99}).encode()])
    with pytest.raises(NoPublication, match="format 99, not 5: run `holdfast publish`"):
        Published(file)


def test_a_publication_from_before_a_figure_was_declared_is_refused(folder: Path) -> None:
    file = publication_file.newest(folder)
    others = ", ".join(name for name in HORIZONS.columns if name != "arr_p10")
    with sqlite3.connect(file) as connection:
        connection.executescript(f"DROP VIEW horizon; CREATE VIEW horizon AS SELECT {others} FROM {HORIZONS.stored}")
    connection.close()
    with pytest.raises(NoPublication, match=r"The publication lacks horizon\.arr_p10: run `holdfast publish`"):
        Published(file)


def test_publishing_again_keeps_the_one_before_clears_leftovers_and_carries_on_what_was_said(
    place: Any, tmp_path: Path
) -> None:
    params = place.params.model_copy(update={"data_dir": tmp_path})
    (tmp_path / "mlflow.db").write_bytes((place.params.data_dir / "mlflow.db").read_bytes())
    shutil.copytree(place.params.data_dir / "mlflow-artifacts", tmp_path / "mlflow-artifacts")
    other = type(place)(params, place.tables, place.model)
    here = publication_file.folder_of(tmp_path)
    names = []
    for day in (place.tables.data_until.replace(year=2025, month=11), place.tables.data_until):
        names.append(other.publish(day).name)
        (here / ".new-killed.tmp").write_bytes(b"half")
    again = other.publish()
    assert again.name == names[1], "the same data, settings and seed give the same bytes"
    assert sorted(file.name for file in here.iterdir()) == sorted(
        [publication_file.CURRENT, publication_file.RECORD_HEAD, *names]
    )
    with Published(again) as published:
        said = [row["as_of"] for row in published.history("a01") if row["kind"] == "published"]
        ledger = published.said(cut="total", metric="nrr", horizon_months=6)
    assert said == ["2025-11-01", "2026-01-01"]
    assert [row["as_of"] for row in ledger] == ["2025-11-01", "2026-01-01"]


@pytest.mark.parametrize(
    ("name", "expected"), [("2026-01-01.run.digest.sqlite", "2026-01-01"), ("x", None), (None, None)]
)
def test_the_date_of_the_current_one_is_in_its_name(tmp_path: Path, name: str | None, expected: str | None) -> None:
    if name is not None:
        (tmp_path / "current").write_text(name + "\n")
    assert str(publication_file.current_date(tmp_path)) == str(expected)


def test_lists_are_filtered_sorted_and_paged(published: Published) -> None:
    total, rows = published.accounts(AccountFilter(6, limit=None))
    assert total == len(rows) == published.about["accounts"]
    risks = [row["arr_at_risk"] for row in rows]
    assert risks == sorted(risks, reverse=True)
    pages = [
        row for offset in range(0, total, 7) for row in published.accounts(AccountFilter(6, limit=7, offset=offset))[1]
    ]
    assert pages == rows
    book = published.accounts(AccountFilter(6, csm="Ada A.", limit=None))[1]
    assert {row["csm"] for row in book} == {"Ada A."}
    assert published.totals(AccountFilter(6))["arr"] == pytest.approx(sum(row["arr"] for row in rows))
    found = published.accounts(AccountFilter(6, search="%"))[1]
    assert [row["account_id"] for row in found] == ["a/06 é?#%"], "a percent sign is only itself"


def test_the_bridge_adds_up_in_total_and_by_book(published: Published) -> None:
    for csm in (None, *published.cuts["csm"]):
        *steps, end = published.bridge(csm)
        assert sum(step["amount"] for step in steps) == pytest.approx(end["amount"], abs=0.01)
    whole, parts = published.bridge(None), [published.bridge(csm) for csm in published.cuts["csm"]]
    for place_, step in enumerate(whole):
        assert sum(part[place_]["amount"] for part in parts) == pytest.approx(step["amount"], abs=0.01)


def test_what_is_said_of_an_account_is_stored_packed(published: Published) -> None:
    """It is most of a publication."""
    with closing(sqlite3.connect(published.file)) as connection:
        account_id, blob = connection.execute("SELECT account_id, score FROM said LIMIT 1").fetchone()
    score = published.score(account_id, None)
    assert score is not None
    assert json.loads(score)["account_id"] == account_id
    assert len(blob) < len(score) / 2


def test_the_list_s_figures_which_are_kept_as_whole_numbers_are_those_of_the_scores(published: Published) -> None:
    """To the last bit: 0.1 + 0.2 would not pass for 0.3."""
    for months in (1, published.horizon_months):
        count, rows = published.accounts(AccountFilter(horizon_months=months, limit=None))
        assert count == len(rows) > 1
        for row in rows:
            score = json.loads(published.score(row["account_id"], None) or b"")
            figures = score["horizons"][months - 1]
            assert {name: row[name] for name in figures} == figures


def test_a_publication_of_the_format_before_is_still_read(published: Published, folder: Path) -> None:
    """Until the next `publish` the service answers from it, and an account is erased from it as from any."""
    file = as_format_4(publication_file.newest(folder))
    months = published.horizon_months
    with Published(file) as before:
        for account_id in before.directory(None):
            assert before.score(account_id, None) == published.score(account_id, None)
            assert before.account(account_id, None) == published.account(account_id, None)
        chosen = AccountFilter(horizon_months=months, limit=None)
        assert before.accounts(chosen) == published.accounts(chosen)
        assert before.histories(None, None, 0) == published.histories(None, None, 0)


def as_format_4(file: Path) -> Path:
    """The same publication as format 4 held it: texts by plain zlib, tables in the place of the views."""
    with closing(sqlite3.connect(file)) as connection, connection:
        (phrases,) = connection.execute("SELECT value FROM about WHERE key = 'phrases'").fetchone()
        for account_id, *packed in connection.execute("SELECT account_id, score, detail FROM said").fetchall():
            texts = [zlib.compress(unpack(text, phrases)) for text in packed]
            connection.execute("UPDATE said SET score = ?, detail = ? WHERE account_id = ?", [*texts, account_id])
        for name in ("history", "horizon"):
            connection.execute(f"CREATE TABLE rows_of_{name} AS SELECT * FROM {name}")
            connection.execute(f"DROP VIEW {name}")
            connection.execute(f"ALTER TABLE rows_of_{name} RENAME TO {name}")
        for name in ("past_score", PAST_SCORE.stored, "series", HORIZONS.stored):
            kind = connection.execute("SELECT type FROM sqlite_master WHERE name = ?", [name]).fetchone()[0]
            connection.execute(f"DROP {kind} {name}")
        (about,) = connection.execute("SELECT value FROM about WHERE key = 'about'").fetchone()
        changed = json.dumps(json.loads(about) | {"format": 4}).encode()
        connection.execute("UPDATE about SET value = ? WHERE key = 'about'", [changed])
        connection.execute("DELETE FROM about WHERE key = 'phrases'")
    return file


def test_movements_of_customers_are_cut_by_the_labels_of_their_accounts(published: Published) -> None:
    """Only those of accounts that left hold labels of their own."""
    with closing(sqlite3.connect(published.file)) as connection:
        query = "SELECT m.labels IS NULL, a.number IS NULL FROM movement m LEFT JOIN account a USING (account_id)"
        assert set(connection.execute(query)) <= {(1, 0), (0, 1)}
    parts = [published.bridge(None, "region", value) for value in published.labels("region", None)]
    whole = published.bridge(None)[-1]
    assert sum(part[-1]["accounts"] for part in parts) == whole["accounts"]
    assert sum(part[-1]["amount"] for part in parts) == pytest.approx(whole["amount"], abs=0.01)


NOTHING = "Nothing unusual; renews in 31 days (2026-02-01)"


@pytest.mark.parametrize(
    ("effects", "leads", "text"),
    [
        ((-0.3, 0.2, 0.1), (1, 1, 1), "second"),
        ((0.3, 0.2, 0.1), (0, 0, 1), "third"),
        ((0.3, 0.2), (0, 0), NOTHING),
        ((-0.1,), (1,), NOTHING),
        ((), (), NOTHING),
    ],
)
def test_the_top_reason_is_what_somebody_can_act_on_and_raises_the_probability_most(
    effects: tuple[float, ...], leads: tuple[int, ...], text: str
) -> None:
    named = zip(("first", "second", "third"), effects, leads, strict=False)
    reasons = [
        {"effect": effect, "leads": lead, "text": name, "display_rank": rank}
        for rank, (name, effect, lead) in enumerate(named)
    ]
    score = {"drivers": {"churn": reasons}, "renews_on": "2026-02-01"}
    assert top_reason(score, date(2026, 1, 1)) == text


def test_the_top_reason_is_published_as_the_reasons_say(published: Published) -> None:
    as_of = date.fromisoformat(published.about["as_of"])
    for row in published.rows(AccountFilter(horizon_months=6, limit=None)):
        assert row["top_reason"] == top_reason(published.account(row["account_id"], None), as_of)


def test_accounts_are_published_beside_their_peers(published: Published) -> None:
    for row in published.rows(AccountFilter(horizon_months=6, limit=None)):
        peers = published.account(row["account_id"], None)["peers"]["churn"]
        assert row["peer_churn_probability"] == peers["peer_probability"]
        assert row["above_peers"] == pytest.approx(row["churn_probability"] - peers["peer_probability"], abs=2e-6)


def test_the_earlier_snapshot_is_published_for_live_scores(published: Published) -> None:
    assert published.earlier is not None
    assert published.earlier["as_of"].dt.strftime("%Y-%m-%d").unique().tolist() == ["2025-10-01"]
    assert set(published.earlier["account_id"]) >= set(published.snapshot["account_id"])


def test_a_publication_is_closed_by_its_context_and_else_with_its_last_reader(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, connect = publication_file.newest(publication_file.folder_of(place.params.data_dir)), publication_file.connect
    opened: list[sqlite3.Connection] = []
    monkeypatch.setattr(publication_file, "connect", lambda path: opened.append(connect(path)) or opened[-1])
    with Published(file) as published:
        assert published.score("a02", None) is not None
    swapped = Published(file)
    del swapped  # as when another publication is taken and the last request has its answer
    assert len(opened) == 4
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            connection.execute("SELECT 1")
