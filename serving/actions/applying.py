"""A scenario put to a portfolio: the levers it pulls, each marked as estimated or assumed."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from models.outcomes.prediction import Prediction
from models.paths.simulate import PathSettings
from models.plans import what_if
from models.plans.what_if import CHURN, EXPANSION, NEVER, Lever, Portfolio
from models.words import counted
from params_team import Actions, comparison_of
from serving.actions.kinds import KindOfPlay, require_kinds
from serving.actions.planning import Plan
from serving.actions.scenario_file import THIS_MONTH, Market, PlannedPlay, PriceChange, Scenario
from serving.forecast.account_conditions import meets
from serving.forecast.declared.acting_tables import ASSUMED
from serving.forecast.refusals import BadRequest

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
MONTH_DAYS = 30
_MANY = 5


@dataclass(frozen=True)
class Mark:
    """One thing that a scenario changes: whether its size is estimated or assumed, and how large it is, in words."""

    lever: str
    mark: str
    text: str


@dataclass(frozen=True)
class Ground:
    """What scenarios are put to.

    Attributes
    ----------
    customers
        Snapshot rows.
    prediction
        Their hazards, in the same order.
    plan
        What is recommended; None where nothing can be.
    settings
        `actions` of the settings.
    paths
        Draws and seed.
    lost
        Of past quarters, the share of accounts lost, as `features.kpis.customers.quarter_losses` gives them.
    """

    customers: pd.DataFrame
    prediction: Prediction
    plan: Plan | None
    settings: Actions
    paths: PathSettings
    lost: pd.DataFrame

    @property
    def months(self) -> int:
        """Months ahead that there are hazards of."""
        return int(self.prediction.hazards.shape[1])


def apply(scenario: Scenario, ground: Ground, plan: Plan | None) -> tuple[Portfolio, tuple[Mark, ...]]:
    """The portfolio as a scenario has it, and marks of what is estimated in it and what assumed.

    Parameters
    ----------
    scenario
        What is otherwise.
    ground
        What it is put to.
    plan
        What is recommended within the scenario's hours; None where nothing can be.

    Raises
    ------
    BadRequest
        It names accounts, kinds or columns that there are not.
    """
    prediction, marks = ground.prediction, list[Mark]()
    growth = np.ones(prediction.hazards.shape[:2])
    if scenario.accounts:
        prediction, mark = _forced(scenario, ground)
        marks.append(mark)
    levers: list[Lever] = []
    for pulled, mark in (
        *_plays(scenario, ground, plan),
        *(_price(price, number, ground) for number, price in enumerate(scenario.prices, start=1)),
        *_market(scenario.market, ground),
    ):
        levers += pulled
        marks.append(mark)
    for price in scenario.prices:
        change = np.where(_chosen(price.accounts, price.where, ground, "prices"), price.change, 0.0)
        growth = growth * what_if.raised_at_renewal(prediction, change)
    return Portfolio(what_if.with_levers(prediction, levers), growth), tuple(marks)


def _chosen(accounts: Sequence[str], where: str | None, ground: Ground, key: str) -> Bools:
    """The accounts that are meant."""
    ids = ground.customers["account_id"]
    if accounts:
        require_accounts(accounts, ids, key)
        return ids.isin(accounts).to_numpy()
    if where is None:
        return np.ones(len(ids), dtype=bool)
    chosen = meets(ground.customers, where, f"{key}.where")
    if not chosen.any():
        raise BadRequest(f"{key}.where: no customer meets {where!r}.{_values_of(ground.customers, where)}")
    return chosen


def _values_of(customers: pd.DataFrame, condition: str) -> str:
    """What a column of text holds, where there is little of it."""
    name = comparison_of(condition)[0]
    values = sorted(map(str, customers[name].dropna().unique())) if name in customers.columns else []
    return f" {name} holds {', '.join(values)}." if 0 < len(values) <= _MANY * 4 else ""


def require_accounts(accounts: Sequence[str], ids: "pd.Series[str]", key: str) -> None:
    """Refuse accounts that are no customers.

    Raises
    ------
    BadRequest
        Which, and what was perhaps meant.
    """
    there = set(ids)
    if unknown := [account for account in accounts if account not in there]:
        near = difflib.get_close_matches(unknown[0], sorted(there), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        more = f" and {len(unknown) - _MANY:,} more" if len(unknown) > _MANY else ""
        named = ", ".join(unknown[:_MANY]) + more
        raise BadRequest(f"{key} names accounts that have no ARR on the date, or that there are not: {named}.{hint}")


def _forced(scenario: Scenario, ground: Ground) -> tuple[Prediction, Mark]:
    ids = ground.customers["account_id"]
    require_accounts(list(scenario.accounts), ids, "accounts")
    place = {account: row for row, account in enumerate(ids)}
    leaves, stays = np.full(len(ids), NEVER, dtype=np.int64), np.zeros(len(ids), dtype=bool)
    for account, fate in scenario.accounts.items():
        if fate.month > ground.months:
            raise BadRequest(f"accounts: month {fate.month} lies beyond the {ground.months} months that are forecast.")
        if fate.outcome == "churn":
            leaves[place[account]] = fate.month - 1
        else:
            stays[place[account]] = True
    gone, kept = int((leaves != NEVER).sum()), int(stays.sum())
    text = f"Leaving for certain: {counted(gone, 'account')}; not leaving: {counted(kept, 'account')}."
    return what_if.forced(ground.prediction, leaves, stays), Mark("accounts", ASSUMED, text)


def _plays(scenario: Scenario, ground: Ground, plan: Plan | None) -> list[tuple[list[Lever], Mark]]:
    """The levers of plays, a kind at a time."""
    if not scenario.actions:
        return []
    if plan is None:
        raise BadRequest("actions: nothing can be recommended or planned: `holdfast actions` says why.")
    if isinstance(scenario.actions, str):
        starts = _recommended(plan, ground.months, once=scenario.actions == THIS_MONTH)
    else:
        starts = _planned(scenario.actions, ground, plan)
    return [_play(kind, starts[kind.name], ground) for kind in plan.kinds.kinds if starts[kind.name].any()]


def _recommended(plan: Plan, months: int, *, once: bool) -> dict[str, Bools]:
    """In which months each kind is done for whom, (accounts, months): now, and again when its gap has passed."""
    starts = {}
    for place, kind in enumerate(plan.kinds.kinds):
        every = months if once else max(1, -(-kind.play.min_gap_days // MONTH_DAYS))
        done = np.zeros((len(plan.play), months), dtype=bool)
        done[plan.play == place, ::every] = True
        starts[kind.name] = done
    return starts


def _planned(plays: Sequence[PlannedPlay], ground: Ground, plan: Plan) -> dict[str, Bools]:
    require_kinds("actions", [play.kind for play in plays], plan.kinds.names)
    starts = {name: np.zeros(ground.prediction.hazards.shape[:2], dtype=bool) for name in plan.kinds.names}
    for play in plays:
        if play.month > ground.months:
            raise BadRequest(f"actions: month {play.month} lies beyond the {ground.months} months that are forecast.")
        starts[play.kind][_chosen(play.accounts, play.where, ground, "actions"), play.month - 1] = True
    return starts


def _play(kind: KindOfPlay, starts: Bools, ground: Ground) -> tuple[list[Lever], Mark]:
    """The levers of a kind: what is left in each month of all times it was done."""
    shape = np.zeros(starts.shape)
    decay = ground.settings.decay if kind.size.decay is None else kind.size.decay
    for month in np.flatnonzero(starts.any(axis=0)):
        shape += what_if.fading(ground.months, np.where(starts[:, month], month, NEVER), decay)
    levers = [
        _of_outcome(shape, outcome, f"effect of {kind.name} on {name}", size, sd, ground.paths)
        for outcome, name, size, sd in (
            (CHURN, "churn", kind.size.churn, kind.sd.churn),
            (EXPANSION, "expansion", kind.size.expansion, kind.sd.expansion),
        )
        if size or sd
    ]
    times, accounts = int(starts.sum()), int(starts.any(axis=1).sum())
    again = times > accounts
    text = (
        f"{kind.name} {counted(times, 'time')} for {counted(accounts, 'account')}: {kind.size.churn:+.2f} on the "
        f"log-odds of churn, standard error {kind.sd.churn:.2f}."
    )
    text += " That repeated plays add up is assumed." if again else ""
    return levers, Mark(f"actions: {kind.name}", ASSUMED if again else kind.evidence, text)


def _of_outcome(shape: Array, outcome: int, name: str, size: float, sd: float, paths: PathSettings) -> Lever:
    strength = what_if.normal_strength(name, size, sd, draws=paths.draws, seed=paths.seed)
    return Lever(shape[:, :, None] * (np.arange(3) == outcome), strength)


def _price(price: PriceChange, number: int, ground: Ground) -> tuple[list[Lever], Mark]:
    """What a price does to leaving at the first renewal; what it does to ARR is no lever."""
    low, high = price.elasticity or ground.settings.elasticity
    chosen = _chosen(price.accounts, price.where, ground, "prices")
    shape = (what_if.first_renewal(ground.prediction) & chosen[:, None]) * price.change
    name = f"elasticity of price {number}"
    strength = what_if.uniform_strength(name, low, high, draws=ground.paths.draws, seed=ground.paths.seed)
    text = (
        f"{price.change:+.1%} at the first renewal of {counted(int(chosen.sum()), 'account')}; elasticity anywhere "
        f"from {low:g} to {high:g}: {low * price.change:+.2f} to {high * price.change:+.2f} on the log-odds of leaving."
    )
    return [Lever(shape[:, :, None] * (np.arange(3) == CHURN), strength)], Mark(f"prices: {number}", ASSUMED, text)


def _market(market: Market | None, ground: Ground) -> list[tuple[list[Lever], Mark]]:
    if market is None:
        return []
    shifts = [shift for shift in (_worse(market, ground), _worst(market, ground)) if shift is not None]
    if market.continues:
        shifts.append(_continued(ground))
    shift, text = max(shifts, key=lambda one: float(one[0][:, CHURN].mean())) if len(shifts) > 1 else shifts[0]
    shift = np.where(np.arange(ground.months)[:, None] < market.months, shift, 0.0)
    lever = Lever(np.broadcast_to(shift, ground.prediction.hazards.shape), np.ones(ground.paths.draws))
    return [([lever], Mark("market", ASSUMED, text))]


def _worse(market: Market, ground: Ground) -> tuple[Array, str] | None:
    if market.sd is None:
        return None
    sd = luck_sd(ground.prediction)
    shift = market.sd * what_if.market_shift(ground.months, sd, ground.months)
    text = (
        f"The market is {market.sd:g} standard deviations worse than expected; one, as the history tells it, is "
        f"{sd[CHURN]:.2f} on the log-odds of churn and {sd[EXPANSION]:.2f} on those of expansion."
    )
    return shift, text


def luck_sd(prediction: Prediction) -> Array:
    """How much the luck that months share varies in the long run, by outcome, shape (3,)."""
    states = prediction.luck.states
    return np.mean([state.sd for state in states], axis=0) if states else np.zeros(3)


def _worst(market: Market, ground: Ground) -> tuple[Array, str] | None:
    """The shift that makes as many leave as in the worst quarter, measured against all quarters together."""
    lost = ground.lost
    if not market.worst_quarter or len(lost) < 2 or not lost["lost"].sum():
        if market.worst_quarter and market.sd is None:
            raise BadRequest("market.worst_quarter: the history is too short to tell a bad quarter: give sd instead.")
        return None
    share = lost["lost"] / lost["accounts"]
    worst, usual = float(share.max()), float(lost["lost"].sum() / lost["accounts"].sum())
    distance = float(logit(min(worst, 0.99)) - logit(usual))
    shift = np.zeros((ground.months, 3))
    shift[:, CHURN] = distance
    until = lost["until"].iloc[int(share.to_numpy().argmax())]
    text = f"As in the worst quarter of the history, that before {until}: {worst:.1%} left, and {usual:.1%} usually."
    return shift, text


def _continued(ground: Ground) -> tuple[Array, str]:
    """The luck of the first month ahead in all of them."""
    expected = ground.prediction.luck.expected(ground.months, gap_months=ground.prediction.gap_months)
    return expected[0] - expected, "The market of the last months goes on, and does not come back to the usual."
