"""Which plays to do within the hours there are: a knapsack with sessions that several accounts share.

    maximise    sum of value[i, k] x[i, k]
    subject to  sum_k x[i, k] <= 1                                    an account gets one play at most,
                sum_i x[i, k] <= seats[k] sessions[k]                 of a play in a group,
                sum hours[k] x[i, k] + sum hours[k] sessions[k] <= H  the hours.

x is 0 or 1, sessions are whole. `scipy.optimize.milp` solves it (HiGHS). The shadow price of an hour is the dual of the
hours in the same problem without whole numbers: about what one more hour would save.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_GAP = 1e-6  # how far from the best the solver may stop, as a share


@dataclass(frozen=True)
class Selection:
    """What is done: of each account the play, -1 = none, shape (accounts,), the hours used, and what one more saves."""

    play: Ints
    hours_used: float
    shadow_price: float


@dataclass(frozen=True)
class _Problem:
    """The knapsack as matrices: the columns are the pairs of account and play that help, then the sessions."""

    account: Ints
    play: Ints
    gain: Array
    hours: Array
    most: Array
    rows: sparse.csr_matrix
    limits: Array

    @property
    def sessions(self) -> int:
        return len(self.gain) - len(self.account)


def select_plays(value: Array, hours: Array, seats: Ints, capacity_hours: float) -> Selection:
    """The plays worth most in sum within the hours.

    Parameters
    ----------
    value
        Of each play on each account, shape (accounts, plays); what is 0, less, or NaN is never done.
    hours
        Of each play on one account or, of one in a group, of a session; shape (plays,).
    seats
        Accounts that a session holds; 0 = no play in a group; shape (plays,).
    capacity_hours
        The hours there are, 0 or more.
    """
    problem = _problem(value, hours, seats)
    chosen = np.full(len(value), -1, dtype=np.int64)
    if not len(problem.account):
        return Selection(chosen, 0.0, 0.0)
    constraints = [
        LinearConstraint(problem.rows, -np.inf, problem.limits),
        LinearConstraint(problem.hours[None], -np.inf, capacity_hours),
    ]
    solved = milp(
        -problem.gain,
        integrality=np.ones(len(problem.gain)),
        bounds=Bounds(0, problem.most),
        constraints=constraints,
        options={"mip_rel_gap": _GAP},
    )
    if solved.x is None:
        raise RuntimeError(f"the solver found no plan: {solved.message}")
    done = np.rint(solved.x[: len(problem.account)]) > 0
    chosen[problem.account[done]] = problem.play[done]
    return Selection(chosen, hours_of(chosen, hours, seats), _shadow_price(problem, capacity_hours))


def hours_of(play: Ints, hours: Array, seats: Ints) -> float:
    """The hours that plays take, given the play of each account (-1 = none): no session more than is needed."""
    count = np.bincount(play[play >= 0], minlength=len(hours))
    times = np.where(seats > 0, -(-count // np.maximum(seats, 1)), count)
    return float(hours @ times)


def _problem(value: Array, hours: Array, seats: Ints) -> _Problem:
    account, play = np.nonzero(np.nan_to_num(value, nan=0.0) > 0)
    groups = np.flatnonzero((seats > 0) & np.isin(np.arange(len(hours)), play))
    is_group = seats[play] > 0
    pairs, columns = len(account), np.arange(len(account))
    one_each = sparse.csr_matrix((np.ones(pairs), (account, columns)), shape=(len(value), pairs + len(groups)))
    place = np.searchsorted(groups, play[is_group])
    in_sessions = sparse.csr_matrix(
        (
            np.concatenate([np.ones(is_group.sum()), -seats[groups].astype(float)]),
            (
                np.concatenate([place, np.arange(len(groups))]),
                np.concatenate([columns[is_group], pairs + np.arange(len(groups))]),
            ),
        ),
        shape=(len(groups), pairs + len(groups)),
    )
    return _Problem(
        account=account,
        play=play,
        gain=np.concatenate([value[account, play], np.zeros(len(groups))]),
        hours=np.concatenate([np.where(is_group, 0.0, hours[play]), hours[groups]]),
        most=np.concatenate([np.ones(pairs), np.full(len(groups), float(len(value)))]),
        rows=sparse.vstack([one_each, in_sessions], format="csr"),
        limits=np.concatenate([np.ones(len(value)), np.zeros(len(groups))]),
    )


def _shadow_price(problem: _Problem, capacity_hours: float) -> float:
    """What one more hour would save, by the relaxed problem."""
    solved = linprog(
        -problem.gain,
        A_ub=sparse.vstack([problem.rows, sparse.csr_matrix(problem.hours[None])], format="csr"),
        b_ub=np.append(problem.limits, capacity_hours),
        bounds=np.column_stack([np.zeros(len(problem.most)), problem.most]),
        method="highs",
    )
    return float(-solved.ineqlin.marginals[-1]) + 0.0 if solved.status == 0 else 0.0
