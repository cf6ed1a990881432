"""What the company's tables show: the recorded history behind noise, in the contract's names and types."""

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

import pandas as pd

from features.simulation.emission import (
    commercial,
    losses,
    relations,
    stakeholders,
    success_plan,
    vendor,
)
from features.simulation.emission.display import Display
from features.simulation.emission.files import write_tables
from features.simulation.emission.product_usage import usage_by_month
from features.simulation.history import record_history
from features.simulation.world import TEAMS

_SMALL_TABLES: dict[str, Callable[[Display], pd.DataFrame]] = {
    "accounts": commercial.accounts,
    "contracts": commercial.contracts,
    "csm_actions": relations.csm_actions,
    "goals": success_plan.goals,
    "engagement": relations.engagement,
    "tickets": relations.tickets,
    "surveys": relations.surveys,
    "contacts": stakeholders.contacts,
    "calls": commercial.calls,
    "churn_events": losses.churn_events,
    "leads": commercial.leads,
    "services": commercial.services,
    "people": vendor.people,
    "targets": vendor.targets,
    "pay": vendor.pay,
    "fx_rates": commercial.fx_rates,
}


def simulate(*, accounts: int, months: int, ends_on: date, seed: int, team: str = "steady") -> dict[str, pd.DataFrame]:
    """All tables of a simulated company.

    Parameters
    ----------
    accounts
        How many accounts ever existed: some there at the start, the others joining over time.
    months
        How many months the data cover.
    ends_on
        First day that the data do not cover, a day from 1 to 28.
    seed
        The same seed gives the same tables.
    team
        steady, or stretched: more planned than there is time for, and a playbook that harms.

    Raises
    ------
    ValueError
        Fewer than one account or month, or an `ends_on` after the 28th.
    """
    display = _live(accounts=accounts, months=months, ends_on=ends_on, seed=seed, team=team)
    tables = {name: make(display) for name, make in _SMALL_TABLES.items()}
    return tables | {"usage": pd.concat(list(usage_by_month(display)), ignore_index=True)}


def _live(*, accounts: int, months: int, ends_on: date, seed: int, team: str) -> Display:
    for name, value in (("accounts", accounts), ("months", months)):
        if value < 1:
            raise ValueError(f"{name} is {value}: a simulated company needs at least 1")
    rules = TEAMS[team]
    return Display(record_history(accounts=accounts, months=months, ends_on=ends_on, seed=seed, rules=rules))


def write_company(folder: Path, *, accounts: int, months: int, ends_on: date, seed: int, team: str = "steady") -> None:
    """Write the same tables as Parquet files into `folder`, all or nothing; the usage passes through month by month.

    Raises
    ------
    ValueError
        As `simulate`.
    FileExistsError
        The folder holds something else than an earlier company.
    """
    display = _live(accounts=accounts, months=months, ends_on=ends_on, seed=seed, team=team)
    tables: dict[str, Iterable[pd.DataFrame]] = {name: [make(display)] for name, make in _SMALL_TABLES.items()}
    write_tables(folder, tables | {"usage": usage_by_month(display)})
