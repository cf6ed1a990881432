"""What each page shows, gathered from the publication as plain values."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from features.tables import contract
from models.scores.findings import FEWEST_ACCOUNTS, finding
from serving.access.sight import capacity_for, card_for, notes_for, sees_whole, track_for, tracking_for
from serving.access.tokens import Caller
from serving.desk.acting import ActionQuery, action_rows
from serving.desk.queries import AccountQuery, account_filter
from serving.forecast.declared.column import OutColumn, Place
from serving.forecast.declared.output_tables import (
    horizons_shown,
)
from serving.forecast.declared.published_lists import ACCOUNTS
from serving.pages.formats import label
from serving.publication.last_night import warning_in
from serving.publication.reader import Published
from serving.wire.plain_values import small_number

Row = dict[str, Any]
PER_PAGE = 50
WINDOWS = {"": "any time", "0": "overdue", "30": "next 30 days", "90": "next 90 days", "180": "next 180 days"}
ATTENTION, GROWTH, EVERYONE = "attention", "growth", "all"
SHOWN = {ATTENTION: "need attention", GROWTH: "may grow", EVERYONE: "all"}
RANKINGS = (
    ("arr_above_peers", "ARR above the risk of peers"),
    ("arr_at_risk", "ARR at risk"),
    ("renews_on", "next renewal"),
    ("trend", "rise of risk"),
    ("churn_probability", "churn probability"),
    ("expansion_probability", "chance of expansion"),
    ("arr", "ARR"),
)
BOOK = ACCOUNTS.laid_out(Place.BOOK)
_NATURAL = {ATTENTION: "arr_above_peers", GROWTH: "expansion_probability", EVERYONE: "arr_at_risk"}
_AFRESH = {"sort": "", "order": "", "page": ""}
CALL_COLUMNS = {column.name: column for column in contract.TABLES["calls"]}
_ASCENDING = tuple(column.name for column in BOOK if not column.kind.is_number)


def head(published: Published) -> Row:
    """What every page says of its figures."""
    names = ("as_of", "model_version", "made_at", "currency", "run_id")
    of_night = {"record_head": published.record_head, "night": warning_in(published.file.parent)}
    return {name: published.about[name] for name in names} | of_night


def horizons(published: Published) -> list[int]:
    """The horizons to choose from."""
    return horizons_shown(published.horizon_months)


def accounts(published: Published, caller: Caller, query: AccountQuery, parameters: Mapping[str, str]) -> Row:
    """A page of a book."""
    filters = account_filter(published, query, caller)
    totals, rows = published.totals(filters), published.rows(filters)
    total = totals["accounts"]
    pages = max(1, -(-total // query.limit))
    return {
        **head(published),
        "title": "Accounts",
        "rows": rows,
        "total": total,
        "totals": totals,
        "query": query,
        "horizon": filters.horizon_months,
        "horizons": horizons(published),
        "segments": published.labels("segment", caller.csm),
        "regions": published.labels("region", caller.csm),
        "csms": [] if caller.csm is not None else published.labels("csm", None),
        "windows": WINDOWS,
        "other_columns": published.columns(),
        "asked": parameters,
        **_choices(parameters, query),
        "page_number": query.offset // query.limit + 1,
        "pages": pages,
        "columns": BOOK,
        "heads": [_heading(column, query, parameters) for column in BOOK],
        "previous": _link(parameters, page=query.offset // query.limit) if query.offset else None,
        "next": _link(parameters, page=query.offset // query.limit + 2) if query.offset + query.limit < total else None,
        "files": {kind: f"/api/accounts.{kind}?{_file_query(query)}" for kind in ("csv", "xlsx")},
        "most": max((row["arr_at_risk"] for row in rows), default=0.0),
        "definition": published.about["account_definition"],
    }


def _choices(parameters: Mapping[str, str], query: AccountQuery) -> Row:
    """The lists and the orders to choose from, each with its address."""
    shown = list_shown(parameters)
    return {
        "shown": shown,
        "sorted_by": dict(RANKINGS).get(query.sort, label(query.sort)),
        "lists": [(name, title, _link(parameters, **_AFRESH | {"show": name})) for name, title in SHOWN.items()],
        "rankings": [
            (name, title, _link(parameters, **_AFRESH | {"show": shown, "sort": name})) for name, title in RANKINGS
        ],
    }


def list_shown(parameters: Mapping[str, str]) -> str:
    """Which of the lists is asked for: those that need attention, unless another is. A name is looked for in all."""
    asked = parameters.get("show", "")
    if parameters.get("search"):
        return EVERYONE
    if asked in SHOWN:
        return asked
    looked_for = {name for name, value in parameters.items() if value} - {"horizon_months", "page", "csm"}
    return EVERYONE if looked_for else ATTENTION


def account_query(parameters: Mapping[str, str], as_of: str) -> dict[str, Any]:
    """The form's fields as a query; empty ones ask for nothing."""
    given = {name: value for name, value in parameters.items() if value != ""}
    shown = list_shown(given)
    given.pop("show", None)
    window, page = given.pop("window", ""), given.pop("page", "1")
    if window in WINDOWS and window:
        day = date.fromisoformat(as_of)
        given |= {"renews_before": (day + timedelta(days=int(window))).isoformat()}
        if window != "0":
            given |= {"renews_from": day.isoformat()}
    number = small_number(page) or 1
    sort = given.setdefault("sort", _NATURAL[shown])
    given.setdefault("order", "asc" if sort in _ASCENDING else "desc")
    lists = {"attention": shown == ATTENTION, "growth": shown == GROWTH}
    return {**given, **lists, "limit": PER_PAGE, "offset": (max(1, number) - 1) * PER_PAGE}


def _heading(column: OutColumn, query: AccountQuery, parameters: Mapping[str, str]) -> Row:
    """A column with its link that sorts: by it or, if that is so already, the other way round; empty if none does."""
    name = column.name
    current = query.sort == name
    natural = "asc" if name in _ASCENDING else "desc"
    way = ("asc" if query.order == "desc" else "desc") if current else natural
    link = _link(parameters, sort=name, order=way, page=1) if column.sortable else ""
    order = {"asc": "ascending", "desc": "descending"}[query.order] if current else "none"
    return {"column": column, "link": link, "order": order}


def _link(parameters: Mapping[str, str], **changed: Any) -> str:
    """This page with some of its fields changed."""
    fields = {name: value for name, value in {**parameters, **changed}.items() if value not in ("", None)}
    return "/accounts?" + urlencode(fields)


def _file_query(query: AccountQuery) -> str:
    fields = query.model_dump(mode="json", exclude_none=True, exclude={"limit", "offset"})
    return urlencode(fields)


_BY_PLACE = "What must be done first, then what saves the most ARR an hour."
_BY_WORTH = "All books together: what must be done first, then what saves the most ARR an hour."


def actions(published: Published, caller: Caller, number: int) -> Row:
    """What to do next, a page at a time, with the hours that it takes."""
    query = ActionQuery(limit=PER_PAGE, offset=(number - 1) * PER_PAGE)
    total, rows = action_rows(published, query, caller, by_worth=sees_whole(caller))
    return {
        **head(published),
        **capacity_for(published.about["actions"], caller),
        "title": "Actions",
        "order": _BY_WORTH if sees_whole(caller) else _BY_PLACE,
        "rows": rows,
        "total": total,
        "page_number": number,
        "pages": max(1, -(-total // PER_PAGE)),
        "files": {kind: f"/api/actions.{kind}" for kind in ("csv", "xlsx")},
        "definition": published.about["action_definition"],
    }


def track(published: Published, caller: Caller) -> Row:
    """The track record, as far as a caller may see it; `track` is None where none was published."""
    content = published.about.get("track_record")
    shown = None if content is None else track_for(content, caller) | {"head": published.record_head}
    rows = [] if shown is None else shown["rows"]
    cuts = {row["cut"]: [other for other in rows if other["cut"] == row["cut"]] for row in rows}
    return {**head(published), "title": "Track record", "track": shown, "cuts": cuts, "whole": sees_whole(caller)}


_NOTHING_TESTED: Row = {
    "events": {},
    "importance": {"churn": []},
    "backtest": {},
    "test": {"scores": [], "reliability": {}},
}


def model(published: Published, live: Row | None, mlflow_url: str | None, command: str, caller: Caller) -> Row:
    """The model card, as far as a caller may see it."""
    card = {**_NOTHING_TESTED, **card_for(published.about["model"], caller)}
    backtest = card["backtest"]
    tested = backtest if backtest.get("scores") else card["test"]
    forecasts = [row for row in backtest.get("forecasts", []) if row["metric"] == "nrr"]
    by_horizon: dict[int, list[Row]] = {}
    for row in forecasts:
        by_horizon.setdefault(row["horizon_months"], []).append(row)
    return {
        **head(published),
        "title": "Model",
        "card": card,
        "live": live,
        "scores": [
            {**row, "finding": finding(row["accounts"], row["skill_low"], row["auc_low"])} for row in tested["scores"]
        ],
        "fewest_accounts": FEWEST_ACCOUNTS,
        "tested_in_training": tested is not backtest,
        "tested_by": "the rolling backtest" if tested is backtest else "training, on months it had not seen",
        "reliability": {name: rows for name, rows in tested["reliability"].items() if rows},
        "portfolio": backtest.get("portfolio", []),
        "origins": by_horizon,
        "stale": bool(backtest) and backtest.get("data_digest") != card["data_digest"],
        "whole": sees_whole(caller),
        "mlflow_url": tracking_for(mlflow_url, caller, is_path=False),
        "command": tracking_for(command, caller, is_path=True),
        "notes": notes_for(published.about, caller),
    }
