"""Reading a publication: by account in microseconds, and as lists that are filtered, sorted and paged.

Every question takes a `csm`: None sees all, a name sees the accounts of that book only.
"""

import json
import sqlite3
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd

from features.revenue import Retention, red_flag
from models.paths.rollup import TOTAL
from serving.forecast.declared.column import Kind, OutTable, Place, names_of
from serving.forecast.declared.customer_tables import CUSTOMER_LISTS
from serving.forecast.declared.output_tables import ACCOUNT_ID, INTERVAL
from serving.forecast.declared.published_lists import (
    ABOUT_AN_ACCOUNT,
    ACCOUNTS,
    ACTIONS,
    BRIDGE,
    HISTORY,
    MOVEMENTS,
)
from serving.forecast.declared.team_tables import HEALTH
from serving.publication import publication_file
from serving.publication.account_filter import AMONG, CUTS, LABEL, AccountFilter, conditions_of
from serving.publication.account_texts import read_phrases, unpack
from serving.publication.insight_store import read_insight
from serving.publication.moves import END, START
from serving.publication.published_customers import sums_of_whitespace

Row = dict[str, Any]
Given = Mapping[str, str | None]
_LISTED = tuple(column.name for column in ACCOUNTS.at(Place.API))
_SORTS = AMONG | {"name": "a.name COLLATE NOCASE", "arr_growth": "a.arr * h.expansion_probability"}
_NONE_AMOUNT = 0.0
_BY_WORTH = "rank = 0, must_do = '', CASE must_do WHEN '' THEN -arr_saved_per_hour ELSE -arr_saved END"
MONTH_DAYS = 31  # a term of so many days at most is a monthly plan
MOST_BRIDGES = 1000  # kept; a publication never changes
_JOINED = "FROM horizon h JOIN account a USING (number)"


class Published:
    """One publication, open for reading until it is closed, or until the last request that reads it is done with it.

    Parameters
    ----------
    file
        A file of the store, whole.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lookup, self._lists = publication_file.connect(file), publication_file.connect(file)
        self._close = weakref.finalize(self, _close_all, (self._lookup, self._lists))
        self.about = publication_file.read_about(self._lookup)
        self.record_head = publication_file.kept_head(file.parent)
        self.horizon_months: int = self.about["horizon_months"]
        frame, self.earlier = publication_file.read_snapshots(self._lookup)
        self._earlier_ids = frozenset(() if self.earlier is None else self.earlier["account_id"])
        self._phrases = read_phrases(self._lookup)
        self.norms = publication_file.read_norms(self._lookup)
        self.snapshot: pd.DataFrame = frame.set_index("account_id", drop=False)
        self.head = self._head()
        self._labels: dict[tuple[str, str | None], list[str]] = {}
        self._bridges: dict[tuple[str | None, ...], list[Row]] = {}
        self._insights: dict[str, Row] = {}
        self._directory: dict[str, tuple[str, str, float]] | None = None
        days = frame["term_days"] if "term_days" in frame else pd.Series(dtype=float)
        self._monthly: list[str] = frame["account_id"][days <= MONTH_DAYS].tolist() if len(days) else []
        self.bridge(None)  # before the first reader waits for it

    def close(self) -> None:
        """Close the file; nothing can be read any more."""
        self._close()

    def __enter__(self) -> Self:
        """The context is the object itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _head(self) -> bytes:
        """What every answer with scores begins with, up to the scores."""
        names = ("run_id", "as_of", "model_version", "made_at", "currency")
        content = {name: self.about[name] for name in names}
        content |= {"source": "published", "definition": self.about["account_definition"]}
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()[:-1] + b',"scores":['

    @property
    def cuts(self) -> dict[str, list[str]]:
        """The cuts there are figures for, with their values."""
        return dict(self.about["cuts"])

    def score(self, account_id: str, csm: str | None) -> bytes | None:
        """An account's score as JSON; None if it is not there or not in the book."""
        row = self._lookup.execute("SELECT score, csm FROM said WHERE account_id = ?", (account_id,)).fetchone()
        return None if row is None or (csm is not None and row[1] != csm) else unpack(row[0], self._phrases)

    def knows(self, account_id: str) -> bool:
        """Whether it is a customer, or was one at the earlier date that reasons compare with."""
        return account_id in self._earlier_ids or self.score(account_id, None) is not None

    def account(self, account_id: str, csm: str | None) -> Row | None:
        """All that is known of an account: its score, labels, activity, contract events and past scores."""
        names = names_of(ABOUT_AN_ACCOUNT)
        query = f"""SELECT {", ".join(f"a.{name}" for name in names)}, a.labels, s.score, s.detail
                    FROM account a JOIN said s USING (account_id) WHERE account_id = ?"""
        row = self._lookup.execute(query, (account_id,)).fetchone()
        if row is None or (csm is not None and row["csm"] != csm):
            return None
        about = {name: row[name] for name in names}
        score, detail = (json.loads(unpack(row[name], self._phrases)) for name in ("score", "detail"))
        return {**about, "labels": json.loads(row["labels"]), **score, **detail, "history": self.history(account_id)}

    def history(self, account_id: str) -> list[Row]:
        """What an account's churn probability over the longest horizon was said to be, oldest first."""
        query = f"""SELECT {", ".join(_of(HISTORY, but=ACCOUNT_ID.name))} FROM history
                    WHERE account_id = ? ORDER BY as_of, kind, model_version"""
        return self._rows(query, [account_id])

    def histories(self, csm: str | None, limit: int | None, offset: int) -> tuple[int, list[Row]]:
        """The same of all accounts, and how many rows there are."""
        where, values = ("WHERE a.csm = ?", [csm]) if csm is not None else ("", [])
        source = f"FROM history h JOIN account a USING (account_id) {where}"
        query = f"""SELECT {", ".join(f"h.{name}" for name in _of(HISTORY))} {source}
                    ORDER BY h.account_id, h.as_of, h.kind, h.model_version LIMIT ? OFFSET ?"""
        return self._count(source, values), self._rows(query, [*values, _limit(limit), offset])

    def accounts(self, conditions: AccountFilter) -> tuple[int, list[Row]]:
        """A page of accounts, and how many there are in all."""
        where, values = conditions_of(conditions)
        count = self._count(f"{_JOINED} WHERE {' AND '.join(where)}", values)
        return count, self.rows(conditions)

    def rows(self, conditions: AccountFilter, names: Sequence[str] = _LISTED) -> list[Row]:
        """A page of accounts, with some of the columns that lists have.

        Ties are in the order of the account ids; what is not known comes last.
        """
        where, values = conditions_of(conditions)
        key, way = _SORTS[conditions.sort], "DESC" if conditions.descending else "ASC"
        order = f"ORDER BY {key} {way} NULLS LAST, a.account_id"
        # only numbers are sorted: whole rows would be carried through the sort to the last page
        query = f"""WITH chosen AS MATERIALIZED (
                        SELECT a.number AS chosen {_JOINED} WHERE {" AND ".join(where)} {order} LIMIT ? OFFSET ?)
                    SELECT {", ".join(AMONG[name] for name in names)} FROM chosen JOIN account a ON a.number = chosen
                    JOIN horizon h ON h.number = chosen AND h.horizon_months = ? {order}"""
        return self._rows(query, [*values, _limit(conditions.limit), conditions.offset, conditions.horizon_months])

    def totals(self, conditions: AccountFilter) -> Row:
        """Of all accounts that a filter lets through: number, ARR, ARR at risk."""
        where, values = conditions_of(conditions)
        query = f"""SELECT COUNT(*) AS accounts, TOTAL(a.arr) AS arr, TOTAL(h.arr_at_risk) AS arr_at_risk
                    FROM horizon h JOIN account a USING (number) WHERE {" AND ".join(where)}"""
        return self._rows(query, values)[0]

    def labels(self, cut: str, csm: str | None) -> list[str]:
        """The values of a cut (segment, region or csm) that occur among the accounts."""
        if (cut, csm) not in self._labels:
            where, values = ("WHERE csm = ?", [csm]) if csm is not None else ("", [])
            rows = self._rows(f"SELECT DISTINCT {CUTS[cut]} AS value FROM account a {where} ORDER BY 1", values)
            self._labels[cut, csm] = [row["value"] for row in rows]
        return self._labels[cut, csm]

    def insight(self, name: str) -> Row:
        """A fact about the business, see `serving.publication.insight_store`; not to be changed."""
        if name not in self._insights:
            self._insights[name] = read_insight(self._lists, name)
        return self._insights[name]

    def directory(self, csm: str | None) -> dict[str, tuple[str, str, float]]:
        """Name, CSM and ARR of every account that a caller sees, by id; not to be changed."""
        if self._directory is None:
            rows = self._lists.execute("SELECT account_id, name, csm, arr FROM account").fetchall()
            self._directory = {row[0]: (row[1], row[2], row[3]) for row in rows}
        if csm is None:
            return self._directory
        return {account_id: told for account_id, told in self._directory.items() if told[1] == csm}

    def named(self, account_ids: Iterable[str], csm: str | None) -> dict[str, Row]:
        """Of accounts that a caller sees: `name` and `csm` by id; the others are not there."""
        query = """SELECT account_id, name, csm FROM account JOIN json_each(?) AS one ON one.value = account_id
                   WHERE ? IS NULL OR csm = ?"""
        rows = self._rows(query, [json.dumps(list(account_ids)), csm, csm])
        return {row["account_id"]: row for row in rows}

    def terms(self, csm: str | None, until: str) -> dict[str, Row]:
        """How many accounts and how much ARR is on which kind of term.

        `monthly` (terms of a month at most), and of the others `overdue`, `ahead` (before `until`), `later`, `endless`.
        """
        kind = """CASE WHEN account_id IN (SELECT value FROM json_each(?)) THEN 'monthly'
                  WHEN renews_on IS NULL THEN 'endless' WHEN renews_on < ? THEN 'overdue'
                  WHEN renews_on < ? THEN 'ahead' ELSE 'later' END"""
        query = f"""SELECT {kind} AS kind, COUNT(*) AS accounts, TOTAL(arr) AS arr FROM account
                    WHERE ? IS NULL OR csm = ? GROUP BY kind"""
        values = [json.dumps(self._monthly), self.about["as_of"], until, csm, csm]
        return {row.pop("kind"): row for row in self._rows(query, values)}

    def columns(self) -> list[str]:
        """The columns of accounts that a list may be filtered by, beside those with a field of their own."""
        row = self._lists.execute("SELECT labels FROM account LIMIT 1").fetchone()
        return sorted(set(json.loads(row[0])) - set(CUTS)) if row else []

    def nrr(self, **conditions: Any) -> list[Row]:
        """Rows of the NRR forecast: any of `cut, value, horizon_months, metric`; None asks for all."""
        where, values = _equal(conditions)
        return self._rows(f"SELECT * FROM nrr {where} ORDER BY cut, value, horizon_months, metric", values)

    def renewals(self, **conditions: Any) -> list[Row]:
        """Rows of the renewal forecast: any of `cut, value`; None asks for all."""
        where, values = _equal(conditions)
        return self._rows(f"SELECT * FROM renewal {where} ORDER BY cut, value, month", values)

    def ratios(self, horizon_months: int, **conditions: Any) -> list[Row]:
        """A row a value of a cut, most ARR first: any of `cut, value`; None asks for all.

        Each holds `accounts`, `starting_arr`, the mean of each metric, the interval of NRR, and as `flag` the red
        flag of a wide gap between the ratios, empty where there is none.
        """
        by_value: dict[tuple[str, str], Row] = {}
        for row in self.nrr(horizon_months=horizon_months, **conditions):
            cohort = {name: row[name] for name in ("cut", "value", "accounts", "starting_arr")}
            ratios = by_value.setdefault((row["cut"], row["value"]), cohort)
            ratios[row["metric"]] = row["mean"]
            if row["metric"] == "nrr":
                ratios |= {name: row[name] for name in INTERVAL[:2]}
        wide = sorted(by_value.values(), key=lambda row: (-row["starting_arr"], row["value"]))
        return [{**row, "flag": _flag(row)} for row in wide]

    def said(self, **conditions: Any) -> list[Row]:
        """What this and earlier publications forecast: any of `cut, value, metric, horizon_months`."""
        where, values = _equal(conditions)
        return self._rows(f"SELECT * FROM published {where} ORDER BY cut, value, metric, horizon_months, as_of", values)

    def bridge(self, csm: str | None, cut: str | None = None, value: str | None = None) -> list[Row]:
        """Movements summed up: `movement, accounts, amount`; the first and last row are the ARR at both ends."""
        key = (csm, cut, value)
        if key not in self._bridges and len(self._bridges) < MOST_BRIDGES:
            self._bridges[key] = self._bridge(*key)
        return self._bridges.get(key) or self._bridge(*key)

    def _bridge(self, csm: str | None, cut: str | None, value: str | None) -> list[Row]:
        where, values, joined = [], [], ""  # the join costs more than the sums
        if csm is not None:
            where, values = ["m.csm = ?"], [csm]
        if cut is not None:
            joined = "LEFT JOIN account a USING (account_id)"
            labels = "coalesce(m.labels, a.labels)"  # a customer's are those of its account
            where, values = [*where, LABEL.format(labels)], [*values, cut, value or ""]
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        query = f"""SELECT m.movement, COUNT(DISTINCT m.account_id) AS accounts, SUM(m.amount) AS amount
                    FROM movement m {joined} {condition} GROUP BY m.movement"""
        sums = {row["movement"]: row for row in self._rows(query, values)}
        nothing = {"accounts": 0, "amount": _NONE_AMOUNT}
        return [{**nothing, **sums.get(name, {}), "movement": name} for name in (START, *BRIDGE_ORDER, END)]

    def moves(self, csm: str | None, account_id: str | None, limit: int | None, offset: int) -> tuple[int, list[Row]]:
        """Movements account by account, and how many there are."""
        where, values = ["movement NOT IN (?, ?)"], [START, END]
        if csm is not None:
            where, values = [*where, "csm = ?"], [*values, csm]
        if account_id is not None:
            where, values = [*where, "account_id = ?"], [*values, account_id]
        source = f"FROM movement WHERE {' AND '.join(where)}"
        query = f"SELECT {', '.join(_of(MOVEMENTS))} {source} ORDER BY account_id, rowid LIMIT ? OFFSET ?"
        return self._count(source, values), self._rows(query, [*values, _limit(limit), offset])

    def forecast_bridge(self, csm: str | None, limit: int | None, offset: int) -> tuple[int, list[Row]]:
        """From the last official forecast to this one: accounts that moved most first, and how many there are."""
        where, values = ("WHERE csm = ?", [csm]) if csm is not None else ("", [])
        source = f"FROM forecast_bridge {where}"
        query = f"""SELECT {", ".join(_of(BRIDGE))} {source}
                    ORDER BY ABS(expected_now - expected_before) DESC, account_id LIMIT ? OFFSET ?"""
        return self._count(source, values), self._rows(query, [*values, _limit(limit), offset])

    def actions(
        self, csm: str | None, answer: str | None, limit: int | None, offset: int, *, by_worth: bool = False
    ) -> tuple[int, list[Row]]:
        """What to do next, by whose hours it takes and rank, and how many rows there are; `csm` is the book's.

        By worth, whosever hours: what must be done by ARR saved, then what saves the most an hour.
        """
        given = {"book": csm, "answer": answer}
        where, values = _equal(given)
        source = f"FROM recommended_action {where}"
        query = f"""SELECT {", ".join(_of(ACTIONS))} {source}
                    ORDER BY {_BY_WORTH if by_worth else "csm, rank = 0, rank"}, account_id LIMIT ? OFFSET ?"""
        return self._count(source, values), self._rows(query, [*values, _limit(limit), offset])

    def action_of(self, account_id: str, csm: str | None) -> Row | None:
        """What to do next for an account; None if it is not there or not in the book."""
        where, values = _equal({"account_id": account_id, "book": csm})
        rows = self._rows(f"SELECT {', '.join(_of(ACTIONS))} FROM recommended_action {where}", values)
        return rows[0] if rows else None

    def bridge_sums(self, csm: str | None) -> dict[str, float]:
        """The same summed up, to the cent: what was expected before, each step, what is expected now."""
        where, values = ("WHERE csm = ?", [csm]) if csm is not None else ("", [])
        names = [column.name for column in BRIDGE.at(Place.API) if column.kind is Kind.MONEY]
        sums = ", ".join(f"COALESCE(SUM(CAST(ROUND({name} * 100) AS INTEGER)), 0) / 100.0 AS {name}" for name in names)
        return dict(self._rows(f"SELECT {sums} FROM forecast_bridge {where}", values)[0])

    def health(
        self, csm: str | None, limit: int | None, offset: int, **conditions: str | None
    ) -> tuple[int, list[Row]]:
        """The health of accounts, worst first and those without a score at the end, and how many there are.

        `conditions`: any of `band, colour, status, trend`; None asks for all.
        """
        where, values = _equal({"csm": csm, **conditions})
        source = f"FROM health {where}"
        query = f"SELECT {', '.join(_of(HEALTH))} {source} ORDER BY score NULLS LAST, account_id LIMIT ? OFFSET ?"
        return self._count(source, values), self._rows(query, [*values, _limit(limit), offset])

    def customers(self, name: str, csm: str | None, given: Given, limit: int | None, offset: int = 0) -> list[Row]:
        """The rows of a list of `CUSTOMER_LISTS`, in the order in which they were published."""
        where, values = _equal({"csm": csm, **given})
        query = f"SELECT {', '.join(_of(CUSTOMER_LISTS[name]))} FROM {name} {where} ORDER BY place LIMIT ? OFFSET ?"
        return self._rows(query, [*values, _limit(limit), offset])

    def whitespace_sums(self, csm: str | None, given: Given) -> Row:
        """What customers do not own, summed up: see `sums_of_whitespace`."""
        where, values = _equal({"csm": csm, **given})
        return sums_of_whitespace(self._rows, where, values)

    def rows_of(self, account_ids: Sequence[str], csm: str | None) -> tuple[pd.DataFrame, list[str]]:
        """Snapshot rows of accounts, and the ids that are not there or not in the book."""
        customers = [account for account in account_ids if self.score(account, csm) is not None]
        missing = sorted(set(account_ids) - set(customers))
        return self.snapshot.loc[customers].reset_index(drop=True), missing

    def _count(self, source: str, values: Iterable[Any]) -> int:
        return int(self._lists.execute(f"SELECT COUNT(*) {source}", list(values)).fetchone()[0])

    def _rows(self, query: str, values: Iterable[Any]) -> list[Row]:
        return [dict(row) for row in self._lists.execute(query, list(values)).fetchall()]


BRIDGE_ORDER = (
    "new", "reactivation", "resume", "upsell", "cross_sell", "price_change", "currency", "contraction", "pause",
    "churn",
)  # fmt: skip


def _close_all(connections: Iterable[sqlite3.Connection]) -> None:
    for connection in connections:
        connection.close()


def open_newest(folder: Path) -> Published:
    """The publication to answer from.

    Raises
    ------
    NoPublication
        There is none that is whole.
    """
    return Published(publication_file.newest(folder))


def scope(csm: str | None) -> dict[str, str]:
    """The cut and value of the portfolio that a caller sees."""
    return {"cut": TOTAL, "value": TOTAL} if csm is None else {"cut": "csm", "value": csm}


def _of(table: OutTable, but: str = "") -> list[str]:
    """The columns of a list that are published."""
    return [column.name for column in table.at(Place.API) if column.name != but]


def _flag(ratios: Row) -> str:
    names = ("nrr", "grr", "logo_retention", "starting_arr", "ending_arr", "accounts")
    return red_flag(Retention(**{name: ratios[name] for name in names}, definition="")) or ""


def _equal(conditions: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """WHERE of the columns that are asked for; their names are this module's own."""
    given = {name: value for name, value in conditions.items() if value is not None}
    where = " AND ".join(f"{name} = ?" for name in given)
    return f"WHERE {where}" if where else "", list(given.values())


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def is_damage(error: Exception) -> bool:
    """Whether an error says that a publication's file cannot be read any more."""
    return isinstance(error, sqlite3.DatabaseError)
