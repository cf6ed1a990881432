"""The tables of the relationship: CSM actions, goals, engagement, tickets, surveys and contacts."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.simulation.emission.display import Display, Names, conform, dates, named, times
from features.simulation.emission.sent_surveys import with_sent
from features.simulation.emission.stakeholders import contacts
from features.simulation.months import FAR, Floats, Ints
from features.simulation.state import expit

_LATE_REPORTS = 0.05
_ROLES = ("decision_maker", "champion", "user")
_CATEGORIES = ("how_to", "request", "bug")
_SEVERITIES = ("low", "medium", "high", "critical")
_DAY = 86_400


class _Cells(NamedTuple):
    """Events by month and account."""

    month: Ints
    account: Ints


def csm_actions(display: Display) -> pd.DataFrame:
    """What the CSMs did, and what they had planned and missed."""
    rng, history = display.generator("csm_actions"), display.history
    actions = history.company.rules.actions
    done, missed = history.states["done"], history.states["missed"]
    month, account, action = np.nonzero((done | missed) & display.live[:, :, None])
    held = done[month, account, action]
    days = display.days_in(month, account, rng)
    slip = np.where(held & (rng.random(len(days)) < 0.3), 1 + rng.integers(0, 10, len(days)), 0)
    columns = {
        "account_id": display.account_ids[account],
        "acted_on": dates(days),
        "action": named([each.name for each in actions], action),
        "process": named([each.process for each in actions], action),
        "playbook": named([each.playbook for each in actions], action),
        "csm": display.csm_of(month, account),
        "status": np.where(held, "done", "missed"),
        "planned_on": dates(days - slip),
        "recorded_at": times(display.recorded(days, rng, _LATE_REPORTS)),
    }
    return conform("csm_actions", display.known_rows(pd.DataFrame(columns)), ["account_id", "acted_on", "action"])


# ---------------------------------------------------------------------------------------------- engagement


@dataclass(frozen=True)
class _Kind:
    """A kind of engagement: how often a month, and what moves that (logarithmic)."""

    name: str
    rate: float
    by_health: float = 0.0
    by_care: float = 0.0
    by_view: float = 0.0


_KINDS = (
    _Kind("meeting", 0.55, by_health=0.1, by_care=0.35, by_view=0.1),
    _Kind("email", 1.5, by_care=0.25, by_view=0.15),
    _Kind("training", 0.18, by_health=0.3, by_care=0.2),
    _Kind("community", 0.25, by_health=0.4),
    _Kind("webinar", 0.15, by_health=0.25),
    _Kind("event", 0.04, by_health=0.2),
    _Kind("self_help", 0.5, by_health=0.15),
    _Kind("referral", 0.02, by_health=0.6),
)


_ABOUT_ITEMS = ("training", "community", "webinar", "event", "self_help")


def engagement(display: Display) -> pd.DataFrame:
    """Meetings, e-mails, training, community and the like."""
    rng = display.generator("engagement")
    people = contacts(display)
    frames = []
    for kind in _KINDS:
        cells = _events(display, rng, _engagement_rate(display, kind))
        days = display.days_in(*cells, rng)
        columns = {
            "account_id": display.account_ids[cells.account],
            "happened_on": dates(days),
            "kind": kind.name,
            "contact_id": _someone(display, people, cells.account, days, rng),
        }
        frames.append(pd.DataFrame(columns))
    rows = pd.concat(frames, ignore_index=True)
    rows["item"] = _items(display, rows["kind"].to_numpy())
    return _with_planted_content(display, conform("engagement", rows, ["account_id", "happened_on", "kind"]))


ARTICLE_OF_RENEWAL = "self_help 1"
_OTHER_ARTICLES = 4  # self_help 2 to 5, drawn again where the planted one is not read
_YOUNG_DAYS = 120
_REFERENCE_SHARE = 0.015


def _with_planted_content(display: Display, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of engagement, with what is planted among them.

    Which self-help article a young account opens goes with its hidden level: `ARTICLE_OF_RENEWAL` where it is high.
    Which course or event it is goes with nothing. Some e-mails ended in a reference, more of them where the level is
    high. Only items and kinds change, from random streams of their own, so that all else stays as it is.
    """
    profile = display.history.company.profile
    account = display.account_ids.searchsorted(rows["account_id"].to_numpy(dtype=object))
    age = rows["happened_on"].to_numpy().astype("datetime64[D]").astype(np.int64) - profile.joins[account]
    level, kind = profile.level[account], rows["kind"].to_numpy(dtype=object)
    rng = display.generator("engagement", "articles")
    reads = rng.random(len(rows)) < expit(-0.2 + 2.2 * level)
    other = 2 + rng.integers(0, _OTHER_ARTICLES, len(rows))
    items = np.where(reads, ARTICLE_OF_RENEWAL, np.char.add("self_help ", other.astype(str))).astype(object)
    young = (kind == "self_help") & (age <= _YOUNG_DAYS)
    item = np.where(young, items, rows["item"].to_numpy(dtype=object))
    asked = display.generator("engagement", "references").random(len(rows))
    gives = (kind == "email") & (asked < _REFERENCE_SHARE * np.exp(0.8 * level))
    return rows.assign(item=item, kind=np.where(gives, "reference", kind))


def _items(display: Display, kinds: Names) -> Names:
    """Which course, article or event a contact was about, where it was about one."""
    number = display.generator("engagement", "items").integers(1, 6, len(kinds)).astype(str).astype(object)
    items: Names = kinds + " " + number
    items[~np.isin(kinds, _ABOUT_ITEMS)] = None
    return items


def _engagement_rate(display: Display, kind: _Kind) -> Floats:
    moved = kind.by_health * display.state("health") + kind.by_care * display.state("care")
    moved = moved + kind.by_view * np.clip(display.state("view"), -3, 3)
    touch = np.array([1.7, 1.0, 0.5])[display.history.company.profile.touch]
    rate: Floats = kind.rate * touch * np.exp(moved)
    return rate


def _events(display: Display, rng: np.random.Generator, rate: Floats) -> _Cells:
    """Events of a Poisson process in each month that the account is a customer in."""
    number = rng.poisson(np.where(display.live, rate, 0.0))
    month, account = np.nonzero(number)
    times_each = number[month, account]
    return _Cells(np.repeat(month, times_each), np.repeat(account, times_each))


def _someone(display: Display, people: pd.DataFrame, account: Ints, days: Ints, rng: np.random.Generator) -> Names:
    """A customer's contact who is there on the day, or nobody in particular."""
    customers = people[people["side"] == "customer"]
    first = np.searchsorted(customers["account_id"].to_numpy(dtype=object), display.account_ids)
    number = np.diff(np.append(first, len(customers)))
    picked = first[account] + (rng.random(len(account)) * number[account]).astype(np.int64)
    picked = np.minimum(picked, len(customers) - 1)
    when = dates(days)
    there = (number[account] > 0) & (customers["joined_on"].to_numpy()[picked] <= when)
    left = customers["left_on"].to_numpy()[picked]
    there &= np.isnat(left) | (left > when)
    someone: Names = customers["contact_id"].to_numpy(dtype=object)[picked]
    someone[~there] = None
    return someone


# ---------------------------------------------------------------------------------------------- tickets and surveys


def tickets(display: Display) -> pd.DataFrame:
    """Support tickets: more, and more severe, where health is low."""
    rng, health = display.generator("tickets"), display.state("health")
    base = np.array([0.22, 0.5, 1.1])[display.history.company.profile.segment]
    cells = _events(display, rng, base * np.exp(-0.4 * health))
    felt = health[cells]
    severity = np.digitize(rng.standard_normal(len(felt)) - 0.35 * felt, [0.0, 1.0, 1.9])
    opened = display.days_in(*cells, rng) * _DAY + rng.integers(6 * 3600, 20 * 3600, len(felt))
    hours = 5 * np.exp(0.8 * rng.standard_normal(len(felt)) - 0.45 * severity - 0.15 * felt)
    answered = opened + (hours * 3600).astype(np.int64) + 60
    days = 2.2 * np.exp(0.9 * rng.standard_normal(len(felt)) - 0.2 * felt)
    resolved = np.where(rng.random(len(felt)) < 0.97, answered + (days * _DAY).astype(np.int64) + 60, FAR * _DAY)
    columns = {
        "account_id": display.account_ids[cells.account],
        "opened_at": times(opened),
        "first_response_at": _past_times(display, answered),
        "resolved_at": _past_times(display, resolved),
        "severity": named(_SEVERITIES, severity),
        "category": _categories(display, severity),
    }
    return conform("tickets", pd.DataFrame(columns), ["account_id", "opened_at"])


def _categories(display: Display, severity: Ints) -> Names:
    """What tickets are about: the severe ones are bugs more often."""
    drawn = display.generator("tickets", "category").random(len(severity))
    return named(_CATEGORIES, np.digitize(drawn + 0.12 * severity, [0.35, 0.6]))


def _past_times(display: Display, seconds: Ints) -> np.ndarray:
    return np.where(seconds < display.history.last_day * _DAY, times(seconds), np.datetime64("NaT", "s"))


class _Survey(NamedTuple):
    """A kind of survey: how often, and how its score follows health."""

    kind: str
    monthly: float
    lowest: int
    highest: int
    center: float
    by_health: float
    noise: float


_SURVEYS = (
    _Survey("nps", 0.10, 0, 10, 7.3, 1.2, 1.7),
    _Survey("csat", 0.08, 1, 5, 3.9, 0.45, 0.8),
    _Survey("ces", 0.04, 1, 7, 5.0, 0.5, 1.1),
)


def surveys(display: Display) -> pd.DataFrame:
    """Answers to surveys; the unhappy answer less often."""
    frames = [_answers(display, survey) for survey in _SURVEYS]
    answers = display.known_rows(pd.concat(frames, ignore_index=True))
    return conform("surveys", with_sent(display, answers), ["account_id", "responded_on", "kind", "score"])


def _answers(display: Display, survey: _Survey) -> pd.DataFrame:
    rng, health = display.generator("surveys", survey.kind), display.state("health")
    size = np.array([0.7, 1.0, 1.7])[display.history.company.profile.segment]
    cells = _events(display, rng, survey.monthly * size * 1.4 * expit(0.9 + 0.4 * health))
    role = rng.choice(len(_ROLES), size=len(cells.month), p=[0.28, 0.22, 0.5])
    felt = survey.by_health * (health[cells] + np.array([-0.25, 0.35, 0.0])[role])
    score = np.rint(survey.center + felt + survey.noise * rng.standard_normal(len(role)))
    days = display.days_in(*cells, rng)
    columns = {
        "account_id": display.account_ids[cells.account],
        "responded_on": dates(days),
        "kind": survey.kind,
        "score": np.clip(score, survey.lowest, survey.highest),
        "respondent_role": named(_ROLES, role),
        "recorded_at": times(display.recorded(days, rng, _LATE_REPORTS)),
    }
    return pd.DataFrame(columns)
