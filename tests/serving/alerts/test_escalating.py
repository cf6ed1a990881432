"""Escalations: raised once, acknowledged by name, asking again, over; and the review of accounts at risk."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from params import load
from serving.alerts.escalating import (
    LOST_BEYOND_LUCK,
    WORDS,
    Measure,
    acknowledge,
    escalations_of,
    measures_of,
    pass_up,
)
from serving.alerts.review import Decision, accounts_decided, note_of, of_book, review
from serving.alerts.shared_cause import SCORES, Cause
from serving.journal.entries import ESCALATION, read, write
from serving.ledger.record import Record, open_record

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
CAUSE = Cause(SCORES, JANUARY, (("region", "EMEA"), ("csm", "Ada")), ("a", "b"), 100.0, 50.0, 5.0, 4.0, 0.01)


@pytest.fixture
def params(tmp_path: Path) -> Any:
    limits = ["accounts=2", "arr_at_risk_share=0.5", "group_accounts=2", "group_arr_at_risk_share=null"]
    return load(overrides=[f"data_dir={tmp_path}", *(f"alerts.escalate.{limit}" for limit in limits)])


@pytest.fixture
def record(params: Any) -> Any:
    with open_record(params) as record:
        yield record


def look(record: Record, params: Any, day: date, chances: list[float], causes: tuple[Cause, ...] = ()) -> Any:
    ids = [f"a{n}" for n in range(len(chances))]
    rows = pd.DataFrame({"account_id": ids, "arr": 100.0, "churn_probability": chances})
    labels = pd.DataFrame({"csm": ["Ada"] * 2 + ["Ben"] * (len(ids) - 2)}, index=ids)
    measures = measures_of(rows, labels, params.alerts.escalate)
    pass_up(record, measures, causes, day, params)
    return escalations_of(record, day, params)


def test_what_passes_a_limit_is_raised_once_by_company_and_by_group(record: Record, params: Any) -> None:
    rows = look(record, params, JANUARY, [0.9, 0.5, 0.1, 0.1])
    told = [(row["what"], row["cut"], row["group"], row["value"]) for row in rows]
    assert told == [("accounts", "total", "total", 2.0), ("accounts", "csm", "Ada", 2.0)]
    assert rows[0]["says"] == "accounts likely to leave of all accounts was 2, and the limit is 2"
    again = look(record, params, FEBRUARY, [0.9, 0.5, 0.4, 0.1])
    assert [row["number"] for row in again] == [row["number"] for row in rows], "raised once while it stands"
    assert {row["raised_on"] for row in again} == {"2026-01-01"}


def test_it_is_acknowledged_by_name_and_asks_again_while_it_stands(record: Record, params: Any) -> None:
    number = look(record, params, JANUARY, [0.9, 0.9, 0.1])[0]["number"]
    write(record, [acknowledge(number, "Cleo", "On it")], at=datetime(2026, 1, 3, tzinfo=UTC))
    row = next(row for row in escalations_of(record, JANUARY, params) if row["number"] == number)
    assert (row["status"], row["by"], row["note"]) == ("acknowledged", "Cleo", "On it")
    assert row["asks_again_on"] == "2026-02-02"
    later = next(row for row in escalations_of(record, date(2026, 2, 2), params) if row["number"] == number)
    assert later["status"] == "open"
    assert escalations_of(record, JANUARY, params)[0]["status"] == "open", "what nobody took up comes first"


def test_it_is_over_below_the_easing_share_and_raised_anew_after(record: Record, params: Any) -> None:
    params = params.model_copy(
        update={"alerts": params.alerts.model_copy(update={"escalate": _of_share(params.alerts.escalate)})}
    )
    first = look(record, params, JANUARY, [0.6, 0.6, 0.6])
    assert [row["what"] for row in first] == ["arr_at_risk_share"]
    assert look(record, params, FEBRUARY, [0.46] * 3) == first, "under the limit of .5, and not under nine tenths of it"
    assert look(record, params, MARCH, [0.44] * 3) == []
    anew = look(record, params, date(2026, 4, 1), [0.6] * 3)
    assert [row["raised_on"] for row in anew] == ["2026-04-01"]
    assert look(record, params, MARCH, [0.9] * 3) == [], "a date that lies before changes nothing"


def test_what_is_measured_over_a_time_that_is_not_whole_is_raised_and_cannot_have_come_back(
    record: Record, params: Any
) -> None:
    def looked(day: date, value: float, is_whole: bool) -> list[str]:
        pass_up(record, [Measure(LOST_BEYOND_LUCK, "total", "total", value, 0.1, is_whole)], (), day, params)
        return [row["raised_on"] for row in escalations_of(record, day, params)]

    assert looked(JANUARY, 0.1, is_whole=False) == ["2026-01-01"]
    assert looked(FEBRUARY, 0.0, is_whole=False) == ["2026-01-01"]
    assert looked(MARCH, 0.0, is_whole=True) == []


def test_every_figure_that_may_be_passed_up_has_a_title_and_a_phrase(params: Any) -> None:
    limits = params.alerts.escalate.model_copy(update={"arr_at_risk": 1.0, "group_arr_at_risk_share": 0.5})
    rows = pd.DataFrame({"account_id": ["a"], "arr": [1.0], "churn_probability": [0.5]})
    measures = measures_of(rows, pd.DataFrame({"csm": ["Ada"]}, index=["a"]), limits)
    figures = {*(measure.what for measure in measures), LOST_BEYOND_LUCK, "expected_loss_rise_share", "shared_cause"}
    assert figures == set(WORDS)
    assert all(words.title and words.phrase for words in WORDS.values())


def _of_share(limits: Any) -> Any:
    return limits.model_copy(update={"accounts": None, "group_accounts": None})


def test_the_shared_cause_is_named_in_it_and_raised_by_itself(record: Record, params: Any) -> None:
    rows = look(record, params, JANUARY, [0.9, 0.9, 0.1], (CAUSE,))
    assert {row["causes"][0] for row in rows} == {f"{SCORES}: region is EMEA and csm is Ada (2 accounts)"}
    alone = next(row for row in rows if row["what"] == "shared_cause")
    assert alone["says"].startswith("score rose: region is EMEA and csm is Ada, 5.0 standard deviations")
    again = look(record, params, FEBRUARY, [0.1] * 3, (CAUSE,))
    assert [row["number"] for row in again] == [alone["number"]]
    assert look(record, params, MARCH, [0.1] * 3) == []


def test_no_name_of_a_person_is_in_what_an_entry_says(record: Record, params: Any) -> None:
    look(record, params, JANUARY, [0.9, 0.9, 0.1], (CAUSE,))
    entries = read(record, ESCALATION)
    assert len(entries) == 4
    assert not [entry for entry in entries if "Ada" in str(entry.payload)]
    assert all("Ada" in entry.people.values() for entry in entries)


def customers(**changes: Any) -> list[dict[str, Any]]:
    whole = {
        "account_id": ["a0", "a1", "a2"],
        "name": ["Alpha", "Beta", "Gamma"],
        "csm": ["Ada", "Ada", "Ben"],
        "arr": [100.0, 200.0, 300.0],
        "churn_probability": [0.5, 0.6, 0.1],
        "arr_at_risk": [50.0, 120.0, 30.0],
        "renews_on": ["2026-05-01", None, None],
    }
    return pd.DataFrame(whole | changes).to_dict("records")


def test_the_review_has_whose_it_is_what_comes_next_and_by_when(record: Record, params: Any) -> None:
    decision = Decision("Call the new CFO", "Cleo", date(2026, 1, 20), "leader")
    write(record, [note_of(decision, "a2", 300.0, JANUARY, "Dan")])
    rows = {row["account_id"]: row for row in review(record, params, FEBRUARY, customers())["rows"]}
    assert list(rows) == ["a1", "a0", "a2"], "most ARR at risk first; one with a decision stays"
    assert (rows["a0"]["owner"], rows["a0"]["state"], rows["a0"]["due_on"]) == ("Ada", "nothing decided", None)
    assert rows["a0"]["renews_on"] == "2026-05-01"
    decided = rows["a2"]
    told = [decided[name] for name in ("owner", "step", "due_on", "department", "by", "overdue")]
    assert told == ["Cleo", "Call the new CFO", "2026-01-20", "leader", "Dan", True]
    closed = Decision("Call the new CFO", "Cleo", date(2026, 1, 20), "leader", "done")
    write(record, [note_of(closed, "a2", 300.0, FEBRUARY, "Dan")])
    assert "a2" not in {row["account_id"] for row in review(record, params, FEBRUARY, customers())["rows"]}


def test_what_came_of_a_decision_is_shown_after_ninety_days(record: Record, params: Any) -> None:
    step = Decision("Call", "Cleo", date(2026, 1, 20))
    arrs = (("a0", 100.0), ("a1", 250.0), ("gone", 70.0))
    write(record, [note_of(step, account, arr, JANUARY, "Dan") for account, arr in arrs])
    assert review(record, params, date(2026, 3, 31), customers())["outcomes"] == []
    content = review(record, params, date(2026, 4, 1), customers())
    told = {row["account_id"]: (row["arr_then"], row["arr_now"], row["outcome"]) for row in content["outcomes"]}
    expected = {"a0": (100, 100, "kept"), "a1": (250, 200, "kept with less"), "gone": (70, 0, "left")}
    assert told == expected
    assert [row["account_id"] for row in of_book(content, ["a1"])["outcomes"]] == ["a1"]


def test_the_review_needs_no_more_than_who_is_likely_to_leave_and_who_was_decided_on(
    record: Record, params: Any
) -> None:
    write(record, [note_of(Decision("Call", "Cleo", date(2026, 1, 20)), "a2", 300.0, JANUARY, "Dan")])
    everyone = customers(account_id=["a0", "a1", "a2"], churn_probability=[0.5, 0.01, 0.1])
    assert accounts_decided(record) == {"a2"}
    few = [row for row in everyone if row["account_id"] in {"a0", "a2"}]
    for day in (FEBRUARY, date(2026, 5, 1)):
        assert review(record, params, day, few) == review(record, params, day, everyone)
