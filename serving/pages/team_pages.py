"""What teams work by: the health of accounts by rule, and the open alerts."""

from collections.abc import Sequence

from models.words import counted
from serving.access.sight import health_for
from serving.access.tokens import Caller
from serving.desk.queries import HealthQuery, health_rows
from serving.pages.views import Row, head
from serving.publication.reader import Published

MOST_ROWS = 100
ALERTS_A_PAGE = 30


def health(published: Published, caller: Caller) -> Row:
    """The health of today's customers, worst first, and how many have which colour; those that left are apart."""
    scored, rows = health_rows(published, HealthQuery(limit=MOST_ROWS, status="scored"), caller)
    unknown = health_rows(published, HealthQuery(limit=1, status="not enough data"), caller)[0]
    counts = {
        colour: health_rows(published, HealthQuery(limit=1, status="scored", colour=colour), caller)[0]
        for colour in ("red", "yellow", "green")
    }
    return {
        **head(published),
        "title": "Health",
        "total": scored + unknown,
        "scored": scored,
        "unknown": unknown,
        "rows": rows,
        "counts": counts,
        "about": health_for(published.about["health"], caller),
    }


def alerts(published: Published, rows: Sequence[Row] | None, total: int, number: int) -> Row:
    """A page of the open alerts, risks and opportunities apart; None where the record cannot be read."""
    kinds = {kind: [row for row in rows or () if row["kind"] == kind] for kind in ("risk", "opportunity")}
    title = "Alerts cannot be read just now" if rows is None else f"{counted(total, 'alert')} not closed yet"
    pages = max(1, -(-total // ALERTS_A_PAGE))
    told = {"title": "Alerts", "rows": rows, "total": total, "kinds": kinds, "answer": title}
    return {**head(published), **told, "page_number": number, "pages": pages}
