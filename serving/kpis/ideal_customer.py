"""Which accounts to sell to: what was known at signing against the first year, what was sold, who disagrees."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.kpis.going_with import FALSE_SHARE
from features.kpis.intervals import Between, share_of
from features.kpis.signing import (
    BAD,
    CLASSES,
    FEWEST_CLOSED,
    GIVEN,
    GOOD,
    STRETCH,
    ValueFit,
    closed,
    outcome,
    signed_accounts,
    value_fits,
    values_of,
)
from features.tables.checked import Tables
from params import Params
from serving.retention.cohort_labels import given_names

ALL = "all"
SOLD_BY = ("source", "seller")
Row = dict[str, Any]


def icp_report(tables: Tables, *, as_of: date, params: Params) -> Row:
    """What goes with keeping, as plain data.

    `rows` a value of an attribute, or none of too few accounts; `given` a class of fit as it was judged; `sold` the bad
    fit among the accounts that began in a quarter, by source and seller; `disagreements` the customers whose class
    speaks
    against what the data propose.
    """
    accounts = signed_accounts(
        tables, as_of=as_of, rules=params.revenue, budget=params.budget, fit_rule=params.ideal_customer
    )
    year = closed(accounts)
    enough = len(year) >= FEWEST_CLOSED
    note = "" if enough else f"Too few: {len(year):,} accounts have had their first year, {FEWEST_CLOSED} are needed."
    margin = params.lifetime.gross_margin
    fits = value_fits(year, params.forecast, margin) if enough else []
    classes = [(name, year[year[GIVEN] == name]) for name in CLASSES] if enough else []
    return {
        "as_of": as_of.isoformat(),
        "rows": [_row(fit) for fit in fits],
        "given": [_row(outcome(part, "fit", name, margin, name)) for name, part in classes if len(part)],
        "sold": list(sold(accounts)) if accounts[GIVEN].notna().any() else [],
        "disagreements": list(_disagreements(accounts, fits, tables, as_of, params)),
        "derived": int(accounts["is_derived"].sum()),
        "accounts": len(year),
        "note": note,
        "definition": _definition(as_of, params),
    }


def sold(accounts: pd.DataFrame) -> Iterator[Row]:
    """How many of the accounts that began in a quarter fit badly: of all, by source and by seller; and of all quarters.

    Accounts of which nobody knows the fit are not counted.
    """
    known = accounts[accounts[GIVEN].notna()]
    cuts = {"total": pd.Series(ALL, index=known.index)}
    cuts |= {name: known[name].fillna("unknown").astype(str) for name in SOLD_BY if name in known}
    for cut, labels in cuts.items():
        for quarter in (ALL, *sorted(known["cohort"].unique())):
            part = known if quarter == ALL else known[known["cohort"] == quarter]
            for value, group in part.groupby(labels.reindex(part.index), sort=True):
                bad = int((group[GIVEN] == BAD).sum())
                share = share_of(bad, len(group))
                yield {"quarter": quarter, "cut": cut, "value": str(value), "accounts": len(group), "bad": bad,
                       "share": share.figure, "low": share.low, "high": share.high}  # fmt: skip


def _row(fit: ValueFit) -> Row:
    figures = {
        **_told("grr", fit.grr),
        **_told("nrr", fit.nrr),
        **_told("first_value_by_day_90", fit.first_value_by_90),
        **_told("ttfv_median", fit.ttfv),
        **_told("cac_payback", fit.payback),
    }
    given = {f"given_{name}": share for name, share in fit.given.items()}
    return {
        "attribute": fit.attribute,
        "value": fit.value,
        "n": fit.n,
        "proposed_fit": fit.proposed_fit,
        "kept": fit.kept.figure,
        "low": fit.kept.low,
        "high": fit.kept.high,
        **figures,
        **given,
    }


def _told(name: str, figure: Between) -> Row:
    return {name: figure.figure, f"{name}_low": figure.low, f"{name}_high": figure.high}


def _disagreements(
    accounts: pd.DataFrame, fits: list[ValueFit], tables: Tables, as_of: date, params: Params
) -> Iterator[Row]:
    """Customers judged good of which the data say bad, and the other way about; the largest first."""
    says = {(fit.attribute, fit.value): fit.proposed_fit for fit in fits if fit.proposed_fit != STRETCH}
    if not says:
        return
    points = np.zeros(len(accounts), dtype=np.int64)
    reasons: list[list[str]] = [[] for _ in points]
    for attribute, value, here in values_of(accounts, params.forecast):
        proposed = says.get((attribute, value))
        if proposed is not None:
            points[here] += 1 if proposed == GOOD else -1
            for place in np.flatnonzero(here):
                reasons[place].append(f"{attribute} {value} ({proposed})")
    rows = accounts.assign(
        proposed=np.select([points > 0, points < 0], [GOOD, BAD], STRETCH),
        why=pd.Series([", ".join(each) for each in reasons], index=accounts.index, dtype=object),
    )
    against = rows[GIVEN].isin((GOOD, BAD)) & rows["proposed"].isin((GOOD, BAD)) & (rows[GIVEN] != rows["proposed"])
    names = given_names(tables, as_of, params)
    listed = rows[against & rows["here"]].sort_values("arr_now", ascending=False, kind="stable")
    for account, row in zip(listed.index.astype(str), listed.to_dict("records"), strict=True):
        yield {
            "account_id": account,
            "name": names.get(account, account),
            "seller": _text(row.get("seller")),
            "source": _text(row.get("source")),
            "arr": float(row["arr_now"]),
            "given_fit": row[GIVEN],
            "derived": bool(row["is_derived"]),
            "proposed_fit": row["proposed"],
            "why": row["why"],
        }


def _text(cell: Any) -> str:
    return "" if cell is None or pd.isna(cell) else str(cell)


def _definition(as_of: date, params: Params) -> str:
    rule = params.ideal_customer
    return (
        f"Accounts whose first year was over by {as_of}, by what was known when they signed: GRR and NRR of that year, "
        "the share that reached first value by day 90 and the median day, leaving first competing, and CAC payback: "
        "what it cost to win them over the year's mean gross profit a month; each with its 95 % interval (_low, "
        "_high). "
        "kept, low and high: the share of its ARR that the average account kept. Good or bad: accounts of the older "
        "half "
        "stayed the year more, or less, often than all others, and the newer half confirms it (at most "
        f"{FALSE_SHARE:.0%} of those are expected to be false); else stretch. given_good, _stretch and _bad: as "
        "accounts "
        f"were judged (accounts.fit), else by the mean of the fits known, of at least {rule.fewest_fits}: good from "
        f"{rule.good_from:g} on, bad below {rule.bad_below:g}. sold: accounts of bad fit among those that began in a "
        "quarter, of those whose fit is known. disagreements: customers judged good with more bad than good values, "
        "and "
        "the other way about."
    )
