"""What a plan takes from elsewhere: effects of a study, answers on record, and what the team did."""

from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from features.tables.checked import Tables, Warehouse
from models.effects.action_effect import ActionEffect
from params import Params, load
from serving.actions.on_record import record_answer
from serving.actions.recommending import known_answers, plan_of, studied_effects
from serving.forecast.refusals import BadRequest
from serving.forecast.stored_effects import write_effects
from serving.ledger.record import open_record

DAY = date(2026, 1, 1)
CALL = ActionEffect(
    level="action", action="call", treated_rows=900, treated_accounts=300, missed_rows=0, decay=0.9, allowance=0.03,
    verdict="helpful", evidence="good", reason="", logit=-0.5, logit_se=0.04, logit_low=-0.6, logit_high=-0.4,
)  # fmt: skip


def params_in(folder: Path) -> Params:
    return load(overrides=[f"data_dir={folder}"])


def test_a_study_that_knew_later_days_says_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    params = params_in(tmp_path)
    assert studied_effects(params, DAY) == {}
    write_effects(tmp_path, [CALL], run_id="run-1", as_of=DAY, made_at=datetime(2026, 1, 2, tzinfo=UTC), page="")
    assert studied_effects(params, DAY) == {"call": CALL}
    assert studied_effects(params, date(2025, 12, 31)) == {}


def test_answers_given_after_the_data_end_count_on_the_newest_date_alone(tmp_path: Path) -> None:
    params = params_in(tmp_path)
    assert not known_answers(params, DAY, DAY).done
    with open_record(params) as record:
        for action, answer in (("call", "done"), ("visit", "disagree")):
            record_answer(
                record, account_id="a0", action=action, answer=answer, reason="", author="Ada", run_id="run-1"
            )
    newest = known_answers(params, DAY, DAY)
    assert (list(newest.done), list(newest.held_back)) == ([("a0", "call")], [("a0", "visit")])
    assert not known_answers(params, date(2020, 1, 1), DAY).done


def test_plays_are_not_planned_from_actions_in_a_warehouse(tmp_path: Path) -> None:
    warehouse = Warehouse("postgres", "postgresql://nowhere", {"csm_actions": "SELECT 1"}, {}, {})
    tables = Tables(
        tmp_path / "absent.duckdb", {"csm_actions": ("account_id", "action")}, {}, DAY, "digest", "print", warehouse
    )
    with pytest.raises(BadRequest, match="csm_actions lies in a warehouse"):
        plan_of(tables, None, pd.DataFrame(), as_of=DAY, params=params_in(tmp_path))  # type: ignore[arg-type]
