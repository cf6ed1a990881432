"""First pages beside the portfolio: a CSM's week, a manager's teams, and the data scientist's desk."""

from collections import Counter
from collections.abc import Sequence

from models.words import counted
from params import Params
from serving.access.sight import card_for, tracking_for
from serving.access.tokens import Caller
from serving.desk import business
from serving.desk.acting import ActionQuery, AnswerQuery, action_rows, recorded_answers
from serving.desk.team_desk import OPEN, OpenAlerts, Standing, open_of
from serving.pages.business import business_pages
from serving.pages.findings import record_title
from serving.pages.home import origins_of
from serving.pages.views import Row, head
from serving.publication.insight_store import TEAMS
from serving.publication.reader import Published
from serving.wire.answers import Refused

LEADERSHIP, MANAGER, DATA = "leadership", "manager", "data"
PLAYS_SHOWN = 5
ALERTS_SHOWN = 10
BOOKS_SHOWN = 60
MOST = 1000
CADENCE = "cadence_kept"


def week(params: Params, published: Published, caller: Caller) -> Row:
    """This week's plays of a CSM's own book, each with what was answered since; for others nothing."""
    if caller.csm is None:
        return {"plays": [], "play_count": 0, "hours": None, "view": LEADERSHIP}
    total, plays = action_rows(published, ActionQuery(limit=PLAYS_SHOWN), caller)
    answers = _answers(params, published, caller)
    hours = [row for row in published.about["actions"]["capacity"] if row["csm"] == caller.csm]
    shown = [row | {"answered": answers.get((row["account_id"], row["action"]))} for row in plays]
    return {"plays": shown, "play_count": total, "hours": hours[0] if hours else None, "view": ""}


def _answers(params: Params, published: Published, caller: Caller) -> dict[tuple[str, str], Row]:
    """What was answered to plays since they were published; nothing where the record cannot be read."""
    try:
        rows = recorded_answers(published, AnswerQuery(limit=MOST), caller, params)[1]
    except Refused:
        return {}
    since = published.about["made_at"]
    return {(row["account_id"], row["action"]): row for row in reversed(rows) if row["answered_at"] >= since}


def manager_home(params: Params, published: Published, caller: Caller, asked: str) -> Row:
    """A manager's people: each book against what was expected, what is ahead, hours, touches in time, and alerts."""
    teams: dict[str, list[str]] = published.insight(TEAMS).get("teams", {})
    books = published.labels("csm", None)
    managed = {name: [book for book in people if book in books] for name, people in teams.items()}
    managers = sorted(name for name, people in managed.items() if people)
    chosen = asked if asked in managers else ""
    names = managed[chosen] if chosen else books
    alerts = _alerts(params, published, caller)
    here = set(names)
    standing = alerts.standing if alerts is not None else ()
    waiting = [one for one in standing if one.csm in here and one.status == OPEN]
    rows = _books(published, caller, names, standing)
    return {
        **head(published),
        "title": "Home",
        "view": MANAGER,
        "managers": managers,
        "manager": chosen,
        "rows": _most_arr(rows),
        "books": len(rows),
        "waiting": alerts.told(sorted(waiting, key=_risks_first)[:ALERTS_SHOWN]) if alerts is not None else [],
        "waiting_count": len(waiting),
        "alerts_known": alerts is not None,
        "answer": _team_answer(rows, len(waiting)),
        "low": min((row["nrr"]["p10"] for row in rows if row["nrr"]), default=0.0),
        "high": max((row["nrr"]["p90"] for row in rows if row["nrr"]), default=1.0),
    }


def _alerts(params: Params, published: Published, caller: Caller) -> OpenAlerts | None:
    """All open alerts; None where the record cannot be read."""
    try:
        return open_of(params, published, caller.csm)
    except Refused:
        return None


def _risks_first(alert: Standing) -> tuple[bool, str, float]:
    """Risks before opportunities, the oldest first, and of a day the most ARR."""
    return alert.kind != "risk", alert.fired_on, -alert.arr


def _books(published: Published, caller: Caller, names: list[str], alerts: Sequence[Standing]) -> list[Row]:
    cards = {row["person"]: row for row in business.scorecards(published, caller)["rows"]}
    ahead = {row["value"]: row for row in published.ratios(published.horizon_months, cut="csm")}
    hours = {row["csm"]: row for row in published.about["actions"]["capacity"]}
    kpis = business.kpis(published, caller)["rows"]
    newest = max((row["as_of"] for row in kpis), default="")
    touches = {row["value"]: row for row in kpis
               if (row["cut"], row["kpi"], row["as_of"]) == ("csm", CADENCE, newest)}  # fmt: skip
    every = Counter(one.csm for one in alerts)
    waiting = Counter(one.csm for one in alerts if one.status == OPEN)
    return [
        {
            "name": name,
            "card": cards.get(name),
            "nrr": ahead.get(name),
            "hours": hours.get(name),
            "touches": touches.get(name),
            "alerts": every[name],
            "waiting": waiting[name],
        }
        for name in names
    ]


def _most_arr(rows: list[Row]) -> list[Row]:
    """All books, or those with the most ARR where they are too many for a page."""
    if len(rows) <= BOOKS_SHOWN:
        return rows
    return sorted(rows, key=lambda row: -row["nrr"]["starting_arr"] if row["nrr"] else 0.0)[:BOOKS_SHOWN]


def _team_answer(rows: list[Row], waiting: int) -> str:
    out = [row["name"] for row in rows if row["card"] and row["card"]["verdict"] in ("above", "below")]
    full = [row for row in rows if row["hours"] and row["hours"]["shadow_price"] > 0]
    books = f"{', '.join(out)} stand out" if len(out) > 1 else f"{out[0]} stands out" if out else "No book stands out"
    hours = f"{counted(len(full), 'book')} ha{'s' if len(full) == 1 else 've'} too few hours" if full else ""
    alerts = f"{counted(waiting, 'alert')} wait{'s' if waiting == 1 else ''} for somebody" if waiting else ""
    return "; ".join(part for part in (books, hours, alerts) if part)


def data_home(published: Published, caller: Caller, mlflow_url: str | None, command: str) -> Row:
    """The data scientist's desk: the watch, the model in charge, its record, and where to look further."""
    watch = business_pages.watch(published, caller)
    return {
        **watch,
        "title": "Home",
        "view": DATA,
        "described": card_for(published.about["model"], caller),
        "record_title": record_title(origins_of(published)),
        "mlflow_url": tracking_for(mlflow_url, caller, is_path=False),
        "command": tracking_for(command, caller, is_path=True),
    }
