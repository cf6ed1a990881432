"""Movements inside accounts that stay: the chain of lines of each stream, walked step by step.

A stream is the lines that follow one another inside the window. A step from the lines that are followed to those of
one product that follow them on a day is volume, (seats after - seats before) x price before, and price, (price after -
price before) x seats after, price being ARR a seat, net of the discounts of the day. Where seats are not known on both
sides, a step to another product is volume, as is one of which a line says upsell, cross-sell or downsell; the rest is
price. A line that joins a stream without following anything is volume from the day it starts.
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
from features.revenue.known_lines import continuing, priced_on_days
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
    days = day_number(start), day_number(end)
    steps = _steps(connection, tables, *days, rules)
    steps = steps[steps["account_id"].isin(lines["account_id"])]
    stream_of = _streams(steps)
    streams = lines.assign(stream=[stream_of.get(line, line) for line in lines["contract_id"]])
    sums = _sums(streams)
    book = _book(connection, lines["account_id"], stream_of)
    sums["gained_as"] = _gained_as(book, sums, days[0])
    joined = _joined(connection, tables, book[book["stream"].isin(sums.index[sums["before"] > 0])], steps, days, rules)
    volume = _volume(steps, stream_of)
    for name, amounts in (("volume", [volume, *joined.values()]), ("sold", [joined["cross_sell"]])):
        cents = [sum(amount.get(str(stream), 0) for amount in amounts) for stream in sums.index]
        sums[name] = np.array(cents, dtype="int64")
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
    crossed = streams["sold"].clip(upper=volume).where((volume > 0) & ~gained & ~lost, 0)
    grown = np.where(gained, streams["gained_as"], "upsell")
    keys = streams[["account_id", "product"]]
    moved: pd.DataFrame = pd.concat([
        keys.assign(movement=np.where(volume > 0, grown, "contraction"), cents=volume - crossed),
        keys.assign(movement="cross_sell", cents=crossed),
        keys.assign(movement="price_change", cents=change - volume),
    ])  # fmt: skip
    return moved


def _steps(connection: duckdb.DuckDBPyConnection, tables: Tables, start: int, end: int, rules: Revenue) -> pd.DataFrame:
    """The lines of each step inside the window, those before it (`place` 0) and those after (1), in order.

    Columns `step` (the day and product that it leads to), `place`, `account_id`, `contract_id`, `cents`, `seats`,
    `product` and `kind`; priced at the start, net of the discounts of the day before and of the day itself.
    """
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE steps AS
        WITH pairs AS (
            SELECT p.contract_id, n.product_line, n.starts, n.contract_id AS next_id
            FROM (SELECT contract_id, next_id FROM line_successors UNION {_over_gaps(rules.gap_days)}) p
            JOIN line_states n ON n.contract_id = p.next_id
            WHERE n.starts > {start} AND n.starts <= {end} AND n.starts < n.active_until)
        SELECT p.starts AS step_day, p.product_line, 0 AS place, o.contract_id, o.active_until - 1 AS day
        FROM pairs p JOIN line_states o ON o.contract_id = p.contract_id WHERE o.starts < o.active_until
        UNION SELECT starts, product_line, 1, next_id, starts FROM pairs
        UNION SELECT p.starts, p.product_line, 1, r.next_id, p.starts
        FROM pairs p {continuing("p")}""")
    lines = priced_on_days(connection, tables, "SELECT contract_id, day FROM steps", start, rules)
    return connection.execute(f"""
        SELECT concat(p.step_day, ' ', p.product_line) AS step, p.place, l.account_id, l.contract_id, l.cents, l.seats,
               l.product, l.kind
        FROM steps p JOIN ({lines}) l ON l.contract_id = p.contract_id AND l.instant = p.day
        ORDER BY p.step_day, p.product_line, p.place, l.contract_id""").df()


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

    lines_of: dict[str, list[str]] = {}
    for step, line in zip(steps["step"], steps["contract_id"], strict=True):
        lines_of.setdefault(step, []).append(line)
    for *lines, final in lines_of.values():
        for line in lines:
            if last(line) != last(final):
                leads_to[last(line)] = last(final)
    return {line: last(line) for lines in lines_of.values() for line in lines}


def _volume(steps: pd.DataFrame, stream_of: Mapping[str, str]) -> Mapping[str, int]:
    """By stream, the volume of its steps in cents. Lines without MRR stand for what they follow."""
    volume: dict[str, int] = {}
    stands_for: dict[str, _Side] = {}
    for _, rows in groupby(steps.to_dict("records"), key=itemgetter("step")):
        lines = list(rows)
        before = _together([stands_for.get(line["contract_id"], _side(line)) for line in lines if line["place"] == 0])
        following = [line for line in lines if line["place"] == 1]
        after = _together([_side(line) for line in following])
        if not following or after.cents <= 0:
            nothing = _Side(0, 0.0, set())
            stands_for |= {line["contract_id"]: nothing for line in following[1:]}
            stands_for |= {line["contract_id"]: before for line in following[:1]}
            continue
        stream = stream_of[following[0]["contract_id"]]
        kinds = {line["kind"] for line in following}
        volume[stream] = volume.get(stream, 0) + _step_volume(before, after, kinds)
    return volume


def _side(line: Mapping[Hashable, Any]) -> _Side:
    seats, product = line["seats"], line["product"]
    named = None if pd.isna(product) else str(product)
    return _Side(int(line["cents"]), None if pd.isna(seats) or seats <= 0 else float(seats), {named})


def _together(sides: list[_Side]) -> _Side:
    known = [side.seats for side in sides if side.seats is not None]
    seats = sum(known) if len(known) == len(sides) else None
    return _Side(sum(side.cents for side in sides), seats, set().union(*(side.products for side in sides)))


def _step_volume(before: _Side, after: _Side, kinds: set[object]) -> int:
    """What of a step is volume, in cents."""
    change = after.cents - before.cents
    if before.seats and after.seats is not None:
        return round((after.seats - before.seats) * before.cents / before.seats)
    switched = not (before.products & after.products)
    return change if switched or kinds & set(VOLUME_KINDS) else 0


def _book(
    connection: duckdb.DuckDBPyConnection, accounts: "pd.Series[str]", stream_of: Mapping[str, str]
) -> pd.DataFrame:
    """The paid lines of accounts, by account and start, each with its stream."""
    lines = connection.execute("""
        SELECT account_id, contract_id, product, buying_center, starts, active_until FROM line_states
        WHERE starts < active_until AND mrr_micros > 0 ORDER BY account_id, starts, contract_id""").df()
    lines = lines[lines["account_id"].isin(accounts)]
    return lines.assign(stream=[stream_of.get(line, line) for line in lines["contract_id"]])


def _lines_by_account(book: pd.DataFrame) -> dict[str, list[dict[Hashable, Any]]]:
    """The lines of each account, in their order."""
    books: dict[str, list[dict[Hashable, Any]]] = {}
    for line in book.to_dict("records"):
        books.setdefault(str(line["account_id"]), []).append(line)
    return books


def _gained_as(book: pd.DataFrame, sums: pd.DataFrame, start: int) -> "pd.Series[str]":
    """Of each stream that was not there at the start: `upsell` or `cross_sell`, by the lines its account had before."""
    gained = sums.index[(sums["before"] == 0) & (sums["after"] > 0)]
    accounts = sums.loc[gained, "account_id"]
    books = _lines_by_account(book)
    labels = {}
    for stream, account in accounts.items():
        first = next(line for line in books[account] if line["stream"] == stream)
        others = [line for line in books[account] if line["stream"] != stream]
        labels[str(stream)] = _sold_as(first, others, start)
    return pd.Series(labels, dtype="str").reindex(sums.index).fillna("upsell")


def _joined(
    connection: duckdb.DuckDBPyConnection,
    tables: Tables,
    book: pd.DataFrame,
    steps: pd.DataFrame,
    window: tuple[int, int],
    rules: Revenue,
) -> dict[str, dict[str, int]]:
    """By how it was sold and stream: cents of the lines that start in the window and follow nothing, net of that day's
    discounts.
    """
    start, end = window
    joined: dict[str, dict[str, int]] = {"upsell": {}, "cross_sell": {}}
    is_within = book["starts"].between(start, end, inclusive="right")
    first = book[is_within & ~book["contract_id"].isin(steps.loc[steps["place"] == 1, "contract_id"])]
    if first.empty:
        return joined
    connection.register("first_lines", first[["contract_id", "starts"]])
    select = priced_on_days(connection, tables, "SELECT contract_id, starts AS day FROM first_lines", start, rules)
    cents = dict(connection.execute(f"SELECT contract_id, cents FROM ({select}) ORDER BY contract_id").fetchall())
    connection.unregister("first_lines")
    books = _lines_by_account(book)
    for line in first.to_dict("records"):
        others = [each for each in books[line["account_id"]] if each["contract_id"] != line["contract_id"]]
        sold = joined[_sold_as(line, others, start)]
        sold[line["stream"]] = sold.get(line["stream"], 0) + cents.get(line["contract_id"], 0)
    return joined


def _sold_as(first: Mapping[Hashable, Any], others: Sequence[Mapping[Hashable, Any]], start: int) -> str:
    """How a line was sold: to whom, or what, its account already had when it began or at the start."""
    instants = (start, first["starts"])
    there = [line for line in others if any(line["starts"] <= day <= line["active_until"] for day in instants)]
    return "upsell" if any(_same_buyer(first, line) for line in there) else "cross_sell"


def _same_buyer(line: Mapping[Hashable, Any], other: Mapping[Hashable, Any]) -> bool:
    """Whether two lines are of one buying centre, where both name one, else of one product."""
    centers, products = ([_text(each[name]) for each in (line, other)] for name in ("buying_center", "product"))
    return len(set(centers)) == 1 if all(centers) else len(set(products)) == 1


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
