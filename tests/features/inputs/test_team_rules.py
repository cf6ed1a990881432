"""The checks of people, targets, pay, goals, surveys and calls, each by one small input that breaks it."""

from typing import Any

import pytest

from features.tables.problems import BadInput

ERRORS = [  # what is written over the good source, and the problem that is named
    (
        {"people": "name,manager / Ann,Ann / Bob,Ann"},
        "people.manager: 1 of 2 rows who manage themselves (Ann). Name the person's manager; leave the cell of whoever "
        "stands at the top empty.",
    ),
    (
        {"people": "name,manager / Ann,Bob / Bob,Cy / Cy,Ann / Dee,Ann"},
        "people.manager: 3 of 4 rows whose managers lead back to them (Ann -> Bob -> Cy -> Ann). Correct who manages "
        "whom: the person at the top has no manager.",
    ),
    (
        {"people": "name,role / Ann,csm / Ann,manager"},
        "people.name: 1 of 2 rows repeating an earlier one (Ann). 1 of 2 rows of people are bad, over the limit of "
        "5.0%: correct them, or raise source.max_bad_share. A row is known by name: the first of each is kept.",
    ),
    (
        {"people": "name,hours_per_month / Ann,-5"},
        "people.hours_per_month: 1 of 1 row below 0 (Ann: -5.0). Give 0 or more.",
    ),
    (
        {"targets": "kpi,quarter,target,set_on / nrr,2024-Q1,1.1,2024-04-01 / nrr,2024-Q2,1.1,2024-04-01"},
        "targets.set_on: 1 of 2 rows set after the quarter had ended (nrr 2024-Q1: set on 2024-04-01). A target cannot "
        "be set once its quarter is over: leave the old row, and set the next quarter's.",
    ),
    (
        {"targets": "kpi,quarter,target,set_on / nrr,2024-Q2,1.1,2024-01-01 / nrr,2024-Q2,1.05,2024-01-01"},
        "targets.target: 1 of 2 rows setting again what was set on the same day (nrr 2024-Q2: 1.1). Targets are only "
        "added to: give a moved target one more row with the day it was moved as its set_on.",
    ),
    (
        {"targets": "kpi,quarter,target / nrr,Q2/24,1.1"},
        "targets.quarter: 1 of 1 row with a value that is no quarter (Q2/24). 1 of 1 rows of targets are bad, over the "
        "limit of 5.0%: correct them, or raise source.max_bad_share. Write it as 2025-Q3.",
    ),
    (
        {"surveys": "account_id,responded_on,score,sent_on / a,2024-04-01,,2024-03-01 / a,,7,2024-03-01 / a,,,"},
        "surveys.responded_on: 2 of 3 rows without a value (surveys.csv line 3, surveys.csv line 4). 3 of 3 rows of "
        "surveys are bad, over the limit of 5.0%: correct them, or raise source.max_bad_share. Every row needs one; "
        "map another column in source.tables.surveys.columns if it is there.",
    ),
]


@pytest.mark.parametrize(("tables", "problem"), ERRORS, ids=[problem.split(":")[0] for _, problem in ERRORS])
def test_what_cannot_be_is_one_clear_error(source: Any, tables: dict[str, str], problem: str) -> None:
    for name, text in tables.items():
        source.write(name, text)
    with pytest.raises(BadInput) as caught:
        source.load()
    assert problem in [str(problem) for problem in caught.value.problems]
    assert not source.data_dir.exists()


WARNINGS = [  # what is written over the good source, and the warnings
    (
        {"accounts": "account_id,csm,valid_from / a,Ada L,2023-01-01 / b,Zoe,2023-01-01", "people": "name / Ada L."},
        [
            "accounts.csm: 1 of 2 rows with a name that people lacks, and nearly has (Ada L for Ada L.)",
            "accounts.csm: 1 of 2 rows with a name that people lacks (Zoe)",
        ],
    ),
    (
        {"people": "name,manager / Ann,Bobb / Bob,", "pay": "person,quarter,paid / Bob,2024-Q1,5 / Cy,2024-Q1,5"},
        [
            "people.manager: 1 of 2 rows with a name that people lacks, and nearly has (Bobb for Bob)",
            "pay.person: 1 of 2 rows with a name that people lacks (Cy)",
        ],
    ),
    (
        {"engagement": "account_id,happened_on,kind / a,2024-04-01,QBR / a,2024-04-01,webinar"},
        ["engagement.kind: 1 of 2 rows of what our own staff did, and there are no csm_actions (QBR)"],
    ),
    (
        {"goals": "account_id,goal,milestone_of / a,live, / a,team live,live / b,team live,live"},
        ["goals.milestone_of: 1 of 3 rows of a goal that the account lacks (b: live)"],
    ),
    (
        {"goals": "account_id,goal,current_value / a,live,5"},
        ["goals.current_value: 1 of 1 row without a day on which it was measured (a)"],
    ),
    (
        {"calls": "account_id,called_on,probability / a,2024-04-01,60"},
        ["calls.probability: 1 of 1 row outside 0 to 1 (a: 60.0)"],
    ),
    (
        {
            "usage": "account_id,used_on,user_id / a,2024-04-01,u1",
            "contacts": "contact_id,account_id,user_id / 1,a,ann@a.com",
        },
        ["contacts.user_id: 1 of 1 row of a user that usage lacks, as all of them are (ann@a.com)"],
    ),
    (
        {"surveys": "account_id,responded_on,score,sent_on / a,2024-04-01,7,2024-04-03 / a,,,2024-04-03"},
        ["surveys.responded_on: 1 of 2 rows with responded_on before sent_on (a: 2024-04-01 before 2024-04-03)"],
    ),
]


@pytest.mark.parametrize(("tables", "warnings"), WARNINGS, ids=[texts[0].split(":")[0] for _, texts in WARNINGS])
def test_what_does_not_fit_together_is_named_and_kept(source: Any, tables: dict[str, str], warnings: list[str]) -> None:
    for name, text in tables.items():
        source.write(name, text)
    report = source.load().report
    texts = [str(warning).rsplit(". ", 1)[0] for warning in report.warnings]
    assert [text for text in texts if text.startswith(tuple(tables))] == warnings
    assert all(table.rows_quarantined == 0 for table in report.tables)


TARGETS = "kpi,quarter,target,set_on / nrr,2024-Q2,1.1,2024-01-01 / grr,2024-Q2,0.9,2024-01-01 / nrr,2024-Q3,1.1,"


def test_targets_are_only_added_to(source: Any) -> None:
    source.write("targets", TARGETS)
    source.load()
    source.write("targets", f"{TARGETS} / nrr,2024-Q2,1.05,2024-02-01")
    source.load()
    source.write("targets", TARGETS.replace("0.9", "0.85"))
    with pytest.raises(BadInput) as caught:
        source.load()
    (problem,) = caught.value.problems
    assert str(problem).startswith(
        "targets.target: 2 of 4 rows that were there before and are changed or gone (grr 2024-Q2: 0.9, nrr 2024-Q2: "
        "1.05). Targets are only added to: put the old rows back"
    )
    source.write("targets", "kpi,quarter,target,set_on / ltv,2024-Q3,3,2024-01-01")
    source.load()  # another source


def test_tables_of_no_account_are_kept_as_they_are(source: Any) -> None:
    source.write("people", "name,role,manager,address / Ann,csm,Bob,https://chat.example/ann / Bob,leader,,")
    source.load()
    assert source.rows("SELECT name, role, manager FROM people ORDER BY 1") == [
        ("Ann", "csm", "Bob"),
        ("Bob", "leader", None),
    ]
