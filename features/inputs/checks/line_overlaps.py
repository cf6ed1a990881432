"""Lines that overlap others of their product, and discounts: what the revenue arithmetic will make of them."""

from collections.abc import Iterator, Mapping

import duckdb

from features.inputs.checks.rule import Level, Rule
from features.inputs.staged import Staged, is_lines, with_key
from features.tables import contract
from features.tables.overlaps import replaces_overlapped, spared
from features.tables.sql import quoted
from params import Revenue

OPEN = "DATE '9999-12-31'"


def mark_overlaps(connection: duckdb.DuckDBPyConnection, staged: Staged, rules: Revenue) -> dict[str, str]:
    """Make `overlapping`: lines that start while an earlier one of the same product runs; newest versions only.

    Its columns: `overlap` (the row), `kind` (`replaces`, `adds`, or `unnamed`: without a product, they cannot be told
    apart, and add up). Of each kind that is there, gives the amounts in words.
    """
    connection.execute(f"CREATE OR REPLACE TEMP TABLE overlapping AS {_overlapping(staged, rules)}")
    amounts = connection.execute("""
        SELECT kind, string_agg(concat(printf('%.2f', mrr), ' ', currency, word, printf('%.2f', other)), '; '
                                ORDER BY currency)
        FROM (SELECT kind, COALESCE(currency, '') AS currency, sum(mrr) AS mrr, sum(other_mrr) AS other,
                     CASE WHEN kind = 'replaces' THEN ' in place of ' ELSE ' beside ' END AS word
              FROM overlapping GROUP BY ALL)
        GROUP BY kind""").fetchall()
    return {str(kind): " ".join(str(text).split()) for kind, text in amounts}


def _overlapping(staged: Staged, rules: Revenue) -> str:
    replaces = replaces_overlapped(rules, starts="starts_on", ends="end_on")
    enough = spared(rules, next_mrr="n.mrr", mrr="o.mrr", continued="c.mrr")
    return f"""
        WITH newest AS ({_newest(staged)}),
        marked AS (
            SELECT *, starts_on < max(end_on) OVER (
                       PARTITION BY account_id, product, buying_center ORDER BY starts_on, contract_id
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_overlap
            FROM newest WHERE starts_on < end_on AND COALESCE(mrr, 0) >= 0),
        continued AS (
            SELECT n.line, sum(e.mrr) AS mrr
            FROM marked n JOIN marked e ON e.account_id = n.account_id AND e.product IS NOT DISTINCT FROM n.product
                 AND e.buying_center IS NOT DISTINCT FROM n.buying_center
                 AND e.end_on BETWEEN n.starts_on - {rules.grace_days} AND n.starts_on
            WHERE n.is_overlap GROUP BY n.line)
        SELECT n.line AS overlap, any_value(n.mrr) AS mrr, sum(o.mrr) AS other_mrr, any_value(n.currency) AS currency,
               CASE WHEN bool_or(o.starts_on < n.starts_on AND {replaces} AND {enough}) THEN 'replaces'
                    WHEN any_value(n.product) IS NULL THEN 'unnamed' ELSE 'adds' END AS kind
        FROM marked n JOIN marked o ON o.account_id = n.account_id AND o.product IS NOT DISTINCT FROM n.product
             AND o.buying_center IS NOT DISTINCT FROM n.buying_center AND o.line <> n.line
             AND (o.starts_on, o.contract_id) < (n.starts_on, n.contract_id) AND n.starts_on < o.end_on
        LEFT JOIN continued c ON c.line = n.line
        WHERE n.is_overlap GROUP BY n.line"""


def _newest(staged: Staged) -> str:
    """The newest version of each line, with the first day that it does not cover."""
    get = {name: name if staged.has(name) else "NULL" for name in contract.CONTRACTS.names}
    newest = "recorded_at DESC NULLS LAST" if staged.has("recorded_at") else "starts_on"
    return f"""
            SELECT rowid AS line, contract_id, account_id, {get["product"]} AS product, {get["kind"]} AS kind,
                   {get["buying_center"]} AS buying_center, {get["currency"]} AS currency,
                   {get["mrr"]} AS mrr, starts_on, {_end(staged)} AS end_on
            FROM {staged.name} WHERE COALESCE({get["status"]}, 'active') <> 'trial'
            QUALIFY row_number() OVER (PARTITION BY contract_id ORDER BY {newest}) = 1"""


def _end(staged: Staged, alias: str = "") -> str:
    """SQL of the day a line ends; one that its source took back ends then at the latest."""
    ends = ", ".join([*(f"{alias}{name}" for name in ("ended_on", "ends_on") if staged.has(name)), OPEN])
    deleted = f"CAST({alias}deleted_at AS DATE)" if staged.has("deleted_at") else OPEN
    return f"LEAST(COALESCE({ends}), COALESCE({deleted}, {OPEN}))"


def overlap_rules(staged: Staged, amounts: Mapping[str, str], rules: Revenue) -> Iterator[Rule]:
    """What is said of the lines that overlap; an error where the settings refuse them."""
    parts = [part for part in ("account_id", "product", "buying_center") if staged.has(part)]
    overlaps = f"overlapping an earlier line of the same {', '.join(parts)}"
    level = Level.ERROR if rules.overlap == "refuse" else Level.KEPT
    told = {
        "replaces": (
            "starts_on",
            f"{overlaps}, and replacing it from its start (MRR {amounts.get('replaces')})",
            "Renewals do, and lines that outlast the other and start within revenue.early_renewal_days "
            f"({rules.early_renewal_days}) of its end; revenue.overlap: add counts both.",
        ),
        "adds": (
            "starts_on",
            f"{overlaps}, and adding to it (MRR {amounts.get('adds')})",
            "If it replaces the earlier line, end that one (ended_on), give kind renewal, or set revenue.overlap: "
            "replace; revenue.overlap: refuse makes it an error.",
        ),
        "unnamed": (
            "product",
            "overlapping an earlier line of the account, and naming no product to tell them apart by",
            "Their revenue adds up; give product to have overlaps checked.",
        ),
    }
    for kind in (kind for kind in told if kind in amounts):
        column, what, todo = told[kind]
        bad = f"rowid IN (SELECT overlap FROM overlapping WHERE kind = {quoted(kind)})"
        shown = with_key(staged, "starts_on", "CAST(starts_on AS VARCHAR)")
        yield Rule(column, what, todo, bad, shown, Level.KEPT if kind == "unnamed" else level, name=f"overlap_{kind}")


def discount_rules(staged: Staged) -> Iterator[Rule]:
    """Negative amounts: recurring discounts lower other lines, never below nothing; other negative lines are errors."""
    kind = "kind" if staged.has("kind") else "NULL"
    for money in ("mrr", "list_mrr"):
        if staged.has(money):
            negative = f"{money} < 0" + (f" AND NOT {_IS_DISCOUNT.format(kind=kind)}" if money == "mrr" else "")
            shown = with_key(staged, money, f"CAST(CAST({money} AS DOUBLE) AS VARCHAR)")
            todo = "Give a recurring discount kind discount; leave one-off credits and refunds out."
            yield Rule(money, "with a negative amount", todo, negative, shown, Level.ERROR, name="negative")
    if staged.has("mrr"):
        discount = f"mrr < 0 AND {_IS_DISCOUNT.format(kind=kind)}"
        shown = with_key(staged, "mrr", "CAST(CAST(mrr AS DOUBLE) AS VARCHAR)")
        todo = "They lower the lines of their product, else of their buying centre, else of the account."
        what = "with a negative amount: discounts"
        yield Rule("mrr", what, todo, discount, shown, Level.KEPT, name="discounts")
        if is_lines(staged):
            yield _too_much(staged, discount)


_IS_DISCOUNT = "COALESCE({kind}, 'discount') = 'discount'"


def _too_much(staged: Staged, discount: str) -> Rule:
    """A discount that takes off more than there is on the day it starts."""
    end = _end(staged, "o.")
    there = f"""(SELECT COALESCE(sum(o.mrr), 0) FROM {staged.name} o WHERE o.account_id = {staged.name}.account_id
                 AND o.starts_on <= {staged.name}.starts_on AND {staged.name}.starts_on < {end})"""
    shown = f"concat(contract_id, ': ', CAST(mrr AS DOUBLE), ', which leaves ', CAST({there} AS DOUBLE))"
    todo = "Correct the discount, or add the line that it lowers: ARR cannot be negative."
    what, bad = "with a discount of more than there is to lower", f"{discount} AND {there} < 0"
    return Rule("mrr", what, todo, bad, shown, Level.ERROR, name="discount_too_large")
