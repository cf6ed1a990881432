"""Phases of the journey and the cadence kept, as settings declare them: what is refused, and values by a slow loop."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

import params
from features.families.catalogue import catalogue
from features.snapshots.building import build
from features.snapshots.script import script
from params import Budget, SettingsError

JOURNEY = (
    "journey={small: {first_value: export.users >= 1, phases: {start: {until: first_value, expected_day: 100}, "
    "use: {until: tenure_days >= 400}, own: {}}}, default: {phases: {start: {until: meetings_90d >= 1 and "
    "tenure_days >= 200}, use: {}}}}"
)
CADENCE = "cadence.rules={high: {any: [{kind: call, every_days: 60}]}, tech: {use: [{kind: Call, every_days: 45}]}}"
DATES = [date(2023, 3, 1), date(2023, 10, 1), date(2024, 3, 1)]

REFUSED = {  # what the settings say, and what is said of it when they are read
    "journey={small: {phases: {a: {}, b: {}}}}": "a never ends: give its until, or make it the last phase",
    "journey={small: {phases: {a: {until: seats >= 5}}}}": "a is the last phase: leave its until out",
    "journey={small: {phases: {a: {until: seats >= 5}, b: {until: seats >= 5}, c: {}}}}": (
        "b is never entered: its end, seats >= 5, has come whenever the phases before it have ended"
    ),
    "journey={small: {phases: {a: {until: tenure_days >= 365}, b: {until: tenure_days > 90}, c: {}}}}": (
        "b is never entered: its end, tenure_days > 90, has come whenever the phases before it have ended"
    ),
    "journey={small: {phases: {a: {until: export.users >= 3 within 30d and seats >= 5}, b: {until: tenure_days >= 9}, "
    "c: {until: seats > 4 and export.users >= 2 within 90d}, d: {}}}}": "c is never entered: its end, seats > 4 and",
    "journey={small: {phases: {a: {until: tenure_days >= 90}, b: {begins: tenure_days >= 60}}}}": (
        "b begins at tenure_days >= 60, and a lasts until tenure_days >= 90: they overlap"
    ),
    "journey={small: {phases: {a: {until: first_value}, b: {}}}}": (
        "a lasts until first_value, and the journey does not say what that is"
    ),
    "journey={small: {phases: {a: {until: many seats}, b: {}}}}": (
        "'many seats' cannot be read: write FEATURE >= NUMBER"
    ),
    "journey={small: {phases: {a: {untill: seats >= 5}, b: {}}}}": "no such setting; did you mean",
    "cadence.rules={medum: {any: [{kind: call, every_days: 5}]}}": (
        "there is no touch tier medum: accounts.touch_model is one of high, medium, low, tech"
    ),
}


FOLLOWING = [
    "a: {until: seats > 5}, b: {until: seats >= 6}",
    "a: {until: seats >= 5}, b: {until: seats > 5}",
    "a: {until: seats <= 5}, b: {until: seats >= 5}",
    "a: {until: seats = 5}, b: {until: seats = 6}",
    "a: {until: export.users >= 3 within 90d}, b: {until: export.users >= 3 within 30d}",
    "a: {until: export.users >= 3}, b: {until: export.uses >= 3}",
    "a: {until: seats >= 5}, b: {until: seats >= 5 and tenure_days >= 90}",
]


@pytest.mark.parametrize("phases", FOLLOWING)
def test_phases_that_can_be_entered_are_taken(phases: str) -> None:
    journey = params.load(None, [f"journey={{small: {{phases: {{{phases}, c: {{}}}}}}}}"]).journey["small"]
    assert list(journey.phases) == ["a", "b", "c"]


@pytest.mark.parametrize("setting", REFUSED)
def test_what_cannot_be_is_said_when_the_settings_are_read(setting: str) -> None:
    with pytest.raises(SettingsError) as caught:
        params.load(None, [setting])
    assert REFUSED[setting] in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


UNKNOWN = {  # what the settings say, and what is said once the features are known
    "journey={small: {phases: {a: {until: seets >= 5}, b: {}}}}": (
        "  journey.small.phases.a.until: 'seets >= 5': there is no feature seets; did you mean seats?"
    ),
    "journey={small: {first_value: segment >= 5, phases: {a: {}}}}": (
        "  journey.small.first_value: 'segment >= 5': segment holds text, which no condition can be of"
    ),
    "journey={small: {phases: {a: {until: seat_utilisation_peer_rank_28d >= 0.5}, b: {}}}}": (
        "  journey.small.phases.a.until: 'seat_utilisation_peer_rank_28d >= 0.5': seat_utilisation_peer_rank_28d is a "
        "rank among other accounts, which no condition can be of"
    ),
    "journey={small: {phases: {a: {until: first_value_reached >= 2}, b: {}}}}": (
        "  journey.small.phases.a.until: 'first_value_reached >= 2' can never hold: first_value_reached lies between 0 "
        "and 1"
    ),
    "cadence.rules={high: {honeymon: [{kind: call, every_days: 5}]}}": (
        "  cadence.rules.high: there is no phase honeymon; did you mean honeymoon?"
    ),
}


@pytest.mark.parametrize("setting", UNKNOWN)
def test_what_is_not_there_is_named(company_tables: Any, setting: str) -> None:
    with pytest.raises(SettingsError) as caught:
        catalogue(company_tables, params.load(None, [setting]).declared)
    assert str(caught.value) == f"The settings cannot be used:\n{UNKNOWN[setting]}"


def test_a_phase_may_begin_as_the_one_before_ends() -> None:
    params.load(None, ["journey={a: {phases: {x: {until: seats >= 5}, y: {begins: seats >= 5}}}}"])


@pytest.fixture(scope="module")
def frame(company_tables: Any) -> pd.DataFrame:
    settings = params.load(None, [JOURNEY, CADENCE])
    more = {"revenue": settings.revenue, "settings": settings.snapshots, "own": settings.declared}
    return build(company_tables, DATES, **more, budget=Budget(1, 0.5)).frame


def known(row: dict[str, Any], day: str, t: pd.Timestamp) -> bool:
    return pd.Timestamp(row["recorded_at"] or row[day]) < t and pd.Timestamp(row[day]) < t


def test_phases_follow_from_their_conditions(frame: pd.DataFrame, company: Any) -> None:
    assert "tenure_phase" not in frame
    for row in frame.to_dict("records"):
        t, tenure = row["as_of"], row["tenure_days"]
        rows = [r for r in company["usage"] if r["account_id"] == row["account_id"] and known(r, "used_on", t)]
        used = [r for r in rows if r["quantity"] is None or r["quantity"] > 0]
        exported = any(r["feature"] == "export" and r["user_id"] for r in used)
        if row["segment"] == "small":
            expected = "start" if not exported else ("use" if tenure < 400 else "own")
            assert row["first_value_by_rule"] == exported
        else:
            expected = "use" if row["meetings_90d"] >= 1 and tenure >= 200 else "start"
            assert pd.isna(row["first_value_by_rule"])
        assert row["phase"] == expected
        late = max(tenure - 100, 0) if (row["segment"], expected) == ("small", "start") else None
        assert row["phase_days_late"] == late if late is not None else pd.isna(row["phase_days_late"])
    assert frame["phase"].nunique() == 3


def test_the_cadence_kept_follows_from_rules_and_actions(frame: pd.DataFrame, company: Any) -> None:
    for row in frame.to_dict("records"):
        t, tenure = row["as_of"], row["tenure_days"]
        rows = [r for r in company["csm_actions"] if r["account_id"] == row["account_id"] and known(r, "acted_on", t)]
        ago = [(t - pd.Timestamp(r["acted_on"])).days for r in rows if r["status"] in ("done", None)]
        every = {"high": 60, "tech": 45 if row["phase"] == "use" else None}[row["touch_model"]]
        if every is None:
            assert pd.isna(row["cadence_kept_share"])
            assert pd.isna(row["days_to_next_touch"])
            continue
        due = [slot for slot in range(3) if tenure >= (slot + 1) * every]
        kept = [slot for slot in due if any(slot * every < days <= (slot + 1) * every + 7 for days in ago)]
        if due:
            assert row["cadence_kept_share"] == pytest.approx(len(kept) / len(due))
        assert row["days_to_next_touch"] == every - min([days for days in ago if days <= 730], default=tenure)
    assert frame["cadence_kept_share"].nunique() > 2


@pytest.mark.parametrize("dialect", ["postgres", "spark", "snowflake", "bigquery", "databricks"])
def test_every_engine_has_their_sql(company_tables: Any, dialect: str) -> None:
    settings = params.load(None, [JOURNEY, CADENCE])
    more = {"revenue": settings.revenue, "settings": settings.snapshots, "own": settings.declared}
    assert any("cadence_kept_share" in text for text in script(company_tables, DATES, dialect, **more))


def test_without_them_there_is_nothing_of_them(company_tables: Any) -> None:
    assert catalogue(company_tables, params.load().declared) == catalogue(company_tables, {})
