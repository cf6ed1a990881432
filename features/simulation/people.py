"""People come and go, CSMs act on what they believe, health moves."""

import numpy as np

from features.simulation.months import Bools, Draws, Floats
from features.simulation.state import LIVE, Company, Deeds, Month, churn_score, expit


def care_for(company: Company, month: Month, draws: Draws) -> Deeds:
    """People come and go, CSMs act on what they believe, health and the customer's growth move."""
    rules, state = company.rules, company.state
    jump = _move_people(company, draws)
    moved = draws.uniform("csm changes") < rules.csm_changes
    state.csm = np.where(moved, (draws.uniform("new csm") * company.csms).astype(np.int64), state.csm)
    state.care = rules.care_memory * state.care + rules.care_noise * draws.normal("care")
    deeds = _act(company, draws)
    tenure = np.maximum(month.first - state.since, 0) / 30.4375
    effects, growth = (np.array([getattr(action, name) for action in rules.actions]) for name in ("effect", "growth"))
    state.health = (
        company.profile.level
        + rules.health_memory * (state.health - company.profile.level)
        + rules.health_noise * draws.normal("health")
        + rules.honeymoon * np.exp(-tenure / 4)
        + (deeds.done * effects).sum(axis=1)
        + jump
    )
    state.growth = rules.growth_memory * state.growth + rules.growth_noise * draws.normal("growth")
    state.growth = state.growth + (deeds.done * growth).sum(axis=1)
    return deeds


def _move_people(company: Company, draws: Draws) -> Floats:
    """Champions and sponsors leave and are found anew; what that does to health at once."""
    rules, state = company.rules, company.state
    chance, arrival = draws.uniform("champion leaves"), draws.uniform("champion found")
    lost_champion = state.champion & (chance < rules.champion_leaves)
    state.champion = np.where(state.champion, ~lost_champion, arrival < rules.champion_found)
    chance, arrival = draws.uniform("sponsor leaves"), draws.uniform("sponsor found")
    lost_sponsor = state.sponsor & (chance < rules.sponsor_leaves)
    state.sponsor = np.where(state.sponsor, ~lost_sponsor, arrival < rules.sponsor_found)
    jump: Floats = rules.champion_jump * lost_champion + rules.sponsor_jump * lost_sponsor
    return jump


def _act(company: Company, draws: Draws) -> Deeds:
    """CSMs act more where their (noisy) view of the risk is higher, and miss more where care is low."""
    rules, state = company.rules, company.state
    view = churn_score(company) + rules.view_noise * draws.normal("view")
    readiness = np.array(rules.touch_logit)[company.profile.touch] + 0.4 * state.care
    live = state.standing == LIVE
    planned, held = np.zeros((2, company.rows, len(rules.actions)), dtype=np.bool_)
    for place, action in enumerate(rules.actions):
        chance = expit(action.monthly_logit + action.by_risk * view + readiness)
        planned[:, place] = live & (draws.uniform(f"acts: {action.name}") < chance)
        held[:, place] = draws.uniform(f"holds: {action.name}") < expit(2.2 + 0.8 * state.care)
    if rules.actions_a_month is not None:
        held &= _has_time(company, planned, view)[:, None]
    done = planned & held
    if company.forced is not None:
        done[:, company.forced.action] = company.forced.done
    return Deeds(done, planned & ~done, view)


def _has_time(company: Company, planned: Bools, view: Floats) -> Bools:
    """For which accounts their CSM has time this month: the riskiest first, as long as the month's actions last."""
    csm = company.shock.future * company.csms + company.state.csm
    order = np.lexsort((-view, csm))
    count, first = planned.sum(axis=1)[order], np.r_[True, np.diff(csm[order]) > 0]
    so_far = np.cumsum(count) - count
    used = so_far - so_far[first][np.cumsum(first) - 1]
    has_time = np.empty(company.rows, dtype=np.bool_)
    has_time[order] = used < company.rules.actions_a_month
    return has_time
