"""Plans of a month: what must be done, what may not be, whose hours, and what is said."""

import dataclasses
from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.effects.action_effect import ActionEffect
from models.outcomes.keyed_draws import streams
from models.outcomes.prediction import Estimation, Prediction
from models.outcomes.shared_luck import SharedLuck
from models.plans.play_value import PlaySize
from params import SettingsError, load
from params_team import Actions
from serving.actions.book import book_of, hours_by_person, hours_spent
from serving.actions.kinds import Kinds, usable_kinds
from serving.actions.on_record import Answered
from serving.actions.planning import Plan
from serving.forecast.account_conditions import meets
from serving.forecast.refusals import BadRequest

AS_OF = date(2026, 1, 1)
MONTHS = 12
NOBODY = pd.DataFrame({"name": [], "role": [], "hours_per_month": []})


def settings(*overrides: str) -> Actions:
    """Two plays for one account, one for four, and one that costs nothing."""
    nothing = [f"actions.kinds.{name}=null" for name in load().actions.kinds]
    kinds = (
        "actions.kinds.call={hours: 2, min_gap_days: 30, exclude: ['touch_model = tech']}",
        "actions.kinds.visit={hours: 8, min_gap_days: 90, assumed_logit: -0.6}",
        "actions.kinds.webinar={hours: 3, group: 4, assumed_logit: -0.1}",
        "actions.kinds.note={hours: 0, min_gap_days: 20, assumed_logit: -0.02}",
    )
    return load(overrides=[*nothing, *kinds, *overrides]).actions


def done(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """What was done; each kind once for an account that has left, so that it is known."""
    known = [("gone", kind, "2020-01-01") for kind in ("call", "visit", "webinar", "note")]
    frame = pd.DataFrame([*known, *rows], columns=["account_id", "action", "done_on"])
    return frame.assign(done_on=pd.to_datetime(frame["done_on"]), times=1)


def customers(**changes: list[object]) -> pd.DataFrame:
    number = len(next(iter(changes.values())))
    columns = {
        "account_id": [f"a{place}" for place in range(number)],
        "as_of": [pd.Timestamp(AS_OF)] * number,
        "term_ends_on": [pd.Timestamp("2026-10-01")] * number,
        "term_days": [365.0] * number,
        "overdue_days": [0.0] * number,
        "notice_given": [0.0] * number,
        "presigned": [0.0] * number,
        "csm": ["Ada"] * number,
        "touch_model": ["high"] * number,
    }
    return pd.DataFrame(columns | changes)


def plan(
    frame: pd.DataFrame,
    *,
    hours: float = 100.0,
    pool: float = 100.0,
    churn: float = 0.03,
    arr: object = 1000.0,
    lately: tuple[tuple[str, str, str], ...] = (),
    studied: dict[str, ActionEffect] | None = None,
) -> tuple[Plan, pd.DataFrame]:
    chosen = settings(f"actions.hours_per_month={hours}", f"actions.pooled_hours_per_month={pool}")
    known = done(*lately)
    kinds = usable_kinds(chosen, known, studied or {})
    book = book_of(frame, known, kinds, chosen, AS_OF)
    made = Plan(
        kinds, book, hours_by_person(NOBODY, book, chosen), prediction(len(frame), churn, arr),
        horizon_months=MONTHS, decay=chosen.decay,
    )  # fmt: skip
    return made, made.rows().assign(account_id=frame["account_id"])


def prediction(accounts: int, churn: float, arr: object) -> Prediction:
    hazards = np.zeros((accounts, MONTHS, 3))
    hazards[:, :, 0] = churn
    return Prediction(
        account=streams(range(accounts)),
        first_month=12 * 2026,
        arr=np.broadcast_to(np.asarray(arr, dtype=float), accounts).copy(),
        size=np.zeros(accounts),
        hazards=hazards,
        pool_index=np.zeros((accounts, MONTHS, 2), dtype=int),
        pools=(np.array([1.0]),),
        pool_names=("same",),
        luck=SharedLuck(),
        gap_months=0,
        estimation=Estimation.none(1),
        cross_sell_share=np.full(accounts, np.nan),
    )


def found(logit: float, verdict: str) -> ActionEffect:
    """What a study found, known to 0.1 either way."""
    return ActionEffect(
        level="action", action="call", treated_rows=900, treated_accounts=300, missed_rows=0, decay=0.9,
        allowance=0.03, verdict=verdict, evidence="good", reason="", logit=logit, logit_se=0.04,
        logit_low=logit - 0.1, logit_high=logit + 0.1, pooled_logit=logit, pooled_se=0.04,
    )  # fmt: skip


def test_the_play_that_saves_most_is_done_where_there_are_hours_enough() -> None:
    _, rows = plan(customers(csm=["Ada"] * 3))
    assert rows["action"].tolist() == ["visit"] * 3
    assert rows["answer"].tolist() == ["do"] * 3
    assert sorted(rows["rank"]) == [1, 2, 3]
    assert (rows["low"] < rows["arr_saved"]).all()
    assert (rows["arr_saved"] < rows["high"]).all()
    assert set(rows["evidence"]) == {"assumed"}
    assert set(rows["probability_of_assignment"]) == {1.0}


def test_hours_go_where_they_save_most_and_the_rest_gets_nothing() -> None:
    made, rows = plan(customers(csm=["Ada"] * 4), hours=2.0, arr=[10.0, 1e6, 20.0, 0.001])
    assert rows["action"].tolist() == ["note", "call", "note", ""]
    assert rows["answer"].tolist() == ["do", "do", "do", "leave alone"]
    capacity = made.capacity(rows).set_index("csm")
    assert capacity.at["Ada", "used"] == 2.0
    assert capacity.at["Ada", "shadow_price"] > 1000


def test_what_must_be_done_comes_first_in_the_order_of_its_arr() -> None:
    frame = customers(
        notice_given=[1.0, 0.0, 0.0, 0.0, 0.0],
        overdue_days=[0.0, 12.0, 0.0, 0.0, 0.0],
        term_ends_on=[
            pd.Timestamp(day) for day in ("2026-10-01", "2025-12-20", "2026-01-20", "2026-01-20", "2026-10-01")
        ],
        presigned=[0.0, 0.0, 0.0, 1.0, 0.0],
    )
    made, rows = plan(frame, hours=16.0, arr=[100.0, 300.0, 200.0, 1e7, 1e6])
    assert rows["must_do"].tolist() == [
        "notice is given", "its term ran out 12 days ago", "renews in 19 days", "", "",
    ]  # fmt: skip
    assert rows["answer"].tolist()[:3] == ["no hour left", "do", "do"]
    assert rows["rank"].tolist()[1:3] == [1, 2]
    assert made.capacity(rows)["used"].sum() <= 16.0
    assert "1 account must be tended to, and the hours do not suffice" in " ".join(made.notes())


def test_a_plan_by_the_month_is_no_renewal_that_must_be_tended_to() -> None:
    frame = customers(term_days=[31.0, 45.0, 90.0], term_ends_on=[pd.Timestamp("2026-01-20")] * 3)
    _, rows = plan(frame)
    assert rows["must_do"].tolist() == ["", "", "renews in 19 days"]


def test_of_what_must_be_done_the_largest_comes_first_whatever_else_the_hours_hold() -> None:
    frame = customers(notice_given=[1.0] * 3)
    lately = (("a0", "call", "2025-12-31"), ("a1", "visit", "2025-12-31"), ("a2", "visit", "2025-12-31"))
    _, rows = plan(frame, hours=8.0, arr=[300.0, 200.0, 200.0], lately=lately)
    assert rows["action"].tolist() == ["visit", "", ""]
    assert rows["answer"].tolist() == ["do", "no hour left", "no hour left"]


def test_what_must_be_done_takes_a_shorter_play_before_others_get_the_hours() -> None:
    _, rows = plan(customers(notice_given=[1.0, 1.0, 0.0]), hours=10.0, arr=[300.0, 200.0, 1e6])
    assert rows["action"].tolist() == ["visit", "call", "note"]


def test_gaps_and_exclusions_are_kept() -> None:
    frame = customers(touch_model=["high", "tech"])
    _, rows = plan(frame, lately=(("a0", "visit", "2025-11-01"), ("a1", "visit", "2025-09-01")))
    assert rows["action"].tolist() == ["call", "visit"]
    _, rows = plan(frame, lately=(("a1", "visit", "2025-10-20"),))
    assert rows["action"].tolist() == ["visit", "webinar"]


def test_an_account_for_which_all_was_done_lately_is_left_alone() -> None:
    frame = customers(csm=["Ada"])
    lately = tuple(("a0", kind, "2025-12-31") for kind in ("call", "visit", "note"))
    chosen = settings("actions.kinds.webinar=null")
    kinds = usable_kinds(chosen, done(*lately), {})
    book = book_of(frame, done(*lately), kinds, chosen, AS_OF)
    made = Plan(kinds, book, {"Ada": 10.0, "(pooled)": 1.0}, prediction(1, 0.1, 1e5), horizon_months=MONTHS, decay=0.9)
    rows = made.rows()
    assert rows["answer"].tolist() == ["leave alone"]
    assert "every play was done or declined lately" in rows["why"][0]


def test_accounts_without_a_csm_and_those_by_tech_share_the_pool() -> None:
    frame = customers(csm=[None, "Ada", "Ada"], touch_model=["high", "tech", "high"])
    made, rows = plan(frame, pool=6.0)
    assert rows["csm"].tolist() == ["(pooled)", "(pooled)", "Ada"]
    assert rows["book"].tolist() == ["(none)", "Ada", "Ada"]
    assert made.capacity(rows).set_index("csm").loc["(pooled)", ["hours", "accounts"]].tolist() == [6.0, 2]


def test_accounts_of_who_has_left_take_the_hours_of_the_pool() -> None:
    frame, chosen = customers(csm=["Ada", "Ben"]), settings()
    kinds = usable_kinds(chosen, done(), {})
    book = book_of(frame, done(), kinds, chosen, AS_OF, gone={"Ada"})
    assert book.hours_of.tolist() == ["(pooled)", "Ben"]
    assert book.csm.tolist() == ["Ada", "Ben"]
    assert set(hours_by_person(NOBODY, book, chosen)) == {"Ben", "(pooled)"}


def month_of(frame: pd.DataFrame, answered: Answered, *lately: tuple[str, str, str], as_of: date = AS_OF) -> Plan:
    """The plan of Ada's 10 hours, of which plays of the month took some already."""
    chosen = settings("actions.hours_per_month=10")
    known = done(*lately)
    kinds = usable_kinds(chosen, known, {})
    book = book_of(frame, known, kinds, chosen, as_of, answered)
    spent = hours_spent(book, frame["account_id"], known, answered, kinds, as_of)
    hours = hours_by_person(NOBODY, book, chosen)
    return Plan(
        kinds, book, hours, prediction(len(frame), 0.03, 1e5), horizon_months=MONTHS, decay=chosen.decay, spent=spent
    )


def test_what_was_done_this_month_takes_its_hours_and_they_are_not_offered_again() -> None:
    frame, day = customers(csm=["Ada"] * 6), date(2026, 1, 20)
    assert month_of(frame, Answered.none(), as_of=day).spent == {}
    said = Answered({("a0", "visit"): date(2026, 1, 12)}, {})
    plan_left = month_of(frame, said, ("a0", "visit", "2026-01-10"), ("a1", "call", "2025-12-30"), as_of=day)
    assert plan_left.spent == {"Ada": 8.0}  # told twice, done once; what was done last month took last month's hours
    capacity = plan_left.capacity(plan_left.rows()).iloc[0]
    assert capacity[["hours", "spent"]].tolist() == [10.0, 8.0]
    assert capacity["used"] <= 2.0
    assert plan_left.within({"Ada": 20.0, "(pooled)": 1.0}).capacity(plan_left.rows()).iloc[0]["used"] <= 12.0


def test_a_session_held_this_month_took_its_hours_once() -> None:
    frame = customers(csm=["Ada"] * 6)
    said = Answered({(f"a{place}", "webinar"): date(2026, 1, 3) for place in range(5)}, {})
    assert month_of(frame, said).spent == {"Ada": 6.0}  # five accounts in sessions of four


def test_a_play_fades_as_the_study_that_found_it_says() -> None:
    quick = dataclasses.replace(found(-0.5, "helpful"), decay=0.5)
    slow = dataclasses.replace(found(-0.5, "helpful"), decay=0.99)
    saved = [plan(customers(csm=["Ada"]), studied={"call": each})[0].value[0, 0] for each in (quick, slow)]
    assert saved[0] < saved[1] / 3
    made, _ = plan(customers(csm=["Ada"]), studied={"call": quick})
    assert "of each month after by 0.5 or 0.9 times" in made.definition(AS_OF, "USD")


def test_a_session_is_paid_for_once_and_shared() -> None:
    _, rows = plan(customers(csm=["Ada"] * 8), hours=6.0, arr=1e5)
    groups = rows[rows["action"] == "webinar"]
    assert len(groups) == 8
    assert groups["hours"].sum() == pytest.approx(6.0)  # two sessions of four


def test_what_a_study_found_takes_the_place_of_what_is_assumed_if_it_stands() -> None:
    helpful = found(-0.5, "helpful")
    harmful = found(0.3, "harmful")
    _, rows = plan(customers(csm=["Ada"]), studied={"call": helpful, "visit": harmful})
    assert rows[["action", "evidence"]].to_numpy().tolist() == [["call", "estimated"]]
    kinds = usable_kinds(settings(), done(), {"visit": found(0.0, "no effect found")})
    assert {kind.name: kind.size for kind in kinds.kinds}["visit"] == PlaySize(-0.1)  # no more than is left open


def test_harm_is_never_recommended_not_even_where_something_must_be_done() -> None:
    harmful = found(0.3, "harmful")
    frame = customers(notice_given=[1.0, 0.0])
    _, rows = plan(frame, churn=1.0, studied={"call": harmful})
    assert "call" not in set(rows["action"])


def test_harm_is_not_recommended_where_other_kinds_or_expansion_speak_for_it() -> None:
    """What a plan takes is drawn towards the other kinds, and expansion is added; the verdict is on churn alone."""
    drawn = dataclasses.replace(found(0.3, "harmful"), pooled_logit=-0.9)
    growing = dataclasses.replace(found(0.3, "harmful"), expansion_logit=5.0, expansion_logit_se=0.1)
    for studied in (drawn, growing):
        made, rows = plan(customers(notice_given=[1.0, 0.0]), studied={"call": studied, "visit": studied})
        assert rows["action"].tolist() == ["webinar", "webinar"]
        assert np.isnan(made.value[:, :2]).all()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cal={hours: 1}", r"actions.kinds names kinds of actions that are not known: cal \(did you mean call\?\)"),
        ("call.exclude=[usage_28 > 3]", r"'usage_28 > 3' is on a column that there is not. Did you mean usage_28d\?"),
        ("call.exclude=[overdue_days > late]", "needs a number: overdue_days holds numbers"),
        ("call.exclude=[touch_model > 3]", "compares text: touch_model can be = or != a value"),
    ],
)
def test_what_cannot_be_is_refused(kind: str, message: str) -> None:
    chosen = settings(f"actions.kinds.{kind}")
    with pytest.raises(BadRequest, match=message):
        book_of(customers(csm=["Ada"]), done(), usable_kinds(chosen, done(), {}), chosen, AS_OF)


def test_kinds_of_the_defaults_that_the_data_lack_are_left_out_with_a_note() -> None:
    known = done().replace({"call": "executive_call", "visit": "training"})
    kinds = usable_kinds(load().actions, known, {})
    assert kinds.names == ["training", "executive_call"]
    assert kinds.notes == (
        "Not done before, and so not recommended: business_review, success_plan, newsletter (actions.kinds).",
    )
    with pytest.raises(BadRequest, match="csm_actions holds no action that was done"):
        usable_kinds(load().actions, known.iloc[:0], {})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("call.hours=-1", "actions.kinds.call.hours: Input should be greater than or equal to 0, got -1"),
        ("other={min_gap_days: 3}", "actions.kinds.other.hours: is missing"),
        ("note.min_gap_days=0", "hours is 0 and min_gap_days too"),
        ("call.exclude=[tech]", "'tech' cannot be read: write COLUMN = VALUE"),
    ],
)
def test_settings_that_make_no_sense_are_refused(override: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(f"actions.kinds.{override}")


def test_hours_that_are_missing_negative_or_zero_are_refused() -> None:
    chosen = settings("actions.hours_per_month=null")
    kinds: Kinds = usable_kinds(chosen, done(), {})
    book = book_of(customers(csm=["Ada", "Ben"]), done(), kinds, chosen, AS_OF)
    people = pd.DataFrame({"name": ["Ada", "Ben", "Cyd"], "role": "csm", "hours_per_month": [80.0, np.nan, 40.0]})
    with pytest.raises(BadRequest, match=r"There are no hours for Ben: give people\.hours_per_month"):
        hours_by_person(people, book, chosen)
    hours = hours_by_person(people, book, settings("actions.hours_per_month=70"))
    assert hours == {"Ada": 80.0, "Ben": 70.0, "Cyd": 40.0, "(pooled)": 120.0}
    for wrong in (0.0, -5.0):
        people.loc[0, "hours_per_month"] = wrong
        with pytest.raises(BadRequest, match=rf"must be above 0: it is not for Ada \({wrong:g}\)"):
            hours_by_person(people, book, settings())


def test_a_condition_on_what_the_data_do_not_tell_is_met_by_nobody() -> None:
    assert not meets(customers(csm=["Ada"]), "industry = Banking", "here").any()
    assert meets(customers(csm=["Ada", None]), "csm != Ben", "here").tolist() == [True, False]
    assert meets(customers(seats=[9.0, 3.0, np.nan]), "seats != 9", "here").tolist() == [False, True, False]
