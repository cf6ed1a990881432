"""The study: who is eligible, which kinds there are, what is refused, and that the same data give the same effects."""

import numpy as np
import pandas as pd
import pytest

from features.snapshots.building import Snapshots
from features.tables.checked import Tables
from features.tables.problems import BadInput
from models.effects.action_effect import EVIDENCE_OF, NOT_KNOWN, VERDICTS, ActionEffect
from models.effects.conclusions import CAUTIONS, sentences
from models.effects.orthogonal import Estimate
from params import Params
from training.effects.design import MOST_KINDS, Study, _commonest, code_of, make_study
from training.effects.effects_page import render
from training.effects.estimates import less_null
from training.effects.nuisances import material_of, propensity

pytestmark = pytest.mark.usefixtures("costly")
Effects = dict[tuple[str, str], ActionEffect]
DONE_OFTEN = ("business_review", "training", "newsletter")


def settings_with(params: Params, **changes: object) -> Params:
    return params.model_copy(update={"effects": params.effects.model_copy(update=changes)})


def test_trials_pay_have_no_notice_are_not_overdue_and_are_still_there_a_month_later(
    study: Study, acting_snapshots: Snapshots
) -> None:
    frame = study.frame
    assert (frame["notice_share"] == 0).all()
    assert not (frame["overdue_days"] > 0).any()
    assert (frame["arr"] > 0).all()
    assert (study.paths[:, 1] > 0).all()
    next_month = frame[["account_id"]].assign(as_of=frame["as_of"] + pd.DateOffset(months=1))
    later = next_month.merge(acting_snapshots.frame, on=["account_id", "as_of"], how="inner")
    assert (later["notice_share"] == 0).all()
    assert 0.3 < len(frame) / len(acting_snapshots.frame) < 0.95


def test_history_is_known_before_and_treatments_come_after(study: Study) -> None:
    """An account's own past by kind goes in; what was done in the month itself does not."""
    kinds = study.levels[0].names
    places = {item.meaning: item.name for item in study.inputs if item.family == "csm_actions"}
    column = places["newsletter, before 30 days"]
    done = study.levels[0].done[:, kinds.index("newsletter")]
    assert not np.array_equal(study.frame[column].to_numpy() > 0, done > 0)
    before = pd.Series(done > 0).groupby(study.frame["account_id"]).shift()
    there = before.notna() & (study.frame["as_of"].diff().dt.days.fillna(0) >= 0)
    assert (
        pd.concat([before[there].astype(float), (study.frame[column] > 0)[there].astype(float)], axis=1)
        .corr()
        .iloc[0, 1]
        > 0.8
    )


def test_a_level_that_tells_no_more_apart_is_left_out(study: Study) -> None:
    assert [level.level for level in study.levels] == ["action", "process"]
    assert set(study.levels[0].names) == {*DONE_OFTEN, "success_plan", "executive_call", "upgrade_pitch"}
    assert "success plan" in study.levels[1].names


def test_kinds_with_enough_have_an_estimate_and_the_others_a_reason(effects: Effects) -> None:
    for effect in effects.values():
        assert effect.verdict in VERDICTS
        assert effect.evidence == EVIDENCE_OF[effect.verdict]
        if effect.logit is None:
            assert "at least 300 of 100 accounts are needed" in effect.reason
            assert (effect.rows_needed or 0) > effect.treated_rows
            assert effect.verdict == NOT_KNOWN
        else:
            assert effect.treated_rows >= 300
            assert effect.logit_low < effect.logit < effect.logit_high  # type: ignore[operator]
            assert effect.low < effect.churn_points < effect.high  # type: ignore[operator]
            assert effect.allowance >= 0.1
            assert {"permuted_mean", "redrawn_spread", "halves_apart", "before_logit", "left_out", "passed"} <= set(
                effect.refuters
            )
    assert {effects["action", name].logit is not None for name in DONE_OFTEN} == {True}
    assert effects["action", "executive_call"].logit is None


def test_threads_change_no_nuisance(study: Study, acting_params: Params) -> None:
    done = study.levels[0].done[:, study.levels[0].names.index("newsletter")]
    one, two = (
        propensity(material_of(study, acting_params.model_copy(update={"threads": threads})), done, 0)
        for threads in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert one.mean() == pytest.approx(done.mean(), rel=0.1)


def test_a_kind_named_null_is_taken_off_the_others_of_its_level(study: Study, acting_params: Params) -> None:
    level = study.levels[0]
    estimate = Estimate(np.arange(6.0), np.eye(6))
    less = less_null(estimate, level, settings_with(acting_params, null_action="Newsletter"))
    place = level.names.index("newsletter")
    np.testing.assert_allclose(less.shift, np.where(np.arange(6) == place, place, np.arange(6.0) - place))
    assert less_null(estimate, level, acting_params) is estimate


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"null_action": "newsleter"}, r"effects.null_action names newsleter.*Did you mean newsletter\?"),
        ({"kinds": ("training", "juggling")}, r"effects.kinds names juggling, which csm_actions does not have"),
        ({"levels": ("playbook",), "kinds": ("training",)}, r"effects.kinds names training"),
    ],
)
def test_kinds_that_are_not_there_are_refused(
    acting_tables: Tables, acting_snapshots: Snapshots, acting_params: Params, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInput, match=f"(?s){message}"):
        make_study(
            acting_tables,
            acting_snapshots,
            known_by=acting_tables.data_until,
            params=settings_with(acting_params, **changes),
        )


def test_of_many_kinds_the_commonest_and_those_that_are_named_stay(acting_params: Params) -> None:
    kinds = {f"kind_{number}": f"Kind {number}" for number in range(2000)}
    assert list(_commonest(kinds, acting_params)) == [f"kind_{number}" for number in range(MOST_KINDS)]
    named = _commonest(kinds, settings_with(acting_params, null_action="Kind 1500"))
    assert list(named)[MOST_KINDS:] == ["kind_1500"]


def test_only_the_kinds_asked_for_are_estimated(
    acting_tables: Tables, acting_snapshots: Snapshots, acting_params: Params
) -> None:
    asked = settings_with(acting_params, kinds=("Training",), null_action="newsletter", levels=("action",))
    study = make_study(acting_tables, acting_snapshots, known_by=acting_tables.data_until, params=asked)
    assert {code_of(name) for name in study.levels[0].names} == {"training", "newsletter"}


def test_the_report_says_what_may_and_may_not_be_concluded(effects: Effects) -> None:
    page = render(list(effects.values()), {"Data": "a simulated company"})
    for line in (*sentences(list(effects.values())), *CAUTIONS):
        assert line.replace("'", "&#39;") in page.replace("\n", " ")
    assert page.count("<img") == 4
    assert "points, with the action less without" not in page, "figures are pictures within the page"


def test_a_kind_that_is_not_known_says_how_much_it_needs(effects: Effects) -> None:
    (sentence,) = sentences([effects["action", "executive_call"]])
    assert sentence.startswith("executive_call (action): not known, because it was done in")
    assert "account-months with the action are needed" in sentence
