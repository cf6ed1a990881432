"""The tables of the product's contract, as the second world's company would keep them."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tests.worlds import market_rules as rules
from tests.worlds.customers import INSOLVENCY, NEVER, SILENCE, Whole
from tests.worlds.daily_use import usage
from tests.worlds.line_log import ADDON, COLUMNS, CORE, KINDS
from tests.worlds.second_world import PEOPLE, History, account_ids
from tests.worlds.touches import contacts, csm_actions, engagement, goals, surveys, tickets

CSMS, SELLERS = 8, 6


def tables_of(past: History) -> Iterator[tuple[str, pd.DataFrame]]:
    """Name and rows of each table."""
    makers = (accounts, contracts, usage, csm_actions, engagement, tickets, surveys, contacts, goals, churn_events)
    yield from ((maker.__name__, maker(past)) for maker in makers)


def _end(past: History) -> int:
    return int(np.datetime64(past.world.ends_on).astype(np.int64))


def accounts(past: History) -> pd.DataFrame:
    """Attributes, with a second row where the account went to another manager."""
    rng, numbers, c = past.world.rng(PEOPLE, 1), np.unique(past.rows["number"]), past.customers
    size, kind = len(numbers), c.segment[numbers]
    fit = c.worth[numbers] + rng.normal(0, 0.8, size)
    parts = {
        f"{name}_fit": np.round(np.clip(0.55 + 0.15 * c.worth[numbers] + rng.normal(0, 0.15, size), 0, 1), 2)
        for name in ("technical", "functional", "experience", "support", "buy_in")
    }
    since = c.since[numbers].astype("datetime64[D]").astype("datetime64[s]")
    table = pd.DataFrame(
        {
            "account_id": account_ids(numbers),
            "name": [f"Company {name[2:]}" for name in account_ids(numbers)],
            "segment": np.array(rules.SEGMENTS)[kind],
            "industry": np.array(rules.INDUSTRIES)[c.industry[numbers]],
            "region": np.array(rules.REGIONS)[rng.choice(3, size, p=[0.5, 0.35, 0.15])],
            "csm": [f"Manager {number}" for number in rng.integers(1, CSMS + 1, size)],
            "seller": [f"Seller {number}" for number in rng.integers(1, SELLERS + 1, size)],
            "touch_model": np.array(tuple(rules.ACTS))[c.touch[numbers]],
            "fit": np.select([fit > 0.4, fit > -0.5], ["good", "stretch"], "bad"),
            **parts,
            "customer_since": since,
            "acquisition_cost": np.round(np.exp(rng.normal(8.2 + 1.1 * kind, 0.4, size)), 2),
            "valid_from": since,
        }
    )
    moved = table[rng.random(size) < 0.2].copy()
    moved["csm"] = [f"Manager {number}" for number in rng.integers(1, CSMS + 1, len(moved))]
    moved["valid_from"] += pd.to_timedelta(rng.integers(200, 1500, len(moved)), unit="D")
    moved = moved[moved["valid_from"] < np.datetime64(past.world.ends_on)]
    return pd.concat([table, moved], ignore_index=True)


def lines_of(past: History) -> pd.DataFrame:
    """All lines signed before the world ends, with notices and early ends; days as whole numbers."""
    lines = pd.DataFrame(np.concatenate(past.lines.signed), columns=list(COLUMNS))
    numbers = np.unique(past.rows["number"])
    lines = lines[(lines["signed"] < _end(past)) & lines["number"].isin(numbers)].reset_index(drop=True)
    lines["line"] = np.arange(len(lines))
    stops = pd.DataFrame(np.concatenate(past.lines.stops), columns=["number", "ended"]).sort_values("ended")
    lines = pd.merge_asof(
        lines.sort_values("starts"), stops, left_on="starts", right_on="ended", by="number",
        direction="forward", allow_exact_matches=False,
    )  # fmt: skip
    lines["ended"] = lines["ended"].where(lines["ended"] < lines["ends"])
    notices = pd.DataFrame(np.concatenate(past.lines.notices), columns=["number", "ends", "notice", "alone"])
    both = pd.concat([notices.assign(addon=1), notices[notices["alone"] == 0].assign(addon=0)])
    both = both.drop_duplicates(["number", "ends", "addon"]).drop(columns="alone")
    return lines.merge(both, how="left", on=["number", "ends", "addon"]).sort_values("line", ignore_index=True)


def contracts(past: History) -> pd.DataFrame:
    """Lines as the billing system has them; one in twelve is entered days after it was signed."""
    rng, lines = past.world.rng(PEOPLE, 2), lines_of(past)
    discount = np.round(rng.uniform(0, 0.3, len(past.customers)), 2)[lines["number"]]
    late = np.where(rng.random(len(lines)) < 0.08, rng.integers(1, 13, len(lines)), 0)
    entered = lines["signed"] + np.where(lines["signed"] + late < _end(past), late, 0)
    return pd.DataFrame(
        {
            "contract_id": [f"L-{(number * 7919 + 31) % 1_000_003:06d}" for number in lines["line"]],
            "account_id": account_ids(lines["number"].to_numpy()),
            "product": np.where(lines["addon"] == 1, ADDON, CORE),
            "kind": np.array(KINDS)[lines["kind"]],
            "starts_on": _dates(lines["starts"]),
            "ends_on": _dates(lines["ends"].where(lines["ends"] < NEVER)),
            "ended_on": _dates(lines["ended"]),
            "signed_on": _dates(lines["signed"]),
            "notice_on": _dates(lines["notice"]),
            "mrr": lines["mrr"] / 100,
            "list_mrr": np.round(lines["mrr"] / 100 / (1 - discount), 2),
            "seats": lines["seats"].where(lines["addon"] == 0).astype("Int64"),
            "auto_renew": lines["auto"] == 1,
            "recorded_at": _dates(entered) + pd.Timedelta(hours=18),
        }
    )


def _dates(days: "pd.Series[float]") -> "pd.Series[pd.Timestamp]":
    return pd.to_datetime(days, unit="D").astype("datetime64[s]")


REASONS = ("chose another", "no value", "budget", "sponsor left")


def churn_events(past: History) -> pd.DataFrame:
    """What somebody wrote down of those who left; a third is missing, and the reason is half a guess."""
    rng, c = past.world.rng(PEOPLE, 3), past.customers
    numbers: Whole = np.unique(past.rows["number"])
    numbers = numbers[(c.gone[numbers] < _end(past)) & (rng.random(len(numbers)) < 0.67)]
    guess = np.array(REASONS)[rng.integers(0, 4, len(numbers))]
    left = c.gone[numbers] - np.where(c.how[numbers] == SILENCE, rules.GRACE_DAYS, 0)
    return pd.DataFrame(
        {
            "account_id": account_ids(numbers),
            "left_on": left.astype("datetime64[D]").astype("datetime64[s]"),
            "reason": np.where(c.how[numbers] == INSOLVENCY, "insolvency", guess),
        }
    )
