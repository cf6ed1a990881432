"""Movements inside accounts that stay: the chain of lines of each stream, walked step by step.

A stream is the lines that follow one another inside the window. A step from the lines that are followed to the line
that follows them is volume, (seats after - seats before) x price before, and price, (price after - price before) x
seats after, price being ARR a seat. Where seats are not known on both sides, a step to another product is volume, as
is one whose line says upsell, cross-sell or downsell; the rest is price.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from features.asof.view import day_number
from features.revenue.known_lines import priced
from features.tables.checked import Tables
from params import Revenue

VOLUME_KINDS = ("upsell", "cross_sell", "downsell")


@dataclass
class _Side:
    """One side of a step: ARR in cents at the start's rates, seats (None if not known) and products."""

    cents: int
    seats: float | None
    products: set[str | None]


def stream_movements(
    connection: duckdb.DuckDBPyConnection,
    tables: Tables,
    lines: pd.DataFrame,
    *,
    start: date,
    end: date,
    rules: Revenue,
) -> pd.DataFrame:
    """Rows of `account_id`, `movement`, `product` and `cents` of accounts with ARR at both ends.

    Parameters
    ----------
    connection
        As `lines_known` gives it.
    tables
        The checked tables, for the rates.
    lines
        A row a line in force at either end: `account_id`, `contract_id`, `product`, `before` and `after` in cents at
        the start's rates.
    start, end
        The window.
    rules
        Currency, and the longest gap that counts as a pause.
    """
    steps = _steps(connection, tables, day_number(start), day_number(end), rules)
    steps = steps[steps["account_id"].isin(lines["account_id"])]
    stream_of = _streams(steps)
    streams = lines.assign(stream=[stream_of.get(line, line) for line in lines["contract_id"]])
    sums = _sums(streams)
    volume = _volume(steps, stream_of)
    sums["volume"] = np.array([volume.get(str(stream), 0) for stream in sums.index], dtype="int64")
    sums["gained_as"] = _gained_as(connection, sums, stream_of, day_number(start))
    return _moved(sums.reset_index())


def _sums(streams: pd.DataFrame) -> pd.DataFrame:
    """A row a stream: cents at both ends, and the product of its largest line at the end, else at the start."""
    ordered = streams.sort_values(["after", "before", "contract_id"], ascending=[False, False, True], kind="stable")
    return ordered.groupby("stream").agg(
        account_id=("account_id", "first"),
        product=("product", lambda names: names.iloc[0]),
        before=("before", "sum"),
        after=("after", "sum"),
    )


def _moved(streams: pd.DataFrame) -> pd.DataFrame:
    change = streams["after"] - streams["before"]
    gained, lost = streams["before"] == 0, streams["after"] == 0
    volume = change.where(gained | lost, streams["volume"])
    grown = np.where(gained, streams["gained_as"], "upsell")
    labels = np.where(volume > 0, grown, "contraction")
    keys = streams[["account_id", "product"]]
    moved: pd.DataFrame = pd.concat([
        keys.assign(movement=labels, cents=volume),
        keys.assign(movement="price_change", cents=change - volume),
    ])  # fmt: skip
    return moved


def _steps(connection: duckdb.DuckDBPyConnection, tables: Tables, start: int, end: int, rules: Revenue) -> pd.DataFrame:
    """A row a pair of a line and the one that follows it inside the window, in order; both priced at the start."""
    lines = priced(connection, tables, f"SELECT 0 AS instant, {start} AS rate_day, s.* FROM line_states s "
                   "WHERE s.starts < s.active_until", [start], rules)  # fmt: skip
    return connection.execute(f"""
        WITH lines AS (SELECT * FROM ({lines})),
        pairs AS (SELECT contract_id, next_id FROM line_successors UNION {_over_gaps(rules.gap_days)})
        SELECT o.account_id, p.contract_id, p.next_id, o.cents, n.cents AS next_cents, o.seats, n.seats AS next_seats,
               o.product, n.product AS next_product, n.kind AS next_kind
        FROM pairs p JOIN lines o ON o.contract_id = p.contract_id JOIN lines n ON n.contract_id = p.next_id
        WHERE n.starts > {start} AND n.starts <= {end} ORDER BY n.starts, p.next_id, p.contract_id""").df()


def _over_gaps(gap_days: int) -> str:
    """Pairs of a line that nothing follows and the next one of its product and centre, no more than a gap later."""
    return f"""
        SELECT contract_id, next_id
        FROM (SELECT o.contract_id, n.contract_id AS next_id,
                     ROW_NUMBER() OVER (PARTITION BY o.contract_id ORDER BY n.starts, n.contract_id) AS place
              FROM line_states o JOIN line_states n ON n.product_line = o.product_line
              WHERE n.starts > o.active_until AND n.starts <= o.active_until + {gap_days}
                AND o.contract_id NOT IN (SELECT contract_id FROM line_successors)) later
        WHERE place = 1"""


def _streams(steps: pd.DataFrame) -> Mapping[str, str]:
    """The stream of each line that takes part in a step, by the name of its last line."""
    leads_to: dict[str, str] = {}

    def last(line: str) -> str:
        while line in leads_to:
            line = leads_to[line]
        return line

    for line, next_line in zip(steps["contract_id"], steps["next_id"], strict=True):
        if last(line) != last(next_line):
            leads_to[last(line)] = last(next_line)
    return {line: last(line) for line in {*steps["contract_id"], *steps["next_id"]}}


def _volume(steps: pd.DataFrame, stream_of: Mapping[str, str]) -> Mapping[str, int]:
    """By stream, the volume of its steps in cents. A line without MRR stands for what it follows."""
    volume: dict[str, int] = {}
    stands_for: dict[str, _Side] = {}
    for next_line, pairs in groupby(steps.to_dict("records"), key=itemgetter("next_id")):
        step = list(pairs)
        before = _together([stands_for.get(pair["contract_id"], _side(pair)) for pair in step])
        after = _side(step[0], "next_")
        if after.cents <= 0:
            stands_for[next_line] = before
            continue
        stream = stream_of[next_line]
        volume[stream] = volume.get(stream, 0) + _step_volume(before, after, step[0]["next_kind"])
    return volume


def _side(pair: Mapping[Hashable, Any], prefix: str = "") -> _Side:
    seats, product = pair[f"{prefix}seats"], pair[f"{prefix}product"]
    named = None if pd.isna(product) else str(product)
    return _Side(int(pair[f"{prefix}cents"]), None if pd.isna(seats) or seats <= 0 else float(seats), {named})


def _together(sides: list[_Side]) -> _Side:
    known = [side.seats for side in sides if side.seats is not None]
    seats = sum(known) if len(known) == len(sides) else None
    return _Side(sum(side.cents for side in sides), seats, set().union(*(side.products for side in sides)))


def _step_volume(before: _Side, after: _Side, kind: object) -> int:
    """What of a step is volume, in cents."""
    change = after.cents - before.cents
    if before.seats is not None and after.seats is not None:
        return round((after.seats - before.seats) * before.cents / before.seats)
    switched = not (before.products & after.products)
    return change if switched or kind in VOLUME_KINDS else 0


def _gained_as(
    connection: duckdb.DuckDBPyConnection, sums: pd.DataFrame, stream_of: Mapping[str, str], start: int
) -> "pd.Series[str]":
    """Of each stream that was not there at the start: `upsell` or `cross_sell`, by the lines its account had before."""
    gained = sums.index[(sums["before"] == 0) & (sums["after"] > 0)]
    lines = connection.execute("""
        SELECT account_id, contract_id, product, buying_center, starts, active_until FROM line_states
        WHERE starts < active_until AND mrr_micros > 0 ORDER BY account_id, starts, contract_id""").df()
    lines = lines[lines["account_id"].isin(sums.loc[gained, "account_id"])]
    lines = lines.assign(stream=[stream_of.get(line, line) for line in lines["contract_id"]])
    books = {str(account): book.to_dict("records") for account, book in lines.groupby("account_id")}
    labels = {str(stream): _sold_as(books[str(sums.at[stream, "account_id"])], str(stream), start) for stream in gained}
    return pd.Series(labels, dtype="str").reindex(sums.index).fillna("upsell")


def _sold_as(book: Sequence[Mapping[Hashable, Any]], stream: str, start: int) -> str:
    """How a stream of an account's lines was sold: to whom, or what, the account already had when it began."""
    first = next(line for line in book if line["stream"] == stream)
    instants = (start, first["starts"])
    others = [
        line
        for line in book
        if line["stream"] != stream and any(line["starts"] <= day <= line["active_until"] for day in instants)
    ]
    return "upsell" if any(_same_buyer(first, line) for line in others) else "cross_sell"


def _same_buyer(line: Mapping[Hashable, Any], other: Mapping[Hashable, Any]) -> bool:
    """Whether two lines are of one buying centre, where both name one, else of one product."""
    centers, products = ([_text(each[name]) for each in (line, other)] for name in ("buying_center", "product"))
    return len(set(centers)) == 1 if all(centers) else len(set(products)) == 1


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
