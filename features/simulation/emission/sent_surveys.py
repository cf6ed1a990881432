"""When surveys were sent, to whom, and those that nobody answered: more of them where health is low."""

import numpy as np
import pandas as pd

from features.simulation.emission.display import Display, Names, dates, named, times
from features.simulation.emission.stakeholders import contacts
from features.simulation.months import Ints
from features.simulation.state import expit

_MOMENTS = ("onboarding", "support", "renewal", "other")
_THEMES = ("ease of use", "speed", "missing functions", "price", "support", "integration")
_ROLES = ("decision_maker", "champion", "user")
_DAY = 86_400
_EPOCH = np.datetime64("1970-01-01", "D")


def with_sent(display: Display, answers: pd.DataFrame) -> pd.DataFrame:
    """The answers with when and to whom they were sent, and the surveys sent that nobody answered."""
    rng = display.generator("surveys", "sent")
    answered = (answers["responded_on"].to_numpy().astype("datetime64[D]") - _EPOCH).astype(np.int64)
    sent = answered - np.minimum(rng.geometric(0.3, len(answers)) - 1, 20)
    people = contacts(display)
    told = answers.assign(
        sent_on=dates(sent),
        contact_id=_asked(people, answers["account_id"].to_numpy(), answers["respondent_role"].to_numpy(), sent),
        moment=named(_MOMENTS, rng.integers(len(_MOMENTS), size=len(answers))),
        theme=_themes(rng, answers["score"].to_numpy()),
    )
    return pd.concat([told, _unanswered(display, people)], ignore_index=True)


def _themes(rng: np.random.Generator, score: Ints) -> Names:
    themes = named(_THEMES, rng.integers(len(_THEMES), size=len(score)))
    themes[rng.random(len(score)) < 0.5] = None
    return themes


def _unanswered(display: Display, people: pd.DataFrame) -> pd.DataFrame:
    rng = display.generator("surveys", "unanswered")
    size = np.array([0.7, 1.0, 1.7])[display.history.company.profile.segment]
    rate = 0.22 * size * expit(-0.4 - 0.9 * display.state("health"))
    number = rng.poisson(np.where(display.live, rate, 0.0))
    month, account = (np.repeat(place, number[np.nonzero(number)]) for place in np.nonzero(number))
    sent = display.days_in(month, account, rng)
    role = named(_ROLES, rng.choice(len(_ROLES), size=len(sent), p=[0.45, 0.1, 0.45]))
    ids = display.account_ids[account]
    columns = {
        "account_id": ids,
        "kind": named(("nps", "csat"), (rng.random(len(sent)) < 0.4).astype(np.int64)),
        "respondent_role": role,
        "contact_id": _asked(people, ids, role, sent),
        "sent_on": dates(sent),
        "moment": named(_MOMENTS, rng.integers(len(_MOMENTS), size=len(sent))),
        "recorded_at": times(display.recorded(sent, rng, 0.0)),
    }
    return pd.DataFrame(columns)


def _asked(people: pd.DataFrame, account_ids: Names, roles: Names, sent: Ints) -> Names:
    """A customer's contact of the role who was there when the survey was sent, if there was one."""
    customers = people[people["side"] == "customer"]
    asked = pd.DataFrame({"account_id": account_ids, "role": roles, "sent": dates(sent), "row": np.arange(len(sent))})
    pairs = asked.merge(customers, on=["account_id", "role"])
    there = (pairs["joined_on"] <= pairs["sent"]) & ~(pairs["left_on"] <= pairs["sent"])
    first = pairs[there].drop_duplicates("row").set_index("row")["contact_id"]
    ids: Names = first.reindex(range(len(sent))).to_numpy(dtype=object)
    ids[pd.isna(ids)] = None
    return ids
