"""Phases of the journey on time, on a handful of accounts by hand."""

from datetime import date

import pandas as pd

from features.kpis.customers.journey_states import phase_facts

AS_OF = date(2025, 4, 1)
STARTS = ("2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01")
EXPECTED = {"default": {"onboarding": 60}, "large": {"onboarding": 400}}


def states(account: str, phases: list[str], tenure: int, segment: str = "small") -> list[tuple[object, ...]]:
    """A row a month start for as long as the account is there; days late beyond the expected day."""
    rows = []
    for start, phase in zip(STARTS, phases, strict=False):
        age = tenure + (pd.Timestamp(start) - pd.Timestamp(STARTS[0])).days
        late = max(age - (400 if segment == "large" else 60), 0) if phase == "onboarding" else None
        rows.append((account, start, 100.0, segment, phase, late, age))
    return rows


def told(*rows: list[tuple[object, ...]]) -> dict[tuple[str, str], dict[str, float]]:
    columns = ["account_id", "as_of", "arr", "segment", "phase", "phase_days_late", "tenure_days"]
    frame = pd.DataFrame([row for part in rows for row in part], columns=columns)
    facts = phase_facts(frame, AS_OF, EXPECTED, ("onboarding", "adoption"))
    return {(row["account_id"], row["phase"]): row for row in facts.to_dict("records")}


def test_who_had_left_a_phase_by_its_day_is_told_from_who_is_late() -> None:
    found = told(
        states("quick", ["onboarding", "onboarding", "adoption", "adoption"], 10),
        states("slow", ["onboarding"] * 4, 10),
        states("gone", ["onboarding", "onboarding"], 10),  # left before its day came
        states("patient", ["onboarding"] * 4, 10, segment="large"),  # of a journey with another day
        states("old", ["adoption"] * 4, 300),  # its day came before the window
    )
    assert {key: (row["due"], row["in_time"]) for key, row in found.items() if row["due"]} == {
        ("quick", "onboarding"): (1, 1), ("slow", "onboarding"): (1, 0), ("gone", "onboarding"): (1, 0),
    }  # fmt: skip
    late = found["slow", "onboarding"]
    assert (late["here"], late["late"], late["days_late"], late["late_arr"]) == (1, 1, 40, 100.0)
    patient = found["patient", "onboarding"]
    assert (patient["here"], patient["late"]) == (1, 0)
    assert ("old", "adoption") not in found, "a phase without an expected day is nobody's delay"
