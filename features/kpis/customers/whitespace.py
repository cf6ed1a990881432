"""What customers do not own yet: products that similar accounts own, and seats that they could use."""

from datetime import date

import pandas as pd

from features.revenue.cut_labels import NO_LABEL, labels_in_force
from features.revenue.known_lines import instants_frame, line_arr, lines_known
from features.tables.checked import Tables
from params import Budget, Revenue

FEWEST_SIMILAR = 10
SEATS = "seats"


def owned(tables: Tables, *, as_of: date, rules: Revenue, budget: Budget) -> pd.DataFrame:
    """What each customer owns at a date, by line.

    `account_id`, `product`, `center`, `kind`, `starts`, `seats`, `arr`, and `bought_before`: whether its buying centre
    had bought before the line started.
    """
    with lines_known(tables, known_by=as_of, rules=rules, budget=budget) as connection:
        select = line_arr(connection, tables, instants_frame([as_of], [as_of]), rules)
        return connection.execute(f"""
            SELECT account_id, COALESCE(product, '') AS product, COALESCE(buying_center, '') AS center,
                   COALESCE(kind, '') AS kind, starts, CAST(COALESCE(seats, 0) AS DOUBLE) AS seats, cents / 100 AS arr,
                   EXISTS (SELECT 1 FROM line_states e WHERE e.center_line = s.center_line AND e.starts < s.starts)
                       AS bought_before
            FROM ({select}) s WHERE cents > 0 ORDER BY account_id, contract_id""").df()


def whitespace(lines: pd.DataFrame, tables: Tables, *, as_of: date, budget: Budget) -> pd.DataFrame:
    """What is not owned, a row an account and product, and one for seats.

    Parameters
    ----------
    lines
        What is owned, see `owned`.
    tables, as_of, budget
        For the accounts' segment and `potential_seats`, as known then.

    Returns
    -------
    pandas.DataFrame
        `account_id`, `what` (a product, or seats), `missing` (seats; 1 of a product), `attach_rate` and `similar` (the
        share of the customers of its segment that own the product, and how many customers there are), `arr` (what it
        would be worth: the median of those who own it, or the account's ARR a seat), `same_center` (whether it belongs
        to a buying centre that buys already). No product that fewer than half of `FEWEST_SIMILAR` own is offered.
    """
    accounts = pd.Index(sorted(lines["account_id"].unique()), name="account_id")
    segments = pd.Series(NO_LABEL, index=accounts)
    if tables.has("accounts", "segment"):
        labels = labels_in_force(tables, as_of, ("segment",), budget)["segment"]
        segments = labels.reindex(accounts).fillna(NO_LABEL)
    parts = [_products(lines, segments), _seats(lines, accounts, tables, as_of, budget)]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _products(lines: pd.DataFrame, segments: "pd.Series[str]") -> pd.DataFrame:
    """Each product that accounts of the segment own and the account does not."""
    amounts = lines[lines["product"] != ""].groupby(["account_id", "product"])["arr"].sum().unstack()
    amounts = amounts.reindex(segments.index)
    centers = lines[lines["center"] != ""].groupby("product")["center"].agg(lambda cells: cells.mode().iloc[0])
    bought_by = lines.groupby("account_id")["center"].agg(set)
    rows = []
    for _, names in segments.groupby(segments):
        here = amounts.reindex(names.index)
        for product in here:
            owners = here[product].dropna()
            if len(here) < FEWEST_SIMILAR or 2 * len(owners) < FEWEST_SIMILAR:
                continue
            rate, worth, center = len(owners) / len(here), float(owners.median()), centers.get(product, "")
            rows += [
                (account, product, 1.0, rate, len(here), worth, not center or center in bought_by[account])
                for account in here.index[here[product].isna()]
            ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _seats(lines: pd.DataFrame, accounts: pd.Index, tables: Tables, as_of: date, budget: Budget) -> pd.DataFrame:
    """Seats that accounts could use and do not pay for."""
    if not tables.has("accounts", "potential_seats"):
        return pd.DataFrame([], columns=list(_COLUMNS))
    text = labels_in_force(tables, as_of, ("potential_seats",), budget)["potential_seats"]
    potential = pd.to_numeric(text, errors="coerce").reindex(accounts)
    seated = lines[lines["seats"] > 0].groupby("account_id")[["seats", "arr"]].sum().reindex(accounts)
    missing = (potential - seated["seats"]).where(seated["seats"] > 0)
    rows = pd.DataFrame({
        "account_id": accounts, "what": SEATS, "missing": missing.to_numpy(), "attach_rate": float("nan"),
        "similar": 0, "arr": (missing * seated["arr"] / seated["seats"]).to_numpy(), "same_center": True,
    })  # fmt: skip
    return rows[rows["missing"] > 0]


_COLUMNS = ("account_id", "what", "missing", "attach_rate", "similar", "arr", "same_center")
