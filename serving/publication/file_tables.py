"""The tables of the published store: the columns of what is declared in `published_lists`, and a few of its own."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
_SCALES = {Kind.MONEY: 100, Kind.SHARE: 1_000_000, Kind.NUMBER: 1_000_000}
_BY_HORIZON = (HORIZON, *SCORED)
WHOLE_NUMBERS = "_whole"
HISTORY_KEY = ("account_id", "as_of", "kind", "model_version")


@dataclass(frozen=True)
class StoreTable:
    """A table of the store: each column's declaration in SQL, by name.

    `scales` are of figures that are kept as whole numbers, which take half the room: what each is multiplied by. They
    lie in a table named by `stored`, and a view of the table's name gives the figures, equal to the last bit.
    """

    name: str
    columns: dict[str, str]
    key: tuple[str, ...] = ()
    scales: dict[str, int] = field(default_factory=dict)

    @property
    def stored(self) -> str:
        """The name of the table that holds the rows."""
        return f"{self.name}{WHOLE_NUMBERS}" if self.scales else self.name

    def create(self) -> str:
        """The statements that make it."""
        whole = dict.fromkeys(self.scales, "INTEGER")
        parts = [f"{name} {declaration}" for name, declaration in (self.columns | whole).items()]
        key = [f"PRIMARY KEY ({', '.join(self.key)})"] if self.key else []
        table = f"CREATE TABLE {self.stored} ({', '.join(parts + key)}){' WITHOUT ROWID' if self.key else ''};"
        return table + self._view() if self.scales else table

    def figure(self, name: str, of: str = "") -> str:
        """A column's figure in SQL, of a table that holds whole numbers."""
        return f"{of}{name} / {self.scales[name]}.0 AS {name}" if name in self.scales else f"{of}{name}"

    def insert(self, how: str = "INSERT") -> str:
        """The statement that adds a row of all columns."""
        marks = ", ".join("?" * len(self.columns))
        return f"{how} INTO {self.stored} ({', '.join(self.columns)}) VALUES ({marks})"

    def rows(self, frame: pd.DataFrame) -> Iterator[tuple[object, ...]]:
        """Rows of a frame as they are inserted: dates are text."""
        dates = frame.select_dtypes("datetime").columns
        texts = frame.assign(**{name: frame[name].dt.strftime("%Y-%m-%d") for name in dates})
        whole = {name: _whole(texts[name], scale) for name, scale in self.scales.items()}
        return zip(*(whole.get(name) or texts[name].tolist() for name in self.columns), strict=True)

    def _view(self) -> str:
        figures = ", ".join(self.figure(name) for name in self.columns)
        return f"CREATE VIEW {self.name} AS SELECT {figures} FROM {self.stored};"


def _whole(figures: "pd.Series[Any]", scale: int) -> list[int | None]:
    """Figures as whole numbers; None where there is none."""
    return [None if figure is None or figure != figure else round(figure * scale) for figure in figures.tolist()]


def _scales(columns: Sequence[OutColumn]) -> dict[str, int]:
    """What figures are multiplied by to be whole: they are rounded to so many digits before."""
    return {column.name: _SCALES[column.kind] for column in columns if column.kind in _SCALES}


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
    "horizon",
    _declared([HORIZON]) | {"number": "INTEGER"} | _declared(SCORED),
    (HORIZON.name, "number"),
    _scales(SCORED),
)
_HISTORY = _list(HISTORY, "history", HISTORY_KEY)
_OF_PAST = [column for column in HISTORY.at(Place.API) if column.name not in HISTORY_KEY]
SERIES = StoreTable("series", {"series": "INTEGER PRIMARY KEY"} | dict.fromkeys(HISTORY_KEY[1:], "TEXT"))
PAST_SCORE = StoreTable(
    "past_score",
    {"number": "INTEGER", "series": "INTEGER"} | _declared(_OF_PAST),
    ("number", "series"),
    _scales(_OF_PAST),
)
HISTORY_VIEW = f"""CREATE VIEW history AS SELECT a.account_id, {", ".join(f"s.{name}" for name in HISTORY_KEY[1:])},
    {", ".join(f"p.{column.name}" for column in _OF_PAST)}
    FROM past_score p JOIN series s USING (series) JOIN account a USING (number);"""
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
_ROWS = (ACCOUNT, SCORE, HORIZONS, MOVEMENT, BRIDGE_ROW, HEALTH_ROW, ACTION, *CUSTOMER_ROWS.values())
_READ = (ABOUT, *_ROWS, PAST_FORECAST, FIGURE, RENEWAL)
TABLES = (*_READ, SERIES, PAST_SCORE)
LISTS = (*_READ, _HISTORY)  # as they are read
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


def past_scores(history: pd.DataFrame, account_ids: "pd.Series[Any]") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `SERIES` and of `PAST_SCORE`: what was said of those who are customers now, which alone is read."""
    number = pd.Index(account_ids).get_indexer(pd.Index(history["account_id"]))
    kept = history.assign(number=number)[number >= 0]
    keys = list(HISTORY_KEY[1:])
    series = kept[keys].drop_duplicates().sort_values(keys, ignore_index=True).reset_index(names="series")
    return series, kept.merge(series, on=keys, validate="many_to_one").sort_values(["number", "series"])
