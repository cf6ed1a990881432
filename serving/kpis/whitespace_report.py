"""Where customers can grow: what they do not own, whose it is to sell, and what came of expansions and leads so far."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pandas as pd

from features.asof.view import day_number
from features.kpis.customers.leads import RESULTS, leads_raised
from features.kpis.customers.whitespace import owned, whitespace
from features.kpis.intervals import share_of
from features.revenue.cut_labels import NO_LABEL, labels_in_force
from features.revenue.paths import add_months
from features.tables.checked import Tables
from params import Params
from serving.forecast.refusals import BadRequest
from serving.retention.cohort_labels import given_names

ALL = "all"
EXPANSIONS = ("upsell", "cross_sell")
Row = dict[str, Any]


def whitespace_report(tables: Tables, *, as_of: date, params: Params, months: int = 12, csm: str | None = None) -> Row:
    """What is not owned yet, as plain data, from what was known before a date.

    Raises
    ------
    BadRequest
        The date lies after the data, or there is nothing in that book.
    """
    if as_of > tables.data_until:
        raise BadRequest(f"--as-of {as_of} lies after {tables.data_until}, where the data end.")
    lines = owned(tables, as_of=as_of, rules=params.revenue, budget=params.budget)
    missing = whitespace(lines, tables, as_of=as_of, budget=params.budget)
    rows = [row for row in _rows(missing, tables, as_of, params) if csm in (None, row["csm"])]
    if csm is not None and not rows:
        raise BadRequest(f"--csm {csm}: nothing is missing in the book of that name, or there is no such book.")
    since = add_months(as_of, -months)
    return {
        "as_of": as_of.isoformat(),
        "from": since.isoformat(),
        "currency": params.revenue.currency,
        "rows": rows,
        "totals": list(_totals(rows)),
        "log": list(_log(lines, since, params)),
        "leads": list(_leads(leads_raised(tables, since=since, as_of=as_of, budget=params.budget), csm)),
        "definition": _definition(as_of, since, params),
    }


def _rows(missing: pd.DataFrame, tables: Tables, as_of: date, params: Params) -> Iterator[Row]:
    """The rows with names and whose they are, those worth most at their attach rate first."""
    names = given_names(tables, as_of, params)
    people = _people(tables, as_of, params)
    rows = []
    for row in missing.to_dict("records"):
        account, role = str(row["account_id"]), _role(row["same_center"], params)
        rate = None if pd.isna(row["attach_rate"]) else float(row["attach_rate"])
        rows.append({
            "account_id": account, "name": names.get(account, account),
            "csm": people["csm"].get(account, NO_LABEL), "what": row["what"], "missing": float(row["missing"]),
            "attach_rate": rate, "similar": int(row["similar"]), "arr": round(float(row["arr"]), 2),
            "owner_role": role, "owner": people[role].get(account, NO_LABEL),
        })  # fmt: skip
    yield from sorted(rows, key=lambda row: (-row["arr"] * (row["attach_rate"] or 0.0), -row["arr"], row["account_id"]))


def _people(tables: Tables, as_of: date, params: Params) -> dict[str, dict[str, str]]:
    """Who is CSM and who is seller of each account."""
    people: dict[str, dict[str, str]] = {"csm": {}, "seller": {}}
    for role in people:
        if tables.has("accounts", role):
            labels = labels_in_force(tables, as_of, (role,), params.budget)[role]
            people[role] = {str(account): str(name) for account, name in labels.items()}
    return people


def _role(same_center: bool, params: Params) -> str:
    return params.expansion.same_buying_center if same_center else params.expansion.other_buying_center


def _totals(rows: list[Row]) -> Iterator[Row]:
    """By what is missing and whose it is: accounts, and ARR, weighted by the share of similar accounts that own it."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["what"], row["owner_role"]), []).append(row)
    for (what, role), part in sorted(groups.items()):
        weighted = [row["arr"] * row["attach_rate"] for row in part if row["attach_rate"] is not None]
        yield {
            "what": what,
            "owner_role": role,
            "accounts": len(part),
            "arr": round(sum(row["arr"] for row in part), 2),
            "arr_at_attach_rate": round(sum(weighted), 2) if weighted else None,
        }


def _log(lines: pd.DataFrame, since: date, params: Params) -> Iterator[Row]:
    """Lines that expanded an account in the window and are in force: by kind and whose they were, with their ARR."""
    fresh = lines[lines["kind"].isin(EXPANSIONS) & (lines["starts"] >= day_number(since))]
    rows = [(row.kind, _role(bool(row.bought_before), params), row.arr) for row in fresh.itertuples(index=False)]
    frame = pd.DataFrame(rows, columns=["source", "owner_role", "arr"])
    for (source, role), part in frame.groupby(["source", "owner_role"], sort=True):
        yield {"source": source, "owner_role": role, "won": len(part), "arr": round(float(part["arr"].sum()), 2)}


def _leads(raised: pd.DataFrame, owner: str | None) -> Iterator[Row]:
    """The leads raised in the window: of all, by source, by owner and by both, with the share won of those closed."""
    rows = raised if owner is None else raised[raised["owner"] == owner]
    if rows.empty:
        return
    yield _lead_row(rows, ALL, ALL)
    for source, part in rows.groupby("source", sort=True):
        yield _lead_row(part, str(source), ALL)
    for name, part in rows.groupby("owner", sort=True):
        yield _lead_row(part, ALL, str(name))
    for pair, part in rows.groupby(["source", "owner"], sort=True):
        source_of, owner_of = (str(cell) for cell in pair)
        yield _lead_row(part, source_of, owner_of)


def _lead_row(part: pd.DataFrame, source: str, owner: str) -> Row:
    counts = {name: int(part[name].sum()) for name in ("raised", *RESULTS)}
    told = share_of(counts["won"], counts["won"] + counts["lost"])
    amounts = {name: round(float(part[name].sum()), 2) for name in ("open_arr", "won_arr")}
    return {"source": source, "owner": owner, **counts, "conversion": told.figure, "low": told.low, "high": told.high,
            **amounts}  # fmt: skip


def _definition(as_of: date, since: date, params: Params) -> str:
    rule = params.expansion
    return (
        f"What customers of {as_of} do not own, as known before that day: products that customers of their segment own "
        "(attach_rate is the share that does, similar how many customers there are, arr the median of those who own "
        "it), and seats of accounts.potential_seats beyond those paid for, at the account's ARR a seat. Sold to a "
        f"buying centre that buys already it is the {rule.same_buying_center}'s, to another the "
        f"{rule.other_buying_center}'s (expansion in the settings). "
        f"log: expansions since {since} that are in force. leads: raised since {since}, with what had come of them "
        f"before {as_of}; conversion is won over won and lost, with its 95 % interval."
    )
