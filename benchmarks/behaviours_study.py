"""How often `holdfast behaviours` finds what is planted, and confirms what is not.

`python -m benchmarks.behaviours_study` makes simulated companies in which the users of `invites` by an age go with
staying, and those of `templates` with nothing. Each is looked at whole and as smaller companies of some of its
accounts;
and once more with use given to other accounts of the same segment and size, so that nothing goes with staying. Only use
of an account's first months is kept, which changes nothing: no other is looked at.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import params as settings
from features.asof.view import day_number
from features.inputs.frames import tables_from_frames
from features.kpis.behaviours import BY_DAYS, USE, Choice, choices, standing, young_accounts, young_use
from features.simulation.emission import commercial
from features.simulation.emission.display import Display
from features.simulation.emission.planted_usage import GOES_WITH_NOTHING, GOES_WITH_RENEWAL
from features.simulation.emission.product_usage import usage_by_month
from features.simulation.history import record_history
from features.tables.checked import Tables
from params import Params

ENDS_ON = date(2026, 1, 1)
MARGIN_DAYS = 5  # use kept beyond the last age that is looked at
Frames = tuple[pd.DataFrame, pd.DataFrame]


def main() -> None:
    asked = _arguments()
    params = settings.load(None, ["threads=1"])
    rows: list[dict[str, Any]] = []
    for seed in range(asked.first_seed, asked.first_seed + asked.companies):
        with tempfile.TemporaryDirectory() as folder:
            tables = young_company(Path(folder), accounts=asked.accounts, months=asked.months, seed=seed)
            frames = looked_at(tables, params)
        rows += [told for share in asked.shares for told in _company(frames, share, seed, params)]
        print(f"companies looked at: {seed - asked.first_seed + 1} of {asked.companies}", file=sys.stderr, flush=True)
        if asked.out:
            pd.DataFrame(rows).to_csv(asked.out, index=False)
    for line in summary(pd.DataFrame(rows)):
        print(line)


def young_company(folder: Path, *, accounts: int, months: int, seed: int) -> Tables:
    """A simulated company's accounts, contracts and rates, and the use of each account's first months."""
    display = Display(record_history(accounts=accounts, months=months, ends_on=ENDS_ON, seed=seed))
    joins = pd.Series(display.history.company.profile.joins, index=pd.Index(display.account_ids))
    parts = []
    for part in usage_by_month(display):
        used = (part["used_on"] - pd.Timestamp(0)).dt.days.to_numpy()
        age = used - joins.reindex(part["account_id"].astype(str)).to_numpy()
        young = part[age < max(BY_DAYS) + MARGIN_DAYS]
        parts.append(young.astype({"account_id": str, "user_id": str, "feature": str}))
    frames = {
        "accounts": commercial.accounts(display),
        "contracts": commercial.contracts(display),
        "fx_rates": commercial.fx_rates(display),
        "usage": pd.concat(parts, ignore_index=True),
    }
    return tables_from_frames(frames, folder / "tables.duckdb", data_until=ENDS_ON)


def looked_at(tables: Tables, params: Params) -> Frames:
    """The accounts and their use, as the product reads them."""
    accounts = young_accounts(tables, as_of=ENDS_ON, rules=params.revenue, budget=params.budget)
    return accounts, young_use(tables, accounts, USE, as_of=ENDS_ON, budget=params.budget)


def shuffled(frames: Frames, rng: np.random.Generator) -> Frames:
    """The same company, with the use of each account given to another of its stratum.

    Both must have stayed as long as the last age and have begun once use was on file, so that nothing goes with
    staying any more.
    """
    accounts, users = frames
    judged = (accounts["until"] > accounts["began"] + max(BY_DAYS)) & (accounts["began"] >= users["first_day"].min())
    whose = pd.Series(accounts.index, index=accounts.index)
    for _, part in whose[judged].groupby(accounts["stratum"][judged]):
        whose[part.index] = rng.permutation(part.to_numpy())
    return accounts, users.assign(account_id=users["account_id"].map(whose))


def _company(frames: Frames, share: float, seed: int, params: Params) -> Iterator[dict[str, Any]]:
    """A row for the company as it is and one where nothing goes with staying, of a share of its accounts."""
    rng = np.random.default_rng([seed, round(100 * share)])
    accounts, users = frames
    some = accounts[rng.random(len(accounts)) < share]
    part = some, users[users["account_id"].isin(some.index)]
    settling = params.revenue.settling_days
    judged = some["began"] >= users["first_day"].min()
    judged &= some["began"] + max(BY_DAYS) < day_number(ENDS_ON) - settling
    for name, (those, use) in {"as it is": part, "shuffled": shuffled(part, rng)}.items():
        tried = choices(those, use, ENDS_ON, settling)
        yield {"seed": seed, "share": share, "world": name, "accounts": int(judged.sum()), **_told(tried)}


def _told(tried: list[Choice]) -> dict[str, Any]:
    stands = {choice.feature: choice for choice, stand in zip(tried, standing(tried), strict=True) if stand}
    planted = stands.get(GOES_WITH_RENEWAL)
    leavings = max((choice.test.leavings for choice in tried), default=0)
    return {
        "leavings": leavings,
        "tried": len(tried),
        "confirmed": len(stands),
        "found": int(planted is not None and planted.sign > 0),
        "of_no_effect": int(GOES_WITH_NOTHING in stands),
    }


def summary(rows: pd.DataFrame) -> Iterator[str]:
    """What the study found, as a table of Markdown: a row a size of company."""
    yield ("| accounts that began with use on file | of them left, of those that judge | planted: found "
           "| nothing planted: something confirmed | planted without effect: confirmed | companies |")  # fmt: skip
    yield "|---|---|---|---|---|---|"
    for _, part in rows.groupby("share", sort=True):
        real, null = (part[part["world"] == name] for name in ("as it is", "shuffled"))
        means = [f"{real[name].mean():,.0f}" for name in ("accounts", "leavings")]
        shares = [real["found"].mean(), (null["confirmed"] > 0).mean(), real["of_no_effect"].mean()]
        yield "| " + " | ".join([*means, *(f"{share:.0%}" for share in shares), f"{len(real)}"]) + " |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.behaviours_study", description=__doc__)
    parser.add_argument("--companies", type=int, default=40)
    parser.add_argument("--accounts", type=int, default=2000, help="that ever existed, in each")
    parser.add_argument("--months", type=int, default=48)
    parser.add_argument("--first-seed", type=int, default=3001)
    parser.add_argument("--shares", type=float, nargs="*", default=[0.25, 0.5, 0.75, 1.0], help="of their accounts")
    parser.add_argument("--out", type=Path, help="a CSV file for each company's row, written as they come")
    return parser.parse_args()


if __name__ == "__main__":
    main()
