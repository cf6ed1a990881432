"""From simulated ARR paths to NRR, GRR and renewals with intervals, by every cut.

One set of draws serves every cut, so that parts add up to the total in every draw. Accounts are added up one after the
other in a fixed order: neither the order in which they come nor chunks nor threads change a byte, and memory depends on
the number of groups, not of accounts.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from models.outcomes.keyed_draws import Streams
from models.outcomes.prediction import Prediction
from models.outcomes.returns import Returns
from models.paths import figure_loops
from models.paths.closed_means import closed_means, reported_mean
from models.paths.lost_returns import LostReturns, lost_that_return
from models.paths.simulate import AccountPaths, PathSettings
from models.paths.simulated_sums import Asked, Simulated, Sums, simulated_sums

Array = NDArray[np.float64]
TOTAL = "total"
METRICS = (
    "nrr",
    "grr",
    "logo_retention",
    "reported_nrr",
    "ending_arr",
    "churned_arr",
    "contracted_arr",
    "expanded_arr",
)
QUANTILES = (5, 10, 25, 50, 75, 90, 95)
_ROUNDING = 1e-9  # of the starting ARR: what the additions of a sum may be off by


@dataclass(frozen=True)
class Trailing:
    """What reported NRR mixes in: the cohorts whose trailing year ends in the months ahead.

    Attributes
    ----------
    cohort_arr
        Of each account, shape (accounts, months): column h - 1 is its ARR 12 months before month h ahead ends; 0 where
        it was no customer then.
    lost
        Starting ARR of the same cohorts' accounts that have left since: labels as in the cuts, `month` (h), `arr`. For
        their returns also `account_id`, `months_gone` (in the first month ahead) and `last_arr`.
    """

    cohort_arr: Array
    lost: pd.DataFrame


@dataclass(frozen=True)
class RollUp:
    """Everything the simulated paths add up to.

    Attributes
    ----------
    groups
        A row a group: `cut`, `value`, `accounts`, `starting_arr`.
    draws
        Each metric in every draw, shape (groups, months, draws).
    renewals
        A row a group and month with ARR due: available_to_renew, expected_renewed, renewal_rate, p10, p90 (of the
        renewed ARR), accounts_due.
    accounts
        Per account.
    means
        The mean of each metric, shape (groups, months): what the accounts' figures add up to, which the draws' means
        are but for the dice.
    """

    groups: pd.DataFrame
    draws: Mapping[str, Array]
    renewals: pd.DataFrame
    accounts: AccountPaths
    means: Mapping[str, Array]

    def table(self) -> pd.DataFrame:
        """A row a group, horizon and metric: mean, and quantiles over the draws."""
        parts = []
        for metric in METRICS:
            if metric in self.draws:
                parts.append(_summaries(self.groups, metric, self.draws[metric], self.means[metric]))
        table = pd.concat(parts, ignore_index=True)
        order = {metric: place for place, metric in enumerate(METRICS)}
        keys = [table["group"], table["horizon_months"], table["metric"].map(order)]
        return table.iloc[np.lexsort(keys[::-1])].drop(columns="group").reset_index(drop=True)


def roll_up(
    prediction: Prediction,
    settings: PathSettings,
    *,
    horizon_months: int,
    cuts: Mapping[str, NDArray[np.object_]] | None = None,
    trailing: Trailing | None = None,
    due: Array | None = None,
    threads: int = 1,
) -> RollUp:
    """Simulate, and add up by every cut.

    Parameters
    ----------
    prediction
        Monthly hazards; months beyond the horizon are used to see whether a term that ends within it was renewed.
    settings
        Draws, seed.
    horizon_months
        Months ahead to report.
    cuts
        Labels of the accounts by name of the cut, each of shape (accounts,); the total is always there.
    trailing
        What reported NRR needs; None leaves it out.
    due
        ARR of each account whose term ends in each calendar month ahead, from the month of the snapshot to that in
        which the horizon ends, shape (accounts, horizon or horizon + 1); None leaves renewals out.
    threads
        How many to use; the result does not depend on it.
    """
    portfolio = Portfolio.of(prediction.account, prediction.arr, horizon_months, cuts, trailing, due)
    simulated = simulated_sums(prediction.rows(portfolio.order), settings, portfolio.asked(), threads=threads)
    return portfolio.rolled_up(simulated, settings, returns=prediction.returns, first_month=prediction.first_month)


@dataclass(frozen=True)
class Portfolio:
    """Accounts in the order of their keys, the groups they belong to, and what is asked of them.

    Sums of another order would differ in their last digits.

    Attributes
    ----------
    order
        Where each account stands among those that were given.
    arr
        ARR at the start.
    groups, member
        A row a group, and which accounts belong to it as a 0/1 matrix (groups, accounts).
    horizon_months, trailing, due
        As in `roll_up`, the accounts in this order.
    """

    order: NDArray[np.int64]
    arr: Array
    groups: pd.DataFrame
    member: sparse.csr_matrix
    horizon_months: int
    trailing: Trailing | None
    due: Array | None

    @classmethod
    def of(
        cls,
        account: Streams,
        arr: Array,
        horizon_months: int,
        cuts: Mapping[str, NDArray[np.object_]] | None,
        trailing: Trailing | None,
        due: Array | None,
    ) -> Self:
        """Accounts by their keys, `account`; the other parameters are those of `roll_up`."""
        order = np.argsort(account, kind="stable")
        groups, member = _groups(arr[order], {cut: labels[order] for cut, labels in (cuts or {}).items()})
        ordered = None if trailing is None else replace(trailing, cohort_arr=trailing.cohort_arr[order])
        return cls(order, arr[order], groups, member, horizon_months, ordered, None if due is None else due[order])

    def asked(self) -> Asked:
        """What is to be added up of all accounts, in this order."""
        cohort_arr = None if self.trailing is None else self.trailing.cohort_arr
        return Asked(self.horizon_months, _groups_of(self.member), len(self.groups), cohort_arr, self.due)

    def rolled_up(
        self, simulated: Simulated, settings: PathSettings, *, returns: Returns | None, first_month: int
    ) -> RollUp:
        """The roll-up of what the simulation of all accounts, in this order, came to.

        `settings` are those of the simulation; `returns` and `first_month` as in `Prediction`.
        """
        sums, months, trailing = simulated.sums, self.horizon_months, self.trailing
        cohort_start = None if trailing is None else _cohort_start(self.groups, self.member, trailing, months)
        returned = None
        if trailing is not None and returns is not None and "months_gone" in trailing.lost:
            returned = lost_that_return(trailing.lost, returns, first_month, settings, months)
            for group, one in enumerate(_members_lost(self.groups, trailing.lost)):
                sums.outside[group] -= returned.drawn(one)
        draws = _metrics(sums, self.groups, cohort_start)
        renewals = pd.DataFrame()
        if self.due is not None:
            renewals = _renewal_table(self.groups, self.member, self.due, sums.renewed)
        means = closed_means(self.groups, self.member, self.arr, simulated.accounts, draws)
        _add_reported(means, self.groups, self.member, simulated.accounts, trailing, cohort_start, returned)
        return RollUp(self.groups, draws, renewals, simulated.accounts.rows(np.argsort(self.order)), means)


def _add_reported(
    means: dict[str, Array],
    groups: pd.DataFrame,
    member: sparse.csr_matrix,
    accounts: AccountPaths,
    trailing: Trailing | None,
    cohort_start: Array | None,
    returned: LostReturns | None,
) -> None:
    """Add the means of reported NRR, where there are trailing cohorts."""
    if trailing is None or cohort_start is None:
        return
    reported = reported_mean(means["ending_arr"], member, accounts, trailing.cohort_arr, cohort_start)
    if returned is not None:
        back = [returned.expected(one) for one in _members_lost(groups, trailing.lost)]
        reported = reported + np.array(back) / cohort_start
    means["reported_nrr"] = reported


def _metrics(sums: Sums, groups: pd.DataFrame, cohort_start: Array | None) -> dict[str, Array]:
    """The metrics in every draw, by name."""
    names = [name for name in METRICS if name != "reported_nrr"] + ["reported_nrr"] * (cohort_start is not None)
    figures = np.empty((len(names), *sums.outside.shape))
    start, count = (groups[name].to_numpy(dtype=float) for name in ("starting_arr", "accounts"))
    cohort = np.empty((0, 0)) if cohort_start is None else cohort_start
    figure_loops.metrics(sums.changes, sums.outside, start, count, cohort, _ROUNDING, figures)
    return dict(zip(names, figures, strict=True))


def _groups_of(member: sparse.csr_matrix) -> NDArray[np.int64]:
    """The group of each account in each cut, shape (accounts, cuts): every account has one a cut."""
    column = member.tocsc()
    return np.asarray(column.indices.reshape(member.shape[1], -1), dtype=np.int64)


def _groups(arr: Array, cuts: Mapping[str, NDArray[np.object_]]) -> tuple[pd.DataFrame, sparse.csr_matrix]:
    """The groups of all cuts, and which accounts belong to each as a 0/1 matrix (groups, accounts)."""
    labels = {TOTAL: np.full(len(arr), TOTAL, dtype=object), **cuts}
    frames, matrices = [], []
    for cut, values in labels.items():
        codes, names = pd.factorize(values, sort=True)
        shape = (len(names), len(arr))
        matrices.append(sparse.csr_matrix((np.ones(len(arr)), (codes, np.arange(len(arr)))), shape=shape))
        frames.append(pd.DataFrame({"cut": cut, "value": names.astype(str)}))
    member = sparse.vstack(matrices, format="csr")
    groups = pd.concat(frames, ignore_index=True)
    groups["accounts"] = np.asarray(member.sum(axis=1)).ravel().astype(int)
    groups["starting_arr"] = member @ arr
    return groups, member


def _cohort_start(groups: pd.DataFrame, member: sparse.csr_matrix, trailing: Trailing, months: int) -> Array:
    """Starting ARR of the trailing cohorts by group and month, those that left since included."""
    start = np.asarray(member @ trailing.cohort_arr[:, :months])
    for row, here in enumerate(_members_lost(groups, trailing.lost)):
        lost = trailing.lost[here]
        start[row] += np.bincount(lost["month"] - 1, weights=lost["arr"], minlength=months)[:months]
    return np.where(start > 0, start, np.nan)


def _members_lost(groups: pd.DataFrame, lost: pd.DataFrame) -> Iterator[NDArray[np.bool_]]:
    """Which rows of the accounts that have left belong to each group, one after the other."""
    for cut, value in zip(groups["cut"], groups["value"], strict=True):
        yield np.ones(len(lost), dtype=bool) if cut == TOTAL else (lost[cut] == value).to_numpy()


def _renewal_table(groups: pd.DataFrame, member: sparse.csr_matrix, due: Array, renewed: Array) -> pd.DataFrame:
    available = np.asarray(member @ due)
    count = np.asarray(member @ (due > 0).astype(float))
    row, month = np.nonzero(available > 0)
    renewed_arr = renewed[row, month]
    low, high = np.quantile(renewed_arr, (0.1, 0.9), axis=1)
    table = groups.loc[row, ["cut", "value"]].reset_index(drop=True)
    return table.assign(
        month_ahead=month + 1,
        available_to_renew=available[row, month],
        expected_renewed=renewed_arr.mean(axis=1),
        renewal_rate=renewed_arr.mean(axis=1) / available[row, month],
        p10=low,
        p90=high,
        accounts_due=count[row, month].astype(int),
    )


def _summaries(groups: pd.DataFrame, metric: str, draws: Array, mean: Array) -> pd.DataFrame:
    """A row a group and month: mean and quantiles of a metric."""
    count, months, _ = draws.shape
    quantiles = np.quantile(draws, np.array(QUANTILES) / 100, axis=2)
    flat: Callable[[Array], Array] = np.ravel
    table = groups.loc[np.repeat(np.arange(count), months)].reset_index(drop=True)
    table = table.assign(
        group=np.repeat(np.arange(count), months),
        horizon_months=np.tile(np.arange(1, months + 1), count),
        metric=metric,
        mean=flat(mean),
    )
    return table.assign(**{f"p{q:02d}": flat(values) for q, values in zip(QUANTILES, quantiles, strict=True)})
