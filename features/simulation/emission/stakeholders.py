"""The people of both sides, the customers' users among them."""

import numpy as np
import pandas as pd

from features.simulation.emission.display import Display, Names, codes, conform, dates, named
from features.simulation.emission.product_users import users_of
from features.simulation.months import FAR, Bools

_DEPARTMENTS = ("Operations", "Finance", "IT", "Sales", "Support")


def contacts(display: Display) -> pd.DataFrame:
    """People on both sides; champions and sponsors come and go as they do in the company's hidden life."""
    people = with_users(display, people_of(display))
    columns = {
        "contact_id": codes(display.generator("contact ids"), len(people), "P-"),
        "account_id": display.account_ids[people["account"].to_numpy()],
        "role": people["role"].to_numpy(),
        "side": people["side"].to_numpy(),
        "joined_on": dates(people["joined"].to_numpy()),
        "left_on": display.past(people["left"].to_numpy()),
        "user_id": people["user_id"].to_numpy(),
        "department": people["department"].to_numpy(),
    }
    return conform("contacts", pd.DataFrame(columns), ["account_id", "contact_id"])


def people_of(display: Display) -> pd.DataFrame:
    """Everyone on either side: `account`, `joined` and `left` (day numbers), `role`, `side`; champions come first."""
    people = pd.concat([_comers_and_goers(display), _steady(display)], ignore_index=True)
    return people[people["joined"] < display.history.last_day]


def champions_of(people: pd.DataFrame) -> pd.DataFrame:
    """The customers' champions, in the order in which they have users of their own."""
    return people[(people["role"] == "champion") & (people["side"] == "customer")]


def champion_ids(display: Display, champions: pd.DataFrame) -> Names:
    """The ids of the champions' users."""
    return codes(display.generator("champion users"), len(champions), "U-x")


def with_users(display: Display, people: pd.DataFrame) -> pd.DataFrame:
    """The same people with the ids of their users and their departments."""
    rng, users = display.generator("contacts", "users"), users_of(display)
    account, is_customer = people["account"].to_numpy(), people["side"].to_numpy() == "customer"
    seats = users.offset[account + 1] - users.offset[account]
    picked = users.offset[account] + (rng.random(len(people)) * seats).astype(np.int64)
    is_user = (people["role"].to_numpy() == "user") & is_customer & (seats > 0)
    ids = np.full(len(people), None, dtype=object)
    ids[is_user] = users.ids.to_numpy()[picked[is_user]]
    champions = champions_of(people)
    ids[people.index.get_indexer(champions.index)] = champion_ids(display, champions)
    department = named(_DEPARTMENTS, rng.integers(len(_DEPARTMENTS), size=len(people)))
    department[~is_customer] = None
    return people.assign(user_id=ids, department=department)


def _comers_and_goers(display: Display) -> pd.DataFrame:
    frames = []
    for state, role in (("champion", "champion"), ("sponsor", "executive_sponsor")):
        present = display.history.states[state] & display.live
        frames.append(_stays(display, present, display.generator("contacts", role)).assign(role=role, side="customer"))
    return pd.concat(frames, ignore_index=True)


def _stays(display: Display, present: Bools, rng: np.random.Generator) -> pd.DataFrame:
    """Unbroken stays of a person in a role; who is there when the customer goes has no leaving day."""
    padded = np.pad(present.T.astype(np.int8), ((0, 0), (1, 1)))
    change = np.diff(padded, axis=1)
    account, start = np.nonzero(change == 1)
    stop = np.nonzero(change == -1)[1]
    first_month = display.live.argmax(axis=0)[account]
    joined = display.days_in(start, account, rng)
    joined = np.where(start == first_month, display.history.company.profile.joins[account], joined)
    inside = np.minimum(stop, display.history.months - 1)
    leaves = (stop < display.history.months) & display.live[inside, account]
    left = np.where(leaves, display.days_in(inside, account, rng), FAR)
    return pd.DataFrame({"account": account, "joined": joined, "left": left})


def _steady(display: Display) -> pd.DataFrame:
    """Decision-makers, users and the vendor's own people, whose coming and going says little."""
    rng, profile = display.generator("contacts", "steady"), display.history.company.profile
    kinds = (("decision_maker", "customer", 1.0, 0.5), ("user", "customer", 1.6, 1.6), ("csm", "vendor", 1.0, 0.0))
    frames = []
    for role, side, base, more in (*kinds, ("executive_sponsor", "vendor", 0.15, 0.35)):
        chance = rng.random((2, len(profile.segment)))
        number = np.floor(base + more * profile.segment * chance[0] + 0.9 * chance[1])
        account = np.repeat(np.arange(len(number)), number.astype(np.int64))
        joined = profile.joins[account] + rng.exponential(90, len(account)).astype(np.int64)
        left = joined + 1 + rng.exponential(1500, len(account)).astype(np.int64)
        left = np.where(left < display.history.company.state.until[account], left, FAR)
        frames.append(pd.DataFrame({"account": account, "joined": joined, "left": left, "role": role, "side": side}))
    return pd.concat(frames, ignore_index=True)
