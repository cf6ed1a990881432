"""The tables of the published store: the columns of what is declared in `published_lists`, and a few of its own."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from features.revenue.cut_labels import NO_LABEL
from serving.forecast.declared.column import Kind, OutColumn, OutTable, Place, names_of
from serving.forecast.declared.customer_tables import CUSTOMER_LISTS
from serving.forecast.declared.output_tables import ACCOUNT_ID, HORIZON
from serving.forecast.declared.published_lists import (
    ACCOUNTS,
    ACTIONS,
    BRIDGE,
    CSM,
    FORECASTS,
    HISTORY,
    MOVEMENTS,
    NRR,
    RENEWALS,
)
from serving.forecast.declared.team_tables import HEALTH
from serving.forecast.live import SCORED

_SQL_TYPES = {Kind.INTEGER: "INTEGER", Kind.MONEY: "REAL", Kind.SHARE: "REAL", Kind.NUMBER: "REAL"}
_BY_HORIZON = (HORIZON, *SCORED)


@dataclass(frozen=True)
class StoreTable:
    """A table of the store: each column's declaration in SQL, by name."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...] = ()

    def create(self) -> str:
        """The statement that makes it."""
        parts = [f"{name} {declaration}" for name, declaration in self.columns.items()]
        key = [f"PRIMARY KEY ({', '.join(self.key)})"] if self.key else []
        return f"CREATE TABLE {self.name} ({', '.join(parts + key)}){' WITHOUT ROWID' if self.key else ''};"

    def insert(self, how: str = "INSERT") -> str:
        """The statement that adds a row of all columns."""
        marks = ", ".join("?" * len(self.columns))
        return f"{how} INTO {self.name} ({', '.join(self.columns)}) VALUES ({marks})"

    def rows(self, frame: pd.DataFrame) -> Iterator[tuple[object, ...]]:
        """Rows of a frame as they are inserted: dates are text."""
        dates = frame.select_dtypes("datetime").columns
        texts = frame.assign(**{name: frame[name].dt.strftime("%Y-%m-%d") for name in dates})
        return iter(texts[list(self.columns)].itertuples(index=False, name=None))


def _declared(columns: Sequence[OutColumn]) -> dict[str, str]:
    return {column.name: _SQL_TYPES.get(column.kind, "TEXT") for column in columns}


def _list(table: OutTable, name: str, key: tuple[str, ...]) -> StoreTable:
    """A list as it is published."""
    return StoreTable(name, _declared(table.at(Place.API)), key)


_ABOUT_ACCOUNTS = [column for column in ACCOUNTS.at(Place.API) if column not in _BY_HORIZON]
ABOUT = StoreTable("about", {"key": "TEXT", "value": "BLOB"}, ("key",))
ACCOUNT = StoreTable(
    "account",
    {
        "number": "INTEGER PRIMARY KEY",
        **_declared(_ABOUT_ACCOUNTS),
        ACCOUNT_ID.name: "TEXT UNIQUE",
        "labels": "TEXT",
    },
)
SCORE = StoreTable("said", {ACCOUNT_ID.name: "TEXT PRIMARY KEY", **_declared([CSM]), "score": "BLOB", "detail": "BLOB"})
HORIZONS = StoreTable(
    "horizon", _declared([HORIZON]) | {"number": "INTEGER"} | _declared(SCORED), (HORIZON.name, "number")
)
PAST_SCORE = _list(HISTORY, "history", ("account_id", "as_of", "kind", "model_version"))
PAST_FORECAST = _list(FORECASTS, "published", ("cut", "value", "metric", "horizon_months", "as_of", "run_id"))
MOVEMENT = StoreTable("movement", _declared(MOVEMENTS.at(Place.API)) | {"labels": "TEXT"})
BRIDGE_ROW = _list(BRIDGE, "forecast_bridge", BRIDGE.key)
HEALTH_ROW = _list(HEALTH, "health", HEALTH.key)
ACTION = _list(ACTIONS, "recommended_action", ACTIONS.key)
FIGURE = _list(NRR, "nrr", NRR.key)
RENEWAL = _list(RENEWALS, "renewal", RENEWALS.key)
CUSTOMER_ROWS = {
    name: StoreTable(name, {"place": "INTEGER PRIMARY KEY", **_declared(table.at(Place.API))})
    for name, table in CUSTOMER_LISTS.items()
}
_OF_ACCOUNTS = (ACCOUNT, SCORE, HORIZONS, PAST_SCORE, MOVEMENT, BRIDGE_ROW, HEALTH_ROW, ACTION, *CUSTOMER_ROWS.values())
TABLES = (ABOUT, *_OF_ACCOUNTS, PAST_FORECAST, FIGURE, RENEWAL)
INDEXES = """
    CREATE INDEX account_csm ON account (csm);
    CREATE INDEX movement_account ON movement (account_id);
"""
ACCOUNT_COLUMNS = tuple(names_of(_ABOUT_ACCOUNTS))
HORIZON_COLUMNS = tuple(names_of(_BY_HORIZON))


def as_json(content: Any) -> bytes:
    """Content as the store holds it."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def movement_rows(moves: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    """Movements as the store holds them: amounts to the cent; labels as JSON, of customers those of their account."""
    customers = set(accounts["account_id"])
    both = zip(moves["account_id"], moves["labels"], strict=True)
    texts: list[Any] = [None if account in customers else as_json(labels).decode() for account, labels in both]
    return moves.assign(
        csm=[labels.get(CSM.name, NO_LABEL) for labels in moves["labels"]],
        labels=texts,
        product=moves["product"].astype(object).where(moves["product"].notna(), None),
        amount=[round(amount, 2) for amount in moves["amount"].tolist()],
    )
