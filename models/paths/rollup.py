"""From simulated ARR paths to NRR, GRR and renewals with intervals, by every cut.

One set of draws serves every cut, so that parts add up to the total in every draw. Accounts are added up one after the
other in a fixed order: neither the order in which they come nor chunks nor threads change a byte, and memory depends on
the number of groups, not of accounts.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from models.outcomes.prediction import Prediction
from models.paths.closed_means import closed_means, reported_mean
from models.paths.group_sums import add_changes, add_rows
from models.paths.lost_returns import LostReturns, lost_that_return
from models.paths.simulate import AccountPaths, Paths, PathSettings, describe, in_chunks, together

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
    order = np.argsort(prediction.account, kind="stable")  # sums of another order would differ in their last digits
    rolled = _in_order(
        prediction.rows(order),
        settings,
        horizon_months=horizon_months,
        cuts={cut: labels[order] for cut, labels in (cuts or {}).items()},
        trailing=None if trailing is None else replace(trailing, cohort_arr=trailing.cohort_arr[order]),
        due=None if due is None else due[order],
        threads=threads,
    )
    return replace(rolled, accounts=rolled.accounts.rows(np.argsort(order)))


def _in_order(
    prediction: Prediction,
    settings: PathSettings,
    *,
    horizon_months: int,
    cuts: Mapping[str, NDArray[np.object_]],
    trailing: Trailing | None,
    due: Array | None,
    threads: int,
) -> RollUp:
    """What `roll_up` adds up, account after account as they come."""
    groups, member = _groups(prediction.arr, cuts)
    sums = _Sums(_groups_of(member), len(groups), horizon_months, settings.draws, 0 if due is None else due.shape[1])
    settle = prediction.hazards.shape[1] - horizon_months
    descriptions = []

    def described_too(paths: Paths) -> tuple[Paths, AccountPaths]:
        return paths, describe(prediction, settings, horizon_months, paths)

    for chunk, accounts in in_chunks(prediction, settings, described_too, threads):
        descriptions.append(accounts)
        start = prediction.arr[chunk.rows]
        sums.add(start, chunk, None if trailing is None else trailing.cohort_arr[chunk.rows])
        if due is not None:
            sums.add_renewals(start, chunk, due[chunk.rows], settle)
    cohort_start = None if trailing is None else _cohort_start(groups, member, trailing, horizon_months)
    returned = None
    if trailing is not None and prediction.returns is not None and "months_gone" in trailing.lost:
        returned = lost_that_return(trailing.lost, prediction.returns, prediction.first_month, settings, horizon_months)
        for group, one in enumerate(_members_lost(groups, trailing.lost)):
            sums.outside[group] -= returned.drawn(one)
    draws, of_accounts = sums.metrics(groups, cohort_start), together(descriptions, horizon_months)
    renewals = pd.DataFrame() if due is None else _renewal_table(groups, member, due, sums.renewed)
    means = closed_means(groups, member, prediction.arr, of_accounts, draws)
    _add_reported(means, groups, member, of_accounts, trailing, cohort_start, returned)
    return RollUp(groups, draws, renewals, of_accounts, means)


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


class _Sums:
    """Sums over accounts by group, month and draw, filled chunk by chunk.

    What the months change is added up, and accumulated over the months at the end: few accounts change in a month.
    `changes` holds, see `add_changes`, what those lose that left, shrink and grow, and how many left; `outside` the ARR
    of those outside the cohort whose trailing year ends in each month, `renewed` what is kept of the ARR due in each.
    `group`, shape (accounts, cuts), is the group of each account in each cut.
    """

    def __init__(self, group: NDArray[np.int64], groups: int, months: int, draws: int, renewal_months: int) -> None:
        self.group = group
        self.changes = np.zeros((4, groups, months, draws))
        self.outside = np.zeros((groups, months, draws))
        self.renewed = np.zeros((groups, renewal_months, draws))

    def add(self, start: Array, chunk: Paths, cohort_arr: Array | None) -> None:
        """Add a chunk's changes, and the ARR of those outside the cohort whose trailing year ends in each month."""
        group = self.group[chunk.rows]
        for month in range(self.outside.shape[1]):
            cells = chunk.changed[month]
            add_changes(self.changes, month, group, start, cells.account, cells.draw, cells.before, cells.after)
            if cohort_arr is not None:
                chosen = np.flatnonzero(cohort_arr[:, month] <= 0)
                nothing, all_of_it = np.zeros(chosen.size), np.full(chosen.size, np.inf)
                add_rows(self.outside, month, group, chosen, chunk.arr[:, month], nothing, all_of_it)

    def add_renewals(self, start: Array, chunk: Paths, due: Array, settle_months: int) -> None:
        """Add what of the ARR due in each month is still there once the grace has run out, at most all of it.

        Calendar month m ends no later than m + 1 months after the snapshot, and the last one with the horizon.
        """
        group = self.group[chunk.rows]
        for month in range(due.shape[1]):
            settled_month = min(month, self.outside.shape[1] - 1) + settle_months
            chosen = np.flatnonzero(due[:, month] > 0)
            arr_due = due[chosen, month]
            add_rows(self.renewed, month, group, chosen, chunk.arr[:, settled_month], start[chosen] - arr_due, arr_due)

    def metrics(self, groups: pd.DataFrame, cohort_start: Array | None) -> dict[str, Array]:
        """The metrics in every draw."""
        start = groups["starting_arr"].to_numpy(float)[:, None, None]
        count = groups["accounts"].to_numpy(float)[:, None, None]
        rounding = start * _ROUNDING
        lost, shrunk, grown = (_tidy(np.cumsum(one, axis=1), rounding) for one in self.changes[:3])
        capped = np.maximum(start - lost - shrunk, 0)
        end = capped + grown
        figures = {
            "nrr": end / start,
            "grr": capped / start,
            "logo_retention": 1 - np.cumsum(self.changes[3], axis=1) / count,
            "ending_arr": end,
            "churned_arr": lost,
            "contracted_arr": shrunk,
            "expanded_arr": grown,
        }
        if cohort_start is not None:
            with np.errstate(invalid="ignore"):
                figures["reported_nrr"] = np.maximum(end - self.outside, 0) / cohort_start[:, :, None]
        return figures


def _groups_of(member: sparse.csr_matrix) -> NDArray[np.int64]:
    """The group of each account in each cut, shape (accounts, cuts): every account has one a cut."""
    column = member.tocsc()
    return np.asarray(column.indices.reshape(member.shape[1], -1), dtype=np.int64)


def _tidy(sums: Array, rounding: Array) -> Array:
    """Accumulated sums without the rounding of their additions: what is next to nothing is nothing."""
    return np.where(np.abs(sums) < rounding, 0.0, sums)


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
