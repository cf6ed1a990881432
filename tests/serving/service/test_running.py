"""`holdfast serve` under load: it follows champion and publications, and survives a killed worker.

That it stops gracefully is seen where the fixture `running` ends.
"""

import os
import signal
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from serving.publication import publication_file
from serving.service.start import make_home, prepare
from serving.service.worker import take_address
from serving.service.worker_settings import ADDRESS
from training.tracking.store import store_uri

pytestmark = pytest.mark.slow

SWAPS = 10


def test_ten_swaps_and_a_killed_worker_under_load_fail_no_request(running: Any, under_load: Any, attack: Any) -> None:
    from mlflow import MlflowClient

    place = running.place
    client = MlflowClient(tracking_uri=store_uri(place.params))
    versions = ["1", place.record()]
    running.until(lambda: set(running.versions().values()) == {float(versions[1])}, "both have the new champion")
    with under_load() as load:
        for swap in range(SWAPS):
            version = versions[swap % 2]
            client.set_registered_model_alias(place.params.model.name, "champion", version)
            running.until(lambda v=version: set(running.versions().values()) == {float(v)}, f"swap {swap + 1} is done")
        before = set(running.versions())
        os.kill(min(before), signal.SIGKILL)
        time.sleep(2)
        running.until(lambda: _renewed(running, before), "a new worker has a model")
    assert load.failed == []
    assert set(load.statuses) == {200}
    assert load.statuses[200] > 10 * SWAPS
    assert load.repeated <= 2, "at most what the killed worker had in hand"
    attack.count("kills of a worker that answers, no request lost")


def _renewed(running: Any, before: set[int]) -> bool:
    """Whether another worker is there, with a model."""
    versions = running.versions()
    return len(versions) == 2 and set(versions) != before and all(versions.values())


def test_a_new_publication_is_taken_up_and_a_damaged_one_refused(running: Any, under_load: Any) -> None:
    folder = publication_file.folder_of(running.place.params.data_dir)
    good = publication_file.newest(folder)
    with under_load() as load:
        running.place.publish(date(2025, 11, 1))
        running.until(lambda: _as_of(running) == "2025-11-01", "the new publication is taken up")
        damaged = folder / f"2026-02-01.bad.{'0' * 32}.sqlite"
        damaged.write_bytes(good.read_bytes()[:-5000])
        (folder / publication_file.CURRENT).write_text(damaged.name + "\n")
        running.until(lambda: "damaged or half-written: it is refused" in running.log.read_text(), "it is refused")
        assert _as_of(running) == "2025-11-01"
        damaged.unlink()
        (folder / publication_file.CURRENT).write_text(good.name + "\n")
        running.until(lambda: _as_of(running) == "2026-01-01", "the first one is back")
    assert (load.failed, set(load.statuses)) == ([], {200})


def _as_of(running: Any) -> str:
    """What all workers answer from; empty while they differ."""
    moments = running.gauge("holdfast_worker_as_of_timestamp_seconds").values()
    found = {time.strftime("%Y-%m-%d", time.gmtime(moment)) for moment in moments}
    return found.pop() if len(found) == 1 else ""


def test_the_address_is_told_to_one_worker(place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = prepare(place.params, {"port": 0})
    assert start.lines()[0] == f"Holdfast is starting on {start.url} with 2 workers; Ctrl+C stops it."
    told = start.environment(tmp_path)
    assert (told["BENTOML_HOME"], list(tmp_path.iterdir())) == (str(tmp_path), []), "nothing is written by asking"
    home = make_home(start.url)
    monkeypatch.setenv(ADDRESS, start.environment(home)[ADDRESS])
    assert [take_address(), take_address()] == [start.url, ""]
    monkeypatch.delenv(ADDRESS)
    assert take_address() == "", "as in a bento, which nobody gave one"


def test_it_says_that_it_listens_once_a_worker_answers_and_not_before(running: Any) -> None:
    """Ten swaps and a killed worker later, too: only the first worker says so."""
    text = running.log.read_text()
    assert text.count(f"Holdfast listens on {running.url}\n") == 1
    assert "listening on" not in text, "BentoML would say localhost, and before a worker can answer"
    assert text.index("Scoring with model version") < text.index("Holdfast listens on")


def test_large_bodies_are_refused_and_memory_stays_flat(running: Any) -> None:
    body = b'{"account_ids": ["' + b"x" * (50 << 20) + b'"]}'
    before = running.memory_mb()
    assert [running.ask("POST", "/api/score", body)[0] for _ in range(6)] == [413] * 6
    assert running.memory_mb() - before < 50, "six bodies of 50 MB, two workers: not even one was kept"


def test_nothing_of_bentoml_s_own_pages_is_shown(running: Any) -> None:
    for path in ("/", "/docs.json", "/schema.json", "/assets/index.html", "/static_content/index.css"):
        status, body = running.ask("GET", path, accept="text/html")
        assert status in (200, 404)
        assert b"googletagmanager" not in body
        assert b"bentoml" not in body.lower()
    assert running.ask("GET", "/livez")[0] == 200
    assert running.ask("GET", "/readyz")[0] == 200


def test_the_log_holds_no_customer(running: Any) -> None:
    running.ask("POST", "/api/score", b'{"account_ids": [{"secret-value": 1}]}')
    running.ask("POST", "/api/live", b'{"accounts": [{"account_id": "a02", "changes": {"arr": "secret-value"}}]}')
    running.ask("GET", "/api/accounts/secret-value")
    text = running.log.read_text()
    assert "secret-value" not in text
    assert "Company" not in text
    assert "Traceback" not in text
