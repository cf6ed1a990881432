"""What a pay plan may pay by, account by account and quarter by quarter, and what was taken back since."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from features.kpis.account_facts import Window, account_facts
from features.kpis.window_facts import window_facts
from features.revenue import add_months
from features.revenue.account_changes import account_changes
from features.revenue.cut_labels import NO_LABEL, owners_in_force
from features.revenue.retention import account_retention
from features.tables.checked import Tables
from models.books.average_people import NRR, Measure, ratio
from params import Params
from serving.scorecards.periods import MONTHS

FIRST_VALUE_DAYS = 90
FIRST_VALUE = f"first_value_by_day_{FIRST_VALUE_DAYS}"
MEASURES = (
    Measure(NRR, "ending_arr", "starting_arr", by_arr=True),
    Measure("grr", "kept_arr", "starting_arr", by_arr=True),
    Measure("expansion_rate", "expanded_arr", "starting_arr", by_arr=True),
    Measure("logo_retention", "kept", "cohort", by_arr=False),
    Measure("goals_reached", "goals_reached", "goals_due", by_arr=False),
    Measure("cadence_kept", "touches_kept", "touches_due", by_arr=False),
    Measure(FIRST_VALUE, "first_value_kept", "first_value_due", by_arr=False),
)
OF_REVENUE = ("ending_arr", "starting_arr", "kept_arr", "expanded_arr", "kept", "cohort")
NEEDS = {
    "goals_reached": "goals.due_on, goals.achieved_on and goals.horizon",
    "cadence_kept": "csm_actions.planned_on",
    FIRST_VALUE: "goals.achieved_on and goals.horizon",
}


def book_accounts(tables: Tables, starts: Sequence[date], role: str, params: Params) -> pd.DataFrame:
    """A row a quarter and account: `period`, `account_id`, `person`, and the columns that `MEASURES` are ratios of.

    `shared` says whether somebody of another role has the account, too.

    Revenue is that of accounts with ARR at the quarter's start, as known now. Goals, touches and first value count for
    the owner at the start; those of an account that came later, for its owner at the end.
    """
    return pd.concat([_of_quarter(tables, start, role, params) for start in starts], ignore_index=True)


def _of_quarter(tables: Tables, start: date, role: str, params: Params) -> pd.DataFrame:
    end = add_months(start, MONTHS)
    rules, budget = params.revenue, params.budget
    changes = account_changes(tables, start=start, end=end, known_by=tables.data_until, rules=rules, budget=budget)
    revenue = window_facts(changes.accounts.set_index("account_id"))
    revenue = revenue[revenue["cohort"] == 1].reindex(columns=[*OF_REVENUE])
    window = Window(end, MONTHS, params.cadence.tolerance_days)
    facts = _with_first_value(account_facts(tables, window, rules=rules, budget=budget), window)
    counts = [name for one in MEASURES if one.name in NEEDS for name in (one.over, one.under) if name in facts]
    rows = pd.concat([revenue, facts[counts]], axis=1).fillna(0.0)
    rows = rows[rows.gt(0).any(axis=1)]
    first, last = (owners_in_force(tables, day, params.budget).reindex(rows.index) for day in (start, end))
    owners = first.fillna(last).fillna(NO_LABEL)
    shared = (owners.drop(columns=role) != NO_LABEL).any(axis=1)
    told = rows.assign(period=start.isoformat(), person=owners[role], shared=shared)
    return told.rename_axis("account_id").reset_index()


def credited(accounts: pd.DataFrame, share: float) -> pd.DataFrame:
    """The same accounts, with a share alone of the expansion of those that somebody of another role has, too."""
    return accounts.assign(expanded_arr=accounts["expanded_arr"].where(~accounts["shared"].astype(bool),
                                                                       accounts["expanded_arr"] * share))  # fmt: skip


def _with_first_value(facts: pd.DataFrame, window: Window) -> pd.DataFrame:
    """With the accounts that came to the day in the window, and those of them that had reached first value by it."""
    if "first_value" not in facts:
        return facts
    day = facts["began"] + pd.Timedelta(days=FIRST_VALUE_DAYS)
    due = (day > pd.Timestamp(window.start)) & (day <= pd.Timestamp(window.as_of))
    reached = facts["first_value"].le(FIRST_VALUE_DAYS) & facts["first_value"].le(facts["lived_days"])
    return facts.assign(first_value_due=due.astype("int64"), first_value_kept=(due & reached).astype("int64"))


def book_measures(accounts: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Of each quarter and person in `rows` (`period`, `person`) what each measure but NRR came to; NaN of nothing."""
    columns = [*dict.fromkeys(name for one in MEASURES for name in (one.over, one.under))]
    sums = accounts.groupby(["period", "person"])[[name for name in columns if name in accounts]].sum()
    of_rows = sums.reindex(pd.MultiIndex.from_frame(rows[["period", "person"]]))
    return pd.DataFrame(
        {
            one.name: ratio(of_rows[one.over].to_numpy(float), of_rows[one.under].to_numpy(float))
            for one in MEASURES
            if one.name != NRR and {one.over, one.under} <= set(of_rows)
        },
        index=rows.index,
    )


def without_what_left(accounts: pd.DataFrame, tables: Tables, months: int, params: Params) -> pd.DataFrame:
    """The same accounts, without the growth of those that left within so many months after the quarter."""
    parts = []
    for period, part in accounts.groupby("period", sort=True):
        end = add_months(date.fromisoformat(str(period)), MONTHS)
        leavers = part["account_id"].isin(_left_after(tables, end, months, params))
        ending_arr = part["ending_arr"].where(~leavers, part[["starting_arr", "ending_arr"]].min(axis=1))
        parts.append(part.assign(ending_arr=ending_arr, expanded_arr=part["expanded_arr"].where(~leavers, 0.0)))
    return pd.concat(parts, ignore_index=True)


def _left_after(tables: Tables, day: date, months: int, params: Params) -> list[str]:
    """Accounts that were customers on a day and none some months later, or where the data end if that is sooner."""
    until = min(add_months(day, months), tables.data_until)
    if until <= day:
        return []
    accounts = account_retention(
        tables, start=day, end=until, known_by=tables.data_until, rules=params.revenue, budget=params.budget
    )
    return [str(account) for account in accounts.loc[~accounts["customer"].astype(bool), "account_id"]]
