"""The lines of YAML that behaviours come with load as they stand, and the right effect stands beside each."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

import params
from features.kpis.behaviours import CONTENT, USE, Choice, Doing
from features.kpis.going_with import Difference, Leaving
from serving.forecast.stored_effects import StoredEffects
from serving.kpis.behaviour_report import as_alert, as_feature, as_health_target, effect_beside, feature_name

CHOICES = (("invites", 3, 60, USE), ("self_help 1", 1, 90, CONTENT), ("\"Ask me: anything\", {live}", 2, 30, CONTENT),
           ("2024 roadmap, a very long title of an event", 1, 30, CONTENT))  # fmt: skip


def choice_of(thing: str, people: int, by_day: int) -> Choice:
    return Choice(thing, by_day, people, 1, Difference(0.9, 0.8, 0.1, 0, 0.2, 2), Leaving(2, 50, 10), 0.01)


@pytest.mark.parametrize(("thing", "people", "by_day", "doing"), CHOICES, ids=[each[0] for each in CHOICES])
def test_each_line_is_a_settings_file_that_loads(
    thing: str, people: int, by_day: int, doing: Doing, tmp_path: Path
) -> None:
    choice, file = choice_of(thing, people, by_day), tmp_path / "pasted.yaml"
    name = feature_name(choice)
    lines = (as_feature(choice, doing), as_health_target(choice, doing), as_alert(choice, doing, "2 people"))
    for line in lines:
        assert "\n" not in line
        file.write_text(line, encoding="utf-8")
        loaded = params.load(file)
        assert loaded.features[name].filter[doing.thing].any_of == (thing,)
        assert loaded.features[name].window == by_day
    file.write_text(lines[1], encoding="utf-8")
    measure = params.load(file).health.customer_actions.measures[name]
    assert (measure.weight, measure.targets) == (0, ((0, 0), (people, 100)))
    file.write_text(lines[2], encoding="utf-8")
    rule = params.load(file).alerts.rules[f"{name[:32]}_short"]
    assert (rule.feature, rule.at_most, rule.leave) == (name, people - 1, people)
    assert rule.where == f"tenure_days >= {by_day} and tenure_days <= {2 * by_day}"


class _Effect:
    def __init__(self, action: str, verdict: str) -> None:
        self.action, self.verdict, self.level = action, verdict, "action"


EFFECTS: Any = StoredEffects(date(2026, 1, 1), "run", (_Effect("training", "helps"), _Effect("call", "not known yet")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("thing", "effects", "moves", "told"),
    [
        ("training 3", EFFECTS, {}, ("training", "helps")),
        ("invites", EFFECTS, {}, ("", "")),
        ("invites", EFFECTS, {"Invites": "call"}, ("call", "not known yet")),
        ("invites", None, {"invites": "call"}, ("call", "no effect estimated")),
        ("trainings", EFFECTS, {}, ("", "")),
    ],
)
def test_an_effect_stands_beside_what_its_action_is_to_bring_about(
    thing: str, effects: StoredEffects | None, moves: dict[str, str], told: tuple[str, str]
) -> None:
    assert tuple(effect_beside(thing, effects, moves).values()) == told
