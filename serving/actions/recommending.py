"""The next best action of each account within the hours there are, as a table with its capacity."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd

from features.kpis.care_done import last_done, staff_gone, staff_hours
from features.revenue.cut_labels import account_names
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.effects.action_effect import ActionEffect
from params import Params
from serving.actions.book import book_of, hours_by_person, hours_spent
from serving.actions.kinds import usable_kinds
from serving.actions.on_record import Answered, answers_before
from serving.actions.planning import Plan
from serving.actions.withheld import Trial, trial_of
from serving.forecast.batch import customers_of, require_usable, run_id
from serving.forecast.declared.acting_tables import RECOMMENDED_ACTION
from serving.forecast.refusals import BadRequest
from serving.forecast.spread.scoring import predict
from serving.forecast.stored_effects import read_effects
from serving.journal.entries import ENROLMENT, Entry, read
from serving.ledger.record import DATABASE, open_record
from training.tracking.champion import Champion

LEVEL = "action"  # of the kinds of a study, those that csm_actions.action names


@dataclass(frozen=True)
class Recommendations:
    """What is recommended.

    Attributes
    ----------
    table
        `recommended_action`.
    capacity
        As `serving.actions.planning.Plan.capacity` gives it.
    names
        Of the accounts, by id.
    notes
        What whoever reads it should know.
    trial
        The holdout, in the order of the snapshot.
    plan, customers
        What would be recommended if nothing were withheld, and the customers' snapshot rows in its order.
    """

    table: pd.DataFrame
    capacity: pd.DataFrame
    names: Mapping[str, str]
    currency: str
    notes: tuple[str, ...]
    trial: Trial
    plan: Plan
    customers: pd.DataFrame

    def about(self) -> dict[str, Any]:
        """What is said beside the table, as plain data."""
        definition = self.table["definition"].iloc[0]
        capacity = self.capacity.to_dict(orient="records")
        return {"capacity": capacity, "notes": list(self.notes), "definition": definition}


def recommend(
    tables: Tables,
    champion: Champion,
    *,
    as_of: date,
    params: Params,
    made_at: datetime,
    progress: Progress = silent,
) -> Recommendations:
    """Recommend one play an account at most, within the hours of each CSM and of the pool.

    Parameters
    ----------
    tables, champion
        The checked tables, and the model whose hazards say what an account stands to lose.
    as_of
        Nothing that became known on this day or later is used.
    params
        All settings.
    made_at
        The time to write into the table; nothing else depends on it.
    progress
        Told how far the work is.

    Raises
    ------
    BadRequest
        The model cannot be used, kinds of actions are not known, `csm_actions` lies in a warehouse, or there are no
        hours for a CSM.
    """
    for_all, customers = open_plan(tables, champion, as_of=as_of, params=params, progress=progress)
    trial = trial_of(for_all, customers, params.actions, as_of, known_enrolments(params))
    plan = for_all.withholding(trial.is_withheld) if trial.is_withheld.any() else for_all
    stamp: dict[str, Any] = {
        "run_id": run_id(tables, champion, as_of, params),
        "as_of": as_of,
        "model_version": champion.version,
        "made_at": made_at,
        "definition": plan.definition(as_of, params.revenue.currency),
    }
    chance = {"probability_of_assignment": trial.probability_of_assignment}
    rows = plan.rows().assign(account_id=customers["account_id"].to_numpy(), **stamp, **chance)
    names = account_names(tables, as_of, params.budget)
    return Recommendations(
        table=RECOMMENDED_ACTION.shape(rows),
        capacity=plan.capacity(rows),
        names={account: names.get(account, account) for account in customers["account_id"]},
        currency=params.revenue.currency,
        notes=(*plan.notes(), *([trial.note] if trial.note else [])),
        trial=trial,
        plan=for_all,
        customers=customers,
    )


def open_plan(
    tables: Tables, champion: Champion, *, as_of: date, params: Params, progress: Progress = silent
) -> tuple[Plan, pd.DataFrame]:
    """What would be recommended if nothing were withheld, and the customers' snapshot rows in its order.

    What is given and raised is as of `recommend`.
    """
    require_usable(tables, champion, as_of, params)
    customers = customers_of(tables, as_of, params, progress)
    progress("weighing the plays", 0, 1)
    return plan_of(tables, champion, customers, as_of=as_of, params=params), customers


def plan_of(
    tables: Tables,
    champion: Champion,
    customers: pd.DataFrame,
    *,
    as_of: date,
    params: Params,
) -> Plan:
    """The plan of a month for some customers, given as snapshot rows; what is raised is as of `recommend`."""
    _require_kept(tables)
    settings, budget = params.actions, params.budget
    done = last_done(tables, as_of, budget)
    kinds = usable_kinds(settings, done, studied_effects(params, as_of))
    answered = known_answers(params, as_of, tables.data_until)
    book = book_of(customers, done, kinds, settings, as_of, answered, staff_gone(tables, as_of, budget))
    hours = hours_by_person(staff_hours(tables, as_of, budget), book, settings)
    prediction = predict(champion, customers)
    spent = hours_spent(book, customers["account_id"], done, answered, kinds, as_of)
    months, decay = champion.model.horizon_months, settings.decay
    return Plan(kinds, book, hours, prediction, horizon_months=months, decay=decay, spent=spent)


def _require_kept(tables: Tables) -> None:
    """Refuse where what the team did lies in a warehouse: plans are made of what is here."""
    if tables.has("csm_actions") and "csm_actions" not in tables.kept:
        raise BadRequest(
            "csm_actions lies in a warehouse, where plays cannot be planned from it: set source.engine: duckdb."
        )


def known_enrolments(params: Params) -> list[Entry]:
    """Who is on record in a holdout; nobody where there is no record yet."""
    if params.record.url is None and not (params.data_dir / DATABASE).exists():
        return []
    with open_record(params) as record:
        return read(record, ENROLMENT)


def known_answers(params: Params, as_of: date, data_until: date) -> Answered:
    """What people answered before a date; nothing where there is no record yet.

    Where the date is the newest of the data, all answers count, as people give them after the data end.
    """
    if params.record.url is None and not (params.data_dir / DATABASE).exists():
        return Answered.none()
    with open_record(params) as record:
        return answers_before(record, as_of if as_of < data_until else None)


def studied_effects(params: Params, as_of: date) -> Mapping[str, ActionEffect]:
    """What the last study of past actions found, by kind; empty where there was none, or where it knew later days."""
    stored = read_effects(params.data_dir)
    if stored is None or stored.as_of > as_of:
        return {}
    return {each.action: each for each in stored.effects if each.level == LEVEL}
