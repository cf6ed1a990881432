"""The holdout of recommendations: who is in it, that it stays, what it costs beforehand, and that care goes on."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.inputs.frames import tables_from_frames
from models.effects.action_effect import ActionEffect
from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import SharedLuck
from params import SettingsError, load
from params_team import Actions
from serving.actions.book import book_of, hours_by_person
from serving.actions.kinds import usable_kinds
from serving.actions.planning import Plan
from serving.actions.trial_results import trial_results
from serving.actions.withheld import (
    Trial,
    begun,
    excluded,
    holdout_plan,
    plan_lines,
    quarter_of,
    record_enrolments,
    trial_of,
)  # fmt: skip
from serving.journal.entries import ENROLMENT, Note, read, write
from serving.ledger.record import open_record

AS_OF = date(2026, 1, 1)
MONTHS = 12
ON = ("actions.holdout.share=0.4", "actions.holdout.salt=of tests", "actions.holdout.acknowledged_arr=1e9")
NOBODY = pd.DataFrame({"name": [], "role": [], "hours_per_month": []})


def settings(*overrides: str) -> Actions:
    nothing = [f"actions.kinds.{name}=null" for name in load().actions.kinds]
    call = "actions.kinds.call={hours: 2, min_gap_days: 30}"
    usual = ("actions.holdout.largest_accounts=3", "actions.holdout.exclude=[touch_model = low]")
    return load(overrides=[*nothing, call, "actions.hours_per_month=60", *usual, *overrides]).actions


def customers(number: int = 90) -> pd.DataFrame:
    """Three CSMs' accounts; the first two of all gave notice, the next two are of low touch."""
    flag = np.zeros(number)
    notice = flag.copy()
    notice[:2] = 1.0
    touch = ["high"] * number
    touch[2:4] = ["low", "low"]
    return pd.DataFrame(
        {
            "account_id": [f"a{place:03d}" for place in range(number)],
            "as_of": pd.Timestamp(AS_OF),
            "term_ends_on": pd.Timestamp("2026-10-01"),
            "term_days": 365.0,
            "overdue_days": 0.0,
            "notice_given": notice,
            "presigned": 0.0,
            "csm": [("Ada", "Ben", "Cy")[place % 3] for place in range(number)],
            "touch_model": touch,
        }
    )


def plan_for(frame: pd.DataFrame, chosen: Actions) -> Plan:
    done = pd.DataFrame({"account_id": ["gone"], "action": ["call"], "done_on": pd.to_datetime(["2020-01-01"])})
    kinds = usable_kinds(chosen, done.assign(times=1), {})
    book = book_of(frame, done, kinds, chosen, AS_OF)
    hazards = np.zeros((len(frame), MONTHS, 3))
    hazards[:, :, 0] = 0.03
    prediction = Prediction(
        account=streams(range(len(frame))), first_month=12 * 2026, arr=1000.0 + 10.0 * np.arange(len(frame)),
        size=np.zeros(len(frame)), hazards=hazards, pool_index=np.zeros((len(frame), MONTHS, 2), dtype=int),
        pools=(np.array([1.0]),), pool_names=("same",), luck=SharedLuck(), gap_months=0,
        estimation=Estimation.none(1), cross_sell_share=np.full(len(frame), np.nan),
    )  # fmt: skip
    hours = {**hours_by_person(NOBODY, book, chosen), "Ada": 30.0, "Ben": 30.0, "Cy": 30.0}
    return Plan(kinds, book, hours, prediction, horizon_months=MONTHS, decay=chosen.decay)


def test_nobody_is_withheld_unless_it_is_switched_on_and_acknowledged() -> None:
    frame = customers()
    off = settings()
    assert not trial_of(plan_for(frame, off), frame, off, AS_OF, []).enrolled.any()
    with pytest.raises(SettingsError, match="holdfast holdout --share"):
        settings("actions.holdout.share=0.2")
    with pytest.raises(SettingsError, match="acknowledged_arr"):
        settings("actions.holdout.share=0.2", "actions.holdout.salt=ours")
    cheap = settings(*ON[:2], "actions.holdout.acknowledged_arr=0.5")
    trial = trial_of(plan_for(frame, cheap), frame, cheap, AS_OF, [])
    assert not trial.enrolled.any()
    assert "The holdout has not begun" in trial.note


def test_only_accounts_near_the_cut_of_the_hours_are_in_it_and_never_the_excluded() -> None:
    frame, chosen = customers(), settings(*ON)
    plan = plan_for(frame, chosen)
    trial = trial_of(plan, frame, chosen, AS_OF, [])
    out = excluded(plan, frame, chosen.holdout)
    assert {name: int(who.sum()) for name, who in out.items()} == {
        "must be tended to": 2, "the largest accounts": 3, "touch_model = low": 2,
    }  # fmt: skip
    assert not (trial.enrolled & np.any(list(out.values()), axis=0)).any()
    assert 0 < trial.enrolled.sum() < len(frame)
    by_worth = np.argsort(-np.nan_to_num(plan.value[:, 0]))
    assert not trial.enrolled[by_worth[:15]].any(), "what saves most is never withheld"
    assert 0.2 < trial.is_withheld.sum() / trial.enrolled.sum() < 0.6
    assert not trial.is_withheld[~trial.enrolled].any()


def test_what_is_withheld_is_a_recommendation_and_never_care() -> None:
    frame, chosen = customers(), settings(*ON)
    plan = plan_for(frame, chosen)
    trial = begun(plan, frame, chosen)
    less = plan.withholding(trial.is_withheld).rows()
    assert (less.loc[trial.is_withheld, "answer"] != "do").all()
    assert less.loc[trial.is_withheld, "why"].str.contains("no play is recommended for it this quarter").all()
    everyone = np.ones(len(frame), dtype=bool)
    kept = plan.withholding(everyone).rows()
    assert kept.loc[kept["answer"] == "do", "must_do"].tolist() == ["notice is given"] * 2
    assert less["hours"].sum() == pytest.approx(plan.rows()["hours"].sum()), "others get the hours"


def test_the_chance_is_the_design_s_and_the_same_in_both_arms() -> None:
    frame, chosen = customers(), settings(*ON)
    trial = begun(plan_for(frame, chosen), frame, chosen)
    chance = trial.probability_of_assignment
    assert set(chance[trial.is_withheld]) == set(chance[trial.enrolled]) == {0.6}
    assert set(chance[~trial.enrolled]) == {1.0}


def test_what_it_costs_and_can_show_is_told_before() -> None:
    frame, chosen = customers(), settings(*ON)
    told = holdout_plan(plan_for(frame, chosen), frame, chosen, None)
    assert told["eligible"] > told["withheld"] > 0
    assert 0 < told["arr_at_stake"] < told["arr_withheld"]
    assert told["arr_at_stake_low"] <= told["arr_at_stake"] <= told["arr_at_stake_high"]
    assert told["take_up_is_assumed"]
    assert told["detectable_points"] > abs(told["expected_points"]), "90 accounts can show little, and it says so"
    lines = "\n".join(plan_lines(told, "USD"))
    assert "never care" in lines
    assert "acknowledged_arr" in lines
    sure = holdout_plan(plan_for(frame, chosen), frame, chosen, 1.0)
    assert sure["detectable_points"] == pytest.approx(told["detectable_points"] / 2)


def test_who_is_in_it_stays_for_the_quarter_when_accounts_come_and_go(tmp_path: Path) -> None:
    frame, chosen = customers(), settings(*ON)
    params = load(overrides=[f"data_dir={tmp_path}"])
    first = trial_of(plan_for(frame, chosen), frame, chosen, AS_OF, [])
    with open_record(params) as record:
        assert record_enrolments(record, first, frame["account_id"], chosen, AS_OF) == first.enrolled.sum()
        assert record_enrolments(record, first, frame["account_id"], chosen, date(2026, 2, 1)) == 0
        entries = read(record, ENROLMENT)
    assert {entry.payload["probability_millionths"] for entry in entries} == {600_000}
    assert "of tests" not in str(entries), "a salt on record could be used to foresee who is withheld"
    later = pd.concat([frame.iloc[20:], customers(120).iloc[90:]], ignore_index=True)
    second = trial_of(plan_for(later, chosen), later, chosen, date(2026, 3, 15), entries)
    arms = dict(zip(frame["account_id"], zip(first.enrolled, first.is_withheld, strict=True), strict=True))
    for account, *arm in zip(later["account_id"], second.enrolled, second.is_withheld, strict=True):
        assert tuple(arm) == arms.get(account, (False, False))
    next_quarter = trial_of(plan_for(later, chosen), later, chosen, date(2026, 4, 1), entries)
    both = [
        (withheld, arms[account][1])
        for account, enrolled, withheld in zip(
            later["account_id"], next_quarter.enrolled, next_quarter.is_withheld, strict=True
        )
        if enrolled and arms.get(account, (False, False))[0]
    ]
    assert both
    assert all(now == then for now, then in both), "an account's arm stays from quarter to quarter"


def test_a_quarter_begins_with_its_first_month() -> None:
    assert [quarter_of(date(2026, month, 17)).month for month in (1, 3, 4, 12)] == [1, 1, 4, 10]
    assert not Trial.none(3).enrolled.any()


def trial_company(rng: np.random.Generator, accounts: int = 800) -> tuple[dict[str, Any], list[Note]]:
    """Accounts of which a third is withheld: a play takes 30 points off leaving, and is done for 9 of 10 offered."""
    ids = [f"a{place:04d}" for place in range(accounts)]
    withheld = rng.random(accounts) < 1 / 3
    done = rng.random(accounts) < np.where(withheld, 0.1, 0.9)
    left = rng.random(accounts) < np.where(done, 0.2, 0.5)
    ends = np.where(left, np.datetime64("2025-04-01"), np.datetime64("2026-01-01"))
    contracts = pd.DataFrame(
        {
            "contract_id": ids, "account_id": ids, "product": "Core", "mrr": 100.0, "ends_on": pd.to_datetime(ends),
            "starts_on": pd.Timestamp("2024-04-01"), "signed_on": pd.Timestamp("2024-03-01"),
        }
    )  # fmt: skip
    told = np.array(ids)[done]
    actions = pd.DataFrame({"account_id": told, "acted_on": pd.Timestamp("2025-02-01"), "action": "call"})
    says = {"quarter": "2025-01-01", "as_of": "2025-01-01", "salt": MARK, "probability_millionths": 666_667}
    notes = [
        Note(ENROLMENT, "Holdfast", account, {**says, "action": "call", "is_withheld": bool(arm)})
        for account, arm in zip(ids, withheld, strict=True)
    ]
    frames = {"accounts": pd.DataFrame({"account_id": ids}), "contracts": contracts, "csm_actions": actions}
    return frames, notes


MARK = "2e3f7c1f2b1c"


def test_a_trial_is_told_by_kind_and_joined_with_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.actions.trial_results.salt_mark", lambda salt: MARK)
    frames, notes = trial_company(np.random.default_rng(3))
    tables = tables_from_frames(frames, tmp_path / "tables.duckdb", data_until=AS_OF)
    share = ("actions.holdout.share=0.333333", *ON[1:])
    params = load(overrides=[f"data_dir={tmp_path}", *share])
    with open_record(params) as record:
        write(record, notes, at=datetime(2025, 1, 2, tzinfo=UTC))
        other = {**notes[0].payload, "salt": "another"}
        write(record, [Note(ENROLMENT, "Holdfast", "a0000", other)])
        entries = read(record, ENROLMENT)
    study = ActionEffect(
        level="action", action="call", treated_rows=900, treated_accounts=300, missed_rows=0, decay=0.9, allowance=0.1,
        verdict="helpful", evidence="good", reason="", logit=-0.9, logit_se=0.2,
    )  # fmt: skip
    content = trial_results(entries, tables, {"call": study}, params=params, as_of=AS_OF)
    assert (content["enrolled"], content["waiting"], content["others"]) == (800, 0, 1)
    whole, call = content["rows"]
    assert whole["kind"] == "(all)"
    assert call["low"] < -30 < call["high"]
    assert call["take_up"] == pytest.approx(0.8, abs=0.08)
    assert call["joined_low"] < call["joined_logit"] < call["joined_high"]
    assert min(call["logit"], -0.9) <= call["joined_logit"] <= max(call["logit"], -0.9)
    assert "With the study of past actions" in call["text"]
    early = trial_results(entries, tables, {}, params=params, as_of=date(2025, 5, 1))
    assert early["waiting"] == 800
    assert early["rows"][0]["effect_points"] is None
