"""What each page shows, gathered from the publication as plain values."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from features.revenue.timelines import DISTINCT, SIGNALS
from features.tables import contract
from models.scores.findings import FEWEST_ACCOUNTS, finding
from serving.access.sight import capacity_for, card_for, notes_for, sees_whole, track_for, tracking_for
from serving.access.tokens import Caller
from serving.desk.acting import ActionQuery, action_rows
from serving.desk.queries import AccountQuery, BridgeQuery, account_filter, bridge_steps
from serving.forecast.declared.column import OutColumn, Place
from serving.forecast.declared.output_tables import (
    ACCOUNT_FORECAST,
    CUT_METRICS,
    INTERVAL,
    METRIC_OF,
    RATIOS,
    horizons_shown,
)
from serving.forecast.declared.published_lists import ACCOUNTS, BRIDGE, RENEWALS
from serving.publication.gather import END, RESCORED, START
from serving.publication.last_night import warning_in
from serving.publication.reader import AccountFilter, Published, scope
from serving.wire.plain_values import small_number

Row = dict[str, Any]
PER_PAGE = 50
MOST_VALUES = 12
MOST_FLAGS = 3
WINDOWS = {"": "any time", "0": "overdue", "30": "next 30 days", "90": "next 90 days", "180": "next 180 days"}
BOOK = ACCOUNTS.laid_out(Place.BOOK)
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


def portfolio(published: Published, caller: Caller, horizon: int) -> Row:
    """The portfolio as a caller sees it: all of it, or one book."""
    whole = scope(caller.csm)
    rows = published.nrr(**whole)
    by_metric = {metric: [row for row in rows if row["metric"] == metric] for metric in METRIC_OF}
    flags = _flags(published, caller, horizon)
    cuts = {} if caller.csm is not None else _cuts(published, horizon, flags)
    cards = [row for metric in METRIC_OF for row in by_metric[metric] if row["horizon_months"] == horizon]
    return {
        **head(published),
        "title": "Portfolio",
        "horizon": horizon,
        "horizons": horizons(published),
        "cards": cards,
        "ratios": RATIOS,
        "fan": [
            {"name": METRIC_OF[metric].title, "css": css, "rows": by_metric[metric]}
            for metric, css in (("nrr", "s1"), ("grr", "s2"))
        ],
        "cuts": cuts,
        "cut_metrics": CUT_METRICS,
        "bridge": _bridge(published.bridge(caller.csm)),
        "change": _change(published, caller),
        "renewals": published.renewals(**whole),
        "flags": flags,
        "renewal_columns": RENEWALS.laid_out(Place.PAGE),
        "at_risk": published.rows(AccountFilter(horizon, csm=caller.csm, limit=5)),
        "at_risk_columns": ACCOUNTS.laid_out(Place.AT_RISK),
        "notes": notes_for(published.about, caller),
        "definitions": _definitions(published, cards),
    }


def _definitions(published: Published, cards: Sequence[Row]) -> list[tuple[str, str]]:
    bridge = published.about["bridge"]
    return [
        *((row["metric"], row["definition"]) for row in cards if row["metric"] in RATIOS),
        ("renewals", published.about["renewal_definition"]),
        ("movements", published.about["movement_definition"]),
        *([("forecast change", bridge["definition"])] if bridge["target"] else []),
    ]


def _cuts(published: Published, horizon: int, flags: Sequence[Row]) -> dict[str, Row]:
    """Each cut's values with the most ARR, those with one of the page's red flags too, and the range of intervals."""
    flagged = {(row["cut"], row["value"]) for row in flags}
    cuts: dict[str, Row] = {}
    for cut in published.cuts:
        if cut != "total":
            every = [
                {**row, "flag": row["flag"] if (cut, row["value"]) in flagged else ""}
                for row in published.ratios(horizon, cut=cut)
            ]
            rows = every[:MOST_VALUES] + [row for row in every[MOST_VALUES:] if row["flag"]]
            low = min((row[INTERVAL.low] for row in rows), default=0.0)
            high = max((row[INTERVAL.high] for row in rows), default=1.0)
            cuts[cut] = {
                "rows": rows,
                "low": min(low, 0.98),
                "high": max(high, 1.02),
                "largest": min(MOST_VALUES, len(every)),
                "values": len(every),
            }
    return cuts


def _flags(published: Published, caller: Caller, horizon: int) -> list[Row]:
    """The red flags of a page: those of the most ARR among the whole and its parts; a book's own page names nobody."""
    rows = published.ratios(horizon, **({} if caller.csm is None else scope(caller.csm)))
    flagged = [{**row, "named": caller.csm is None and row["cut"] != "total"} for row in rows if row["flag"]]
    return flagged[:MOST_FLAGS]


def _bridge(rows: Sequence[Row]) -> Row:
    """The bridge's steps, each with where it begins and ends."""
    level, steps = 0.0, []
    for row in rows:
        if row["movement"] in (START, END):
            start, level = 0.0, row["amount"]
            css = "s1"
        else:
            start, level = level, level + row["amount"]
            css = "better" if row["amount"] >= 0 else "worse"
        steps.append({**row, "start": start, "end": level, "css": css})
    levels = [step["end"] for step in steps]
    return {"steps": steps, "low": _below(min(levels)), "high": max(levels)}


def _change(published: Published, caller: Caller) -> Row | None:
    """Why the forecast changed since the last official one: the steps that moved it; None where there was none."""
    about = published.about["bridge"]
    if not about["target"]:
        return None
    sums = bridge_steps(published, BridgeQuery(), caller)
    titles = {column.name: column.head for column in BRIDGE}
    steps = [{"title": titles[step["step"]], "amount": step["amount"]} for step in sums["steps"] if step["amount"]]
    return {**about, "start": sums["start"], "end": sums["end"], "steps": steps}


def _below(amount: float) -> float:
    """Where a scale begins that shows steps between large amounts: a round number well below the smallest."""
    if amount <= 0:
        return 0.0
    size = 10.0 ** (len(f"{amount:.0f}") - 1)
    return float((0.8 * amount) // size * size)


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
        "asked": parameters,
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


def account_query(parameters: Mapping[str, str], as_of: str) -> dict[str, Any]:
    """The form's fields as a query; empty ones ask for nothing."""
    given = {name: value for name, value in parameters.items() if value != ""}
    window, page = given.pop("window", ""), given.pop("page", "1")
    if window in WINDOWS and window:
        day = date.fromisoformat(as_of)
        given |= {"renews_before": (day + timedelta(days=int(window))).isoformat()}
        if window != "0":
            given |= {"renews_from": day.isoformat()}
    number = small_number(page) or 1
    sort = given.get("sort", "arr_at_risk")
    given.setdefault("order", "asc" if sort in _ASCENDING else "desc")
    return {**given, "limit": PER_PAGE, "offset": (max(1, number) - 1) * PER_PAGE}


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


def account(published: Published, detail: Row, calls: Sequence[Row] | None) -> Row:
    """One account, with what people expect of it."""
    reasons = [row for rows in detail["drivers"].values() for row in rows]
    months = published.about["months"]
    return {
        **head(published),
        "title": detail["name"],
        "account": detail,
        "play": published.action_of(detail["account_id"], None),
        "calls": calls,
        "call_outcomes": CALL_COLUMNS["outcome"].allowed,
        "call_categories": CALL_COLUMNS["category"].allowed,
        "columns": ACCOUNT_FORECAST.laid_out(Place.PAGE),
        "chances": [row for row in detail["horizons"] if row["horizon_months"] in horizons(published)],
        "longest": detail["horizons"][-1],
        "most_effect": max((abs(row["effect"]) for row in reasons), default=1.0),
        "months": months,
        "signals": [
            (SIGNALS[name], detail["activity"][name], name not in DISTINCT)
            for name in SIGNALS
            if name in detail["activity"]
        ],
        "moves": published.moves(None, detail["account_id"], None, 0)[1],
        "rescored": [row for row in detail["history"] if row["kind"] == RESCORED],
        "definition": published.about["account_definition"],
    }


def actions(published: Published, caller: Caller, number: int) -> Row:
    """What to do next, a page at a time, with the hours that it takes."""
    query = ActionQuery(limit=PER_PAGE, offset=(number - 1) * PER_PAGE)
    total, rows = action_rows(published, query, caller)
    return {
        **head(published),
        **capacity_for(published.about["actions"], caller),
        "title": "Actions",
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
