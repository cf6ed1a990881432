"""Facts about customers as the service shows them: rows by account, and what is of the whole company."""

from collections.abc import Callable
from datetime import date
from typing import Any

from features.tables.checked import Tables
from features.tables.problems import BadInput
from features.tables.progress import Progress, silent
from params import Params
from serving.kpis.behaviour_report import StayingReports
from serving.kpis.loss_report import loss_report
from serving.kpis.voice_report import voice_report
from serving.kpis.whitespace_report import whitespace_report

Row = dict[str, Any]
_NOTHING: Row = {"rows": [], "themes": [], "tickets": [], "accounts": 0}
_OF_ACCOUNTS = {"voice": ("comments",), "behaviours": ("behind",), "icp": ("disagreements",)}
"""What is of the whole company, with what of it is of single accounts, or may name anybody, and left out."""


def customer_facts(
    tables: Tables, as_of: date, params: Params, progress: Progress = silent, *, staying: StayingReports | None = None
) -> tuple[dict[str, list[Row]], dict[str, Row]]:
    """The rows of each list of `CUSTOMER_LISTS`, and what goes with them, by name.

    Raises
    ------
    BadRequest
        A sign of the settings is on a column that there is not.
    """
    losses = loss_report(tables, as_of=as_of, params=params, progress=progress).to_json()
    missing = whitespace_report(tables, as_of=as_of, params=params)
    lists = {"losses": losses.pop("events"), "whitespace": missing.pop("rows")}
    return lists, {
        "losses": losses,
        "whitespace": missing,
        **_of_the_company(staying or StayingReports(tables, as_of, params)),
    }


def _of_the_company(staying: StayingReports) -> dict[str, Row]:
    """Facts that name no account; of those that the tables cannot give, why."""
    reports: dict[str, Callable[[], Row]] = {
        "voice": lambda: voice_report(staying.tables, as_of=staying.as_of, params=staying.params),
        "behaviours": lambda: staying.behaviours,
        "icp": lambda: staying.ideal_customer,
    }
    facts: dict[str, Row] = {}
    for name, report in reports.items():
        try:
            told = report()
        except BadInput as error:
            told = _NOTHING | {"note": str(error), "definition": str(error)}
        facts[name] = {key: value for key, value in told.items() if key not in _OF_ACCOUNTS[name]}
    return facts
