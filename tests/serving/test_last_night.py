"""What the pages say of the last nightly run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.publication.last_night import FAILED, HANGS_AFTER, RUNNING, LastNight, last_night, note, warning_in

BEGAN = datetime(2026, 1, 1, 2, tzinfo=UTC)


def night(status: str) -> LastNight:
    return LastNight("2026-01-01", BEGAN.isoformat(), status, "publish")


def test_a_failed_night_is_told_with_its_step() -> None:
    warning = night(FAILED).warning(BEGAN)
    assert warning.startswith("The nightly run as of 2026-01-01 did not finish at the step “publish”")


@pytest.mark.parametrize(
    ("step", "figures"),
    [("publish", "These are the figures of the last one that did."), ("deliver", "The figures are its own.")],
)
def test_a_night_whose_messages_failed_has_published_its_figures(step: str, figures: str) -> None:
    assert replace(night(FAILED), step=step).warning(BEGAN).endswith(figures)


@pytest.mark.parametrize(("hours", "is_told"), [(1, False), (11, False), (13, True)])
def test_a_night_that_runs_too_long_was_killed(hours: int, is_told: bool) -> None:
    assert timedelta(hours=11) < HANGS_AFTER < timedelta(hours=13)
    assert bool(night(RUNNING).warning(BEGAN + timedelta(hours=hours))) == is_told


def test_a_night_that_ended_well_is_no_news() -> None:
    assert night("done").warning(BEGAN + timedelta(days=9)) == ""


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"as_of": 1}'])
def test_nothing_is_said_where_nothing_can_be_read(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "last-night.json").write_text(content)
    assert last_night(tmp_path) is None
    assert warning_in(tmp_path) == ""


def test_what_is_noted_is_read(tmp_path: Path) -> None:
    note(tmp_path / "serving", night(FAILED))
    assert last_night(tmp_path / "serving") == night(FAILED)
    assert [file.name for file in (tmp_path / "serving").iterdir()] == ["last-night.json"]
