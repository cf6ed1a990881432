"""A publication that is damaged while it is open: the last good one is answered from, or none."""

import dataclasses
import shutil
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from serving.desk import following
from serving.desk.following import Following
from serving.publication import publication_file


@pytest.fixture
def followed(place: Any, tmp_path: Path) -> Following:
    """A data folder of two publications, and what follows it, the newer one open."""
    shutil.copytree(place.params.data_dir, tmp_path / "data")
    settings = place.params.model_copy(update={"data_dir": tmp_path / "data"})
    copy = dataclasses.replace(place, params=settings)
    copy.publish(date(2025, 11, 1), facts=False)
    told = Following(settings)
    told.look()
    assert told.state.published.about["as_of"] == "2025-11-01"
    return told


def damage(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(file.stat().st_size // 2)
        letter = stream.read(1)
        stream.seek(-1, 1)
        stream.write(bytes([letter[0] ^ 1]))


def test_damage_in_place_is_noticed_and_the_last_good_one_taken(followed: Following) -> None:
    file = followed.state.published.file
    damage(file)
    followed.look()
    assert followed.state.published.about["as_of"] == "2026-01-01"
    damage(file)  # which mends it
    followed.look()
    assert followed.state.published.about["as_of"] == "2025-11-01"


def test_nothing_is_answered_from_damage_where_no_good_one_is_left(followed: Following) -> None:
    for file in publication_file.folder_of(followed.params.data_dir).glob("*.sqlite"):
        damage(file)
    followed.look()
    assert (followed.state.published, followed.state.scorer) == (None, None)


def test_damage_that_no_write_did_is_noticed_in_time(followed: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a disk does it: the file's times stay as they were."""
    followed.look()
    stamp = publication_file.stamp(followed.state.published.file)
    monkeypatch.setattr(following.publication_file, "stamp", lambda file: stamp)
    damage(followed.state.published.file)
    followed.look()
    assert followed.state.published.about["as_of"] == "2025-11-01", "not yet"
    now = time.monotonic() + following.VERIFY_SECONDS
    monkeypatch.setattr(following.time, "monotonic", lambda: now)
    followed.look()
    assert followed.state.published.about["as_of"] == "2026-01-01"
