"""A pay plan replayed over the quarters whose books can be judged, beside another plan or what was paid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from features.kpis.targets import pay_on_file
from features.revenue.cut_labels import GRACE_DAYS, NO_LABEL
from features.tables.checked import Tables
from models.books.average_people import AGAINST_EXPECTED, NRR, exchanged_accounts, expected_books
from models.books.compensation import Quarters, Replay, replay
from models.books.scorecards import adjusted
from params import Params
from serving.forecast.refusals import BadRequest
from serving.scorecards.pay_measures import (
    MEASURES,
    NEEDS,
    book_accounts,
    book_measures,
    credited,
    without_what_left,
)
from serving.scorecards.pay_plan import PlanFile
from serving.scorecards.report import NONE_YET, scorecard_report

DEFINITION = (
    "Pay of each quarter under the plan, from what the book at the owner of record came to; NRR against what was "
    "expected of it at the level of all other books. Where a measure has nothing to measure, its weight goes to the "
    "others. clawback: what growth of accounts had earned that left since, by the plan's rule; pay is what is left. "
    "luck_share: the variance between people that pay would have had with everybody of average skill, over the "
    "variance seen, both relative to on-target pay and before clawback. NRR of average people is drawn around its "
    "expectation; of other measures an account is taken to do what some account of that quarter did, whoever had it: "
    "with ARR at the start what one with ARR did, without what one without."
)
_HALF_QUARTER_DAYS = 45
FEWEST_RANKED = 4  # people, for a rank correlation
PLAN, PAID = "plan", "paid"
GAINS, LOSES, SAME = "gains", "loses", "same"
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class PayReplay:
    """What a plan would have paid.

    Attributes
    ----------
    people
        A row a person, as the table `comp_replay`.
    cost
        All pay, after clawback.
    luck_share
        See `DEFINITION`.
    compared_with
        What `compared_pay` is: another plan, or what was paid; empty without either.
    compared_cost
        All of it, of the people who have it.
    same_ranking
        Rank correlation of pay, over on-target pay, with what it is compared with; None for too few people.
    steady_ranking
        Rank correlation of the pay of the first half of the quarters with that of the second: near 1 the best stay the
        best, near 0 who is best changes. None for too few people, or one quarter.
    notes
        What must be said of it.
    """

    people: Rows
    cost: float
    luck_share: float | None
    compared_with: str
    compared_cost: float | None
    same_ranking: float | None
    steady_ranking: float | None
    notes: list[str]

    def table_rows(self) -> Rows:
        """Rows of the table `comp_replay`."""
        shared = {"compared_with": self.compared_with, "luck_share": self.luck_share, "definition": DEFINITION}
        return [{**row, **shared} for row in self.people]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "definition": DEFINITION}


def replay_plan(
    tables: Tables, file: PlanFile, params: Params, quarters: int, against: PlanFile | None = None
) -> PayReplay:
    """Run a plan over the last quarters that can be judged.

    Parameters
    ----------
    tables, params
        The company.
    file
        The plan.
    quarters
        How many of the last quarters.
    against
        Another plan to compare with; None compares with the variable pay on file, if there is any.

    Raises
    ------
    BadRequest
        There is no such quarter, `accounts` has no column for the role or nobody in it long enough, the tables lack
        what a measure takes, or the plans are of different roles.
    """
    if against is not None and against.role != file.role:
        raise BadRequest(f"The plans are for a {file.role} and a {against.role}: compare plans of one role.")
    report = scorecard_report(tables, file.role, params, quarters)
    if report.periods.empty:
        raise BadRequest(NONE_YET)
    _require_owners(report.periods, file.role)
    rows = adjusted(report.periods)
    rows = _as_shares(rows[rows["person"] != NO_LABEL].reset_index(drop=True))
    files = [file] if against is None else [file, against]
    accounts = _accounts_to_pay_by(tables, files, rows, params)
    result, *others = (_replayed(tables, plan, rows, accounts, params) for plan in files)
    if others:
        return _put_together(result, others[0].people["pay"], PLAN, report.notes)
    if tables.has("pay", "paid"):
        return _put_together(result, _paid(tables, result.by_quarter, _fixed_pay(file), params), PAID, report.notes)
    return _put_together(result, pd.Series(np.nan, index=result.people.index), "", report.notes)


def _require_owners(periods: pd.DataFrame, role: str) -> None:
    if (periods["person"] != NO_LABEL).any():
        return
    counts = periods.groupby("period", sort=True)["accounts"].sum()
    quarters = ", ".join(f"{period} ({count:.0f} accounts)" for period, count in counts.items())
    raise BadRequest(
        f"There is no {role}'s book to pay for in the quarters from {quarters}: each account's {role} is empty or "
        f"changed within {GRACE_DAYS} days before. Fill accounts.{role} and run `holdfast backtest` anew, or replay "
        "more quarters with --quarters."
    )


def _accounts_to_pay_by(
    tables: Tables, files: Sequence[PlanFile], rows: pd.DataFrame, params: Params
) -> pd.DataFrame | None:
    """Accounts of the books, for all plans at once; None where books alone are paid by."""
    if not any(_pays_by_accounts(file) for file in files):
        return None
    starts = [pd.Timestamp(str(period)).date() for period in sorted(rows["period"].unique())]
    return book_accounts(tables, starts, files[0].role, params)


def _pays_by_accounts(file: PlanFile) -> bool:
    return file.clawback is not None or any(one.measure not in (NRR, AGAINST_EXPECTED) for one in file.components)


def _replayed(
    tables: Tables, file: PlanFile, rows: pd.DataFrame, accounts: pd.DataFrame | None, params: Params
) -> Replay:
    rows = rows.assign(on_target=file.on_target_pay / 4)
    if accounts is None or not _pays_by_accounts(file):
        return replay(file.plan, Quarters(rows, {}, expected_books(rows, params.seed)))
    accounts = credited(accounts, file.expansion_credit)
    measures = [one for one in MEASURES if {one.over, one.under} <= set(accounts)]
    _require_measured(file, [one.name for one in measures])
    rows = rows.join(book_measures(accounts, rows))
    remainder = (
        {} if file.clawback is None else _without_lost_growth(accounts, rows, tables, file.clawback.months, params)
    )
    return replay(file.plan, Quarters(rows, remainder, exchanged_accounts(rows, accounts, measures, params.seed)))


def _without_lost_growth(
    accounts: pd.DataFrame, rows: pd.DataFrame, tables: Tables, months: int, params: Params
) -> dict[str, Any]:
    """The measures without the growth of what left since."""
    remaining_accounts = without_what_left(accounts, tables, months, params)
    keys = ["period", "person"]
    losses = (
        accounts.groupby(keys)["ending_arr"].sum() - remaining_accounts.groupby(keys)["ending_arr"].sum()
    ).reindex(pd.MultiIndex.from_frame(rows[keys]))
    loss_share = losses.fillna(0.0).to_numpy(float) / rows["starting_arr"].to_numpy(float)
    nrr, expected = (rows[name].to_numpy(float) for name in (NRR, "expected"))
    expansion = book_measures(remaining_accounts, rows)["expansion_rate"].to_numpy(float)
    return {NRR: nrr - loss_share, AGAINST_EXPECTED: nrr - loss_share - expected, "expansion_rate": expansion}


def _require_measured(file: PlanFile, measured: list[str]) -> None:
    for one in file.components:
        if one.measure in NEEDS and one.measure not in measured:
            raise BadRequest(
                f"The plan pays by {one.measure}, which takes {NEEDS[one.measure]}: map them, or leave it out."
            )


def _as_shares(rows: pd.DataFrame) -> pd.DataFrame:
    """NRR of each quarter's books, actual and expected, with its standard deviation and the quarter of the year.

    Three months that are no calendar quarter, as a backtest has them, count for the one that holds their middle.
    """
    start, middle = rows["starting_arr"], pd.to_datetime(rows["period"]) + pd.Timedelta(days=_HALF_QUARTER_DAYS)
    nrr, expected = rows["actual_arr"] / start, rows["expected_arr"] / start
    measured = {NRR: nrr, AGAINST_EXPECTED: nrr - expected, "expected": expected, "sd": rows["sd"] / start}
    label = middle.dt.year.astype(str) + "-Q" + middle.dt.quarter.astype(str)
    return rows.assign(**measured, quarter=middle.dt.quarter.astype("int64"), label=label)


def _fixed_pay(file: PlanFile) -> float:
    """Of a quarter."""
    return file.on_target_pay / 4 * (1 - file.plan.variable)


def _paid(tables: Tables, by_quarter: pd.DataFrame, fixed: float, params: Params) -> "pd.Series[float]":
    """Fixed pay and the variable pay on file of the same quarters; NaN of who has none on file for one of them."""
    paid = pay_on_file(tables, params.budget).rename(columns={"quarter": "label"})
    rows = by_quarter[["person", "label"]].merge(paid, how="left", on=["person", "label"])
    together = rows.groupby("person", sort=True)["paid"].agg(lambda amounts: float(amounts.sum(skipna=False)))
    return (together + fixed * rows.groupby("person", sort=True).size()).reset_index(drop=True)


def _put_together(result: Replay, compared_pay: "pd.Series[float]", compared_with: str, notes: list[str]) -> PayReplay:
    people = result.people.assign(compared_pay=compared_pay, difference=result.people["pay"] - compared_pay)
    compared = people["compared_pay"].dropna()
    rows = [_row({str(name): value for name, value in row.items()}) for row in people.to_dict("records")]
    over = people["on_target"]
    return PayReplay(
        people=rows,
        cost=round(float(people["pay"].sum()), 2),
        luck_share=result.luck_share,
        compared_with=compared_with,
        compared_cost=round(float(compared.sum()), 2) if len(compared) else None,
        same_ranking=_ranking(people["pay"] / over, people["compared_pay"] / over),
        steady_ranking=_steady_ranking(result.by_quarter),
        notes=notes,
    )


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    rounded = {
        name: None if pd.isna(row[name]) else round(float(row[name]), 2)
        for name in ("on_target", "pay", "clawback", "compared_pay", "difference")
    }
    change = rounded["difference"]
    word = "" if change is None else GAINS if change > 0 else LOSES if change < 0 else SAME
    return {"person": row["person"], "quarters": int(row["quarters"]), **rounded, "outcome": word}


def _steady_ranking(by_quarter: pd.DataFrame) -> float | None:
    periods = sorted(by_quarter["period"].unique())
    early = by_quarter["period"].isin(periods[: len(periods) // 2])
    first, second = (
        part.groupby("person")["pay"].sum() / part.groupby("person")["on_target"].sum()
        for part in (by_quarter[early], by_quarter[~early])
    )
    return _ranking(first, second.reindex(first.index))


def _ranking(one: "pd.Series[float]", other: "pd.Series[float]") -> float | None:
    both = pd.DataFrame({"one": one, "other": other}).dropna()
    if len(both) < FEWEST_RANKED or both["one"].nunique() < 2 or both["other"].nunique() < 2:
        return None
    return float(spearmanr(both["one"], both["other"]).statistic)
