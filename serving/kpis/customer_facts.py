"""Facts about customers as the service shows them: rows by account, and what is of the whole company."""

from datetime import date
from typing import Any

from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from params import Params
from serving.kpis.loss_report import loss_report

Row = dict[str, Any]


def customer_facts(
    tables: Tables, as_of: date, params: Params, progress: Progress = silent
) -> tuple[dict[str, list[Row]], dict[str, Row]]:
    """The rows of each list of `CUSTOMER_LISTS`, and what goes with them, by name.

    Raises
    ------
    BadRequest
        A sign of the settings is on a column that there is not.
    """
    losses = loss_report(tables, as_of=as_of, params=params, progress=progress).to_json()
    lists = {"losses": losses.pop("events")}
    return lists, {"losses": losses}
