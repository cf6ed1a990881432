"""What the last watch found stands in the metrics, and the alert rules ask for metrics that there are."""

import re
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from serving.desk.following import State
from serving.desk.metrics import render
from serving.publication.last_watch import note_watch

RULES = Path(__file__).parents[3] / "docs" / "alert-rules.yml"
FOUND = {
    "as_of": "2026-01-01",
    "inputs": {"moved_share": 0.25},
    "verdict": "model",
    "calibration": {"charts": [{"name": "slope", "statistic": -6.0, "limit": 4.0}]},
}


def state_in(folder: Path) -> Any:
    about = {"as_of": "2026-01-01", "made_at": "2026-01-02T00:00:00+00:00", "accounts": 3}
    champion = SimpleNamespace(version="3", digest="d", trained_as_of=date(2026, 1, 1))
    published = SimpleNamespace(about=about, file=folder / "one.sqlite")
    return State(published=published, champion=champion)  # type: ignore[arg-type]


def test_the_last_watch_stands_in_the_metrics(tmp_path: Path) -> None:
    assert b"holdfast_watch" not in render(state_in(tmp_path))
    note_watch(tmp_path, FOUND)
    text = render(state_in(tmp_path)).decode()
    assert 'holdfast_watch_verdict{verdict="model"} 1.0' in text
    assert 'holdfast_watch_chart_reach{chart="slope"} 1.5' in text
    assert "holdfast_inputs_moved_share 0.25" in text
    assert "holdfast_night_failed 0.0" in text


def test_the_alert_rules_ask_for_metrics_that_there_are(tmp_path: Path) -> None:
    note_watch(tmp_path, FOUND)
    text = render(state_in(tmp_path)).decode()
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert len(rules) >= 8
    for rule in rules:
        for name in re.findall(r"holdfast_\w+", rule["expr"]):
            assert f"# TYPE {name} " in text, name
