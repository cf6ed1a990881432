"""Facts about the business as they lie in a publication: by name, compressed, beside what it says of itself."""

import json
import sqlite3
import zlib
from collections.abc import Mapping
from typing import Any

from serving.publication.file_tables import as_json

Row = dict[str, Any]
KPIS, COHORTS, BEHAVIOURS, CUSTOMERS, TEAMS = "kpis", "cohorts", "behaviours", "ideal_customer", "teams"
PAY = "pay"
SCORECARDS = {"csm": "scorecards_csm", "seller": "scorecards_seller"}
INSIGHTS = (KPIS, COHORTS, BEHAVIOURS, CUSTOMERS, TEAMS, PAY, *SCORECARDS.values())
NOT_PUBLISHED = "This was not published with the forecast: run `holdfast publish` again."


def lacking(why: str) -> Row:
    """What stands in for a fact that there is none of."""
    return {"lacking": why}


def stored_insights(insights: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """The facts as they are stored, by key."""
    return {_key(name): _packed(content) for name, content in insights.items()}


def read_insight(connection: sqlite3.Connection, name: str) -> Row:
    """A fact by its name; `lacking` says why there is nothing, and is empty where there is."""
    row = connection.execute("SELECT value FROM about WHERE key = ?", [_key(name)]).fetchone()
    return lacking(NOT_PUBLISHED) if row is None else dict(json.loads(zlib.decompress(row[0])))


def write_insight(connection: sqlite3.Connection, name: str, content: Mapping[str, Any]) -> None:
    """Put a changed fact in the place of the one that is there."""
    connection.execute("UPDATE about SET value = ? WHERE key = ?", [_packed(content), _key(name)])


def _packed(content: Mapping[str, Any]) -> bytes:
    return zlib.compress(as_json(dict(content)))


def _key(name: str) -> str:
    return f"insight {name}"
