"""An account is erased from a served company: it is nowhere any more, and the company is answered for throughout."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.forgetting.suppression import is_applied, read_suppressed
from params import Params
from serving.access.audit import Audit
from serving.forecast import export
from serving.forecast.batch import Forecast, forecast
from serving.forecast.declared.column import Kind
from serving.forecast.declared.output_tables import FORECAST_BRIDGE
from serving.forecast.refusals import BadRequest
from serving.forgetting import erasing
from serving.ledger.past import read_past
from serving.ledger.record import open_record
from serving.publication import publication_file
from serving.publication.reader import Published
from training.tracking.champion import load_champion

NAMES = {"a02": "Robert'); DROP TABLE account;--", "a/06 é?#%": "Company 6", "a07": "Company 7"}
STEPS = ("forget_exports", "forget_publications", "_forget_record", "forget_log", "forget_stored", "mark_applied")


@pytest.fixture(scope="module")
def whole(place: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company's data folder, with an exported forecast and a log; not to be changed."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    shutil.copytree(place.params.data_dir, folder)
    made = forecast_of(place)
    export.publish(made, folder / "forecasts", beside={"forecast_bridge": bridge_to(made)})
    log = Audit(folder / "serving")
    for account in NAMES:
        log.write("Ann", f"GET /accounts/{account}", account_ids=[account], accounts=1)
    return folder


def bridge_to(made: Forecast) -> pd.DataFrame:
    """The bridge that is exported beside it: every account is in it."""
    rows = made.account_forecast.query("horizon_months == 5").reset_index(drop=True)
    blank = {c.name: 0.0 for c in FORECAST_BRIDGE if c.name not in rows and c.kind is Kind.MONEY}
    days = {c.name: pd.Timestamp("2025-12-01") for c in FORECAST_BRIDGE if c.kind is Kind.DATE and c.name != "as_of"}
    return FORECAST_BRIDGE.shape(rows.assign(**blank, **days, from_run_id="before", reason="What became known since."))


def forecast_of(place: Any) -> Forecast:
    """A forecast of the company, as it is exported."""
    champion, day = load_champion(place.params), place.tables.data_until
    made_at = datetime(2026, 1, 2, tzinfo=UTC)
    return forecast(place.tables, champion, as_of=day, params=place.params, made_at=made_at)


@pytest.fixture
def params(place: Any, whole: Path, tmp_path: Path) -> Params:
    """The settings of a copy of it."""
    shutil.copytree(whole, tmp_path / "data", symlinks=True)
    return Params.model_validate(place.params.model_dump() | {"data_dir": tmp_path / "data"})


def open_newest(params: Params) -> Published:
    return Published(publication_file.newest(publication_file.folder_of(params.data_dir)))


@pytest.mark.parametrize("account", NAMES)
def test_an_erased_account_is_nowhere_and_the_others_are_as_they_were(
    params: Params, traces: Callable[..., list[str]], account: str
) -> None:
    words = (account, NAMES[account])
    assert len(traces(params.data_dir, *words)) > 10
    with open_newest(params) as before:
        totals, others = before.nrr(), {name: before.score(name, None) for name in ("a01", "a04", "a09")}
        assert before.score(account, None) is not None
    result = erasing.erase(params, "account", account)
    assert not result.already
    assert traces(params.data_dir, *words) == []
    with open_newest(params) as after:
        assert after.score(account, None) is None
        assert account not in after.snapshot.index
        assert not after.history(account)
        assert (after.nrr(), {name: after.score(name, None) for name in others}) == (totals, others)
        assert publication_file.is_whole(after.file)
    again = erasing.erase(params, "account", account)
    assert again.already
    assert "was erased already. Nothing was left to remove." in again.lines()[0]


def test_the_others_keep_their_names_on_record(params: Params) -> None:
    with open_record(params) as record:
        before = read_past(record)
    erasing.erase(params, "account", "a07")
    with open_record(params) as record:
        after = read_past(record)
    assert set(before.scores["account_id"]) - set(after.scores["account_id"]) == {"a07"}
    assert after.figures.equals(before.figures)
    assert not after.notes


@pytest.mark.parametrize("step", STEPS)
def test_an_erasure_that_dies_anywhere_leaves_the_company_served_and_is_finished_by_the_next(
    params: Params, traces: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(erasing, step, die)
        with pytest.raises(Killed):
            erasing.erase(params, "account", "a07")
    with open_newest(params) as published:
        assert published.score("a09", None) is not None
    suppressed = read_suppressed(params)
    assert not is_applied(params, suppressed)
    erasing.sweep(params, suppressed)
    assert traces(params.data_dir, "a07", "Company 7") == []
    assert is_applied(params, suppressed)


def test_a_publication_restored_from_a_backup_is_swept_again(
    params: Params, whole: Path, traces: Callable[..., list[str]]
) -> None:
    erasing.erase(params, "account", "a07")
    folder = publication_file.folder_of(params.data_dir)
    for file in whole.glob("serving/*.sqlite"):
        shutil.copy2(file, folder)
    assert traces(folder, "a07")
    counts = erasing.sweep(params, read_suppressed(params))
    assert {what: count for what, count in counts.items() if count} == {"publications": 1}
    assert traces(folder, "a07") == []


def test_what_cannot_be_searched_is_removed(params: Params, traces: Callable[..., list[str]]) -> None:
    folder = publication_file.folder_of(params.data_dir)
    (folder / "not-taken-over").mkdir()
    for damaged in (folder / "2025-01-01.r.d.sqlite", folder / "not-taken-over" / "2025-01-01.r.d.sqlite"):
        damaged.write_bytes(b"a07 in no database")
    for place in (folder, folder / "not-taken-over"):
        (place / ".new-x.tmp").write_bytes(b"a07, half written")
    erasing.erase(params, "account", "a07")
    assert traces(folder, "a07") == []
    assert not [*folder.rglob("*.tmp"), *(folder / "not-taken-over").iterdir()]


def test_a_damaged_publication_is_not_made_whole_by_an_erasure(params: Params) -> None:
    """It would get a name that says that its figures are those that were published."""
    folder = publication_file.folder_of(params.data_dir)
    whole = publication_file.newest(folder)
    damaged = folder / whole.name.replace("2026-01-01", "2026-02-01", 1)
    shutil.copy2(whole, damaged)
    with closing(sqlite3.connect(damaged)) as connection, connection:
        connection.execute("UPDATE account SET arr = 1 WHERE account_id = 'a09'")
    (folder / publication_file.CURRENT).write_text(damaged.name + "\n")
    assert publication_file.newest(folder) == whole
    erasing.erase(params, "account", "a07")
    with open_newest(params) as published:
        assert published.file.name.startswith("2026-01-01")
    assert not [*folder.glob("2026-02-01*")]


def test_values_of_cuts_that_name_the_erased_go_and_parents_are_no_parents(params: Params) -> None:
    folder = publication_file.folder_of(params.data_dir)

    def add(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO nrr (cut, value, horizon_months, metric) VALUES ('name', 'Company 7', 1, 'nrr')"
        )
        connection.execute("INSERT INTO renewal (cut, value, month) VALUES ('parent_account_id', 'a07', '2026-01')")
        query = "UPDATE account SET labels = json_set(labels, '$.parent_account_id', 'a07') WHERE account_id = 'a09'"
        connection.execute(query)

    assert publication_file.rewrite(publication_file.newest(folder), add)
    erasing.erase(params, "account", "a07")
    with closing(publication_file.connect(publication_file.newest(folder))) as connection:
        assert not connection.execute("SELECT 1 FROM nrr WHERE cut = 'name'").fetchall()
        assert not connection.execute("SELECT 1 FROM renewal WHERE cut = 'parent_account_id'").fetchall()
        query = "SELECT json_extract(labels, '$.parent_account_id') FROM account WHERE account_id = 'a09'"
        assert connection.execute(query).fetchone()[0] == "(none)"


@pytest.mark.parametrize(("kind", "name"), [("account", "nobody"), ("account", "a0"), ("user", "a07"), ("contact", "")])
def test_an_id_that_nothing_has_is_refused_and_nothing_is_put_on_the_list(params: Params, kind: str, name: str) -> None:
    with pytest.raises(BadRequest, match=f"There is no {kind} '{name}' in .*: nothing was erased"):
        erasing.erase(params, kind, name)
    assert not read_suppressed(params)


def test_a_user_of_the_product_is_known_by_the_stored_tables(params: Params) -> None:
    assert not erasing.erase(params, "user", "u3").already
    assert not (params.data_dir / "tables.duckdb").exists()  # it is read again without them


def test_the_log_says_that_someone_was_erased_and_not_who(params: Params) -> None:
    erasing.erase(params, "account", "a07")
    text = "".join(file.read_text() for file in (params.data_dir / "serving" / "audit").iterdir())
    last = text.splitlines()[-1]
    assert '"what":"erased","kind":"account","digest":"' in last
    assert "a07" not in text
