"""Snapshots of customers at several dates, with the columns that rules name: what health and alerts are made from."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

import pandas as pd

from features.families.catalogue import catalogue
from features.kpis.open_tickets import URGENT_DAYS, urgent_ticket_days
from features.revenue import add_months
from features.snapshots.dates import first_date
from features.snapshots.snapshot_files import stored_columns
from features.tables.checked import Tables
from features.tables.progress import Progress, silent
from models.scores.conditions import features_named
from models.scores.health import PHASES
from params import Params, SettingsError

KEYS = ("account_id", "as_of", "arr")
_OF_ALL = ("arr", "term_days", "due_share", "overdue_days", "notice_given", "notice_share", "presigned", *PHASES)


def customers_at(
    tables: Tables, dates: Sequence[date], columns: Collection[str], params: Params, progress: Progress = silent
) -> pd.DataFrame:
    """The accounts with ARR at each date: `account_id`, `as_of`, `arr`, and those of the columns that there are."""
    frame = stored_columns(tables, dates, sorted(columns), params=params, progress=progress)
    frame = frame[frame["arr"] > 0].reset_index(drop=True)
    if URGENT_DAYS not in columns:
        return frame
    tickets = urgent_ticket_days(tables, dates, params.budget)
    if tickets.empty:
        return frame.assign(**{URGENT_DAYS: 0.0 if tables.has("tickets") else float("nan")})
    tickets = tickets.astype({"as_of": frame["as_of"].dtype, "account_id": frame["account_id"].dtype})
    return frame.merge(tickets, on=["account_id", "as_of"], how="left").fillna({URGENT_DAYS: 0.0})


def past_month_starts(tables: Tables, as_of: date, months: int, params: Params) -> list[date]:
    """The month starts of so many months before a date, as far back as there are snapshots, and the date itself."""
    first = first_date(tables, params.snapshots)
    starts = [add_months(as_of.replace(day=1), -ago) for ago in range(months, -1, -1)]
    return sorted({day for day in starts if first <= day <= as_of} | {as_of})


def numbers_known(tables: Tables, params: Params) -> dict[str, str]:
    """The columns of snapshots that hold numbers, whether or not these tables can give them, and their units."""
    units = {feature.name: feature.unit for feature in catalogue(tables, params.declared) if feature.kind == "number"}
    attributes = [name for name in tables.attribute_columns if name in tables.numbers.get("accounts", ())]
    return {**dict.fromkeys((*_OF_ALL[:-2], *attributes), ""), **units, URGENT_DAYS: "days"}


def require_known(places: Mapping[str, str], known: Collection[str]) -> None:
    """Refuse settings that name columns which snapshots do not have, all of them in one go.

    Parameters
    ----------
    places
        The column that is named, by where it is: `health.caps.notice.when` and the like.
    known
        What there is.

    Raises
    ------
    SettingsError
        What is named and is not there, with what was perhaps meant.
    """
    lines = []
    for place, name in places.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; docs/data-dictionary.md lists the features"
            lines.append(f"  {place.partition('#')[0]}: there is no feature {name} that is a number{hint}")
    if lines:
        raise SettingsError("\n".join(["The settings cannot be used:", *lines]))


def named_in(place: str, condition: str | None) -> Iterable[tuple[str, str]]:
    """The columns that a condition names, each with its place in the settings.

    Raises
    ------
    SettingsError
        It asks for what only a snapshot can look up.
    """
    try:
        names = list(features_named(condition)) if condition else []
    except ValueError as error:
        raise SettingsError(f"The settings cannot be used:\n  {place}: {error}") from None
    return [(f"{place}#{name}", name) for name in names]
