"""What each page shows, gathered from the publication as plain values."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from features.revenue.timelines import SIGNALS
from models.scores.findings import FEWEST_ACCOUNTS, finding
from serving.access.tokens import Caller
from serving.desk.queries import AccountQuery, account_filter
from serving.publication.gather import END, START
from serving.publication.reader import AccountFilter, Published, scope

Row = dict[str, Any]
SHOWN_HORIZONS = (3, 6, 12)
RATIOS = ("nrr", "grr", "logo_retention", "reported_nrr")
AMOUNTS = ("ending_arr", "churned_arr", "contracted_arr", "expanded_arr")
PER_PAGE = 50
MOST_VALUES = 12
WINDOWS = {"": "any time", "0": "overdue", "30": "next 30 days", "90": "next 90 days", "180": "next 180 days"}
SORTS = {
    "name": "Account",
    "csm": "CSM",
    "segment": "Segment",
    "arr": "ARR",
    "churn_probability": "Churn",
    "trend": "Trend",
    "arr_at_risk": "ARR at risk",
    "renews_on": "Renews on",
}
ASCENDING = ("name", "csm", "segment", "renews_on")


def head(published: Published) -> Row:
    """What every page says of its figures."""
    names = ("as_of", "model_version", "made_at", "currency", "run_id")
    return {name: published.about[name] for name in names}


def horizons(published: Published) -> list[int]:
    """The horizons to choose from."""
    longest = published.horizon_months
    return sorted({h for h in SHOWN_HORIZONS if h < longest} | {longest})


def portfolio(published: Published, caller: Caller, horizon: int) -> Row:
    """The portfolio as a caller sees it: all of it, or one book."""
    own = scope(caller.csm)
    rows = published.nrr(**own)
    by_metric = {metric: [row for row in rows if row["metric"] == metric] for metric in (*RATIOS, *AMOUNTS)}
    cuts = {} if caller.csm is not None else _cuts(published, horizon)
    cards = [row for metric in (*RATIOS, *AMOUNTS) for row in by_metric[metric] if row["horizon_months"] == horizon]
    return {
        **head(published),
        "title": "Portfolio",
        "horizon": horizon,
        "horizons": horizons(published),
        "cards": cards,
        "fan": [
            {"name": "NRR", "css": "s1", "rows": by_metric["nrr"]},
            {"name": "GRR", "css": "s2", "rows": by_metric["grr"]},
        ],
        "cuts": cuts,
        "bridge": _bridge(published.bridge(caller.csm)),
        "renewals": published.renewals(**own),
        "flags": _flags(published.ratios(horizon, **own), cuts),
        "at_risk": published.rows(AccountFilter(horizon, csm=caller.csm, limit=5)),
        "notes": published.about["notes"],
        "definitions": _definitions(published, cards),
    }


def _definitions(published: Published, cards: Sequence[Row]) -> list[tuple[str, str]]:
    said = [(row["metric"], row["definition"]) for row in cards if row["metric"] in RATIOS]
    return [
        *said,
        ("renewals", published.about["renewal_definition"]),
        ("movements", published.about["movement_definition"]),
    ]


def _cuts(published: Published, horizon: int) -> dict[str, Row]:
    """Each cut's values with the most ARR, those with a red flag too, and the range that their intervals span."""
    found: dict[str, Row] = {}
    for cut in published.cuts:
        if cut != "total":
            every = published.ratios(horizon, cut=cut)
            rows = every[:MOST_VALUES] + [row for row in every[MOST_VALUES:] if row["flag"]]
            low = min((row["p10"] for row in rows), default=0.0)
            high = max((row["p90"] for row in rows), default=1.0)
            found[cut] = {
                "rows": rows,
                "low": min(low, 0.98),
                "high": max(high, 1.02),
                "largest": min(MOST_VALUES, len(every)),
                "values": len(every),
            }
    return found


def _flags(own: Sequence[Row], cuts: Mapping[str, Row]) -> list[Row]:
    """The red flags of the rows that the page shows, over its horizon."""
    return [row for rows in (own, *(found["rows"] for found in cuts.values())) for row in rows if row["flag"]]


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


def _below(amount: float) -> float:
    """Where a scale begins that shows steps between large amounts: a round number well below the smallest."""
    if amount <= 0:
        return 0.0
    size = 10.0 ** (len(f"{amount:.0f}") - 1)
    return float((0.8 * amount) // size * size)


def accounts(published: Published, caller: Caller, query: AccountQuery, asked: Mapping[str, str]) -> Row:
    """A page of a book."""
    wanted = account_filter(published, query, caller)
    totals, rows = published.totals(wanted), published.rows(wanted)
    total = totals["accounts"]
    pages = max(1, -(-total // query.limit))
    return {
        **head(published),
        "title": "Accounts",
        "rows": rows,
        "total": total,
        "totals": totals,
        "query": query,
        "horizon": wanted.horizon_months,
        "horizons": horizons(published),
        "segments": published.labels("segment", caller.csm),
        "regions": published.labels("region", caller.csm),
        "csms": [] if caller.csm is not None else published.labels("csm", None),
        "windows": WINDOWS,
        "asked": asked,
        "page_number": query.offset // query.limit + 1,
        "pages": pages,
        "columns": [_column(name, query, asked) for name in SORTS],
        "previous": _link(asked, page=query.offset // query.limit) if query.offset else None,
        "next": _link(asked, page=query.offset // query.limit + 2) if query.offset + query.limit < total else None,
        "files": {kind: f"/api/accounts.{kind}?{_file_query(query)}" for kind in ("csv", "xlsx")},
        "most": max((row["arr_at_risk"] for row in rows), default=0.0),
        "definition": published.about["account_definition"],
    }


def account_query(asked: Mapping[str, str], as_of: str) -> dict[str, Any]:
    """The form's fields as a query; empty ones ask for nothing."""
    given = {name: value for name, value in asked.items() if value != ""}
    window, page = given.pop("window", ""), given.pop("page", "1")
    if window in WINDOWS and window:
        day = date.fromisoformat(as_of)
        given |= {"renews_before": (day + timedelta(days=int(window))).isoformat()}
        if window != "0":
            given |= {"renews_from": day.isoformat()}
    number = int(page) if page.isdigit() and len(page) < 7 else 1
    sort = given.get("sort", "arr_at_risk")
    given.setdefault("order", "asc" if sort in ASCENDING else "desc")
    return {**given, "limit": PER_PAGE, "offset": (max(1, number) - 1) * PER_PAGE}


def _column(name: str, query: AccountQuery, asked: Mapping[str, str]) -> Row:
    """A heading that sorts: by this column or, if that is so already, the other way round."""
    current = query.sort == name
    natural = "asc" if name in ASCENDING else "desc"
    way = ("asc" if query.order == "desc" else "desc") if current else natural
    said = {"asc": "ascending", "desc": "descending"}[query.order] if current else "none"
    return {"name": name, "title": SORTS[name], "link": _link(asked, sort=name, order=way, page=1), "said": said}


def _link(asked: Mapping[str, str], **changed: Any) -> str:
    """This page with some of its fields changed."""
    fields = {name: value for name, value in {**asked, **changed}.items() if value not in ("", None)}
    return "/accounts?" + urlencode(fields)


def _file_query(query: AccountQuery) -> str:
    fields = query.model_dump(mode="json", exclude_none=True, exclude={"limit", "offset"})
    return urlencode(fields)


def account(published: Published, found: Row) -> Row:
    """One account."""
    shown = [row for row in found["horizons"] if row["horizon_months"] in horizons(published)]
    reasons = [row for rows in found["drivers"].values() for row in rows]
    months = published.about["months"]
    return {
        **head(published),
        "title": found["name"],
        "account": found,
        "shown": shown,
        "longest": found["horizons"][-1],
        "most_effect": max((abs(row["effect"]) for row in reasons), default=1.0),
        "months": months,
        "signals": [(SIGNALS[name], found["activity"][name]) for name in SIGNALS if name in found["activity"]],
        "moves": published.moves(None, found["account_id"], None, 0)[1],
        "rescored": [row for row in found["history"] if row["kind"] == "rescored"],
        "said_before": [row for row in found["history"] if row["kind"] == "published"],
        "definition": published.about["account_definition"],
    }


def model(published: Published, live: Row | None, mlflow_url: str | None, command: str) -> Row:
    """The model card."""
    card = published.about["model"]
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
        "mlflow_url": mlflow_url,
        "command": command,
        "notes": published.about["notes"],
    }
